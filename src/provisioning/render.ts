import type { Change, FieldChange, HeldChange } from '../model/change.ts';
import { entitlementKey } from '../model/entitlement.ts';

/** `+` comes, `~` changes, `-` goes, `!` is held: one line a change, for terminals and the `why` command. */
export function renderChanges(changes: readonly Change[], held: readonly HeldChange[]): string[] {
  return [
    ...changes.map((change) => `${sign(change)} ${describe(change)}`),
    ...held.map((change) => `! ${describe(change)} [held: ${change.code}]`),
  ];
}

/** The shape of interface.md: op, type, key, fields, reason; and what a grant is about. */
export function changeJson(change: Change): Record<string, unknown> {
  return {
    op: change.op,
    type: change.type,
    key: change.key,
    ...(change.fields === undefined ? {} : { fields: change.fields.map(({ field }) => field) }),
    ...(change.entitlement === undefined ? {} : { entitlement: change.entitlement }),
    reason: change.reason,
    ...(change.rule === undefined ? {} : { rule: change.rule }),
    ...(change.origin === undefined ? {} : { origin: change.origin }),
  };
}

function sign({ op }: Change): string {
  if (op === 'create' || op === 'grant') return '+';
  return op === 'update' ? '~' : '-';
}

function describe({ op, type, key, entitlement, fields, reason }: Change): string {
  const what = type === 'user' && entitlement !== undefined ? ` ${entitlementKey(entitlement)} to` : '';
  const preposition = op === 'revoke' ? what.replace(/ to$/, ' from') : what;
  const touched = fields === undefined || fields.length === 0 ? '' : `: ${fields.map(describeField).join(', ')}`;
  return `${op}${preposition} ${type === 'group' ? `${entitlement?.kind ?? 'group'} ` : 'account '}${key}${touched} (${reason})`;
}

function describeField({ field, before, after }: FieldChange): string {
  return before === null ? `${field} ${String(after)}` : `${field} ${String(before)} -> ${String(after)}`;
}
