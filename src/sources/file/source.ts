import type { BigIntStats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { LatchgateError } from '../../model/errors.ts';
import { givenUp } from '../failure.ts';
import type { ListedPerson, ListingEnd, Source } from '../source.ts';
import { type Columns, Table } from '../table.ts';
import { csvRecords, type FileRecord, jsonRecords } from './records.ts';
import type { FileSourceConfig } from './schema.ts';

export interface FileSourceOptions {
  readonly name: string;
  /** With an absolute path. */
  readonly config: FileSourceConfig;
}

const CHUNK_BYTES = 65_536;

/** People out of a file with a row for each, or several. A file that changes while it is read is not complete. */
export function createFileSource({ name, config }: FileSourceOptions): Source {
  const newTable = (): Table =>
    new Table({ key: config.key, claims: config.claims, separator: config.groups_separator });

  return {
    name,
    type: 'file',
    list: async function* (signal): AsyncGenerator<ListedPerson, ListingEnd, undefined> {
      const table = newTable();
      const end = await fill(table, config, signal);
      for (const person of table.people()) {
        if (signal.aborted) throw givenUp(signal);
        yield person;
      }
      return end;
    },
    probe: async (signal) => {
      const { handle } = await opened(config);
      try {
        for await (const record of records(handle, config, signal)) {
          if (record !== undefined) columnsOf(newTable(), record.names, isCsv(config));
          break;
        }
      } finally {
        await handle.close();
      }
    },
    // Nothing is kept between two listings.
    close: async () => {},
  };
}

async function fill(table: Table, config: FileSourceConfig, signal: AbortSignal): Promise<ListingEnd> {
  const { handle, before } = await opened(config);
  let rows = 0;
  let broken = 0;
  let cut: string | undefined;
  try {
    const shapes = new Map<string, Columns>();
    for await (const record of records(handle, config, signal)) {
      if (rows === config.max_rows) {
        cut = `reading stopped after ${config.max_rows} rows (max_rows)`;
        break;
      }
      rows += 1;
      if (record === undefined) broken += 1;
      else table.add(shapeOf(record, shapes, table, isCsv(config)), record.values);
    }
    if (cut === undefined && (await hasChanged(handle, config.path, before)))
      cut = 'the file changed while it was read';
    if (cut === undefined && isCsv(config) && config.groups_absent === 'empty') cut = shapes.get('')?.lacksGroups;
  } catch (thrown) {
    throw fileFailure(thrown);
  } finally {
    await handle.close();
  }
  const notes = [...table.notes(), ...(broken > 0 ? [`lines that are no JSON object: ${broken}`] : [])];
  const unreadable = table.unreadable + broken;
  return cut === undefined ? { complete: true, unreadable, notes } : { complete: false, why: cut, unreadable, notes };
}

/** All lines of a CSV file share their columns, those of NDJSON mostly. */
function shapeOf(
  record: NonNullable<FileRecord>,
  shapes: Map<string, Columns>,
  table: Table,
  isFixed: boolean,
): Columns {
  const shape = isFixed ? '' : JSON.stringify(record.names);
  const known = shapes.get(shape);
  if (known !== undefined) return known;
  const columns = columnsOf(table, record.names, isFixed);
  if (shapes.size < MAX_SHAPES) shapes.set(shape, columns);
  return columns;
}

const MAX_SHAPES = 1_000;

function columnsOf(table: Table, names: readonly string[], isFixed: boolean): Columns {
  const columns = table.columns(names);
  if (columns.key !== undefined || !isFixed) return columns;
  throw new LatchgateError(
    'source_refused',
    'the file has no column with the key: neither `key`, nor subject, nor the e-mail',
  );
}

function isCsv({ format, path }: FileSourceConfig): boolean {
  return format === undefined ? !/\.(ndjson|jsonl)$/i.test(path) : format === 'csv';
}

interface Opened {
  readonly handle: FileHandle;
  readonly before: BigIntStats;
}

async function opened({ path, max_bytes: maxBytes }: FileSourceConfig): Promise<Opened> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (thrown) {
    throw fileFailure(thrown);
  }
  try {
    const before = await handle.stat({ bigint: true });
    if (!before.isFile()) throw new LatchgateError('source_refused', 'the path is that of no regular file');
    if (before.size > BigInt(maxBytes)) {
      throw new LatchgateError('source_refused', `the file is larger than ${maxBytes} bytes (max_bytes)`);
    }
    return { handle, before };
  } catch (thrown) {
    await handle.close();
    throw fileFailure(thrown);
  }
}

function records(handle: FileHandle, config: FileSourceConfig, signal: AbortSignal): AsyncIterable<FileRecord> {
  const text = textOf(handle, config, signal);
  return isCsv(config) ? csvRecords(text, config.delimiter) : jsonRecords(text);
}

/** UTF-8 and nothing else: what is guessed wrong would be another name. */
async function* textOf(
  handle: FileHandle,
  { max_bytes: maxBytes }: FileSourceConfig,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const buffer = Buffer.alloc(CHUNK_BYTES);
  for (let read = 0; ; ) {
    if (signal.aborted) throw givenUp(signal);
    const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, null);
    read += bytesRead;
    if (read > maxBytes) {
      throw new LatchgateError('source_refused', `the file is larger than ${maxBytes} bytes (max_bytes)`);
    }
    const text = decoded(decoder, buffer.subarray(0, bytesRead), bytesRead > 0);
    if (text !== '') yield text;
    if (bytesRead === 0) return;
  }
}

function decoded(decoder: InstanceType<typeof TextDecoder>, bytes: Uint8Array, isMore: boolean): string {
  try {
    return decoder.decode(bytes, { stream: isMore });
  } catch {
    throw new LatchgateError('source_answer_invalid', 'the file is not UTF-8 text');
  }
}

/** Written to, or another file under the name since: what was read may be a half of each. */
async function hasChanged(handle: FileHandle, path: string, before: BigIntStats): Promise<boolean> {
  const isSame = (now: BigIntStats): boolean =>
    now.size === before.size && now.mtimeNs === before.mtimeNs && now.ino === before.ino && now.dev === before.dev;
  if (!isSame(await handle.stat({ bigint: true }))) return true;
  return stat(path, { bigint: true }).then(
    (now) => !isSame(now),
    () => true,
  );
}

function fileFailure(thrown: unknown): unknown {
  if (thrown instanceof LatchgateError) return thrown;
  const { code } = thrown as NodeJS.ErrnoException;
  if (code === undefined) return thrown;
  const sentence = code === 'ENOENT' ? 'the file is not there' : 'the file cannot be read';
  return new LatchgateError(code === 'EACCES' ? 'source_refused' : 'source_unavailable', sentence, {
    detail: { fileCode: code },
  });
}
