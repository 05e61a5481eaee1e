/** One person as a source lists them. */
export interface ListedPerson {
  /** The source's own immutable id of the person: an Auth0 `user_id`, a SCIM `id`, the key column of a row. Compared exactly. */
  readonly subject: string;
  /** False: the source says that this person is not to have access (blocked, disabled). */
  readonly active: boolean;
  /**
   * JSON values, as the source names them: RFC 7643 names of SCIM, column names of a row. The groups that rules see are
   * the ones in the claims that the source's `claims.groups` names.
   */
  readonly claims: Readonly<Record<string, unknown>>;
  /**
   * Further ids that stand for this person by now, and may have been listed as somebody of their own before: identities
   * that were linked. Absent: none.
   */
  readonly aliases?: readonly string[];
}

/** How a listing ended. */
export interface ListingEnd {
  /** True: everybody is there who is in the source. What is not complete never leads to a removal. */
  readonly complete: boolean;
  /** Why it is not complete, for people. */
  readonly why?: string;
  /** Rows that name nobody (no key, a key of the wrong shape): somebody may be missing because of them. */
  readonly unreadable: number;
  /** Lines for people, free of claim values: what was merged, cut or left out, and how often. */
  readonly notes: readonly string[];
}

/** A place that can list people. Bound to one configured source; only ever reads. */
export interface Source {
  readonly name: string;
  readonly type: string;
  /**
   * Yields each person once, in any order, and returns how the listing ended. A failure in the middle throws
   * LatchgateError (`source_unavailable`, `source_refused`, `source_answer_invalid`): what was yielded before is then a
   * part and no listing.
   */
  list(signal: AbortSignal): AsyncGenerator<ListedPerson, ListingEnd, undefined>;
  /**
   * Who of these is there and in which groups, asked one by one: for sources whose list may lack somebody for a while, or
   * groups of somebody who changes them while they are read. Throws what `list` throws. Absent: the list is never behind.
   */
  lookUp?(subjects: readonly string[], signal: AbortSignal): Promise<readonly ListedPerson[]>;
  /** Throws what `list` would throw at its first step. For readiness and `doctor`. */
  probe(signal: AbortSignal): Promise<void>;
  /** Gives connections back. */
  close(): Promise<void>;
}
