/* The rows of the audit, as of `tables.ts`. */

export interface AuditRow {
  seq: number;
  at: number;
  person_id: string | null;
  /** Canonical JSON of the whole record but its hash. */
  body: string;
  hash: string;
}

/** Id of the one row of `audit_head`. */
export const AUDIT_HEAD_ID = 1;

/** Where the chain stands. */
export interface AuditHeadRow {
  id: number;
  seq: number;
  hash: string;
}

export interface AuditCheckpointRow {
  /** The last record that it covers. */
  seq: number;
  at: number;
  token: string;
}

/** Id of the one row of `audit_removed`. */
export const AUDIT_REMOVED_ID = 1;

/** Up to where records were removed because of their age. */
export interface AuditRemovedRow {
  id: number;
  seq: number;
  token: string;
}

/** How far a receiver has the records. */
export interface AuditDeliveryRow {
  name: string;
  seq: number;
  /** In a row that failed. */
  attempts: number;
  due_at: number;
  /** Why the last one failed. */
  code: string | null;
}
