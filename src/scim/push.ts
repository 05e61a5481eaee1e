import type { Kysely } from 'kysely';
import type { AuditEntry } from '../audit/audit.ts';
import type { Tables } from '../directory/tables.ts';
import type { ScimClient } from './client.ts';
import type { Coming, Foreseen } from './existing.ts';
import { ScimError } from './protocol/error.ts';
import { etagOf, namesEtag } from './protocol/etag.ts';
import type { Made, Settled } from './settle.ts';

/** What one write is done with. */
export interface Writing {
  readonly db: Kysely<Tables>;
  /** For the audit, in the same transaction. */
  readonly note: (entry: Omit<AuditEntry, 'actor' | 'origin' | 'requestId'>) => void;
  /** Rows that are read to be written have to be locked. */
  readonly lock: boolean;
  /** The directory is told of a few users in the same transaction. */
  readonly tells: boolean;
}

/** What came of a write. */
export interface Pushed<Resource> {
  readonly resource: Resource;
  /** Users of whom something new is said by it. */
  readonly users: readonly string[];
  /** Users of whom it says once more what is there: an earlier push of the same may not be in every target. */
  readonly repeats?: readonly string[];
  /** It cannot be told of whom: those may be meant who went by an earlier one of the same. */
  readonly repeatsAny?: boolean;
  /** The client makes the resource once more, having been told to try again. */
  readonly isOwed?: boolean;
  /** The one user, stored as told to the directory, which is to be told in the same transaction. */
  readonly made?: Made;
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
  readonly read: <T>(work: (db: Kysely<Tables>) => Promise<T>) => Promise<T>;
  /** Refuses a user whose account somebody else may have. */
  readonly beforeUser?: (coming: Coming) => Promise<Foreseen | undefined>;
}

/** Throws `scim_version_mismatch` (RFC 7644 §3.14). */
export function assertVersion({ ifMatch }: Push, version: number): void {
  if (ifMatch === undefined || namesEtag(ifMatch, etagOf(version))) return;
  throw new ScimError('scim_version_mismatch', 'the resource has another version than If-Match names');
}

/** Whether the client is told of what is not in every target yet, so that it tries again. */
export function isTold({ client }: Pick<Push, 'client'>): boolean {
  return client.config.target_down === 'refuse';
}
