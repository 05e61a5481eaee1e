/** Longest value of one attribute that is taken, in characters. */
export const MAX_ATTRIBUTE_CHARACTERS = 4_096;
/** Longest group and longest name of an entitlement that is made from a claim, in characters. */
export const MAX_NAME_CHARACTERS = 256;
/** Longest subject, in characters (OIDC Core §2: sub has at most 255 ASCII characters). */
export const MAX_SUBJECT_CHARACTERS = 255;

// Cc is C0, DEL and C1; under the u flag Cs is a surrogate without its other half.
const UNCLEAN = /[\p{Cc}\p{Cs}]/u;

/** True when the text holds a control character or half of a surrogate pair. */
export function isUnclean(text: string): boolean {
  return UNCLEAN.test(text);
}

/** True when the text has more than `max` characters (code points). */
export function isLongerThan(text: string, max: number): boolean {
  if (text.length <= max) return false;
  if (text.length > max * 2) return true;
  return [...text].length > max;
}

/** What a value is, by shape and length only: safe to show where the value itself is not. */
export function shapeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value !== 'string') return value === undefined ? 'nothing' : `a value of type ${typeof value}`;
  const unclean = isUnclean(value) ? ' with a control character or half a surrogate pair' : '';
  return `a text of ${[...value].length} characters${unclean}`;
}
