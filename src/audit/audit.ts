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

export interface Audit {
  /** Appends in order, all or none. Throws `state_unavailable`. */
  append(entries: readonly AuditEntry[]): Promise<void>;
  list(query: { readonly person?: string; readonly since?: Date; readonly limit?: number }): AsyncIterable<AuditRecord>;
  /** Walks the chain; `firstBad` is the sequence number of the first record that does not hold. */
  verify(): Promise<{ readonly records: number; readonly firstBad?: number; readonly why?: string }>;
}
