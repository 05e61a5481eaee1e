import type { ActualAccount, Change } from '../model/change.ts';
import type { DesiredAccount } from '../model/desired.ts';
import {
  type ActualEntitlement,
  type Entitlement,
  entitlementKey,
  type Grant,
  type GrantedEntitlement,
} from '../model/entitlement.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Pin } from '../model/pin.ts';
import type { PlannedProfile } from './plan-profile.ts';

/** Stands in the ledger's place for what counts as ours without being there. */
export const MANAGED = 'safety.manage';

/** The rows of a plan: what people and the audit read. */
export interface RowInput {
  readonly desired: DesiredAccount;
  readonly actual: ActualAccount | undefined;
  readonly others: readonly ActualAccount[];
  readonly ledger: readonly Grant[];
  readonly pins?: readonly Pin[];
}

export function accountRows(input: RowInput, profile: PlannedProfile, active: boolean | undefined): Change[] {
  const key = input.actual?.userName ?? newUserName(input);
  if (input.actual === undefined) {
    return [{ op: 'create', type: 'user', key, fields: profile.fields, reason: 'no account fits this person' }];
  }
  const rows: Change[] = [];
  if (profile.fields.length > 0)
    rows.push({ op: 'update', type: 'user', key, fields: profile.fields, reason: 'the claims say so' });
  if (active === true) {
    rows.push({
      op: 'update',
      type: 'user',
      key,
      fields: [{ field: 'active', before: false, after: true }],
      reason: 'given something again',
    });
  }
  if (active === false) rows.push({ op: 'disable', type: 'user', key, reason: 'nothing is left of what we gave' });
  return rows;
}

export function grantRow(
  input: RowInput,
  entitlement: Entitlement,
  rules: ReadonlyMap<string, GrantedEntitlement>,
): Change {
  const given = rules.get(entitlementKey(entitlement));
  return {
    op: 'grant',
    type: 'user',
    key: input.actual?.userName ?? newUserName(input),
    entitlement,
    reason: given?.rule === 'default' ? 'default' : `rule ${given?.rule ?? '?'}`,
    ...(given === undefined ? {} : { rule: given.rule, origin: given.origin }),
  };
}

export function revokeRow({ actual, ledger, pins = [] }: RowInput, entitlement: ActualEntitlement): Change {
  const grant = ledger.find(
    (row) => row.entitlementId === entitlement.id || entitlementKey(row) === entitlementKey(entitlement),
  );
  const isManaged = grant?.rule === MANAGED;
  const withheld = pins.find(
    (pin) => pin.effect === 'withheld' && entitlementKey(pin) === entitlementKey(grant ?? entitlement),
  );
  return {
    op: 'revoke',
    type: 'user',
    key: actual?.userName ?? '',
    entitlement,
    reason: isManaged
      ? 'no rule gives it (safety.manage)'
      : withheld !== undefined
        ? `pinned by ${withheld.by}`
        : `given by rule ${grant?.rule ?? '?'}, which no longer fits`,
    ...(grant === undefined || isManaged ? {} : { rule: grant.rule, origin: grant.origin }),
  };
}

export function groupRow(entitlement: Entitlement): Change {
  return {
    op: 'create',
    type: 'group',
    key: entitlement.name,
    entitlement,
    reason: 'a rule gives it and it does not exist',
  };
}

/** First candidate that no account has. Throws `user_name_taken`, `user_name_missing`. */
export function newUserName({ desired, others }: Pick<RowInput, 'desired' | 'others'>): string {
  const taken = new Set(others.map((other) => other.userName.toLowerCase()));
  const free = desired.userNames.find((name) => !taken.has(name.toLowerCase()));
  if (free !== undefined) return free;
  const code = desired.userNames.length === 0 ? 'user_name_missing' : 'user_name_taken';
  throw new LatchgateError(code, 'no user name is free for a new account', { detail: { target: desired.target } });
}

export function rulesByKey(entitlements: readonly GrantedEntitlement[]): ReadonlyMap<string, GrantedEntitlement> {
  return new Map([...entitlements].reverse().map((entitlement) => [entitlementKey(entitlement), entitlement]));
}
