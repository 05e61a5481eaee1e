import { makeTerminal } from '../cli/terminal.ts';
import { plantUser, type SeedUser } from '../emulators/auth0/state.ts';
import { type ReadySyncs, type Row, startReadySyncs } from './ready-syncs.ts';

const GOOGLE = 'google-oauth2';
const LINKED = { connection: GOOGLE, user_id: '9', provider: GOOGLE, isSocial: true };

interface Case {
  /** Users who are in the tenant before anything. */
  readonly there?: readonly SeedUser[];
  readonly ignored?: string;
  /** The table, and what the connection then has, each time. */
  readonly steps: readonly { readonly table: readonly Row[]; readonly users: readonly string[] }[];
}

const ann = (role: string | null = 'User', email = 'ann@acme.test'): Row => ({ email, role });
const bob = (role: string | null = 'User'): Row => ({ email: 'bob@acme.test', role });

const CASES: Readonly<Record<string, Case>> = {
  'somebody new is added, with the role': {
    steps: [
      { table: [ann()], users: ['ann@acme.test [User]'] },
      { table: [ann(), bob('Admin')], users: ['ann@acme.test [User]', 'bob@acme.test [Admin]'] },
    ],
  },
  'somebody without a role is added all the same': {
    steps: [{ table: [ann(null), bob('')], users: ['ann@acme.test []', 'bob@acme.test []'] }],
  },
  'a name changes': {
    steps: [
      { table: [{ ...ann(), given_name: 'Ann' }], users: ['ann@acme.test (Ann) [User]'] },
      { table: [{ ...ann(), given_name: 'Anna' }], users: ['ann@acme.test (Anna) [User]'] },
    ],
  },
  'somebody who is gone is blocked, and back when they are': {
    steps: [
      { table: [ann(), bob()], users: ['ann@acme.test [User]', 'bob@acme.test [User]'] },
      { table: [bob()], users: ['ann@acme.test [User] blocked', 'bob@acme.test [User]'] },
      { table: [ann(), bob()], users: ['ann@acme.test [User]', 'bob@acme.test [User]'] },
    ],
  },
  'a role changes': {
    steps: [
      { table: [ann('User')], users: ['ann@acme.test [User]'] },
      { table: [ann('Admin')], users: ['ann@acme.test [Admin]'] },
    ],
  },
  'a second role comes and goes': {
    steps: [
      { table: [ann('User')], users: ['ann@acme.test [User]'] },
      { table: [ann('User'), ann('Admin')], users: ['ann@acme.test [Admin,User]'] },
      { table: [ann('User')], users: ['ann@acme.test [User]'] },
    ],
  },
  'nobody on the list of those to ignore is blocked, in whatever case the list is written': {
    ignored: 'ANN@acme.test',
    steps: [
      { table: [ann(), bob()], users: ['ann@acme.test [User]', 'bob@acme.test [User]'] },
      { table: [bob()], users: ['ann@acme.test []', 'bob@acme.test [User]'] },
    ],
  },
  'an e-mail in another case is the same person': {
    steps: [
      { table: [ann('User', 'Ann@Acme.TEST')], users: ['ann@acme.test [User]'] },
      { table: [ann('User', 'ANN@acme.test')], users: ['ann@acme.test [User]'] },
    ],
  },
  'an account that was there before is taken, and what it has by hand stays': {
    there: [{ user_id: 'auth0|old', email: 'ann@acme.test', roles: ['Admin'] }],
    steps: [
      { table: [ann('User')], users: ['ann@acme.test [Admin,User]'] },
      { table: [ann(null)], users: ['ann@acme.test [Admin]'] },
    ],
  },
  'names are kept in any script': {
    steps: [
      {
        table: [{ email: 'zoe@acme.test', role: 'User', given_name: 'Zoë 李 🦊' }],
        users: ['zoe@acme.test (Zoë 李 🦊) [User]'],
      },
    ],
  },
  'a row that is there twice counts once': {
    steps: [{ table: [ann(), ann(), bob(), ann()], users: ['ann@acme.test [User]', 'bob@acme.test [User]'] }],
  },
  'somebody with an account in two connections has one each, and that of the other is left alone': {
    there: [{ user_id: 'google-oauth2|1', email: 'ann@acme.test', connection: GOOGLE, roles: ['Admin'] }],
    steps: [
      { table: [ann()], users: ['ann@acme.test [User]', 'google: ann@acme.test [Admin]'] },
      {
        table: [bob()],
        users: ['ann@acme.test [User] blocked', 'bob@acme.test [User]', 'google: ann@acme.test [Admin]'],
      },
    ],
  },
  'somebody with two linked identities keeps both': {
    there: [{ user_id: 'auth0|old', email: 'ann@acme.test', linked: [LINKED] }],
    steps: [
      { table: [ann()], users: ['ann@acme.test +1 [User]'] },
      { table: [ann('Admin')], users: ['ann@acme.test +1 [Admin]'] },
    ],
  },
  'a row that names nobody keeps everybody who was there': {
    steps: [
      { table: [ann(), bob()], users: ['ann@acme.test [User]', 'bob@acme.test [User]'] },
      { table: [{ email: null, role: 'User' }, bob()], users: ['ann@acme.test [User]', 'bob@acme.test [User]'] },
    ],
  },
};

describe('config/sql-to-auth0.yaml, from rows of a table to the state of a tenant', () => {
  let world: ReadySyncs;
  afterEach(() => world.close());

  it.each(Object.entries(CASES))('%s', async (_what, { there = [], ignored = '', steps }) => {
    const connections = [{ name: 'Username-Password-Authentication' }, { name: GOOGLE, strategy: GOOGLE }];
    world = await startReadySyncs({ auth0: { seed: { connections } }, env: { CLIENT_IGNORE_USERS: ignored } });
    for (const user of there) plantUser(world.auth0.state, user, { newId: () => 'byhand', now: Date.UTC(2026, 0, 1) });
    for (const { table, users } of steps) {
      world.people(table);
      await applied();
      expect(usersOf(world)).toEqual(users);
      expect(await changesLeft()).toEqual([]);
    }
  });

  async function applied(): Promise<void> {
    const terminal = makeTerminal();
    const code = await world.command('sql-to-auth0', ['apply', 'users-to-auth0', '--approve'], terminal);
    // Who is held is named; that is no error.
    expect([code, ...terminal.errors.filter((line) => !line.startsWith('held: '))]).toEqual([0]);
  }

  async function changesLeft(): Promise<unknown> {
    const terminal = makeTerminal();
    await world.command('sql-to-auth0', ['plan', 'users-to-auth0', '--json'], terminal);
    return (JSON.parse(terminal.lines.join('\n')) as { changes: unknown }).changes;
  }
});

/** `google: ann@acme.test (Ann) +1 [Admin,User] blocked`: connection, e-mail, given name, linked identities, roles. */
function usersOf({ auth0: { state } }: ReadySyncs): string[] {
  const lines = [...state.users.values()].map(({ user_id: id, email, given_name: name, identities, blocked }) => {
    const roles = [...state.roles.values()].filter(({ members }) => members.has(id)).map((role) => role.name);
    const parts = [
      ...(id.startsWith('google') ? ['google:'] : []),
      email,
      ...(name === undefined ? [] : [`(${name})`]),
      ...(identities.length === 1 ? [] : [`+${identities.length - 1}`]),
      `[${roles.sort()}]`,
      ...(blocked === true ? ['blocked'] : []),
    ];
    return parts.join(' ');
  });
  return lines.sort();
}
