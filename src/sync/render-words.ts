import { quote } from '../mapping/visible.ts';
import type { Change } from '../model/change.ts';
import type { PlannedChange, SyncPlan } from './sync.ts';

const OPS = ['create', 'update', 'disable', 'delete', 'grant', 'revoke', 'held'] as const;

export const CARRIED_TITLE = 'Would lose something in other targets, at the next login or sync there';

/** `3 create, 12 revoke, 1 held`; what there is none of is left out. */
export function countsText({ summary, carried = [] }: Pick<SyncPlan, 'summary' | 'carried'>): string {
  const parts = OPS.filter((op) => summary[op] > 0).map((op) => `${amount(summary[op])} ${op}`);
  const said = parts.length === 0 ? 'nothing to change' : parts.join(', ');
  return carried.length === 0 ? said : `${said}; ${amount(carried.length)} carried into other targets`;
}

export function amount(number: number): string {
  return number.toLocaleString('en-US');
}

export function peopleText(number: number): string {
  return number === 1 ? '1 person' : `${amount(number)} people`;
}

/** How many the source listed, and whether that was everybody. */
export function listedText({ listed, complete }: Pick<SyncPlan, 'listed' | 'complete'>): string {
  const all = complete ? '' : '; the listing is not complete, so nobody counts as gone';
  return `${peopleText(listed)} listed${all}`;
}

/** What to type to go on with a plan that the brake holds. */
export function approvalText({ id, sync }: Pick<SyncPlan, 'id' | 'sync'>, isKept: boolean): string {
  return isKept ? `latchgate plans approve ${id}` : `latchgate apply ${sync} --approve`;
}

/**
 * `grant group "analysts"`, `update email "a" -> "b"`, `create`: without the account, which stands above it. `values`
 * false: without what fields were and will be. `mark` writes a name or value so that it is taken for nothing else.
 */
export function changeText(change: Change, { values = true, mark = quote }: ChangeTextOptions = {}): string {
  const { op, entitlement, fields = [] } = change;
  if (entitlement !== undefined) {
    const scope = entitlement.scope === undefined ? '' : ` on ${mark(entitlement.scope)}`;
    return `${op} ${entitlement.kind} ${mark(entitlement.label ?? entitlement.name)}${scope}`;
  }
  const said = (value: string | boolean | null): string =>
    value === null ? 'none' : typeof value === 'string' ? mark(value) : String(value);
  const parts = fields.map(({ field, before, after }) =>
    values ? `${field} ${said(before)} -> ${said(after)}` : field,
  );
  const about = change.type === 'user' ? '' : ` ${change.type}`;
  return `${op}${about}${parts.length === 0 ? '' : ` ${parts.join(', ')}`}`;
}

interface ChangeTextOptions {
  readonly values?: boolean;
  readonly mark?: (text: string) => string;
}

/** What is behind a change: the sentence, and the rule and origin unless the sentence has them. */
export function reasonText({ reason, rule, origin }: PlannedChange): string {
  const by = rule === undefined || reason.includes(rule) ? '' : `rule ${rule}`;
  const from = origin === undefined || reason.includes(origin) ? '' : origin;
  const more = [by, from].filter((part) => part !== '').join(', ');
  return more === '' ? reason : `${reason} (${more})`;
}
