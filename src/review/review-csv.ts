import { createHmac } from 'node:crypto';
import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import type { Review } from '../directory/reviews.ts';
import { LatchgateError } from '../model/errors.ts';
import type { ReviewRow } from './review-rows.ts';

/** Columns of the file, in order. What a person fills in is in the last two. */
const COLUMNS = [
  'review',
  'person',
  'name',
  'email',
  'user_name',
  'target',
  'kind',
  'entitlement',
  'scope',
  'rule',
  'origin',
  'because',
  'since',
  'last_seen',
  'check',
  'decision',
  'reason',
] as const;
type Column = (typeof COLUMNS)[number];
export type Cells = Readonly<Record<Column, string>>;

/** What is covered by `check`. */
const SEALED = COLUMNS.filter((column) => !['check', 'decision', 'reason'].includes(column));
const CHECK_CHARACTERS = 22;
const MOST_CHARACTERS = 64 * 1024 * 1024;

export function headerLine(): string {
  return stringify([[...COLUMNS]], { record_delimiter: 'windows' });
}

/** One line (RFC 4180). What a spreadsheet would take for a formula gets an apostrophe in front. */
export function reviewLine(review: Review, row: ReviewRow): string {
  const cells: Record<Column, string> = {
    review: review.id,
    person: row.person.id,
    name: row.person.displayName,
    email: row.person.email ?? '',
    user_name: row.userName ?? '',
    target: row.target,
    kind: row.kind,
    entitlement: row.name,
    scope: row.scope ?? '',
    rule: row.rule,
    origin: row.origin,
    because: row.because,
    since: row.since.toISOString(),
    last_seen: row.person.lastSeenAt?.toISOString() ?? '',
    check: '',
    decision: '',
    reason: '',
  };
  const sealed = { ...cells, check: checkOf(review.seal, cells) };
  return stringify([COLUMNS.map((column) => sealed[column])], { escape_formulas: true, record_delimiter: 'windows' });
}

/** By which a line is told from one that says something else. */
export function checkOf(seal: string, cells: Cells): string {
  const text = JSON.stringify(SEALED.map((column) => unguarded(cells[column])));
  // Never the beginning of a formula, which would be written with an apostrophe.
  return `c${createHmac('sha256', seal).update(text).digest('base64url').slice(0, CHECK_CHARACTERS)}`;
}

/** A line of a file that was filled in, and where it stands in it. */
export interface FilledLine {
  readonly line: number;
  readonly cells: Cells;
}

/**
 * Reads a file as spreadsheets write it: with or without a byte order mark, with commas, semicolons or tabs. Throws
 * `review_invalid` with the number of the line, never with what it holds.
 */
export function readFilled(text: string): readonly FilledLine[] {
  if (text.length > MOST_CHARACTERS) throw new LatchgateError('review_invalid', 'the file is too long for a review');
  let records: readonly { readonly record: readonly string[]; readonly info: { readonly lines: number } }[];
  try {
    records = parse(text, {
      bom: true,
      delimiter: delimiterOf(text),
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
    }) as unknown as typeof records;
  } catch (thrown) {
    const { lines } = thrown as { readonly lines?: unknown };
    const where = typeof lines === 'number' ? `line ${lines}: ` : '';
    throw new LatchgateError('review_invalid', `${where}not CSV`);
  }
  const [head, ...rows] = records;
  const names = head?.record.map((name) => name.trim()) ?? [];
  const missing = COLUMNS.filter((column) => !names.includes(column));
  if (missing.length > 0 || new Set(names).size !== names.length) {
    throw new LatchgateError(
      'review_invalid',
      `line 1: not the columns of a review: ${missing.join(', ') || 'one twice'}`,
    );
  }
  return rows.map(({ record, info }) => {
    if (record.length !== names.length) {
      throw new LatchgateError('review_invalid', `line ${info.lines}: not as many fields as columns`);
    }
    const cells = Object.fromEntries(COLUMNS.map((column) => [column, unguarded(record[names.indexOf(column)] ?? '')]));
    return { line: info.lines, cells: cells as unknown as Cells };
  });
}

/** By the header, whose names hold none of them. */
function delimiterOf(text: string): string {
  const head = text.slice(0, text.search(/[\r\n]|$/));
  return [';', '\t'].find((one) => head.split(one).length >= COLUMNS.length) ?? ',';
}

/** Without the apostrophe that keeps a text from being a formula. */
function unguarded(cell: string): string {
  return /^'[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/.test(cell) ? cell.slice(1) : cell;
}
