import type { Kysely } from 'kysely';
import type { Database } from '../directory/database.ts';
import { prepared } from '../directory/prepared.ts';
import { AUDIT_HEAD_ID, type AuditHeadRow, type AuditRow, type Tables } from '../directory/tables.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Audit, AuditEntry, AuditRecord } from './audit.ts';
import { CHAIN_START, chainHash, parseRecord, recordBody } from './record.ts';

const PAGE = 500;

/**
 * The audit in the state database: each record's hash covers the record and the hash before it, one row holds where the
 * chain stands. `verify` finds a record that was changed, taken out, put in, moved, and the end cut off. It cannot find
 * what somebody does who writes the records and that row anew consistently: for that, keep the hash of a record
 * (`audit list --json`) in a place which the writer of the database cannot reach, and compare.
 */
export function createAudit(database: Database, clock: Clock): Audit {
  return {
    append: (entries) => append(database, clock, entries),
    list: (query) => list(database, query),
    verify: () => new Verification(database).run(),
  };
}

async function append(database: Database, clock: Clock, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await database.transaction(async (trx) => {
    const head = await readHead(trx);
    // Starting anew would bury the trace of whoever removed the row.
    if (head === undefined) throw new LatchgateError('audit_broken', 'the head of the audit chain is gone');
    let { seq, hash } = head;
    const at = new Date(clock.now());
    const rows = entries.map((entry): AuditRow => {
      seq += 1;
      const body = recordBody(entry, seq, at);
      hash = chainHash(hash, body);
      return { seq, at: at.getTime(), person_id: entry.person ?? null, body, hash };
    });
    for (let from = 0; from < rows.length; from += PAGE) {
      await trx
        .insertInto('audit_records')
        .values(rows.slice(from, from + PAGE))
        .execute();
    }
    await moveHead(trx, seq, hash);
  }, 'audit');
}

const heads = prepared((db) => db.selectFrom('audit_head').selectAll().where('id', '=', AUDIT_HEAD_ID));
const moveHead = prepared((db, seq: number, hash: string) =>
  db.updateTable('audit_head').set({ seq, hash }).where('id', '=', AUDIT_HEAD_ID),
);

async function readHead(db: Kysely<Tables>): Promise<AuditHeadRow | undefined> {
  return (await heads(db)).rows[0];
}

/** Oldest first, read page by page: what is appended meanwhile may come too. */
async function* list(database: Database, query: Parameters<Audit['list']>[0]): AsyncGenerator<AuditRecord> {
  let left = query.limit ?? Number.POSITIVE_INFINITY;
  for (let after = 0; left > 0; ) {
    const rows = await database.run((db) => {
      let page = db.selectFrom('audit_records').selectAll().where('seq', '>', after).orderBy('seq');
      if (query.person !== undefined) page = page.where('person_id', '=', query.person);
      if (query.since !== undefined) page = page.where('at', '>=', query.since.getTime());
      return page.limit(Math.min(PAGE, left)).execute();
    });
    for (const row of rows) yield parseRecord(row.body, row.hash);
    left -= rows.length;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    after = last.seq;
  }
}

type Verdict = Awaited<ReturnType<Audit['verify']>>;

/** One walk along the chain while others may append to it. */
class Verification {
  readonly #database: Database;
  #records = 0;
  #seq = 0;
  #hash = CHAIN_START;

  constructor(database: Database) {
    this.#database = database;
  }

  async run(): Promise<Verdict> {
    for (;;) {
      // Read before the page: whatever this head counts must then be there.
      const head = await this.#database.run((db) => readHead(db));
      const rows = await this.#database.run((db) =>
        db.selectFrom('audit_records').selectAll().where('seq', '>', this.#seq).orderBy('seq').limit(PAGE).execute(),
      );
      for (const row of rows) {
        const why = this.#fault(row);
        if (why !== undefined) return this.#bad(this.#seq + 1, why);
        this.#records += 1;
        this.#seq = row.seq;
        this.#hash = row.hash;
      }
      if (rows.length === 0) return this.#atEnd(head);
    }
  }

  #fault(row: AuditRow): string | undefined {
    const expected = this.#seq + 1;
    if (row.seq !== expected) return `record ${expected} is missing`;
    if (chainHash(this.#hash, row.body) !== row.hash)
      return 'the record does not fit its hash and the record before it';
    let record: AuditRecord;
    try {
      record = parseRecord(row.body, row.hash);
    } catch {
      return 'the record is not JSON';
    }
    const columnsFit =
      record.seq === row.seq && record.at.getTime() === row.at && (record.person ?? null) === row.person_id;
    return columnsFit ? undefined : 'the columns of the record say something else than its text';
  }

  /** Nothing came after the last record, and `head` was read before we looked. */
  #atEnd(head: AuditHeadRow | undefined): Verdict {
    if (head === undefined) return this.#bad(this.#seq + 1, 'the head of the chain is gone');
    if (head.seq > this.#seq)
      return this.#bad(this.#seq + 1, `the end is cut off: the chain counts ${head.seq} records`);
    if (head.seq < this.#seq) return this.#bad(head.seq + 1, `records were put in: the chain counts ${head.seq}`);
    if (head.hash !== this.#hash) return this.#bad(this.#seq, 'the head of the chain holds another hash');
    return { records: this.#records };
  }

  #bad(firstBad: number, why: string): Verdict {
    return { records: this.#records, firstBad, why };
  }
}
