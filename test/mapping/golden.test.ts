import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { explainJson } from '../../src/mapping/explain-json.ts';
import { compileMapping } from '../../src/mapping/mapping.ts';
import { renderTraceText } from '../../src/mapping/render.ts';
import { assertionOf, configOf, type WrittenConfig } from './config-of.ts';

/*
 * NAME.case.json is what goes in; NAME.explain.txt and NAME.explain.json are what people and programs read.
 * UPDATE_GOLDEN=1 writes them anew (then format them): look at the difference before it is committed.
 */
const FOLDER = join(import.meta.dirname, '../golden/mapping');
const UPDATE = process.env['UPDATE_GOLDEN'] === '1';

interface Case {
  readonly config: WrittenConfig;
  readonly current: string;
  readonly assertions: readonly {
    readonly origin: string;
    readonly claims: Readonly<Record<string, unknown>>;
    readonly rememberedGroups?: readonly string[];
  }[];
}

const names = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.case.json'))
  .map((file) => file.slice(0, -'.case.json'.length));

function golden(file: string, made: string): string {
  const path = join(FOLDER, file);
  if (UPDATE) writeFileSync(path, made);
  return existsSync(path) ? readFileSync(path, 'utf8') : '"no such file: run once with UPDATE_GOLDEN=1"';
}

it.each(names)('%s', (name) => {
  const { config, assertions, current } = JSON.parse(readFileSync(join(FOLDER, `${name}.case.json`), 'utf8')) as Case;
  const remembered = assertions.map(({ claims, ...more }) => assertionOf(claims, more));
  const decision = compileMapping(configOf(config)).map({ person: 'p_golden', assertions: remembered, current });
  const text = renderTraceText(decision);
  expect(golden(`${name}.explain.txt`, text)).toBe(text);
  const json = JSON.stringify(explainJson(decision), null, 2);
  expect(JSON.parse(golden(`${name}.explain.json`, `${json}\n`))).toEqual(JSON.parse(json));
});

it('has no golden file without its case', () => {
  const made = readdirSync(FOLDER).filter((file) => file.includes('.explain.'));
  expect(made.map((file) => file.split('.')[0]).filter((name) => !names.includes(name ?? ''))).toEqual([]);
});
