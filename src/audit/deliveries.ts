import type { Database } from '../directory/database.ts';
import type { Leases } from '../directory/directory.ts';
import { AUDIT_HEAD_ID, type AuditDeliveryRow } from '../directory/tables.ts';
import { toLatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import { backoff } from '../ops/retry.ts';
import type { AuditRecord } from './audit.ts';
import { recordsAfter } from './chain.ts';
import { parseRecord } from './record.ts';

/** Whoever stands still for so long may be overtaken, and something sent twice. */
const LEASE_MS = 15_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 5 * 60_000;

export interface DeliveredRecord {
  readonly record: Omit<AuditRecord, 'hash'>;
  readonly hash: string;
}

/** Somewhere outside that gets every record. */
export interface Receiver {
  /** Of the config. */
  readonly name: string;
  /** Records at once. */
  readonly batch: number;
  readonly from: 'start' | 'now';
  /** Resolves once the receiver has all of them. Throws LatchgateError. */
  send(records: readonly DeliveredRecord[], signal: AbortSignal): Promise<void>;
}

export interface DeliveryDeps {
  readonly database: Database;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly log: Log;
}

/** How a delivery stands. */
export interface DeliveryStanding {
  /** Records that the receiver does not have yet. */
  readonly behind: number;
  /** Age of the oldest of them in milliseconds. */
  readonly behindMs: number;
}

/**
 * Sends what the receiver does not have yet, unless another instance does. How far it has come is written down after each
 * batch: whoever dies before that leaves it to another, who sends it again. A failure waits, longer each time, for all
 * instances alike.
 */
export async function deliver(receiver: Receiver, deps: DeliveryDeps, stop: AbortSignal): Promise<void> {
  const { database, leases } = deps;
  const name = `audit:deliver:${receiver.name}`;
  if (!(await isDue(receiver, deps))) return;
  const lease = await leases.acquireFree([name], LEASE_MS);
  try {
    if (!lease.names.has(name)) return;
    while (!stop.aborted) {
      const row = await cursorOf(receiver, database);
      if (row.due_at > deps.clock.now()) return;
      if (!(await deliverBatch(receiver, row, deps, stop))) return;
      await leases.keep(lease);
    }
  } finally {
    await lease.release();
  }
}

/** Of these receivers: up to which record all of them have the chain. */
export async function deliveredUpTo(receivers: readonly Receiver[], database: Database): Promise<number> {
  const cursors = await Promise.all(receivers.map((receiver) => cursorOf(receiver, database)));
  return Math.min(Number.MAX_SAFE_INTEGER, ...cursors.map(({ seq }) => seq));
}

export async function deliveryStanding(
  receiver: Receiver,
  { database, clock }: Pick<DeliveryDeps, 'database' | 'clock'>,
): Promise<DeliveryStanding> {
  const { seq } = await cursorOf(receiver, database);
  const [oldest] = await database.run((db) => recordsAfter(db, seq, 1));
  if (oldest === undefined) return { behind: 0, behindMs: 0 };
  return { behind: (await headSeq(database)) - oldest.seq + 1, behindMs: Math.max(0, clock.now() - oldest.at) };
}

/** To look takes no lease, which would be written down each time. */
async function isDue(receiver: Receiver, { database, clock }: DeliveryDeps): Promise<boolean> {
  const { seq, due_at } = await cursorOf(receiver, database);
  return due_at <= clock.now() && (await database.run((db) => recordsAfter(db, seq, 1))).length > 0;
}

async function deliverBatch(
  receiver: Receiver,
  row: AuditDeliveryRow,
  { database, clock, log }: DeliveryDeps,
  stop: AbortSignal,
): Promise<boolean> {
  const rows = await database.run((db) => recordsAfter(db, row.seq, receiver.batch));
  const last = rows.at(-1);
  if (last === undefined) return false;
  const move = (change: Partial<AuditDeliveryRow>) =>
    database.run((db) =>
      db
        .updateTable('audit_deliveries')
        .set(change)
        .where('name', '=', row.name)
        .where('seq', '=', row.seq)
        .executeTakeFirst(),
    );
  try {
    const records = rows.map(({ body, hash: own }): DeliveredRecord => {
      const { hash, ...record } = parseRecord(body, own);
      return { record, hash };
    });
    await receiver.send(records, stop);
  } catch (thrown) {
    // Whoever stops leaves it as it is to the next.
    if (stop.aborted) return false;
    const { code } = toLatchgateError(thrown);
    const attempts = row.attempts + 1;
    const waitMs = Math.round(backoff(row.attempts, FIRST_WAIT_MS, LONGEST_WAIT_MS));
    await move({ attempts, code, due_at: clock.now() + waitMs });
    log.warn('audit records were not delivered', { receiver: row.name, code, attempts, waitMs, error: thrown });
    return false;
  }
  await move({ seq: last.seq, attempts: 0, due_at: 0, code: null });
  if (row.attempts > 0) log.info('audit records are delivered again', { receiver: row.name, attempts: row.attempts });
  return true;
}

async function cursorOf({ name, from }: Receiver, database: Database): Promise<AuditDeliveryRow> {
  const read = () =>
    database.run((db) => db.selectFrom('audit_deliveries').selectAll().where('name', '=', name).executeTakeFirst());
  const known = await read();
  if (known !== undefined) return known;
  const seq = from === 'now' ? await headSeq(database) : 0;
  const made: AuditDeliveryRow = { name, seq, attempts: 0, due_at: 0, code: null };
  await database.run((db) =>
    db
      .insertInto('audit_deliveries')
      .values(made)
      .onConflict((conflict) => conflict.doNothing())
      .execute(),
  );
  return (await read()) ?? made;
}

async function headSeq(database: Database): Promise<number> {
  const head = await database.run((db) =>
    db.selectFrom('audit_head').select('seq').where('id', '=', AUDIT_HEAD_ID).executeTakeFirst(),
  );
  return head?.seq ?? 0;
}
