import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDatabase } from '../src/directory/database.ts';
import { newResourceId } from '../src/scim/store/resource-id.ts';
import { insertUsers, type StoredUser, unsettledUsers } from '../src/scim/store/users.ts';

export const CLIENT = 'bench';
export const TOKEN = 'a-token-of-a-throw-away-gateway-0123456789';

const AT_ONCE = 200;

/** A folder with the config of a gateway and with what a client has pushed into it. */
export interface ScimSite {
  readonly config: string;
  readonly database: string;
}

/** As identity providers push them. */
export function userAt(at: number): Record<string, unknown> {
  const name = `person.${at}`;
  return {
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
    userName: `${name}@acme.test`,
    externalId: `00u${String(at).padStart(9, '0')}`,
    name: { givenName: `Given ${at}`, familyName: `Family ${at}` },
    displayName: `Given ${at} Family ${at}`,
    emails: [{ value: `${name}@acme.test`, type: 'work', primary: true }],
    title: 'Analyst',
    active: true,
  };
}

/** Users whom the directory has heard of as far as SCIM knows. Their ids, in order. */
export async function layOut(folder: string, users: number): Promise<ScimSite & { readonly ids: readonly string[] }> {
  const config = join(folder, 'latchgate.yaml');
  const database = `sqlite:${join(folder, 'state.db')}`;
  writeFileSync(config, configText(database), { mode: 0o600 });
  const state = await openDatabase(database);
  const now = Date.now();
  const ids: string[] = [];
  try {
    await state.transaction(async (db) => {
      for (let from = 0; from < users; from += AT_ONCE) {
        const some = Array.from({ length: Math.min(AT_ONCE, users - from) }, (_, at): StoredUser => {
          const { schemas: _schemas, ...attributes } = userAt(from + at) as StoredUser['attributes'];
          return { client: CLIENT, id: newResourceId(now), createdAt: now, modifiedAt: now, version: 1, attributes };
        });
        await insertUsers(db, some);
        ids.push(...some.map(({ id }) => id));
      }
      await db.updateTable('scim_users').set({ settled: 1 }).execute();
    });
  } finally {
    await state.close();
  }
  return { config, database, ids };
}

/** Waits until the directory has been told of everything that was pushed. */
export async function untilTold(database: string): Promise<void> {
  const state = await openDatabase(database);
  try {
    while ((await state.run((db) => unsettledUsers(db, CLIENT, '', 1))).length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await state.close();
  }
}

/** The login and the target are never called: nobody logs in, and the target's part is left out. */
function configText(database: string): string {
  return JSON.stringify({
    version: 1,
    public_url: 'http://127.0.0.1:8080',
    listen: '127.0.0.1:0',
    admin_listen: '127.0.0.1:0',
    log: { level: 'warn' },
    state: { database },
    session: { secrets: ['a-secret-of-a-throw-away-gateway-0123456789'] },
    login: { idp: { issuer: 'http://127.0.0.1:9', client_id: 'bench', client_secret: 'bench' } },
    default: { grant: { bi: {} } },
    targets: { bi: { type: 'superset', url: 'http://127.0.0.1:9' } },
    routes: [{ path: '/', to: 'bi' }],
    scim: { clients: { [CLIENT]: { tokens: [TOKEN], login: 'idp', requests_per_minute: 10_000_000 } } },
  });
}
