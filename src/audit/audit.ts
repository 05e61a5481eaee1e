import type { Checkpoint, PublicKey } from './checkpoint.ts';

/** One audited fact. `before` and `after` are JSON values; claim values of people appear only where they are the change. */
export interface AuditEntry {
  /** What was done: `login.allowed`, `login.refused`, `account.created`, `account.updated`, `account.disabled`, `grant.given`, `session.renewed`, `session.ended`, … */
  readonly event: string;
  /** Who did it: a person's id, `operator`, `scheduler`, … */
  readonly actor: string;
  readonly person?: string;
  readonly target?: string;
  readonly origin?: string;
  readonly rule?: string;
  readonly key?: string;
  readonly before?: unknown;
  readonly after?: unknown;
  /** What a request said and was not taken, and why: `groups (readOnly)`. */
  readonly dropped?: readonly string[];
  readonly code?: string;
  readonly requestId?: string;
}

export interface AuditRecord extends AuditEntry {
  readonly seq: number;
  readonly at: Date;
  /** SHA-256 over the record and the hash before it, in lower-case hex. */
  readonly hash: string;
}

/** What a walk along the chain has found. */
export interface Verdict {
  /** Those that hold, before the first that does not. */
  readonly records: number;
  /** The sequence number of the first record that does not hold. */
  readonly firstBad?: number;
  readonly why?: string;
  /** The first that is still there, when those before it were removed because of their age. */
  readonly from?: number;
  /** When they were. */
  readonly removedAt?: Date;
  /** Up to which record the chain is signed, and when the last checkpoint was made. Absent: nothing is. */
  readonly signed?: { readonly seq: number; readonly at: Date };
}

export interface Audit {
  /** Appends in order, all or none. Throws `state_unavailable`. */
  append(entries: readonly AuditEntry[]): Promise<void>;
  list(query: { readonly person?: string; readonly since?: Date; readonly limit?: number }): AsyncIterable<AuditRecord>;
  /**
   * Walks the chain. `kept`: checkpoints kept elsewhere. `keys`: of these alone in place of ours. `signal`: ends it, and
   * the reason is thrown.
   */
  verify(witnesses?: {
    readonly kept?: readonly Checkpoint[];
    readonly keys?: readonly PublicKey[];
    readonly signal?: AbortSignal;
  }): Promise<Verdict>;
}
