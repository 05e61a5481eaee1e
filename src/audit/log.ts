import type { Kysely } from 'kysely';
import type { Database } from '../directory/database.ts';
import { prepared } from '../directory/prepared.ts';
import type { Tables } from '../directory/tables.ts';
import { AUDIT_HEAD_ID, type AuditHeadRow, type AuditRow } from '../directory/tables-audit.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Signer } from '../ops/keys.ts';
import type { Audit, AuditEntry, AuditRecord } from './audit.ts';
import { chainHash, parseRecord, recordBody } from './record.ts';
import { verifyChain } from './verify.ts';

const PAGE = 500;

/**
 * The audit in the state database: each record's hash covers the record and the hash before it, one row holds where the
 * chain stands. `verify` finds a record that was changed, taken out, put in, moved, and the end cut off. What somebody does
 * who writes the records and that row anew consistently, it finds by the checkpoints that `signer` has signed: those in
 * the database, and for somebody who takes these out too, those that were kept elsewhere. Without a signer no signature
 * is believed.
 */
export function createAudit(database: Database, clock: Clock, signer?: Pick<Signer, 'publicKeys'>): Audit {
  return {
    append: (entries) => append(database, clock, entries),
    list: (query) => list(database, query),
    verify: ({ kept = [], keys, signal } = {}) =>
      verifyChain(database, { kept, signal, keys: async () => keys ?? (await signer?.publicKeys()) ?? [] }),
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
    await insert(trx, rows);
    await moveHead(trx, seq, hash);
  }, 'audit');
}

async function insert(db: Kysely<Tables>, rows: readonly AuditRow[]): Promise<void> {
  const [first, ...more] = rows;
  if (first !== undefined && more.length === 0) {
    await insertOne(db, first);
    return;
  }
  for (let from = 0; from < rows.length; from += PAGE) {
    await db
      .insertInto('audit_records')
      .values(rows.slice(from, from + PAGE))
      .execute();
  }
}

const insertOne = prepared((db, row: AuditRow) => db.insertInto('audit_records').values(row));
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
