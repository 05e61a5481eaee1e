import type { DesiredAccount } from '../model/desired.ts';
import { type Entitlement, entitlementKey, type Grant } from '../model/entitlement.ts';
import type { Goal } from '../provisioning/outcome.ts';
import type { Outcome, Side, Verdict } from './side.ts';

/** By which rule, because of which origin. */
export interface Because {
  readonly rule: string;
  readonly origin: string;
}

/**
 * One difference in one target. `create`, `delete`: the account. `open`, `close`: whether the person may use it. `refuse`:
 * the account stays as it is, and the person is not let in there, for the reason `code`. `update`: `fields` of its profile
 * are written anew.
 */
export interface PreviewChange {
  readonly op: 'create' | 'open' | 'grant' | 'revoke' | 'close' | 'delete' | 'refuse' | 'update';
  readonly target: string;
  readonly entitlement?: Entitlement;
  readonly privileged: boolean;
  readonly before: Because | null;
  readonly after: Because | null;
  readonly code?: string;
  readonly fields?: readonly string[];
}

export interface Compared {
  readonly target: string;
  readonly before: Outcome;
  readonly after: Outcome;
  /** Fields of the profile that are written anew if the account stays; see `rewritten`. */
  readonly rewritten: readonly string[];
  /** What the new config makes of the person. */
  readonly verdict: Verdict;
  readonly sides: readonly Pick<Side, 'isPrivileged'>[];
}

/** What differs between how a person stands in a target by one config and by the other. */
export function differences({ target, before, after, rewritten, verdict, sides }: Compared): readonly PreviewChange[] {
  const isPrivileged = (one: Entitlement): boolean =>
    sides.some(
      (side) =>
        side.isPrivileged(target, one) ||
        (one.label !== undefined && side.isPrivileged(target, { ...one, name: one.label })),
    );
  const was = before.standing.account;
  const is = after.standing.account;
  const had = new Set(was?.entitlements.map(({ id }) => id));
  const has = new Set(is?.entitlements.map(({ id }) => id));
  const gained = (is?.entitlements ?? []).filter(({ id }) => !had.has(id));
  const lost = (was?.entitlements ?? []).filter(({ id }) => !has.has(id));
  const row = (op: PreviewChange['op'], more: Partial<PreviewChange> = {}): PreviewChange => ({
    op,
    target,
    privileged: false,
    before: null,
    after: null,
    ...more,
  });
  const why = whyClosed(verdict);
  const rows: PreviewChange[] = [];
  if (was === undefined && is !== undefined) rows.push(row('create'));
  else if (!before.isOpen && after.isOpen) {
    // Whatever the account has kept can be used from then on.
    rows.push(
      row('open', { privileged: (is?.entitlements ?? []).some((one) => had.has(one.id) && isPrivileged(one)) }),
    );
  }
  for (const one of gained) {
    const because = reason(after.standing.ledger, one);
    rows.push(row('grant', { entitlement: plain(one), privileged: isPrivileged(one), after: because }));
  }
  if (was !== undefined && after.isOpen && rewritten.length > 0) rows.push(row('update', { fields: rewritten }));
  const isDeleted = was !== undefined && is === undefined;
  if (!isDeleted) {
    for (const one of lost) {
      const because = reason(before.standing.ledger, one);
      rows.push(row('revoke', { entitlement: plain(one), privileged: isPrivileged(one), before: because }));
    }
  }
  if (isDeleted) rows.push(row('delete', why));
  else if (after.refused !== undefined && before.refused === undefined)
    rows.push(row('refuse', { code: after.refused }));
  else if (before.isOpen && !after.isOpen) rows.push(row('close', why));
  return rows;
}

/** Whether both give in the target, and by other rules or because of other origins. */
export function givesOtherwise(was: Goal | undefined, is: Goal | undefined): boolean {
  if (was === undefined || is === undefined || !('desired' in was) || !('desired' in is)) return false;
  const reasons = ({ entitlements }: DesiredAccount) =>
    entitlements.map((one) => JSON.stringify([entitlementKey(one), one.rule, one.origin])).sort();
  return JSON.stringify(reasons(was.desired)) !== JSON.stringify(reasons(is.desired));
}

function whyClosed({ out }: Verdict): Partial<PreviewChange> {
  return { code: out?.code ?? 'no_access', after: out?.rule === undefined ? null : { rule: out.rule, origin: '' } };
}

function reason(ledger: readonly Grant[], entitlement: Entitlement & { readonly id: string }): Because | null {
  const key = entitlementKey(entitlement);
  const row =
    ledger.find((grant) => grant.entitlementId === entitlement.id && grant.kind === entitlement.kind) ??
    ledger.find((grant) => entitlementKey(grant) === key);
  return row === undefined ? null : { rule: row.rule, origin: row.origin };
}

function plain({ kind, name, scope, label }: Entitlement): Entitlement {
  return { kind, name, ...(scope === undefined ? {} : { scope }), ...(label === undefined ? {} : { label }) };
}
