import { isDeepStrictEqual } from 'node:util';
import type { Dropped } from './protocol/report.ts';
import type { Attributes } from './store/users.ts';

/** Attributes that differ, before and after; undefined: none does. For the audit. */
export function changedAttributes(
  before: Attributes,
  after: Attributes,
): { readonly before: Attributes; readonly after: Attributes } | undefined {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const differing = names.filter((name) => !isDeepStrictEqual(before[name], after[name]));
  if (differing.length === 0) return undefined;
  return { before: pick(before, differing), after: pick(after, differing) };
}

function pick(attributes: Attributes, names: readonly string[]): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => names.includes(name)));
}

/** `groups (readOnly)`, `__proto__ (unknown, 3)`: what a request said and was not taken. */
export function droppedTexts(dropped: readonly Dropped[]): { readonly dropped?: readonly string[] } {
  if (dropped.length === 0) return {};
  return { dropped: dropped.map(({ path, why, count }) => `${path} (${why}${count > 1 ? `, ${count}` : ''})`) };
}
