import { entitlementKey } from '../../src/model/entitlement.ts';
import { LatchgateError } from '../../src/model/errors.ts';
import { createHttpClient } from '../../src/ops/http.ts';
import { createAuth0Target } from '../../src/targets/auth0/target.ts';
import { createGoodDataTarget } from '../../src/targets/gooddata/target.ts';
import type { Target } from '../../src/targets/target.ts';
import { startAuth0Emulator } from '../emulators/auth0/server.ts';
import { plantUser } from '../emulators/auth0/state.ts';
import type { Faults } from '../emulators/gooddata/faults.ts';
import { startGoodDataEmulator } from '../emulators/gooddata/server.ts';
import { MemoryTarget } from '../provisioning/memory-target.ts';
import { CONNECTION, MISSING } from '../targets/auth0/subject.ts';

export interface Held {
  readonly active: boolean;
  /** `group:team-a` of each entitlement. */
  readonly has: ReadonlySet<string>;
}

/** Whether the call that is under way breaks off. */
export type Breaks = () => boolean;

/**
 * A backend whose calls break off, as its people see it. At the start it has `root`, `bystander` and `ann`, made by hand,
 * each with `byHand`, and `service`, which is protected.
 */
export interface Backend {
  readonly target: Target;
  readonly rules: Readonly<Record<string, unknown>>;
  /** What each group of the sources gives. */
  readonly gives: Readonly<Record<string, readonly string[]>>;
  readonly byHand: string;
  /** Further ones that a person can be given by hand. */
  readonly spare: readonly string[];
  /** Without one, whoever leaves loses all that we gave. */
  readonly hasSwitch: boolean;
  /** Of every account, by the name that people have in the sources. */
  accounts(): ReadonlyMap<string, Held>;
  giveByHand(name: string, key: string): void;
  /** `afterwards`: what is asked is done, and the answer lost. */
  breakOff(breaks: Breaks, afterwards: boolean): void;
  mend(): void;
  close(): Promise<void>;
}

const WORLD = { newId: (kind: string) => `${kind}${Math.random().toString(36).slice(2)}`, now: Date.UTC(2026, 0, 1) };
const HAND_MADE = ['root', 'bystander', 'ann'] as const;
const TIMEOUT_MS = 2_000;

/** Roles, groups and permissions of a target in memory. */
export async function memoryBackend(): Promise<Backend> {
  const target = new MemoryTarget('bi', { kinds: ['group', 'role', 'permission'] });
  const entitlements = new Map(
    [
      ...['Admin', 'Alpha', 'Gamma'].map((name) => ({ kind: 'role' as const, name })),
      ...['team-a', 'other'].map((name) => ({ kind: 'group' as const, name })),
      ...['VIEW', 'ANALYZE'].map((name) => ({ kind: 'permission' as const, name, scope: 'sales' })),
    ].map((one) => [entitlementKey(one), one] as const),
  );
  for (const one of entitlements.values()) target.addEntitlement(one);
  for (const name of HAND_MADE) {
    const email = `${name}@acme.test`;
    target.addAccount({ userName: name, profile: { email } }, [{ kind: 'group', name: 'team-a' }]);
  }
  target.addAccount({ userName: 'service', isProtected: true }, [{ kind: 'role', name: 'Admin' }]);
  return {
    target,
    rules: {
      admins: { when: { groups: 'Admin' }, grant: { bi: { roles: ['Admin'] } } },
      users: {
        when: { groups: 'User' },
        grant: { bi: { roles: ['Alpha'], groups: ['analysts'], permissions: { sales: 'VIEW' } } },
      },
      teams: { when: { groups: 'team-*' }, grant: { bi: { groups: ['${match}'] } } },
    },
    gives: {
      User: ['role:Alpha', 'group:analysts', 'permission:VIEW@sales'],
      Admin: ['role:Admin'],
      'team-a': ['group:team-a'],
      'team-b': ['group:team-b'],
    },
    byHand: 'group:team-a',
    spare: ['group:team-a', 'group:other', 'role:Gamma', 'permission:VIEW@sales', 'permission:ANALYZE@sales'],
    hasSwitch: true,
    accounts: () =>
      new Map(
        [...target.accounts.values()].map(({ userName, active }) => [
          userName,
          { active, has: new Set(target.given(userName)) },
        ]),
      ),
    giveByHand: (name, key) => {
      const account = [...target.accounts.values()].find(({ userName }) => userName === name);
      const known = [...target.entitlements.values()].find((one) => entitlementKey(one) === key);
      if (known !== undefined) account?.entitlements.add(known.id);
    },
    breakOff: (breaks, afterwards) => {
      target.hook = (call) => {
        if ((call === 'applied') === afterwards && breaks())
          throw new LatchgateError('target_unavailable', 'broken off');
      };
    },
    mend: () => {
      target.hook = () => {};
    },
    close: async () => {},
  };
}

/** Users and roles of one connection of a tenant. */
export async function auth0Backend(): Promise<Backend> {
  const google = { name: 'google-oauth2', strategy: 'google-oauth2' };
  const roles = ['Admin', 'Alpha', 'team-a', 'team-b', 'other'].map((name) => ({ name }));
  const emulator = await startAuth0Emulator({ seed: { connections: [{ name: CONNECTION }, google], roles } });
  const { state } = emulator;
  for (const name of HAND_MADE) {
    plantUser(state, { user_id: `auth0|${name}`, email: `${name}@acme.test`, roles: ['team-a'] }, WORLD);
  }
  const linked = [{ connection: CONNECTION, user_id: '9', provider: 'auth0', isSocial: false }];
  const service = { user_id: 'google-oauth2|1', connection: google.name, email: 'service@acme.test', linked };
  plantUser(state, { ...service, roles: ['Admin'] }, WORLD);
  const http = createHttpClient();
  const config = {
    url: emulator.url,
    client_id: 'emulator-client',
    client_secret: 'emulator-secret',
    connection: CONNECTION,
    never_delete: [],
    retry: { attempts: 0, backoff: 0.01 },
    verify_email: false,
    email_verified: false,
    timeout: TIMEOUT_MS,
    missing: MISSING,
  };
  const rolesOf = (id: string) => [...state.roles.values()].filter(({ members }) => members.has(id));
  return {
    target: createAuth0Target({ name: 'bi', config, http, log: { warn: () => {} } }),
    rules: {
      roles: { when: { groups: ['Admin', 'team-*'] }, grant: { bi: { roles: ['${match}'] } } },
      users: { when: { groups: 'User' }, grant: { bi: { roles: ['Alpha'] } } },
    },
    gives: { User: ['role:Alpha'], Admin: ['role:Admin'], 'team-a': ['role:team-a'], 'team-b': ['role:team-b'] },
    byHand: 'role:team-a',
    spare: ['role:team-a', 'role:other'],
    hasSwitch: true,
    accounts: () =>
      new Map(
        [...state.users.values()].map(({ user_id: id, email, blocked }) => [
          (email ?? id).split('@')[0] ?? id,
          { active: blocked !== true, has: new Set(rolesOf(id).map((role) => `role:${role.name}`)) },
        ]),
      ),
    giveByHand: (name, key) => {
      const user = [...state.users.values()].find(({ email }) => email === `${name}@acme.test`);
      const role = [...state.roles.values()].find((one) => `role:${one.name}` === key);
      if (user !== undefined) role?.members.set(user.user_id, WORLD.now);
    },
    ...breaking(emulator.faults),
    close: async () => {
      await http.close();
      await emulator.close();
    },
  };
}

/** Users, groups and permissions of an organisation. */
export async function goodDataBackend(): Promise<Backend> {
  const users = HAND_MADE.map((id) => ({ id, email: `${id}@acme.test`, groups: ['team-a'] }));
  const groups = ['team-a', 'other'].map((id) => ({ id }));
  const emulator = await startGoodDataEmulator({ seed: { users, groups, workspaces: [{ id: 'sales' }] } });
  const { state } = emulator;
  const http = createHttpClient();
  const config = {
    url: emulator.url,
    token: emulator.token,
    timeout: TIMEOUT_MS,
    missing: { users: 'create', groups: 'create', roles: 'refuse' },
    workspaces: {},
  } as const;
  const givesPermissions = async () => true;
  return {
    target: createGoodDataTarget({ name: 'bi', config, http, log: { warn: () => {} }, givesPermissions }),
    rules: {
      groups: { when: { groups: ['Admin', 'team-*'] }, grant: { bi: { groups: ['${match}'] } } },
      users: { when: { groups: 'User' }, grant: { bi: { groups: ['analysts'], permissions: { sales: 'VIEW' } } } },
    },
    gives: {
      User: ['group:analysts', 'permission:VIEW@sales'],
      Admin: ['group:Admin'],
      'team-a': ['group:team-a'],
      'team-b': ['group:team-b'],
    },
    byHand: 'group:team-a',
    spare: ['group:team-a', 'group:other', 'permission:VIEW@sales', 'permission:ANALYZE@sales'],
    hasSwitch: false,
    accounts: () => {
      const permissions = [...(state.workspaces.get('sales')?.permissions ?? [])];
      return new Map(
        [...state.users.values()].map(({ id, relationships }) => {
          const inGroups = (relationships['userGroups'] ?? []).map((group) => `group:${group.id}`);
          const own = permissions.filter(({ assignee }) => assignee.type === 'user' && assignee.id === id);
          const has = new Set([...inGroups, ...own.map(({ name }) => `permission:${name}@sales`)]);
          return [id === 'admin' ? 'service' : id, { active: true, has }];
        }),
      );
    },
    giveByHand: (name, key) => {
      const user = state.users.get(name);
      if (user === undefined) return;
      const [kind, what = ''] = key.split(':');
      if (kind === 'permission') {
        const permission = what.split('@')[0] ?? '';
        state.workspaces.get('sales')?.permissions.push({ assignee: { id: name, type: 'user' }, name: permission });
        return;
      }
      user.relationships['userGroups'] = [...(user.relationships['userGroups'] ?? []), { id: what, type: 'userGroup' }];
    },
    ...breaking(emulator.faults),
    close: async () => {
      await http.close();
      await emulator.close();
    },
  };
}

function breaking<S>(faults: Faults<S>): Pick<Backend, 'breakOff' | 'mend'> {
  return {
    breakOff: (breaks, afterwards) =>
      faults.set({ match: () => breaks(), ...(afterwards ? { dropAfterApply: true } : { reset: true }) }),
    mend: () => faults.clear(),
  };
}
