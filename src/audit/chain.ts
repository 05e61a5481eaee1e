import type { Kysely } from 'kysely';
import type { Tables } from '../directory/tables.ts';
import { AUDIT_REMOVED_ID, type AuditCheckpointRow, type AuditRow } from '../directory/tables-audit.ts';
import type { AuditRecord } from './audit.ts';
import { openRemoved, type PublicKey, type Removed } from './checkpoint.ts';
import { CHAIN_START, chainHash, parseRecord } from './record.ts';

/** Where a walk along the chain stands. */
export interface Place {
  readonly seq: number;
  readonly hash: string;
}

/** Why a record cannot follow on this place; undefined: it does. */
export function faultOf(row: AuditRow, before: Place): string | undefined {
  const expected = before.seq + 1;
  if (row.seq !== expected) return `record ${expected} is missing`;
  if (chainHash(before.hash, row.body) !== row.hash) return 'the record does not fit its hash and the record before it';
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

export function recordsAfter(db: Kysely<Tables>, seq: number, limit: number): Promise<AuditRow[]> {
  return db.selectFrom('audit_records').selectAll().where('seq', '>', seq).orderBy('seq').limit(limit).execute();
}

export function checkpointsAfter(db: Kysely<Tables>, seq: number, limit: number): Promise<AuditCheckpointRow[]> {
  return db.selectFrom('audit_checkpoints').selectAll().where('seq', '>', seq).orderBy('seq').limit(limit).execute();
}

export function lastCheckpoint(db: Kysely<Tables>): Promise<AuditCheckpointRow | undefined> {
  return db.selectFrom('audit_checkpoints').selectAll().orderBy('seq', 'desc').limit(1).executeTakeFirst();
}

/** Where the records begin. `forged`: somebody else than us says so. */
export type Beginning = (Place & { readonly removed?: Removed }) | 'forged';

export async function beginning(db: Kysely<Tables>, keys: () => Promise<readonly PublicKey[]>): Promise<Beginning> {
  const row = await db.selectFrom('audit_removed').selectAll().where('id', '=', AUDIT_REMOVED_ID).executeTakeFirst();
  if (row === undefined) return { seq: 0, hash: CHAIN_START };
  const removed = await openRemoved(row.token, await keys());
  if (removed === undefined || removed.seq !== row.seq) return 'forged';
  return { seq: removed.seq, hash: removed.hash, removed };
}
