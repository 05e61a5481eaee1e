import type { Kysely } from 'kysely';
import type { AuditEntry } from '../audit/audit.ts';
import type { Tables } from '../directory/tables.ts';
import type { ScimClient } from './client.ts';
import { ScimError } from './protocol/error.ts';
import { etagOf, namesEtag } from './protocol/etag.ts';
import type { Settled } from './settle.ts';
import type { Attributes } from './store/users.ts';

/** What one write is done with. */
export interface Writing {
  readonly db: Kysely<Tables>;
  /** For the audit, in the same transaction. */
  readonly note: (entry: Omit<AuditEntry, 'actor' | 'origin' | 'requestId'>) => void;
  /** Rows that are read to be written have to be locked. */
  readonly lock: boolean;
}

/** What came of a write. */
export interface Pushed<Resource> {
  readonly resource: Resource;
  /** Users of whom something new is said by it. */
  readonly users: readonly string[];
  /** Present: the directory has been told of them already, in the same transaction. */
  readonly settled?: Settled;
}

/** One request that writes, for its client. */
export interface Push {
  readonly client: ScimClient;
  /** The header If-Match. */
  readonly ifMatch?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** All or nothing; may be done again when the database broke off. */
  readonly write: <T>(work: (writing: Writing) => Promise<Pushed<T>>) => Promise<Pushed<T>>;
  /** Refuses a user whose account somebody else may have. */
  readonly beforeUser?: (attributes: Attributes) => Promise<void>;
}

/** Throws `scim_version_mismatch` (RFC 7644 §3.14). */
export function assertVersion({ ifMatch }: Push, version: number): void {
  if (ifMatch === undefined || namesEtag(ifMatch, etagOf(version))) return;
  throw new ScimError('scim_version_mismatch', 'the resource has another version than If-Match names');
}
