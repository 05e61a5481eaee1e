import type { Generated } from 'kysely';
import type { AuditCheckpointRow, AuditDeliveryRow, AuditHeadRow, AuditRemovedRow, AuditRow } from './tables-audit.ts';
import type { PlanRow, SyncRunRow } from './tables-syncs.ts';

/*
 * The rows of the state database. Times are integer milliseconds since the epoch, switches 0 or 1, structures JSON text:
 * what SQLite and PostgreSQL read alike.
 */

export interface PersonRow {
  id: string;
  display_name: string;
  email: string | null;
  disabled: number;
  created_at: number;
  last_seen_at: number | null;
  /** The source that owns the person; null: none lists them. */
  owner: string | null;
  /** Since when the owner says that this person is gone. */
  left_at: number | null;
  disabled_at: number | null;
}

export interface SubjectRow {
  issuer: string;
  subject: string;
  origin: string;
  person_id: string;
}

export interface AssertionRow {
  origin: string;
  issuer: string;
  subject: string;
  person_id: string;
  active: number;
  claims: string;
  /** Raw groups that the origin last sent, as a JSON list; kept when a later assertion sends none. */
  remembered_groups: string | null;
  at: number;
  /** 1: taken by `shadow feed`. */
  unverified: number;
  /** The address that it says, folded. Empty: nobody is to be found by it until it is said anew. */
  address: string | null;
}

export interface AccountRow {
  person_id: string;
  target: string;
  account_id: string | null;
  user_name: string;
  created: number;
  state: 'intended' | 'ready' | 'disabled' | 'closed';
  updated_at: number;
}

export interface GrantRow {
  person_id: string;
  target: string;
  /** `entitlementKey` of kind, name and scope. */
  key: string;
  origin: string;
  kind: 'group' | 'role' | 'permission';
  name: string;
  scope: string | null;
  rule: string;
  entitlement_id: string | null;
  confirmed: number;
  since: number;
}

export interface PinRow {
  person_id: string;
  target: string;
  key: string;
  kind: 'group' | 'role' | 'permission';
  name: string;
  scope: string | null;
  effect: 'withheld' | 'kept';
  by: string;
  reason: string | null;
  at: number;
}

export interface ReviewRow {
  id: string;
  target: string;
  entitlement: string | null;
  at: number;
  rows: number;
  seal: string;
}

export interface LeaseRow {
  name: string;
  holder: string;
  expires_at: number;
}

export interface OnceRow {
  purpose: string;
  key: string;
  expires_at: number;
}

export interface LogoutRow {
  key: string;
  at: number;
  expires_at: number;
}

export interface HandoverRow {
  key: string;
  sealed: string;
  expires_at: number;
}

export interface CountRow {
  purpose: string;
  key: string;
  times: number;
  expires_at: number;
}

export interface RetryRow {
  person_id: string;
  target: string;
  attempts: number;
  due_at: number;
  code: string;
}

export interface DecisionRow {
  request_id: string;
  at: number;
  record: string;
}

export interface ValueRow {
  name: string;
  value: string;
}

export interface SessionRow {
  handle: string;
  person_id: string;
  origin: string;
  subject_hash: string;
  provider_session_hash: string | null;
  created_at: number;
  last_seen_at: number;
  /** The idle limit. */
  idle_until: number;
  ends_at: number;
  sealed: string;
  /** Null: none were given. */
  sealed_tokens: string | null;
}

export interface EndedSessionRow {
  /** Set by the database, in the order of the commits. */
  seq: Generated<number>;
  handle: string;
  ended_at: number;
}

export interface ScimUserRow {
  client: string;
  id: string;
  /** Folded: `userName` is unique without regard to case (RFC 7643 §4.1.1). Null: the user was deleted. */
  user_name: string | null;
  external_id: string | null;
  /** For the members of groups. */
  display: string | null;
  active: number;
  created_at: number;
  modified_at: number;
  version: number;
  /** What the client said, as JSON. Null: the user was deleted. */
  body: string | null;
  /** The subject that the directory knows this user by; null: it has not heard of it yet. */
  issuer: string | null;
  subject: string | null;
  /** Counts what was said of the user, a change of a group too. */
  pushed: number;
  /** Up to which of these the directory knows it. */
  settled: number;
  /** 1: the client that made it was told to try again, and has not heard since that it is there. */
  owed: number;
  /** Why the mapping could not read it when the directory was to be told of it last. */
  refused: string | null;
}

/** How many users a client has: to count them anew for each page would take longer than the page. */
export interface ScimCountRow {
  client: string;
  users: number;
  /** Times that users of it came or went. */
  changes: Generated<number>;
}

export interface ScimEmailRow {
  client: string;
  user_id: string;
  /** Folded. */
  email: string;
}

export interface ScimGroupRow {
  client: string;
  id: string;
  display_name: string;
  /** Folded. */
  name_key: string;
  external_id: string | null;
  /** 1: this is not the name that the group was made by. */
  renamed: number;
  created_at: number;
  modified_at: number;
  version: number;
  body: string;
  /** As of a user. */
  owed: number;
}

export interface ScimMemberRow {
  client: string;
  group_id: string;
  member_id: string;
  kind: 'User' | 'Group';
}

export interface ScimTokenRow {
  id: string;
  client: string;
  /** SHA-256, base64url. */
  hash: string;
  created_at: number;
  expires_at: number | null;
  last_used_at: number | null;
}

export interface ConsoleSessionRow {
  /** Hash of the cookie. */
  handle: string;
  sealed: string;
  idle_until: number;
  ends_at: number;
}

/** Whom a client has deleted lately. */
export interface ScimHeldRow {
  person_id: string;
  client: string;
  at: number;
  /** 1: the accounts are not deleted until somebody approves. */
  held: number;
}

export interface Tables {
  people: PersonRow;
  subjects: SubjectRow;
  assertions: AssertionRow;
  accounts: AccountRow;
  grants: GrantRow;
  pins: PinRow;
  reviews: ReviewRow;
  leases: LeaseRow;
  once_keys: OnceRow;
  provider_logouts: LogoutRow;
  handovers: HandoverRow;
  counts: CountRow;
  retries: RetryRow;
  decisions: DecisionRow;
  plans: PlanRow;
  sync_runs: SyncRunRow;
  state_values: ValueRow;
  audit_records: AuditRow;
  audit_head: AuditHeadRow;
  audit_checkpoints: AuditCheckpointRow;
  audit_removed: AuditRemovedRow;
  audit_deliveries: AuditDeliveryRow;
  sessions: SessionRow;
  ended_sessions: EndedSessionRow;
  scim_users: ScimUserRow;
  scim_counts: ScimCountRow;
  scim_emails: ScimEmailRow;
  scim_groups: ScimGroupRow;
  scim_members: ScimMemberRow;
  scim_tokens: ScimTokenRow;
  scim_held: ScimHeldRow;
  console_sessions: ConsoleSessionRow;
}
