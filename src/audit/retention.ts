import type { Database } from '../directory/database.ts';
import type { Leases } from '../directory/directory.ts';
import { AUDIT_REMOVED_ID, type AuditRow } from '../directory/tables-audit.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Signer } from '../ops/keys.ts';
import type { Audit } from './audit.ts';
import { beginning, checkpointsAfter, faultOf, type Place, recordsAfter } from './chain.ts';
import { type Checkpoint, contradicts, openCheckpoint, signRemoved } from './checkpoint.ts';

const LEASE = 'audit:retention';
const LEASE_MS = 15_000;

export interface RetentionDeps {
  readonly database: Database;
  readonly audit: Audit;
  readonly leases: Leases;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly keepMs: number;
  /** Up to which record every receiver has them. */
  readonly delivered: () => Promise<number>;
}

/**
 * Removes records that are older than `keepMs`, checkpoint by checkpoint, and signs up to where: the rest goes on from
 * the hash of the last of them. What does not hold, is not signed yet or was not delivered yet stays. Returns how many
 * were removed. Throws `audit_broken`.
 */
export async function removeOld(deps: RetentionDeps): Promise<number> {
  const { leases, audit } = deps;
  const lease = await leases.acquireFree([LEASE], LEASE_MS);
  if (!lease.names.has(LEASE)) return 0;
  try {
    let first: number | undefined;
    let last = 0;
    for (;;) {
      const step = await removeOne(deps);
      if (step === undefined) break;
      first ??= step.after + 1;
      last = step.seq;
      await leases.keep(lease);
    }
    if (first === undefined) return 0;
    await audit.append([{ event: 'audit.removed', actor: 'retention', before: { first, last } }]);
    return last - first + 1;
  } finally {
    await lease.release();
  }
}

async function removeOne(deps: RetentionDeps): Promise<Checkpoint | undefined> {
  const { database, signer, clock, keepMs, delivered } = deps;
  const keys = () => signer.publicKeys();
  const start = await database.run((db) => beginning(db, keys));
  if (start === 'forged') throw broken(1);
  const [next] = await database.run((db) => checkpointsAfter(db, start.seq, 1));
  if (next === undefined || next.seq > (await delivered())) return undefined;
  const checkpoint = await openCheckpoint(next.token, await keys());
  if (checkpoint?.seq !== next.seq || checkpoint.after !== start.seq) throw broken(start.seq + 1);
  const rows = await database.run((db) => recordsAfter(db, start.seq, checkpoint.seq - start.seq));
  // What was tampered with is kept as it is: to remove it would be to cover it up.
  assertSigned(rows, start, checkpoint);
  if (rows.some(({ at }) => at > clock.now() - keepMs)) return undefined;
  const { seq, hash } = checkpoint;
  const token = await signRemoved(signer, { seq, hash, at: new Date(clock.now()) });
  await database.transaction(async (trx) => {
    const row = { id: AUDIT_REMOVED_ID, seq, token };
    await trx
      .insertInto('audit_removed')
      .values(row)
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ seq, token }))
      .execute();
    await trx.deleteFrom('audit_records').where('seq', '<=', seq).execute();
    await trx.deleteFrom('audit_checkpoints').where('seq', '<', seq).execute();
  });
  return checkpoint;
}

function assertSigned(rows: readonly AuditRow[], start: Place, checkpoint: Checkpoint): void {
  let place = start;
  for (const row of rows) {
    if (faultOf(row, place) !== undefined || contradicts(checkpoint, row.seq, row.hash)) throw broken(place.seq + 1);
    place = row;
  }
  if (place.seq !== checkpoint.seq) throw broken(place.seq + 1);
}

function broken(firstBad: number): LatchgateError {
  return new LatchgateError('audit_broken', 'old records of the audit do not hold, and are kept', {
    detail: { firstBad },
  });
}
