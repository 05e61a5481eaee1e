import { isDeepStrictEqual } from 'node:util';
import { sha256 } from '../ops/hash.ts';
import type { ScimValue } from './protocol/attribute.ts';
import type { Dropped } from './protocol/report.ts';
import type { Attributes } from './store/users.ts';

/** Of one attribute, as JSON. */
const MOST_CHARACTERS = 2_048;

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
  const picked = Object.entries(attributes).filter(([name]) => names.includes(name));
  return Object.fromEntries(picked.map(([name, value]) => [name, shortened(value)]));
}

/** The audit keeps all that it is told for ever: of a picture or a hundred certificates which they were. */
function shortened(value: ScimValue): ScimValue {
  const json = JSON.stringify(value);
  return json.length <= MOST_CHARACTERS ? value : `${json.length} characters, SHA-256 ${sha256(json)}`;
}

/** `groups (readOnly)`, `__proto__ (unknown, 3)`: what a request said and was not taken. */
export function droppedTexts(dropped: readonly Dropped[]): { readonly dropped?: readonly string[] } {
  if (dropped.length === 0) return {};
  return { dropped: dropped.map(({ path, why, count }) => `${path} (${why}${count > 1 ? `, ${count}` : ''})`) };
}
