import type { Database } from '../directory/database.ts';
import type { Leases } from '../directory/directory.ts';
import { AUDIT_HEAD_ID, type AuditDeliveryRow } from '../directory/tables-audit.ts';
import { toLatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import { backoff } from '../ops/retry.ts';
import { recordsAfter } from './chain.ts';
import { type DeliveredRecord, type Receiver, TooLarge } from './receiver.ts';
import { parseRecord } from './record.ts';
import { shortened } from './shortened.ts';

/** Whoever stands still for so long may be overtaken, and something sent twice. */
const LEASE_MS = 15_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 5 * 60_000;

export interface DeliveryDeps {
  readonly database: Database;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'auditShortened'>;
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
 * instances alike. Of what is too large half is sent, and of a record that is so by itself what `shortened` leaves of it.
 */
export async function deliver(receiver: Receiver, deps: DeliveryDeps, stop: AbortSignal): Promise<void> {
  const { database, leases } = deps;
  const name = `audit:deliver:${receiver.name}`;
  if (!(await isDue(receiver, deps))) return;
  const lease = await leases.acquireFree([name], LEASE_MS);
  try {
    if (!lease.names.has(name)) return;
    let most: number | undefined = receiver.batch;
    while (!stop.aborted) {
      const row = await cursorOf(receiver, database);
      if (row.due_at > deps.clock.now()) return;
      most = await deliverBatch(receiver, { row, most }, deps, stop);
      if (most === undefined) return;
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

/** Returns how many records are to be sent next; undefined: none for now. */
async function deliverBatch(
  receiver: Receiver,
  { row, most }: { readonly row: AuditDeliveryRow; readonly most: number },
  { database, clock, log, metrics }: DeliveryDeps,
  stop: AbortSignal,
): Promise<number | undefined> {
  const rows = await database.run((db) => recordsAfter(db, row.seq, most));
  const last = rows.at(-1);
  if (last === undefined) return undefined;
  const move = (change: Partial<AuditDeliveryRow>) =>
    database.run((db) =>
      db
        .updateTable('audit_deliveries')
        .set(change)
        .where('name', '=', row.name)
        .where('seq', '=', row.seq)
        .executeTakeFirst(),
    );
  let omitted: readonly string[];
  try {
    const records = rows.map(({ body, hash: own }): DeliveredRecord => {
      const { hash, ...record } = parseRecord(body, own);
      return { record, hash };
    });
    omitted = await sendAll(receiver, records, stop);
  } catch (thrown) {
    // Whoever stops leaves it as it is to the next.
    if (stop.aborted) return undefined;
    if (thrown instanceof TooLarge && rows.length > 1) return Math.floor(rows.length / 2);
    const { code } = toLatchgateError(thrown);
    const attempts = row.attempts + 1;
    const waitMs = Math.round(backoff(row.attempts, FIRST_WAIT_MS, LONGEST_WAIT_MS));
    await move({ attempts, code, due_at: clock.now() + waitMs });
    log.warn('audit records were not delivered', { receiver: row.name, code, attempts, waitMs, error: thrown });
    return undefined;
  }
  await move({ seq: last.seq, attempts: 0, due_at: 0, code: null });
  if (omitted.length > 0) {
    metrics.auditShortened(row.name);
    log.warn('an audit record was too large for a receiver, and sent shortened', {
      receiver: row.name,
      seq: last.seq,
      omitted: omitted.join(' '),
    });
  }
  if (row.attempts > 0) log.info('audit records are delivered again', { receiver: row.name, attempts: row.attempts });
  // One large record says nothing of those after it.
  return Math.min(receiver.batch, most + 1);
}

/** Returns what was left out of a single record that is too large. */
async function sendAll(
  receiver: Receiver,
  records: readonly DeliveredRecord[],
  stop: AbortSignal,
): Promise<readonly string[]> {
  const [single, ...more] = records;
  let refusal: TooLarge;
  try {
    await receiver.send(records, stop);
    return [];
  } catch (thrown) {
    if (!(thrown instanceof TooLarge) || single === undefined || more.length > 0) throw thrown;
    refusal = thrown;
  }
  for (const short of shortened(single)) {
    try {
      await receiver.send([short], stop);
      return short.record.omitted ?? [];
    } catch (thrown) {
      if (!(thrown instanceof TooLarge)) throw thrown;
    }
  }
  // Whoever refuses so little takes nothing of anybody, and is waited for as one that is down.
  throw refusal;
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
