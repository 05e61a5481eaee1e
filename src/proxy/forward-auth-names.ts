import { namesOf } from './identity-headers.ts';

/** Told in every answer that says yes, with an empty value where there is nothing to say. */
export const IDENTITY_NAMES = [
  'X-Forwarded-User',
  'X-Forwarded-Email',
  'X-Forwarded-Preferred-Username',
  'X-Forwarded-Groups',
  'X-Latchgate-Assertion',
];
const WHO = new Set(IDENTITY_NAMES.map((name) => name.toLowerCase()));

/** Of a flat list of names and values: who it is, without what signs in from anywhere. */
export function onlyWho(headers: readonly string[]): readonly string[] {
  return headers.filter((_, at) => WHO.has((headers[at - (at % 2)] ?? '').toLowerCase()));
}

/** Without those that are only a beginning of names. */
export function exactNames(patterns: readonly string[]): readonly string[] {
  return [...new Map(namesOf(patterns).names.map((name) => [name.toLowerCase(), name])).values()];
}
