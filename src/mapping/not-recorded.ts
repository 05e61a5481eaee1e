import { NOT_RECORDED } from '../model/recorded-claims.ts';
import { type ClaimName, findClaim } from './claims.ts';

export type ClaimPath = readonly string[];

/**
 * The first of these claims of which nobody knows any more whether it was said, when none before it is there. Undefined:
 * the first that is there is the first that was said.
 */
export function firstUnknown(
  claims: Readonly<Record<string, unknown>>,
  names: readonly ClaimName[],
): string | undefined {
  if (!Object.hasOwn(claims, NOT_RECORDED)) return undefined;
  const gaps = gapsOf(claims);
  for (const name of names) {
    if (findClaim(claims, [name]) !== undefined) return undefined;
    if (placesOf(name).some((place) => gaps.some((gap) => isWithin(place, gap)))) return name.name;
  }
  return undefined;
}

/** The places that the mark names; what is no path in it is passed over. */
export function gapsOf(claims: Readonly<Record<string, unknown>>): readonly ClaimPath[] {
  const marked = Object.hasOwn(claims, NOT_RECORDED) ? claims[NOT_RECORDED] : undefined;
  if (!Array.isArray(marked)) return [];
  return marked.filter(
    (path: unknown): path is ClaimPath => Array.isArray(path) && path.every((segment) => typeof segment === 'string'),
  );
}

/** Where `findClaim` looks for a claim: under its name as it stands, and along its path. */
export function placesOf({ name, path }: ClaimName): readonly ClaimPath[] {
  return path === undefined ? [[name]] : [[name], path];
}

export function isWithin(place: ClaimPath, whole: ClaimPath): boolean {
  return whole.length <= place.length && whole.every((segment, at) => segment === place[at]);
}

/** The note of a refusal. */
export function unknownNote(attribute: string, claim: string): string {
  return `${attribute}: whether ${claim} was said is not recorded, and only the next login or sync can tell`;
}
