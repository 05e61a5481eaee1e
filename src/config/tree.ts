import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseDocument,
  type Scalar,
  type YAMLError,
} from 'yaml';
import { type ComplaintCode, type Finding, type Path, showPath } from './complaint.ts';
import type { Substituted } from './substitute.ts';
import { sentenceOf, TOO_DEEP } from './yaml-errors.ts';

/** A finding whose place is known already. */
export interface PlacedFinding extends Finding {
  readonly line: number;
  readonly column: number;
}

/** A configuration as plain values, and where in the file each of them stands. */
export interface Tree {
  /** Maps have no prototype. A value that could not be had is `undefined` and stands in `unresolved`. */
  readonly value: unknown;
  readonly findings: readonly PlacedFinding[];
  /** Where values should stand that could not be had, each with a finding of its own. */
  readonly unresolved: readonly Path[];
  /** Where the key or value stands; of a path that is not there, where its nearest ancestor does. */
  place(path: Path, at: 'key' | 'value'): { readonly line: number; readonly column: number };
  /** What was put into the value, or into the text that the value is a part of: `${NAME}`, `${file:…}`. Empty: nothing. */
  sources(path: Path): readonly string[];
}

export interface TreeOptions {
  /** Called for each text and its path; undefined leaves the text as it is. */
  substitute(text: string, path: Path): Substituted | undefined;
  /** Whether a map at this path may have `${…}` in its keys. */
  keepsKeys(path: Path): boolean;
}

const MOST_ALIASES = 1_000;
const MOST_NODES = 100_000;
const DEEPEST = 64;

interface Spot {
  readonly key?: number;
  readonly value: number;
  readonly sources: readonly string[];
}

/** Parses YAML 1.2 (core schema). Never throws: what is wrong with the text is in `findings`. */
export function readTree(source: string, options: TreeOptions): Tree {
  const lines = new LineCounter();
  const place = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const walk = new Walk(options, place);
  // Repeated keys are looked for in the walk, in linear time and with the place of the first.
  const parsed = parseDocument(source, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const errors = [...parsed.errors, ...parsed.warnings];
  for (const error of telling(errors)) {
    const { line } = place(error.pos[0]);
    const { code, message, hint } = sentenceOf(error, source.split('\n', line)[line - 1] ?? '');
    walk.find(error.pos[0], [], code, message, hint);
  }
  const value = errors.length > 0 ? undefined : walk.document(parsed);
  return { value, ...walk.result() };
}

const MOST_SYNTAX_ERRORS = 10;

/** After its first error the parser trips over the same thing again and again; such errors say nothing. */
function telling(errors: readonly YAMLError[]): readonly YAMLError[] {
  const tooDeep = errors.find((error) => error.code === 'RESOURCE_EXHAUSTION');
  if (tooDeep !== undefined) return [tooDeep];
  return errors.filter((error, index) => index === 0 || error.code !== 'UNEXPECTED_TOKEN').slice(0, MOST_SYNTAX_ERRORS);
}

class Walk {
  readonly #options: TreeOptions;
  readonly #place: (offset: number) => { line: number; column: number };
  readonly #spots = new Map<string, Spot>();
  readonly #unresolved: Path[] = [];
  readonly #findings: PlacedFinding[] = [];
  #aliases = 0;
  #nodes = 0;

  constructor(options: TreeOptions, place: (offset: number) => { line: number; column: number }) {
    this.#options = options;
    this.#place = place;
  }

  find(offset: number, path: Path, code: ComplaintCode, message: string, hint?: string): void {
    this.#findings.push({ path, code, message, ...(hint === undefined ? {} : { hint }), ...this.#place(offset) });
  }

  document(document: Document.Parsed): unknown {
    return this.#visit(document.contents, [], { offset: 0 }, document, []);
  }

  result(): Omit<Tree, 'value'> {
    return {
      findings: this.#findings,
      unresolved: this.#unresolved,
      sources: (path) => this.#nearest(path).spot?.sources ?? [],
      place: (path, at) => {
        const { spot, rest } = this.#nearest(path);
        if (spot === undefined) return { line: 1, column: 1 };
        // An item of a text that stands for a list is in the text; a key that is missing is under its parent's name.
        const isValue = rest.length === 0 ? at === 'value' : typeof rest[0] === 'number';
        return this.#place(isValue ? spot.value : (spot.key ?? spot.value));
      },
    };
  }

  /** The spot of the path or of its nearest ancestor, and the steps from there. */
  #nearest(path: Path): { readonly spot: Spot | undefined; readonly rest: Path } {
    for (let length = path.length; length >= 0; length--) {
      const spot = this.#spots.get(keyOf(path.slice(0, length)));
      if (spot !== undefined) return { spot, rest: path.slice(length) };
    }
    return { spot: undefined, rest: path };
  }

  #fail(offset: number, path: Path, code: ComplaintCode, message: string, hint?: string): undefined {
    this.find(offset, path, code, message, hint);
    this.#unresolved.push(path);
  }

  #visit(
    node: unknown,
    path: Path,
    from: { readonly key?: number; readonly offset: number },
    document: Document.Parsed,
    within: readonly unknown[],
  ): unknown {
    const offset = rangeStart(node) ?? from.offset;
    const spot: Spot = { ...(from.key === undefined ? {} : { key: from.key }), value: offset, sources: [] };
    this.#spots.set(keyOf(path), spot);
    this.#nodes++;
    if (this.#nodes > MOST_NODES) {
      if (this.#nodes === MOST_NODES + 1)
        this.#fail(offset, path, 'yaml_alias', 'the file unfolds to more than 100,000 values');
      return undefined;
    }
    if (path.length > DEEPEST) return this.#fail(offset, path, 'yaml_syntax', TOO_DEEP);
    if (isAlias(node)) return this.#alias(node, path, { ...from, offset }, document, within);
    if (isMap(node)) return this.#map(node.items as Pair[], path, document, [...within, node]);
    if (isSeq(node))
      return node.items.map((item, index) =>
        this.#visit(item, [...path, index], { offset }, document, [...within, node]),
      );
    if (isScalar(node)) return this.#scalar(node, path, spot);
    return path.length === 0 ? undefined : this.#empty(offset, path);
  }

  #empty(offset: number, path: Path): undefined {
    return this.#fail(
      offset,
      path,
      'empty_value',
      `${showPath(path)} has no value`,
      'write one, or leave the key out to get its default',
    );
  }

  #alias(
    node: Alias,
    path: Path,
    from: { readonly key?: number; readonly offset: number },
    document: Document.Parsed,
    within: readonly unknown[],
  ): unknown {
    this.#aliases++;
    if (this.#aliases > MOST_ALIASES) {
      if (this.#aliases === MOST_ALIASES + 1)
        this.#fail(from.offset, path, 'yaml_alias', 'the file uses more than 1,000 aliases');
      this.#unresolved.push(path);
      return undefined;
    }
    const target = node.resolve(document);
    if (target === undefined) {
      const hint = 'put a text that begins with * in quotes';
      return this.#fail(from.offset, path, 'yaml_alias', 'an alias names an anchor that is not there', hint);
    }
    if (within.includes(target))
      return this.#fail(from.offset, path, 'yaml_alias', 'an alias names a block that it is part of');
    return this.#visit(target, path, from, document, within);
  }

  #map(
    pairs: readonly Pair[],
    path: Path,
    document: Document.Parsed,
    within: readonly unknown[],
  ): Record<string, unknown> {
    const map: Record<string, unknown> = Object.create(null);
    const firsts = new Map<string, number>();
    for (const pair of pairs) {
      const key = isScalar(pair.key) ? keyText(pair.key) : undefined;
      const offset = rangeStart(pair.key) ?? 0;
      if (key === undefined || !this.#takesKey(key, offset, path)) {
        if (key === undefined)
          this.find(offset, path, 'yaml_key', 'a key is a single text', 'put a text with special characters in quotes');
        continue;
      }
      const first = firsts.get(key);
      if (first !== undefined) {
        const message = `${showPath([...path, key])} stands here a second time; the first is in line ${this.#place(first).line}`;
        this.find(offset, [...path, key], 'yaml_duplicate_key', message, 'join the two, or take one out');
        continue;
      }
      firsts.set(key, offset);
      map[key] = this.#visit(pair.value, [...path, key], { key: offset, offset }, document, within);
    }
    return map;
  }

  #takesKey(key: string, offset: number, path: Path): boolean {
    if (key === '<<') {
      this.find(
        offset,
        path,
        'yaml_key',
        'merge keys (`<<`) are not part of YAML 1.2',
        'use an alias for a whole value, or repeat the keys',
      );
    } else if (key === '__proto__') {
      this.find(offset, path, 'yaml_key', '`__proto__` cannot be a key');
    } else if (key.includes('${') && !this.#options.keepsKeys(path)) {
      this.find(
        offset,
        path,
        'substitution_invalid',
        'variables are put into values, not into keys',
        'write the key out',
      );
    } else return true;
    return false;
  }

  #scalar(node: Scalar, path: Path, spot: Spot): unknown {
    if (node.value === null) return path.length === 0 ? undefined : this.#empty(spot.value, path);
    if (typeof node.value !== 'string') return node.value;
    const put = this.#options.substitute(node.value, path);
    if (put === undefined) return node.value;
    this.#spots.set(keyOf(path), { ...spot, sources: put.sources });
    for (const { code, message, hint } of put.problems) this.#fail(spot.value, path, code, message, hint);
    return put.problems.length > 0 ? undefined : put.text;
  }
}

function keyOf(path: Path): string {
  return JSON.stringify(path);
}

/** As it is written: `0123` stays `0123`, `true` stays `true`. */
function keyText(key: Scalar): string | undefined {
  if (typeof key.value === 'string') return key.value;
  return key.value === null || key.source === undefined || key.source === '' ? undefined : key.source;
}

function rangeStart(node: unknown): number | undefined {
  const range = (node as { range?: readonly number[] | null } | null)?.range;
  return range?.[0];
}
