import { pipeline } from 'node:stream/promises';
import { type CsvError, parse } from 'csv-parse';
import { LatchgateError } from '../../model/errors.ts';

/** One line of a file: the names of its columns and their values. Undefined: a line that cannot be read. */
export type FileRecord = { readonly names: readonly string[]; readonly values: readonly unknown[] } | undefined;

const MAX_LINE_CHARACTERS = 1_048_576;

/** RFC 4180 with a header line. Throws `source_answer_invalid` for what is none, with the number of the line alone. */
export async function* csvRecords(
  text: AsyncIterable<string>,
  delimiter: string,
): AsyncGenerator<FileRecord, void, undefined> {
  const parser = parse({ delimiter, bom: true, skip_empty_lines: true, max_record_size: MAX_LINE_CHARACTERS });
  // What goes wrong there ends the parser too, and shows there.
  const feeding = pipeline(text, parser).catch(() => {});
  let names: readonly string[] | undefined;
  try {
    for await (const values of parser as AsyncIterable<readonly string[]>) {
      if (names === undefined) names = values.map((name) => name.trim());
      else yield { names, values };
    }
  } catch (thrown) {
    throw csvFailure(thrown);
  } finally {
    parser.destroy();
    await feeding;
  }
  if (names === undefined) throw new LatchgateError('source_answer_invalid', 'the file has no header line');
}

function csvFailure(thrown: unknown): unknown {
  if (thrown instanceof LatchgateError) return thrown;
  const { code, lines } = thrown as Partial<CsvError> & { readonly lines?: unknown };
  if (typeof code !== 'string' || !code.startsWith('CSV_')) return thrown;
  // Without the cause: it holds the line.
  return new LatchgateError('source_answer_invalid', 'the file is not CSV with the same fields in each line', {
    detail: { reason: code, ...(typeof lines === 'number' ? { line: lines } : {}) },
  });
}

/** A JSON object a line; empty lines mean nothing. */
export async function* jsonRecords(text: AsyncIterable<string>): AsyncGenerator<FileRecord, void, undefined> {
  let rest = '';
  let isFirst = true;
  for await (const piece of text) {
    const lines = (rest + (isFirst ? piece.replace(/^\uFEFF/, '') : piece)).split('\n');
    isFirst = false;
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_CHARACTERS) {
      throw new LatchgateError('source_answer_invalid', 'a line of the file is longer than 1 MiB');
    }
    for (const line of lines) if (line.trim() !== '') yield jsonRecord(line);
  }
  if (rest.trim() !== '') yield jsonRecord(rest);
}

function jsonRecord(line: string): FileRecord {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const names = Object.keys(value);
  // Two members that differ in case alone: which counts would be chance.
  if (new Set(names.map((name) => name.toLowerCase())).size < names.length) return undefined;
  return { names, values: Object.values(value) };
}
