import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../src/cli/program.ts';
import { makeTerminal } from '../cli/terminal.ts';
import { type Auth0Emulator, startAuth0Emulator } from '../emulators/auth0/server.ts';
import { plantUser } from '../emulators/auth0/state.ts';

const CONNECTION = 'Username-Password-Authentication';
const LIMIT_MS = 60_000;
const KEPT = { connection: 'google-oauth2', user_id: '9', provider: 'google-oauth2', isSocial: true };

/** From a file of people to the accounts and roles of one connection of Auth0, by the commands that people use. */
describe('a file of people kept in Auth0', () => {
  let tenant: Auth0Emulator;
  let folder: string;
  beforeEach(async () => {
    tenant = await startAuth0Emulator({
      rateLimit: { perSecond: 200, burst: 10 },
      seed: {
        connections: [{ name: CONNECTION }, { name: 'google-oauth2', strategy: 'google-oauth2' }],
        roles: [{ name: 'Admin' }, { name: 'User' }],
      },
    });
    folder = mkdtempSync(join(tmpdir(), 'latchgate-'));
    writeFileSync(join(folder, 'latchgate.yaml'), configFor(tenant.url));
  });
  afterEach(async () => {
    await tenant.close();
    rmSync(folder, { recursive: true });
  });

  const people = (...rows: readonly string[]) =>
    writeFileSync(join(folder, 'people.csv'), `email,given_name,family_name,role\n${rows.join('\n')}\n`);
  const cli = async (...words: readonly string[]) => {
    const terminal = makeTerminal();
    const code = await run([...words, '--config', join(folder, 'latchgate.yaml')], terminal);
    return { code, text: [...terminal.lines, ...terminal.errors].join('\n') };
  };
  const accounts = () =>
    [...tenant.state.users.values()]
      .map(({ user_id: id, email, blocked, given_name: name }) => {
        const roles = [...tenant.state.roles.values()]
          .filter(({ members }) => members.has(id))
          .map((role) => role.name);
        return `${email} ${name ?? '-'} [${roles}]${blocked === true ? ' blocked' : ''}`;
      })
      .sort();
  const writes = () => tenant.requests.filter(({ method, path }) => method !== 'GET' && path.startsWith('/api/'));

  it(
    'follows every change, and plans nothing the second time',
    async () => {
      plantUser(tenant.state, { user_id: 'auth0|old', email: 'old@example.com', roles: ['User'] }, world());
      plantUser(
        tenant.state,
        { connection: 'google-oauth2', user_id: 'google-oauth2|1', email: 'ann@example.com' },
        world(),
      );
      people(
        'Ann@Example.com,Ann,Lee,Admin',
        'ann@example.com,Ann,Lee,User',
        'bob@example.com,Bob,Müller,User',
        'none@example.com,No,Role,',
        'boss@example.com,Bea,Boss,User',
        'eve@example.com,Eve,Social,User',
      );
      expect(await cli('plan', 'to-auth0', '--detailed-exitcode')).toMatchObject({ code: 10 });
      expect(writes()).toEqual([]);
      expect(await cli('apply', 'to-auth0')).toMatchObject({ code: 0 });
      expect(accounts()).toEqual([
        'ann@example.com - []',
        'ann@example.com Ann [Admin,User]',
        'bob@example.com Bob [User]',
        'boss@example.com Bea [User]',
        'eve@example.com Eve [User]',
        'none@example.com No []',
        'old@example.com - [User]',
      ]);
      expect(await cli('plan', 'to-auth0', '--detailed-exitcode')).toMatchObject({ code: 0 });

      // Eve has logged in by another identity, which was linked to her account.
      const eve = [...tenant.state.users.values()].find(({ email }) => email === 'eve@example.com');
      if (eve === undefined) throw new Error('no eve');
      tenant.state.users.set(eve.user_id, { ...eve, identities: [...eve.identities, KEPT] });
      tenant.state.search.rows.set(eve.user_id, { ...eve, identities: [...eve.identities, KEPT] });
      people('ann@example.com,Ann,Lee,User', 'none@example.com,Now,Role,User');
      const held = await cli('apply', 'to-auth0');
      expect(held.code).not.toBe(0);
      expect(accounts()).toContain('ann@example.com Ann [Admin,User]');
      expect(await cli('apply', 'to-auth0', '--approve')).toMatchObject({ code: 0 });
      expect(accounts()).toEqual([
        'ann@example.com - []',
        'ann@example.com Ann [User]',
        'boss@example.com Bea []',
        'eve@example.com Eve [User] blocked',
        'none@example.com Now [User]',
        'old@example.com - [User]',
      ]);
      expect(await cli('plan', 'to-auth0', '--detailed-exitcode')).toMatchObject({ code: 0 });
      expect(tenant.requests.filter(({ status }) => status === 429)).toEqual([]);
    },
    LIMIT_MS,
  );
});

function world() {
  return { newId: () => 'byhand', now: Date.UTC(2026, 0, 1) };
}

function configFor(url: string): string {
  return `
version: 1
public_url: http://127.0.0.1:4180
session: { secrets: ["a secret that is long enough for this, 123"] }
login: { staff: { issuer: "http://127.0.0.1:1", client_id: latchgate, client_secret: "also a long enough one, 456" } }
targets:
  auth0:
    type: auth0
    url: ${url}
    client_id: emulator-client
    client_secret: emulator-secret
    connection: ${CONNECTION}
    never_delete: Boss@Example.com
  bi: { type: superset, url: "http://127.0.0.1:1" }
sources: { hr: { type: file, path: people.csv } }
sync: { to-auth0: { from: hr, to: auth0 } }
rules:
  roles: { when: { groups: [Admin, User] }, grant: { auth0: { roles: ["\${match}"] } } }
default: { grant: { auth0: {} } }
routes: [{ path: /, to: bi, public: true }]
safety: { leaver: delete }
`;
}
