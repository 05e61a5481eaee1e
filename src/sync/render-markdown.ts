import { code, plain, table } from '../mapping/markdown.ts';
import { type Outline, outlineOf, type PlannedRow, type Section } from './outline.ts';
import type { RenderPlanOptions } from './render-text.ts';
import {
  amount,
  approvalText,
  CARRIED_TITLE,
  changeText,
  countsText,
  listedText,
  peopleText,
  reasonText,
} from './render-words.ts';
import type { Brake, PlannedChange, SyncPlan } from './sync.ts';

const NAMES = 12;
const LOSING_NAMES = 100;
const HELD_ROWS = 50;

/**
 * A plan for a pull request or ticket (GitHub Flavored Markdown, CommonMark tables). Names and values stand in code
 * spans, so that none of them is a link, a mention or markup.
 */
export function renderPlanMarkdown(plan: SyncPlan, options: Pick<RenderPlanOptions, 'all' | 'isKept'> = {}): string {
  const outline = outlineOf(plan, options.all === true ? { mostRows: Number.POSITIVE_INFINITY } : {});
  const blocks = [
    `## ${code(plan.sync)}: ${countsText(plan)}`,
    ...(plan.brake === undefined ? [] : [brakeQuote(plan, plan.brake, options.isKept ?? false)]),
    `${code(plan.source)} → ${code(plan.target)}; ${listedText(plan)}. Plan ${code(plan.id)}, ${plan.createdAt.toISOString()}.`,
    ...section('Would lose something', outline.loses, LOSING_NAMES),
    ...section('Would get something', outline.gets, NAMES),
    ...section(CARRIED_TITLE, outline.carried, LOSING_NAMES),
    ...things(outline.things),
    ...held(outline.held, options.all === true ? Number.POSITIVE_INFINITY : HELD_ROWS),
    ...(plan.notes.length === 0 ? [] : ['### Notes', plan.notes.map((note) => `- ${plain(note)}`).join('\n')]),
  ];
  return `${blocks.join('\n\n')}\n`;
}

function brakeQuote(plan: SyncPlan, brake: Brake, isKept: boolean): string {
  return [
    `> **Held**, ${code(brake.code)}: ${plain(brake.message)}`,
    '>',
    `> Not one write is made until a person approves: ${code(approvalText(plan, isKept))}`,
  ].join('\n');
}

function section(title: string, { people, rows, alike }: Section, mostNames: number): readonly string[] {
  if (people === 0) return [];
  const together = alike.map((one) => [
    amount(one.rows.length),
    one.changes.map((change) => changeText(change, { values: one.isSame, mark: code })).join('<br>'),
    `${namesText(one.rows, mostNames)}${where(one.rows[0]?.target)}`,
  ]);
  return [
    `### ${title}: ${peopleText(people)}`,
    ...(together.length === 0 ? [] : [table(['People', 'Changes', 'Who'], together)]),
    ...(rows.length === 0 ? [] : [table(['Account', 'Changes', 'Why'], rows.map(cells))]),
  ];
}

function things(rows: readonly PlannedRow[]): readonly string[] {
  if (rows.length === 0) return [];
  return [`### In the target itself: ${amount(rows.length)}`, table(['Name', 'Changes', 'Why'], rows.map(cells))];
}

function cells(row: PlannedRow): readonly string[] {
  return [
    `${row.name === row.key ? '' : `${code(row.name)}<br>`}${code(row.key)}${where(row.target)}`,
    row.changes.map((change) => changeText(change, { mark: code })).join('<br>'),
    reasons(row.changes),
  ];
}

function where(target: string | undefined): string {
  return target === undefined ? '' : ` in ${code(target)}`;
}

function namesText(rows: readonly PlannedRow[], most: number): string {
  const named = rows
    .slice(0, most)
    .map(({ name }) => code(name))
    .join(', ');
  return rows.length > most ? `${named} and ${amount(rows.length - most)} more` : named;
}

/** A line for each change, or one when all have the same reason. */
function reasons(changes: readonly PlannedChange[]): string {
  const lines = changes.map((change) => plain(reasonText(change)));
  return (new Set(lines).size === 1 ? lines.slice(0, 1) : lines).join('<br>');
}

function held(entries: Outline['held'], mostRows: number): readonly string[] {
  return entries.flatMap(({ code: reason, changes }) => [
    `### Held, ${code(reason)}: ${amount(changes.length)}`,
    table(
      ['Account', 'Change', 'Why'],
      changes
        .slice(0, mostRows)
        .map((change) => [code(change.key), changeText(change, { mark: code }), plain(change.reason)]),
    ),
    ...(changes.length > mostRows ? [`and ${amount(changes.length - mostRows)} more`] : []),
  ]);
}
