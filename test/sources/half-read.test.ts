import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuth0Api } from '../../src/ops/auth0/api.ts';
import { listRoles } from '../../src/ops/auth0/roles.ts';
import { createHttpClient } from '../../src/ops/http.ts';
import { createFileSource } from '../../src/sources/file/source.ts';
import { createScimSource } from '../../src/sources/scim/source.ts';
import type { Source } from '../../src/sources/source.ts';
import { Table } from '../../src/sources/table.ts';
import { lines, SyncWorld } from '../sync/world.ts';
import { sourceConfig } from './config-of.ts';
import { startScriptedScim, TOKEN } from './scim/scripted-scim.ts';
import { startScriptedServer } from './scripted-server.ts';

/** What a source could not read takes nothing from anybody. */
const http = createHttpClient({ readOnly: true });
const folder = mkdtempSync(join(tmpdir(), 'latchgate-half-read-'));
const worlds: SyncWorld[] = [];
afterAll(async () => {
  for (const world of worlds) await world.close();
  await http.close();
  rmSync(folder, { recursive: true });
});

/** A sync that reads this source, after its first run. */
async function synced(source: Source): Promise<SyncWorld> {
  const world = await new SyncWorld().open({ stopIf: { removals: { percent: 10 } } });
  worlds.push(world);
  world.hr.list = () => source.list(AbortSignal.timeout(10_000));
  expect(await world.apply()).toMatchObject({ outcome: 'applied', failed: 0 });
  return world;
}

it('a line of a file that is broken takes no role that it may have held', async () => {
  const path = join(folder, 'people.ndjson');
  const row = (who: string, groups: string) => JSON.stringify({ email: `${who}@acme.test`, groups });
  const write = (...rows: string[]) => writeFileSync(path, rows.join('\n'));
  write(row('ann', 'User'), row('ann', 'team-a'), row('bob', 'User'));
  const world = await synced(createFileSource({ name: 'hr', config: sourceConfig('file', { path }) }));
  write(row('ann', 'User'), row('ann', 'team-a').slice(0, -1), row('bob', 'User'));
  const plan = await world.plan();
  expect(lines(plan.changes)).toEqual([]);
  expect(lines(plan.held)).toEqual(['revoke ann@acme.test group:team-a: source_incomplete']);
});

it('bytes in a column of roles are a row that cannot be read, and not nobody’s roles', () => {
  const { claims } = sourceConfig('file', { path: 'people.csv' });
  const table = new Table({ claims });
  const columns = table.columns(['email', 'role']);
  table.add(columns, ['ann@acme.test', Buffer.from('Admin')]);
  expect(table.unreadable).toBe(1);
});

it('two users of a SCIM service with one key switch nobody off: none can be told to be right', async () => {
  const scim = await startScriptedScim();
  const user = (id: string, userName: string, active: boolean) => ({
    id,
    externalId: 'e7',
    userName,
    active,
    emails: [{ value: 'ann@acme.test' }],
  });
  const ann = user('2', 'ann', true);
  scim.users = [ann];
  scim.groups = [{ id: 'g', displayName: 'User', members: [{ value: '1' }, { value: '2' }] }];
  const config = sourceConfig('scim', { url: scim.url, token: TOKEN, key: 'externalId' });
  const world = await synced(createScimSource({ name: 'hr', config, http }));
  expect(world.accounts()).toEqual({ e7: 'group:analysts role:Alpha' });
  scim.users = [user('1', 'ann.old', false), ann];
  const plan = await world.plan();
  expect(lines(plan.changes)).toEqual([]);
  expect(lines(plan.held)).toEqual(['disable e7: source_incomplete']);
  await scim.server.close();
});

it('a role of Auth0 that is deleted between two pages hides no other', async () => {
  const ids = Array.from({ length: 150 }, (_, at) => `rol_${at}`);
  let left = ids;
  const server = await startScriptedServer(({ path, query }) => {
    if (path === '/oauth/token') return { body: { access_token: 'token', token_type: 'Bearer', expires_in: 3_600 } };
    const [page, size] = [Number(query.get('page')), Number(query.get('per_page'))];
    const roles = left.slice(page * size, (page + 1) * size).map((id) => ({ id, name: id }));
    const body = { roles, total: left.length, start: page * size, limit: size };
    if (page === 0) left = ids.filter((id) => id !== 'rol_5');
    return { body };
  });
  const auth0 = createHttpClient();
  const api = createAuth0Api({
    role: 'source',
    url: server.url,
    clientId: 'client',
    clientSecret: 'secret',
    timeoutMs: 5_000,
    retry: { attempts: 0, backoff: 0.01 },
    http: auth0,
  });
  const roles = await listRoles(api, AbortSignal.timeout(10_000));
  expect(roles.map(({ id }) => id)).toEqual(expect.arrayContaining(left));
  await auth0.close();
  await server.close();
});
