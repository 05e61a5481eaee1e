import type { Attributes, DesiredAccount, GroupRules } from '../model/desired.ts';
import { entitlementKey, type GrantedEntitlement } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';
import type { MappedTarget } from './config.ts';
import { filled, profileForNew, profileOf } from './profile.ts';

/** By which ids a target knows somebody: those of one origin. */
export interface AccountIds {
  /** The login, where the origin speaks of the people of one. */
  readonly origin: string;
  readonly subject: string;
  /** Absent: it sent none, or nothing in it. */
  readonly externalId?: string;
}

/** What an account is made of besides what is given. */
export interface AccountOwner {
  readonly person: PersonId;
  readonly active: boolean;
  readonly attributes: Attributes;
  readonly emailTrusted: boolean;
  readonly leaveAlone: readonly string[];
  readonly groupRules: GroupRules | undefined;
  /** True when the config has this one origin alone. */
  readonly isOnlyOrigin: boolean;
  /** What a new account would be is not asked for. */
  readonly hasAccount: boolean;
}

/** Attributes that make the user name of a new account, best first, when the target's config does not say. */
const USER_NAME: Readonly<Record<MappedTarget['type'], readonly string[]>> = {
  superset: ['preferred_username', 'email'],
  gooddata: ['external_id'],
  auth0: ['email'],
  scim: ['preferred_username', 'email'],
};

const NO_NOTES: readonly string[] = [];

/** What one account should be, and which names were substituted for a new one. */
export function desiredAccount(
  owner: AccountOwner,
  ids: AccountIds,
  name: string,
  target: MappedTarget,
  given: readonly GrantedEntitlement[],
): { readonly account: DesiredAccount; readonly notes: readonly string[] } {
  const { externalId } = ids;
  const key = externalId ?? ids.subject;
  const keepsIds = target.external_ids === undefined ? owner.isOnlyOrigin : target.external_ids === ids.origin;
  const userNames = userNameCandidates(target.user_name ?? USER_NAME[target.type], owner.attributes, key);
  const said = profileOf(owner.attributes);
  const forNew = owner.hasAccount ? { profile: said, notes: NO_NOTES } : profileForNew(owner.attributes, userNames[0]);
  const account: DesiredAccount = {
    person: owner.person,
    target: name,
    externalId: keepsIds ? key : `${ids.origin}|${key}`,
    matchExternalId: keepsIds && externalId !== undefined,
    key,
    userNames,
    active: owner.active,
    profile: said,
    profileIfNew: forNew.profile,
    emailTrusted: owner.emailTrusted,
    entitlements: withoutRepeats(given),
    leaveAlone: owner.leaveAlone,
    ...(owner.groupRules === undefined ? {} : { groupRules: owner.groupRules }),
  };
  if (externalId !== undefined) return { account, notes: forNew.notes };
  return { account, notes: [...forNew.notes, 'external_id: the subject stands in, because it was not sent'] };
}

function userNameCandidates(names: readonly string[], attributes: Attributes, key: string): readonly string[] {
  const values: string[] = [];
  for (const name of names) {
    const value = name === 'external_id' ? key : filled(attributes[name]);
    if (value !== undefined && !values.includes(value)) values.push(value);
  }
  return values;
}

/** What one rule gave, in order: most people are given the same list. */
const inOrder = new WeakMap<readonly GrantedEntitlement[], readonly GrantedEntitlement[]>();

/** One row for each entitlement and origin, in an order that does not depend on that of the rules. */
function withoutRepeats(given: readonly GrantedEntitlement[]): readonly GrantedEntitlement[] {
  const known = inOrder.get(given) ?? sorted(given);
  inOrder.set(given, known);
  return known;
}

function sorted(given: readonly GrantedEntitlement[]): readonly GrantedEntitlement[] {
  const rows = new Map<string, GrantedEntitlement>();
  const sortable = given.map((row) => ({ row, key: `${entitlementKey(row)}\u0000${row.origin}` }));
  sortable.sort((a, b) => compare(a.key, b.key) || compare(a.row.rule, b.row.rule));
  for (const { row, key } of sortable) if (!rows.has(key)) rows.set(key, row);
  return [...rows.values()];
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
