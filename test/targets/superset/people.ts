import type { ActualAccount, ChangeSet } from '../../../src/model/change.ts';
import type { DesiredAccount } from '../../../src/model/desired.ts';
import type { Entitlement } from '../../../src/model/entitlement.ts';
import { entitlementId } from '../../../src/targets/superset/documents.ts';
import type { Target } from '../../../src/targets/target.ts';
import { nextId, type State, type UserRow } from '../../emulators/superset/state.ts';

export const signal = new AbortController().signal;
export const ALPHA = { kind: 'role', name: 'Alpha' } as const;
export const GAMMA = { kind: 'role', name: 'Gamma' } as const;

export const group = (name: string): Entitlement => ({ kind: 'group', name });
export const role = (name: string): Entitlement => ({ kind: 'role', name });

export function desiredFor(userNames: readonly string[], email: string): DesiredAccount {
  const profile = { givenName: 'Ada', familyName: 'Lovelace', email };
  return {
    person: 'p_1',
    target: 'superset',
    externalId: 'x',
    matchExternalId: false,
    key: 'x',
    userNames,
    active: true,
    profile,
    profileIfNew: profile,
    emailTrusted: true,
    entitlements: [],
    leaveAlone: [],
  };
}

/** The changes of a first login. */
export function creation(more: Partial<ChangeSet> & { userName?: string; email?: string } = {}): ChangeSet {
  const { userName = 'ada', email = 'ada@example.com', ...rest } = more;
  const desired = more.desired ?? desiredFor([userName], email);
  return { profile: desired.profileIfNew, userName, add: [ALPHA], drop: [], create: [], changes: [], ...rest, desired };
}

/** Changes of an account that is there. */
export function change(actual: ActualAccount, more: Partial<ChangeSet>): ChangeSet {
  const desired = desiredFor([actual.userName], actual.profile.email ?? '');
  const nothing = { profile: {}, add: [], drop: [], create: [], changes: [] };
  return { ...nothing, desired, actual, userName: actual.userName, ...more };
}

/** Straight into the tables, past the API. */
export function addUser(state: State, more: Partial<UserRow> & { username: string }): UserRow {
  const id = nextId(state.users);
  const names = { first_name: 'Some', last_name: 'Body', email: `${more.username}@example.com` };
  const rest = { active: true, password: '', roles: [4], groups: [], login_count: null, owns: 0 };
  const user = { id, ...names, ...rest, ...more };
  state.users.set(user.id, user);
  return user;
}

export function addRole(state: State, name: string): { id: number; name: string } {
  const made = { id: nextId(state.roles), name };
  state.roles.set(made.id, made);
  return made;
}

export function addGroup(state: State, name: string): { id: number; name: string } {
  const made = { id: nextId(state.groups), name, label: null, description: null, roles: [] };
  state.groups.set(made.id, made);
  return made;
}

export async function accountOf(target: Target, user: UserRow): Promise<ActualAccount> {
  const lookup = { accountId: String(user.id), userNames: [] };
  const [account] = (await target.read({ kind: 'person', lookup }, signal)).accounts;
  if (account === undefined) throw new Error(`no account ${user.username}`);
  return account;
}

export function roleId(state: State, name: string): string {
  const found = [...state.roles.values()].find((one) => one.name === name);
  return entitlementId('role', found?.id ?? 0);
}
