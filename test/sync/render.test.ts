import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parsePlan, planJson } from '../../src/sync/plan-json.ts';
import { renderPlanMarkdown } from '../../src/sync/render-markdown.ts';
import { renderPlanText } from '../../src/sync/render-text.ts';
import { EXAMPLES, leaver, newPerson, planOf } from './example-plans.ts';

/*
 * What people and programs read of a plan. UPDATE_GOLDEN=1 writes the files anew: look at the difference before it is
 * committed.
 */
const FOLDER = join(import.meta.dirname, '../golden/sync');
const UPDATE = process.env['UPDATE_GOLDEN'] === '1';

function golden(file: string, made: string): string {
  const path = join(FOLDER, file);
  if (UPDATE) writeFileSync(path, made);
  return existsSync(path) ? readFileSync(path, 'utf8') : 'no such file: run once with UPDATE_GOLDEN=1';
}

const json = (name: string) => `${JSON.stringify(planJson(EXAMPLES[name] as never), null, 2)}\n`;

describe.each(Object.entries(EXAMPLES))('the plan %s', (name, plan) => {
  it('reads in a terminal', () => {
    const text = renderPlanText(plan);
    expect(golden(`${name}.txt`, text)).toBe(text);
  });

  it('reads in a pull request', () => {
    const text = renderPlanMarkdown(plan);
    expect(golden(`${name}.md`, text)).toBe(text);
  });

  it('comes back from its JSON as it was', () => {
    expect(planJson(parsePlan(JSON.stringify(planJson(plan))))).toEqual(planJson(plan));
  });

  it('is short enough for a screen or two, and for a comment on GitHub', () => {
    expect(renderPlanText(plan).split('\n').length).toBeLessThan(200);
    expect(renderPlanMarkdown(plan).length).toBeLessThan(65_536);
  });
});

it.each(['five', 'held'])('the plan %s as JSON', (name) => {
  expect(golden(`${name}.json`, json(name))).toBe(json(name));
});

it('the plan five in colours', () => {
  const text = renderPlanText(EXAMPLES['five'] as never, { color: true });
  expect(golden('five.ansi.txt', text)).toBe(text);
});

it('shows each of five thousand when it is asked to', () => {
  const plan = EXAMPLES['thousands'] as never;
  const all = renderPlanText(plan, { all: true });
  for (const name of ['new4199@example.com', 'known699@example.com', 'left94@example.com', 'twice129@example.com'])
    expect(all.includes(`"${name}"`)).toBe(true);
  expect(renderPlanText(plan)).not.toContain('new4199@example.com');
});

it('names everybody who would lose something, also among thousands', () => {
  const text = renderPlanText(EXAMPLES['thousands'] as never);
  for (let at = 0; at < 95; at += 1) expect(text).toContain(`"left${String(at).padStart(2, '0')}@example.com"`);
  expect(text).toContain('"boss@example.com"');
});

it('says how to approve: by its id once it is kept, else by the sync', () => {
  const plan = EXAMPLES['held'] as never;
  expect(renderPlanText(plan)).toContain('latchgate apply hr-to-gooddata --approve');
  expect(renderPlanText(plan, { isKept: true })).toContain('latchgate plans approve pl_7M4QZ2');
  expect(renderPlanMarkdown(plan, { isKept: true })).toContain('`latchgate plans approve pl_7M4QZ2`');
});

it('lets no name steer a terminal, end a cell of a table or become a link', () => {
  const plan = EXAMPLES['hostile'] as never;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  expect(renderPlanText(plan).replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u202e]/);
  const markdown = renderPlanMarkdown(plan);
  const outside = markdown.replaceAll('\\`', '').replace(/(`+)(?!`)[\s\S]*?[^`]\1(?!`)/g, '');
  expect(outside).not.toMatch(/(?<!\\)(<(?!br>)|[[\]])|@/);
  for (const row of markdown.split('\n').filter((line) => line.startsWith('| ') && line.includes('eve')))
    expect(row.split(/(?<!\\)\|/)).toHaveLength(5);
});

it('keeps the accounts of one person in two targets apart, and two people of one name', () => {
  const [gone] = leaver('carol');
  const plan = planOf([
    { ...gone, target: 'superset' } as never,
    ...leaver('carol', 'analysts'),
    ...newPerson('carol', 'analysts').map((change) => ({ ...change, subject: 'hr|another' })),
  ]);
  expect(renderPlanText(plan).match(/^ {2}"carol"/gm)).toHaveLength(3);
});

describe('a file that is no plan', () => {
  const text = (change: object) => JSON.stringify({ ...planJson(EXAMPLES['five'] as never), ...change });

  it.each([
    ['text', 'hello secret'],
    ['another object', '{"secret":1}'],
    ['null', 'null'],
    ['a plan of another version', text({ version: 2 })],
    ['an unknown operation', text({ changes: [{ op: 'secret', type: 'user', key: 'a', fields: [], reason: '' }] })],
    ['a broken time', text({ createdAt: 'secret' })],
    ['a fingerprint that is none', text({ fingerprint: 'secret' })],
    ['a summary without its counts', text({ summary: {} })],
  ])('is refused without a word of it: %s', (_what, content) => {
    expect(() => parsePlan(content)).toThrow(expect.objectContaining({ code: 'plan_invalid' }));
    expect(() => parsePlan(content)).not.toThrow(/secret/);
  });
});
