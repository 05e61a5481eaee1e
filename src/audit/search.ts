import { sql } from 'kysely';
import type { Database } from '../directory/database.ts';
import type { AuditRecord } from './audit.ts';
import { parseRecord } from './record.ts';

/** Records that are looked at for one answer: with more, a page would keep the database busy for everybody. */
const MOST_LOOKED_AT = 200_000;
const MOST_COUNTED = 50_000;
/** Of these at a time, so that others get their turn in between. */
const AT_ONCE = 10_000;

export interface AuditQuery {
  /** Of whom, or by whom. */
  readonly person?: string;
  /** Exactly, or with `.` at the end whatever begins so. */
  readonly event?: string;
  readonly requestId?: string;
  readonly since?: Date;
  readonly until?: Date;
  /** Older than this record. */
  readonly before?: number;
}

export interface EventCount {
  /** Beginning of the span, in milliseconds since the epoch. */
  readonly at: number;
  readonly event: string;
  readonly count: number;
}

export interface AuditPage {
  /** Newest first. */
  readonly records: readonly AuditRecord[];
  /** For the next page: there may be more that are older than this. Absent: there are none. */
  readonly before?: number;
}

/** Looks into the audit for people. Verifies nothing: `Audit.verify` does. */
export interface AuditSearch {
  /** So many at most, and fewer when that many are not among the records that one answer looks at. */
  find(query: AuditQuery, limit: number): Promise<AuditPage>;
  /** How often each event was recorded since then, by spans of `spanMs`. `isWhole`: it did not get too much to count. */
  countEvents(since: Date, spanMs: number): Promise<EventCounts>;
}

export interface EventCounts {
  readonly counts: readonly EventCount[];
  readonly isWhole: boolean;
}

export function createAuditSearch(database: Database): AuditSearch {
  return {
    find: (query, limit) => find(database, query, limit),
    countEvents: (since, spanMs) => countEvents(database, since.getTime(), spanMs),
  };
}

async function find(database: Database, query: AuditQuery, limit: number): Promise<AuditPage> {
  const { person, event, requestId, since, until } = query;
  const span = await spanOf(database, query);
  const lowest = Math.max(span.first, span.end - MOST_LOOKED_AT);
  const records: AuditRecord[] = [];
  for (let end = span.end; end > lowest; ) {
    const start = Math.max(lowest, end - AT_ONCE);
    const rows = await database.run((db) => {
      let page = db.selectFrom('audit_records').selectAll().where('seq', '<', end).where('seq', '>=', start);
      page = page.orderBy('seq', 'desc').limit(limit);
      if (since !== undefined) page = page.where('at', '>=', since.getTime());
      if (until !== undefined) page = page.where('at', '<', until.getTime());
      // By what the text of the record has; whether it is the member that is meant shows when it is read.
      for (const part of [person, event, requestId]) {
        if (part !== undefined) page = page.where(sql<boolean>`body like ${containing(part)} escape '\\'`);
      }
      return page.execute();
    });
    for (const { body, hash } of rows) {
      const record = parseRecord(body, hash);
      if (!fits(record, query)) continue;
      records.push(record);
      if (records.length === limit) return { records, ...(record.seq > span.first ? { before: record.seq } : {}) };
    }
    end = rows.length < limit ? start : (rows.at(-1)?.seq ?? start);
  }
  return { records, ...(lowest > span.first ? { before: lowest } : {}) };
}

/** Which records can be meant at all, by their numbers: from `first` on, before `end`. */
async function spanOf(
  database: Database,
  { since, until, before = Number.MAX_SAFE_INTEGER }: Pick<AuditQuery, 'since' | 'until' | 'before'>,
): Promise<{ readonly first: number; readonly end: number }> {
  return database.run(async (db) => {
    let bounds = db
      .selectFrom('audit_records')
      .select((of) => [of.fn.min('seq').as('first'), of.fn.max('seq').as('last')]);
    if (since !== undefined) bounds = bounds.where('at', '>=', since.getTime());
    if (until !== undefined) bounds = bounds.where('at', '<', until.getTime());
    const { first, last } = await bounds.executeTakeFirstOrThrow();
    // Nothing fits: null, which counts as nothing.
    return { first: Number(first), end: last === null ? 0 : Math.min(Number(last) + 1, before) };
  });
}

function containing(part: string): string {
  return `%${JSON.stringify(part)
    .slice(1, -1)
    .replace(/[\\%_]/g, '\\$&')}%`;
}

function fits(record: AuditRecord, { person, event, requestId }: AuditQuery): boolean {
  if (person !== undefined && record.person !== person && record.actor !== person) return false;
  if (requestId !== undefined && record.requestId !== requestId) return false;
  if (event === undefined) return true;
  return event.endsWith('.') ? record.event.startsWith(event) : record.event === event;
}

async function countEvents(database: Database, since: number, spanMs: number): Promise<EventCounts> {
  const counts = new Map<string, EventCount>();
  const { first, end: after } = await spanOf(database, { since: new Date(since) });
  const lowest = Math.max(first, after - MOST_COUNTED);
  for (let end = after; end > lowest; end -= AT_ONCE) {
    const rows = await database.run((db) =>
      db
        .selectFrom('audit_records')
        .select(['at', 'body'])
        .where('seq', '<', end)
        .where('seq', '>=', Math.max(lowest, end - AT_ONCE))
        .where('at', '>=', since)
        .execute(),
    );
    for (const { at, body } of rows) {
      const span = Math.floor(at / spanMs) * spanMs;
      const { event } = JSON.parse(body) as { readonly event: string };
      const key = `${span} ${event}`;
      counts.set(key, { at: span, event, count: (counts.get(key)?.count ?? 0) + 1 });
    }
  }
  return { counts: [...counts.values()], isWhole: lowest === first };
}
