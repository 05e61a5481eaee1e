import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Auth0Emulator, startAuth0Emulator } from '../emulators/auth0/server.ts';
import { plantUser } from '../emulators/auth0/state.ts';
import { USER } from '../emulators/scim/schema.ts';
import { type ScimEmulator, startScimEmulator } from '../emulators/scim/server.ts';
import { plant } from '../emulators/scim/state.ts';
import { startTdsServer, type TdsServer } from '../sources/sql/tds-server.ts';
import { GOODDATA, gooddataPeople, gooddataUser } from './company.ts';
import { type Instance, type Journey, startJourney, until } from './harness.ts';

// What docs/operations.md says of the secrets of sources, as it says it: a secret is read at the start of a gateway or command.
const SQL_COLUMNS = ['email', 'role'];
const ADMINISTRATOR = { id: 'emulator-client', scopes: ['read:users', 'read:roles'] };
const first = (name: string): string => `the first secret of ${name}`;

/** A source as whoever operates it has it. */
interface Operated {
  add(email: string): void;
  /** The secrets that are taken there, in place of those before. */
  takes(...secrets: readonly string[]): void;
}

let tds: TdsServer;
let auth0: Auth0Emulator;
let scim: ScimEmulator;
let journey: Journey;
let serving: Instance;
const operated: Record<string, Operated> = {};

beforeAll(async () => {
  const rows: [string, string][] = [];
  const passwords = new Set([first('sql')]);
  const answer = (sql: string) =>
    sql === 'select people'
      ? { tables: [{ columns: SQL_COLUMNS, rows }] }
      : { tables: [{ columns: ['snapshot_isolation_state'], rows: [['1']] }] };
  tds = await startTdsServer({ passwords, answer });
  operated['sql'] = {
    add: (email) => void rows.push([email, 'team']),
    takes: (...secrets) => {
      passwords.clear();
      for (const secret of secrets) passwords.add(secret);
    },
  };
  const clients = [{ ...ADMINISTRATOR, secret: first('auth0') }];
  auth0 = await startAuth0Emulator({ clients, tokenSeconds: 1, seed: { roles: [{ name: 'team' }] } });
  operated['auth0'] = {
    add: (email) => {
      const world = { now: Date.now(), newId: () => email };
      plantUser(auth0.state, { user_id: `auth0|${email}`, email, email_verified: true, roles: ['team'] }, world);
    },
    takes: (...secrets) => {
      clients.splice(0, clients.length, ...secrets.map((secret) => ({ ...ADMINISTRATOR, secret })));
    },
  };
  scim = await startScimEmulator();
  scim.tokens.clear();
  scim.tokens.add(first('scim'));
  operated['scim'] = {
    add: (email) =>
      void plant(scim.state, 'User', {
        schemas: [USER],
        userName: email,
        active: true,
        emails: [{ value: email, primary: true }],
      }),
    takes: (...secrets) => {
      scim.tokens.clear();
      for (const secret of secrets) scim.tokens.add(secret);
    },
  };
  journey = await startJourney({ sections: sections(), start: false });
  for (const name of Object.keys(operated)) keep(name, first(name));
  serving = await journey.start();
}, 60_000);
afterAll(async () => {
  await journey.close();
  await Promise.all([tds.close(), auth0.close(), scim.close()]);
});

function sections(): Readonly<Record<string, string>> {
  const secretOf = (name: string) => `\${file:${name}.secret}`;
  const at = { driver: 'mssql', server: '127.0.0.1', port: tds.port, encrypt: false, database: 'company' };
  return {
    ...GOODDATA,
    sources: JSON.stringify({
      sql: { type: 'sql', ...at, user: 'gate', password: secretOf('sql'), query: 'select people' },
      auth0: { type: 'auth0', url: auth0.url, client_id: ADMINISTRATOR.id, client_secret: secretOf('auth0') },
      scim: { type: 'scim', url: scim.url, token: secretOf('scim') },
    }),
    sync: JSON.stringify(
      Object.fromEntries(
        Object.keys(operated).map((from) => [`of-${from}`, { from, to: 'gooddata', every: '1s', do: 'apply' }]),
      ),
    ),
  };
}

/** What is in the secret file from now on. */
function keep(name: string, secret: string): void {
  writeFileSync(join(journey.folder, `${name}.secret`), `${secret}\n`, { mode: 0o600 });
}

async function restart(): Promise<void> {
  await serving.stop();
  serving = await journey.start();
}

const people = (): readonly string[] => {
  const { state } = journey.gooddata;
  return gooddataPeople(state).map((id) => String(gooddataUser(state, id)?.email));
};

/** Of one sync, newest first. */
async function runs(name: string): Promise<readonly { readonly outcome: string; readonly code: string | null }[]> {
  const { out } = await journey.cli('syncs', 'runs', `of-${name}`, '--json');
  return out === '' ? [] : out.split('\n').map((line) => JSON.parse(line));
}

const each = (work: (name: string) => unknown) => Promise.all(Object.keys(operated).map(work));
const add = (who: string) => each((name) => operated[name]?.add(`${name}-${who}@acme.test`));
const arrive = (who: string) =>
  each((name) => until(`${who} of ${name}`, () => people().includes(`${name}-${who}@acme.test`) || undefined));
/** Resolves to the code of the last run of each, once it failed. */
const fail = () =>
  each((name) =>
    until(`${name} to fail`, async () => {
      const [last] = await runs(name);
      return last?.outcome === 'failed' ? (last.code ?? '') : undefined;
    }),
  );

it('two that are taken there: no run fails, and the former is taken out there', async () => {
  await add('ann');
  await arrive('ann');
  const second = (name: string): string => `the second secret of ${name}`;
  await each((name) => {
    operated[name]?.takes(first(name), second(name));
    keep(name, second(name));
  });
  await restart();
  await each((name) => operated[name]?.takes(second(name)));
  await add('ben');
  await arrive('ben');
  const outcomes = await each(async (name) => (await runs(name)).map(({ outcome }) => outcome));
  expect(outcomes.flat()).not.toContain('failed');
}, 60_000);

it('one: runs fail until the restart and take nothing from anybody, and a command has the new one at once', async () => {
  const before = people();
  expect(before).toHaveLength(6);
  const third = (name: string): string => `the third secret of ${name}`;
  await each((name) => operated[name]?.takes(third(name)));
  await add('cy');
  expect(await fail()).toEqual(['source_refused', 'source_refused', 'source_refused']);
  await each((name) => keep(name, third(name)));
  expect(people()).toEqual(before);
  await each(async (name) => expect((await journey.cli('apply', `of-${name}`)).code).toBe(0));
  await arrive('cy');
  // The gateway goes on with what it has read.
  await fail();
  await restart();
  await add('dee');
  await arrive('dee');
  expect(people()).toHaveLength(12);
  expect(journey.log.join('\n')).not.toMatch(/the (?:first|second|third) secret of/);
}, 60_000);
