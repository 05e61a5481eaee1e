import type { Change, FieldChange, HeldChange } from '../../src/model/change.ts';
import { entitlementKey } from '../../src/model/entitlement.ts';

/** `+` comes, `~` changes, `-` goes, `!` is held: one line a change, for terminals and the `why` command. */
export function renderChanges(changes: readonly Change[], held: readonly HeldChange[]): string[] {
  return [
    ...changes.map((change) => `${sign(change)} ${describe(change)}`),
    ...held.map((change) => `! ${describe(change)} [held: ${change.code}]`),
  ];
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
