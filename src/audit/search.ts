import { sql } from 'kysely';
import type { Database } from '../directory/database.ts';
import type { AuditRecord } from './audit.ts';
import { parseRecord } from './record.ts';

/** Records that are looked at for one count: with more, a page would keep the database busy for everybody. */
const MOST_COUNTED = 50_000;
const COUNTED_AT_ONCE = 10_000;

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

/** Looks into the audit for people. Verifies nothing: `Audit.verify` does. */
export interface AuditSearch {
  /** Newest first. */
  find(query: AuditQuery, limit: number): Promise<readonly AuditRecord[]>;
  /** How often each event was recorded since then, by spans of `spanMs`. `isWhole`: it did not get too much to count. */
  countEvents(
    since: Date,
    spanMs: number,
  ): Promise<{ readonly counts: readonly EventCount[]; readonly isWhole: boolean }>;
}

export function createAuditSearch(database: Database): AuditSearch {
  return {
    find: (query, limit) => find(database, query, limit),
    countEvents: (since, spanMs) => countEvents(database, since.getTime(), spanMs),
  };
}

async function find(database: Database, query: AuditQuery, limit: number): Promise<readonly AuditRecord[]> {
  const { person, event, requestId, since, until } = query;
  const found: AuditRecord[] = [];
  for (let before = query.before ?? Number.MAX_SAFE_INTEGER; ; ) {
    const rows = await database.run((db) => {
      let page = db.selectFrom('audit_records').selectAll().where('seq', '<', before).orderBy('seq', 'desc');
      if (since !== undefined) page = page.where('at', '>=', since.getTime());
      if (until !== undefined) page = page.where('at', '<', until.getTime());
      // By what the text of the record has; whether it is the member that is meant shows when it is read.
      for (const part of [person, event, requestId]) {
        if (part !== undefined) page = page.where(sql<boolean>`body like ${containing(part)} escape '\\'`);
      }
      return page.limit(limit).execute();
    });
    found.push(...rows.map(({ body, hash }) => parseRecord(body, hash)).filter((record) => fits(record, query)));
    const last = rows.at(-1);
    if (last === undefined || rows.length < limit || found.length >= limit) return found.slice(0, limit);
    before = last.seq;
  }
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

async function countEvents(database: Database, since: number, spanMs: number) {
  const counts = new Map<string, EventCount>();
  let before = Number.MAX_SAFE_INTEGER;
  for (let looked = 0; looked < MOST_COUNTED; looked += COUNTED_AT_ONCE) {
    const rows = await database.run((db) =>
      db
        .selectFrom('audit_records')
        .select(['seq', 'at', 'body'])
        .where('at', '>=', since)
        .where('seq', '<', before)
        .orderBy('seq', 'desc')
        .limit(COUNTED_AT_ONCE)
        .execute(),
    );
    for (const { at, body } of rows) {
      const span = Math.floor(at / spanMs) * spanMs;
      const { event } = JSON.parse(body) as { readonly event: string };
      const key = `${span} ${event}`;
      counts.set(key, { at: span, event, count: (counts.get(key)?.count ?? 0) + 1 });
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < COUNTED_AT_ONCE) return { counts: [...counts.values()], isWhole: true };
    before = last.seq;
  }
  return { counts: [...counts.values()], isWhole: false };
}
