import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { LatchgateError } from '../model/errors.ts';
import type { Literal, Option } from './literals.ts';

/** The top of a YAML file as options. Throws `usage` when it is no YAML map. */
export function readYaml(text: string): readonly Option[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, maxAliasCount: 0 } as never);
  if (document.errors.length > 0 || !isMap(document.contents))
    throw new LatchgateError('usage', 'the file is not a YAML map');
  const lineOf = (node: Node): number => lines.linePos(node.range?.[0] ?? 0).line;
  const read = (node: unknown, line: number): Literal => {
    if (isScalar(node)) {
      const { value } = node;
      const isPlain = value === null || ['string', 'number', 'boolean'].includes(typeof value);
      return isPlain
        ? { kind: 'scalar', value: value as string | number | boolean | null, line: lineOf(node) }
        : { kind: 'code', line };
    }
    if (isSeq(node)) return { kind: 'list', items: node.items.map((item) => read(item, line)), line: lineOf(node) };
    if (isMap(node)) {
      const entries = node.items.map(({ key, value }) => {
        const at = isScalar(key) ? lineOf(key) : line;
        return { key: isScalar(key) ? String(key.value) : '(computed)', value: read(value, at), line: at };
      });
      return { kind: 'map', entries, line: lineOf(node) };
    }
    return { kind: isAlias(node) ? 'code' : 'scalar', line, value: null } as Literal;
  };
  const top = read(document.contents, 1);
  return top.kind === 'map' ? top.entries.map(({ key, value, line }) => ({ name: key, value, line })) : [];
}
