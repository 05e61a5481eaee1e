import { LatchgateError } from '../model/errors.ts';
import type { ListedPerson } from './source.ts';

/** How rows are read: whose row it is, and what the columns are. */
export interface TableOptions {
  /** Column that tells people apart. Default: `subject` when there is one, else the e-mail, lower-cased in A to Z. */
  readonly key?: string | undefined;
  /** Our attribute ← columns, as in the config. */
  readonly claims: Readonly<Record<string, readonly string[]>>;
  /** Where one value of a column of groups is cut into several. */
  readonly separator?: string | undefined;
}

/** The columns of a table, read once. */
export interface Columns {
  readonly key: number | undefined;
  readonly keyIsEmail: boolean;
  /** Why everybody would seem to be in no group; undefined: there is a column of groups. */
  readonly lacksGroups: string | undefined;
  readonly columns: readonly Column[];
}

interface Column {
  readonly index: number;
  /** Names of the claim: as the config spells them, else in lower case. */
  readonly claims: readonly string[];
  readonly kind: 'groups' | 'email' | 'flag' | 'plain';
}

/** One person, out of one row or several. */
interface Gathered {
  readonly claims: Record<string, unknown>;
  /** By claim; a set, because somebody may have thousands of rows. */
  readonly groups: Map<string, Set<string>>;
  rows: number;
  differs: boolean;
}

const MAX_SUBJECT_CHARACTERS = 255;
// Control characters and halves of surrogate pairs.
const UNCLEAN = /[\p{Cc}\p{Cs}]/u;
const TRUE = new Set(['1', 'true', 't', 'yes', 'y']);
const FALSE = new Set(['0', 'false', 'f', 'no', 'n']);

/**
 * People out of rows. Holds one record a person, however many rows there are: roles are gathered, of other columns the
 * first value that is there counts.
 */
export class Table {
  readonly #options: TableOptions;
  readonly #people = new Map<string, Gathered>();
  readonly #differing = new Set<string>();
  readonly #binary = new Set<string>();
  #unreadable = 0;

  constructor(options: TableOptions) {
    this.#options = options;
  }

  /** Rows that name nobody. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** People so far. */
  get size(): number {
    return this.#people.size;
  }

  /**
   * Reads the names of columns; their case does not matter. Throws `source_refused` for two columns of one name, because
   * which of them counts would be chance.
   */
  columns(names: readonly string[]): Columns {
    const folded = names.map((name) => name.toLowerCase());
    const twice = folded.find((name, index) => folded.indexOf(name) !== index);
    if (twice !== undefined) {
      throw new LatchgateError('source_refused', 'two columns have the same name; the case of letters does not count', {
        detail: { column: twice },
      });
    }
    const { key, claims } = this.#options;
    const of = (attribute: string): readonly string[] => (claims[attribute] ?? []).map(firstSegment);
    const emails = new Set(of('email'));
    const groups = new Set(of('groups'));
    const flags = new Set(of('email_verified'));
    const keyName = key?.toLowerCase() ?? (folded.includes('subject') ? 'subject' : of('email').find(isIn(folded)));
    const spellings = new Set(Object.values(claims).flat());
    const lacksGroups = 'it has no column with the groups (claims.groups); groups_absent: keep says that it needs none';
    return {
      lacksGroups: groups.size === 0 || folded.some((name) => groups.has(name)) ? undefined : lacksGroups,
      key: keyName === undefined || !folded.includes(keyName) ? undefined : folded.indexOf(keyName),
      keyIsEmail: keyName !== undefined && emails.has(keyName),
      columns: folded.map((name, index): Column => {
        const kind = groups.has(name) ? 'groups' : emails.has(name) ? 'email' : flags.has(name) ? 'flag' : 'plain';
        return { index, claims: claimNames(name, spellings), kind };
      }),
    };
  }

  add({ key, keyIsEmail, columns }: Columns, values: readonly unknown[]): void {
    const subject = key === undefined ? undefined : subjectOf(values[key], keyIsEmail);
    if (subject === undefined) {
      this.#unreadable += 1;
      return;
    }
    const person = this.#people.get(subject) ?? { claims: {}, groups: new Map(), rows: 0, differs: false };
    if (person.rows === 0) this.#people.set(subject, person);
    person.rows += 1;
    for (const column of columns) this.#take(person, column, values[column.index]);
  }

  #take(person: Gathered, { claims, kind }: Column, raw: unknown): void {
    if (raw instanceof Uint8Array) {
      this.#binary.add(claims[0] ?? '');
      if (kind === 'groups') this.#unreadable += 1;
      return;
    }
    if (kind === 'groups') {
      const found = groupsOf(raw, this.#options.separator);
      for (const claim of claims) {
        const groups = person.groups.get(claim) ?? new Set();
        person.groups.set(claim, groups);
        for (const group of found) groups.add(group);
      }
      return;
    }
    const value = kind === 'flag' ? flagOf(raw) : jsonOf(raw);
    for (const claim of claims) {
      const present = Object.hasOwn(person.claims, claim) ? person.claims[claim] : null;
      if (present === null) put(person.claims, claim, value);
      else if (value !== null && !isSame(present, value, kind === 'email')) {
        person.differs = true;
        this.#differing.add(claims[0] ?? claim);
      }
    }
  }

  /** Each person once; what was given is forgotten. */
  *people(): Generator<ListedPerson> {
    for (const [subject, { claims, groups }] of this.#people) {
      for (const [claim, values] of groups) put(claims, claim, [...values]);
      yield { subject, active: true, claims };
      this.#people.delete(subject);
    }
  }

  /** Lines about what was merged and left out, free of values. To be asked before `people`. */
  notes(): readonly string[] {
    const all = [...this.#people.values()];
    const several = all.filter(({ rows }) => rows > 1).length;
    const differ = all.filter(({ differs }) => differs).length;
    return [
      ...(several > 0 ? [`people with several rows, whose groups are gathered: ${several}`] : []),
      ...(differ > 0
        ? [
            `people whose rows differ in ${[...this.#differing].sort().join(', ')}, where the first value counts: ${differ}`,
          ]
        : []),
      ...(this.#unreadable > 0 ? [`rows without a key that can be used: ${this.#unreadable}`] : []),
      ...(this.#binary.size > 0
        ? [`columns left out, because they hold bytes: ${[...this.#binary].sort().join(', ')}`]
        : []),
    ];
  }
}

/** A column may have the name of what every object has. */
function put(claims: Record<string, unknown>, claim: string, value: unknown): void {
  if (claim !== '__proto__') claims[claim] = value;
  else Object.defineProperty(claims, claim, { value, enumerable: true, writable: true, configurable: true });
}

const isIn =
  (names: readonly string[]) =>
  (name: string): boolean =>
    names.includes(name);

/** A claim may be a path into a column that holds JSON. */
function firstSegment(claim: string): string {
  return (/^(?:[^.\\]|\\.)*/.exec(claim)?.[0] ?? claim).replaceAll('\\.', '.').toLowerCase();
}

function claimNames(column: string, spellings: ReadonlySet<string>): readonly string[] {
  const names = new Set<string>();
  for (const spelling of spellings) {
    if (spelling.toLowerCase() === column) names.add(spelling);
    else if (firstSegment(spelling) === column) names.add(spelling.slice(0, column.length));
  }
  return names.size === 0 ? [column] : [...names];
}

/** The key as a subject; undefined when there is none or it has a form that no key has. */
function subjectOf(value: unknown, isEmail: boolean): string | undefined {
  const text =
    typeof value === 'string'
      ? value
      : typeof value === 'bigint' || Number.isSafeInteger(value)
        ? String(value)
        : undefined;
  if (text === undefined || text === '' || text.length > MAX_SUBJECT_CHARACTERS || UNCLEAN.test(text)) return undefined;
  if (!isEmail) return text;
  return /^[^@\s]+@[^@\s]+$/.test(text) ? lowerAscii(text) : undefined;
}

/** Only A to Z: Unicode's own lower case would make one person of two. */
function lowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** Without the blanks around them, which no role has and columns of a fixed width do. */
function groupsOf(value: unknown, separator: string | undefined): readonly string[] {
  if (value === null || value === undefined || value === '') return [];
  if (Array.isArray(value)) return value.flatMap((item) => groupsOf(item, separator));
  if (typeof value !== 'string') return [String(value)];
  return (separator === undefined ? [value] : value.split(separator))
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function flagOf(value: unknown): unknown {
  if (value === null || value === undefined || typeof value === 'boolean') return value ?? null;
  const word = String(value).trim().toLowerCase();
  return TRUE.has(word) ? true : FALSE.has(word) ? false : jsonOf(value);
}

function jsonOf(value: unknown): unknown {
  if (value === undefined) return null;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  return value;
}

function isSame(one: unknown, other: unknown, asEmail: boolean): boolean {
  if (asEmail && typeof one === 'string' && typeof other === 'string') return lowerAscii(one) === lowerAscii(other);
  return one === other || (typeof one === 'object' && JSON.stringify(one) === JSON.stringify(other));
}
