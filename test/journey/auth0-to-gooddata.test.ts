import { makeTerminal } from '../cli/terminal.ts';
import { plantUser, removeUser, type SeedUser, storeUser } from '../emulators/auth0/state.ts';
import type { Seed } from '../emulators/gooddata/state.ts';
import { given } from '../targets/gooddata/organisation.ts';
import { type ReadySyncs, startReadySyncs } from './ready-syncs.ts';

const GOOGLE = 'google-oauth2';
const LINKED = { connection: GOOGLE, user_id: '9', provider: GOOGLE, isSocial: true };

/** What somebody does in the tenant. */
type Deed = (tenant: Tenant) => void;

interface Case {
  readonly tenant: readonly SeedUser[];
  readonly gooddata?: Seed;
  readonly ignored?: string;
  /** What is done, and what GoodData then has, each time. */
  readonly steps: readonly {
    readonly do?: Deed;
    readonly users: readonly string[];
    readonly held?: readonly string[];
  }[];
}

const ann = (...roles: readonly string[]): SeedUser => ({ user_id: 'auth0|ann', email: 'ann@acme.test', roles });
const bob = (...roles: readonly string[]): SeedUser => ({ user_id: 'auth0|bob', email: 'bob@acme.test', roles });
const google = (...roles: readonly string[]): SeedUser => ({
  user_id: 'google-oauth2|7',
  email: 'ann@acme.test',
  connection: GOOGLE,
  roles,
});

const CASES: Readonly<Record<string, Case>> = {
  'somebody new is added, by their role': {
    tenant: [ann('User')],
    steps: [
      { users: ['ann <auth0|ann> ann ann ann@acme.test [userGroup]'] },
      {
        do: (tenant) => tenant.add(bob('Admin')),
        users: [
          'ann <auth0|ann> ann ann ann@acme.test [userGroup]',
          'bob <auth0|bob> bob bob bob@acme.test [adminGroup]',
        ],
      },
    ],
  },
  'nobody is added without a role, or with one that no rule names': {
    tenant: [ann(), bob('Auditor')],
    steps: [{ users: [] }],
  },
  'a name and an e-mail change': {
    tenant: [{ ...ann('User'), given_name: 'Ann', family_name: 'Lee' }],
    steps: [
      { users: ['ann <auth0|ann> Ann Lee ann@acme.test [userGroup]'] },
      {
        do: (tenant) => tenant.change('auth0|ann', { family_name: 'Day', email: 'ann.day@acme.test' }),
        users: ['ann <auth0|ann> Ann Day ann.day@acme.test [userGroup]'],
      },
    ],
  },
  'somebody who is gone from the tenant loses every group, and has it again when they are back': {
    tenant: [ann('User'), bob('User')],
    steps: [
      {
        users: [
          'ann <auth0|ann> ann ann ann@acme.test [userGroup]',
          'bob <auth0|bob> bob bob bob@acme.test [userGroup]',
        ],
      },
      {
        do: (tenant) => tenant.remove('auth0|ann'),
        users: ['ann <auth0|ann> ann ann ann@acme.test []', 'bob <auth0|bob> bob bob bob@acme.test [userGroup]'],
      },
      {
        do: (tenant) => tenant.add(ann('User')),
        users: [
          'ann <auth0|ann> ann ann ann@acme.test [userGroup]',
          'bob <auth0|bob> bob bob bob@acme.test [userGroup]',
        ],
      },
    ],
  },
  'somebody who is blocked loses every group': {
    tenant: [ann('User')],
    steps: [
      { users: ['ann <auth0|ann> ann ann ann@acme.test [userGroup]'] },
      {
        do: (tenant) => tenant.change('auth0|ann', { blocked: true }),
        users: ['ann <auth0|ann> ann ann ann@acme.test []'],
      },
    ],
  },
  'a role changes': {
    tenant: [ann('User')],
    steps: [
      { users: ['ann <auth0|ann> ann ann ann@acme.test [userGroup]'] },
      {
        do: (tenant) => tenant.roles('auth0|ann', ['Admin']),
        users: ['ann <auth0|ann> ann ann ann@acme.test [adminGroup]'],
      },
    ],
  },
  'a second role comes and goes': {
    tenant: [ann('User')],
    steps: [
      { users: ['ann <auth0|ann> ann ann ann@acme.test [userGroup]'] },
      {
        do: (tenant) => tenant.roles('auth0|ann', ['Admin', 'User']),
        users: ['ann <auth0|ann> ann ann ann@acme.test [adminGroup,userGroup]'],
      },
      {
        do: (tenant) => tenant.roles('auth0|ann', ['User']),
        users: ['ann <auth0|ann> ann ann ann@acme.test [userGroup]'],
      },
    ],
  },
  'the user of whoever logs in there already is taken, by the id, and an e-mail in another case is written as the tenant has it':
    {
      tenant: [ann('User')],
      gooddata: {
        groups: [{ id: 'manual' }],
        users: [{ id: 'a.lee', authenticationId: 'auth0|ann', email: 'ANN@Acme.test', groups: ['manual'] }],
      },
      steps: [
        { users: ['a.lee <auth0|ann> ann@acme.test [manual,userGroup]'] },
        { do: (tenant) => tenant.remove('auth0|ann'), users: ['a.lee <auth0|ann> ann@acme.test [manual]'] },
      ],
    },
  'users who are not of the tenant are left alone': {
    tenant: [ann('User')],
    gooddata: { groups: [{ id: 'userGroup' }], users: [{ id: 'service', groups: ['userGroup'] }] },
    steps: [
      { users: ['ann <auth0|ann> ann ann ann@acme.test [userGroup]', 'service [userGroup]'] },
      {
        do: (tenant) => tenant.roles('auth0|ann', []),
        users: ['ann <auth0|ann> ann ann ann@acme.test []', 'service [userGroup]'],
      },
    ],
  },
  'nobody on the list of those to ignore is changed, in whatever case the list is written': {
    tenant: [ann('User'), bob('Admin')],
    gooddata: {
      users: [{ id: 'boss', authenticationId: 'auth0|bob', email: 'bob@acme.test', groups: ['adminGroup'] }],
    },
    ignored: 'BOB@acme.test, service',
    steps: [
      {
        users: ['ann <auth0|ann> ann ann ann@acme.test [userGroup]', 'boss <auth0|bob> bob@acme.test [adminGroup]'],
        held: ['auth0|bob: account_protected'],
      },
      {
        do: (tenant) => tenant.remove('auth0|bob'),
        users: ['ann <auth0|ann> ann ann ann@acme.test [userGroup]', 'boss <auth0|bob> bob@acme.test [adminGroup]'],
      },
    ],
  },
  'names are kept in any script': {
    tenant: [{ ...ann('User'), given_name: 'Zoë 李', family_name: 'Ærø 🦊' }],
    steps: [{ users: ['ann <auth0|ann> Zoë 李 Ærø 🦊 ann@acme.test [userGroup]'] }],
  },
  'somebody in two connections is two users of the tenant: the first has the account, the second waits for a person': {
    tenant: [ann('User'), google('Admin')],
    steps: [
      { users: ['ann <auth0|ann> ann ann ann@acme.test [userGroup]'], held: ['google-oauth2|7: account_taken'] },
      {
        do: (tenant) => tenant.remove('google-oauth2|7'),
        users: ['ann <auth0|ann> ann ann ann@acme.test [userGroup]'],
      },
    ],
  },
  'somebody with two linked identities is one': {
    tenant: [{ ...ann('User'), linked: [LINKED] }],
    steps: [
      { users: ['ann <auth0|ann> ann ann ann@acme.test [userGroup]'] },
      {
        do: (tenant) => tenant.roles('auth0|ann', ['Admin']),
        users: ['ann <auth0|ann> ann ann ann@acme.test [adminGroup]'],
      },
    ],
  },
};

describe('config/auth0-to-gooddata.yaml, from the state of a tenant to that of an organisation', () => {
  let world: ReadySyncs;
  afterEach(() => world.close());

  it.each(Object.entries(CASES))('%s', async (_what, { tenant, gooddata, ignored, steps }) => {
    await start(tenant, gooddata, ignored);
    for (const { do: deed, users, held = [] } of steps) {
      deed?.(tenantOf(world));
      await applied();
      expect(usersOf(world)).toEqual(users);
      expect(await left()).toEqual({ changes: [], held });
    }
  });

  it('takes nobody’s user for an address that the tenant calls unverified, and makes no second one beside it', async () => {
    const boss = { id: 'boss', email: 'ann@acme.test', groups: ['manual'] };
    await start([ann('User')], { groups: [{ id: 'manual' }], users: [boss] });
    await applied();
    expect(usersOf(world)).toEqual(['boss ann@acme.test [manual]']);
    const terminal = makeTerminal();
    await world.command('auth0-to-gooddata', ['plan', 'auth0-to-gooddata'], terminal);
    expect(terminal.lines.join('\n')).toContain('have the address verified where they come from');
    tenantOf(world).change('auth0|ann', { email_verified: true });
    await applied();
    expect(usersOf(world)).toEqual(['boss ann@acme.test [manual,userGroup]']);
  });

  it('gives the two groups what they may do in the workspace', async () => {
    await start([ann('User'), bob('Admin')]);
    await applied();
    expect(given(world.gooddata.state)).toEqual(['sales: group adminGroup MANAGE', 'sales: group userGroup VIEW']);
  });

  async function start(users: readonly SeedUser[], gooddata: Seed = {}, ignored = ''): Promise<void> {
    const connections = [{ name: 'Username-Password-Authentication' }, { name: GOOGLE, strategy: GOOGLE }];
    const roles = [{ name: 'Admin' }, { name: 'User' }, { name: 'Auditor' }];
    const env = { GOODDATA_IGNORE_USERS: ignored };
    world = await startReadySyncs({ auth0: { seed: { connections, roles, users } }, gooddata, env });
  }

  async function applied(): Promise<void> {
    const terminal = makeTerminal();
    const code = await world.command('auth0-to-gooddata', ['apply', 'auth0-to-gooddata', '--approve'], terminal);
    // Who is held is named; that is no error.
    expect([code, ...terminal.errors.filter((line) => !line.startsWith('held: '))]).toEqual([0]);
  }

  async function left(): Promise<unknown> {
    const terminal = makeTerminal();
    await world.command('auth0-to-gooddata', ['plan', 'auth0-to-gooddata', '--json'], terminal);
    const plan = JSON.parse(terminal.lines.join('\n')) as { changes: unknown[]; held: Record<string, string>[] };
    return { changes: plan.changes, held: plan.held.map(({ subject, code }) => `${subject}: ${code}`) };
  }
});

interface Tenant {
  add(user: SeedUser): void;
  remove(id: string): void;
  change(id: string, profile: Readonly<Record<string, unknown>>): void;
  /** Exactly these. */
  roles(id: string, names: readonly string[]): void;
}

function tenantOf({ auth0: { state } }: ReadySyncs): Tenant {
  const clock = { newId: () => 'byhand', now: Date.now() };
  return {
    add: (user) => void plantUser(state, user, clock),
    remove: (id) => removeUser(state, id, clock),
    change: (id, profile) => {
      const user = state.users.get(id);
      if (user === undefined) throw new Error(`no user ${id}`);
      storeUser(state, { ...user, ...profile }, clock, 'updated');
    },
    roles: (id, names) => {
      for (const { name, members } of state.roles.values()) {
        if (names.includes(name)) members.set(id, clock.now);
        else members.delete(id);
      }
    },
  };
}

/** `ann <auth0|ann> Ann Lee ann@acme.test [userGroup]`: id, authenticationId, names, e-mail and groups, of all but the admin. */
function usersOf({ gooddata: { state } }: ReadySyncs): string[] {
  const lines = [...state.users.values()].flatMap(({ id, attributes, relationships }) => {
    if (id === 'admin') return [];
    const { authenticationId, firstname, lastname, email } = attributes;
    const groups = (relationships['userGroups'] ?? []).map((group) => group.id).sort();
    const known = authenticationId === undefined ? undefined : `<${authenticationId}>`;
    return [id, known, firstname, lastname, email, `[${groups}]`].filter((part) => part !== undefined).join(' ');
  });
  return lines.sort();
}
