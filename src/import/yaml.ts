import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { LatchgateError } from '../model/errors.ts';
import type { Literal, Option } from './literals.ts';

/** The top of a YAML file as options; aliases and tags come out as `code`. Throws `usage` when it is no YAML map. */
export function readYaml(text: string): readonly Option[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false });
  const top = new Reader(lines).read(document.contents, 1);
  if (document.errors.length > 0 || top.kind !== 'map') {
    throw new LatchgateError('usage', 'the file is not a YAML map');
  }
  return top.entries.map(({ key, value, line }) => ({ name: key, value, line }));
}

class Reader {
  readonly #lines: LineCounter;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  /** `line`: of what it stands in, for a value that is not there. */
  read(node: unknown, line: number): Literal {
    if (node === null) return { kind: 'scalar', value: null, line };
    if (isScalar(node)) return scalar(node.value, this.#lineOf(node));
    if (isSeq(node))
      return { kind: 'list', items: node.items.map((item) => this.read(item, line)), line: this.#lineOf(node) };
    if (!isMap(node)) return { kind: 'code', line };
    const entries = node.items.map(({ key, value }) => {
      const at = isScalar(key) ? this.#lineOf(key) : line;
      return { key: isScalar(key) ? String(key.value) : '(computed)', value: this.read(value, at), line: at };
    });
    return { kind: 'map', entries, line: this.#lineOf(node) };
  }

  #lineOf(node: Node): number {
    return this.#lines.linePos(node.range?.[0] ?? 0).line;
  }
}

function scalar(value: unknown, line: number): Literal {
  const isPlain =
    value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  return isPlain ? { kind: 'scalar', value, line } : { kind: 'code', line };
}
