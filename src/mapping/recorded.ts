import { NOT_RECORDED } from '../model/recorded-claims.ts';
import { compileClaimName, isObject } from './claims.ts';
import type { OriginConfig } from './config.ts';
import { GROUPS_UNHEARD } from './groups.ts';
import { type ClaimPath, gapsOf, isWithin, placesOf } from './not-recorded.ts';
import { RENAMED_GROUPS } from './privileged.ts';

/** Member of recorded claims: keyed hashes in place of values, by the name of the claim in `state.claims.hash`. */
export const HASHED = 'latchgate:hashed';

/** Read beside what `claims` of an origin names: who it is, and whether groups were left out. */
export const ALWAYS_READ = ['sub', 'externalId', '_claim_names', 'hasgroups', GROUPS_UNHEARD, RENAMED_GROUPS];

export interface RecordOptions {
  readonly origins: Readonly<Record<string, Pick<OriginConfig, 'claims'>>>;
  /** `used`: only what the mapping reads, and what is hashed. */
  readonly keep: 'all' | 'used';
  /** Claims of which a hash is kept: by name, or as a path. */
  readonly hash: readonly string[];
  /** A keyed hash, in base64url, of 43 characters. */
  readonly digest: (text: string) => string;
}

/** What is kept of the claims that an origin sent. Pure, and of what it gave it gives the same. */
export type RecordClaims = (
  origin: string,
  claims: Readonly<Record<string, unknown>>,
) => Readonly<Record<string, unknown>>;

/** Below a name: more names, or the claim that ends there. */
interface Places extends Map<string, Places | string> {}

const DIGEST = /^[\w-]{43}$/;

/** Compiles what is recorded. What the mapping decides by it is what it decides by all that was sent. */
export function compileRecord(options: RecordOptions): RecordClaims {
  if (options.keep === 'all' && options.hash.length === 0) return (_, claims) => claims;
  const hashed = placesFor(options.hash);
  const read = new Map(
    Object.entries(options.origins).map(([name, { claims }]) => [
      name,
      placesFor([...ALWAYS_READ, ...Object.values(claims).flat()]),
    ]),
  );
  const nothingKnown = placesFor(ALWAYS_READ);
  return (origin, claims) => {
    // Of an origin that the config has not (any more) nothing is read, and what was said is not for us to throw away.
    const kept = options.keep === 'used' && read.has(origin) ? (read.get(origin) ?? nothingKnown) : undefined;
    return new Recording(claims, options, hashed).record(kept);
  };
}

/** One pass over one set of claims. */
class Recording {
  readonly #claims: Readonly<Record<string, unknown>>;
  readonly #options: RecordOptions;
  readonly #hashed: Places;
  readonly #gaps: ClaimPath[];
  readonly #hashes: Map<string, string>;

  constructor(claims: Readonly<Record<string, unknown>>, options: RecordOptions, hashed: Places) {
    this.#claims = claims;
    this.#options = options;
    this.#hashed = hashed;
    // What is there again is no gap any more.
    this.#gaps = gapsOf(claims).filter((path) => path.length === 0 || !isThere(claims, path));
    const before = Object.hasOwn(claims, HASHED) && isObject(claims[HASHED]) ? Object.entries(claims[HASHED]) : [];
    this.#hashes = new Map(
      before.filter((entry): entry is [string, string] => {
        const [name, digest] = entry;
        return options.hash.includes(name) && typeof digest === 'string' && DIGEST.test(digest);
      }),
    );
  }

  record(kept: Places | undefined): Readonly<Record<string, unknown>> {
    const { [NOT_RECORDED]: _, [HASHED]: __, ...said } = this.#claims;
    const left = this.#walk(said, kept, this.#hashed, []);
    const marks = [
      ...(this.#gaps.length === 0 ? [] : [[NOT_RECORDED, this.#gaps] as const]),
      ...(this.#hashes.size === 0 ? [] : [[HASHED, Object.fromEntries(this.#hashes)] as const]),
    ];
    // As `forgotten` writes it, by which it is known: the mark behind the id. All else is known for no such by its order.
    const isForgotten = this.#gaps.some(({ length }) => length === 0) && left.every(([name]) => name === 'externalId');
    // Not by a spread: a member of the name __proto__ is one like any other.
    return Object.fromEntries(isForgotten && this.#hashes.size === 0 ? [...left, ...marks] : [...marks, ...left]);
  }

  /** `kept`: what is read below here; undefined: all of it stays. */
  #walk(
    said: Readonly<Record<string, unknown>>,
    kept: Places | undefined,
    hashed: Places | undefined,
    at: ClaimPath,
  ): readonly (readonly [string, unknown])[] {
    return Object.entries(said).flatMap(([name, value]): readonly (readonly [string, unknown])[] => {
      const place = [...at, name];
      const toHash = hashed?.get(name);
      if (typeof toHash === 'string') return this.#hash(toHash, place, value);
      const below = kept?.get(name);
      if (kept !== undefined && below === undefined && toHash === undefined) return this.#drop(place);
      const isWhole = kept === undefined || typeof below === 'string';
      if (isWhole && toHash === undefined) return [[name, value]];
      // A path goes through objects only: in anything else it finds nothing, as in nothing.
      if (!isObject(value)) return [[name, isWhole ? value : null]];
      const inside = isWhole ? undefined : (below ?? NOTHING);
      return [[name, Object.fromEntries(this.#walk(value, inside as Places | undefined, toHash, place))]];
    });
  }

  #hash(name: string, place: ClaimPath, value: unknown): readonly [] {
    this.#hashes.set(name, this.#options.digest(JSON.stringify([name, value])));
    return this.#drop(place);
  }

  #drop(place: ClaimPath): readonly [] {
    if (!this.#gaps.some((gap) => gap.length > 0 && isWithin(place, gap))) this.#gaps.push(place);
    return [];
  }
}

const NOTHING: Places = new Map();

function placesFor(names: readonly string[]): Places {
  const places: Places = new Map();
  for (const name of names) for (const place of placesOf(compileClaimName(name))) add(places, place, name);
  return places;
}

function add(places: Places, [first = '', ...rest]: ClaimPath, name: string): void {
  const there = places.get(first);
  if (typeof there === 'string') return;
  if (rest.length === 0) {
    places.set(first, name);
    return;
  }
  const below: Places = there ?? new Map();
  places.set(first, below);
  add(below, rest, name);
}

function isThere(claims: Readonly<Record<string, unknown>>, path: ClaimPath): boolean {
  let value: unknown = claims;
  for (const segment of path) {
    if (!isObject(value) || !Object.hasOwn(value, segment)) return false;
    value = value[segment];
  }
  return true;
}
