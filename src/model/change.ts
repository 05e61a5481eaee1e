import type { DesiredAccount } from './desired.ts';
import type { ActualEntitlement, Entitlement } from './entitlement.ts';
import type { Profile } from './person.ts';

/** An account as a target has it. */
export interface ActualAccount {
  /** The target's own, immutable id. */
  readonly id: string;
  readonly userName: string;
  readonly externalId?: string;
  readonly active: boolean;
  readonly profile: Profile;
  readonly entitlements: readonly ActualEntitlement[];
  /** Service or system account: never touched. */
  readonly isProtected: boolean;
  /** What is never done to it: `delete`, at most it is switched off; `disable`, neither. Absent: both may be. */
  readonly never?: 'delete' | 'disable';
}

/** The difference between desired and actual, one fact a row. Shown, audited, counted; applied in sets by account. */
export interface Change {
  readonly op: 'create' | 'update' | 'disable' | 'delete' | 'grant' | 'revoke';
  readonly type: 'user' | 'group';
  /** The account's user name, or the group's name. */
  readonly key: string;
  /** What an update touches: `email`, `active`, … ; before and after by field. */
  readonly fields?: readonly FieldChange[];
  /** What a grant or revoke is about. */
  readonly entitlement?: Entitlement & { readonly id?: string };
  readonly reason: string;
  readonly rule?: string;
  readonly origin?: string;
}

export interface FieldChange {
  readonly field: string;
  readonly before: string | boolean | null;
  readonly after: string | boolean | null;
}

/** A change that policy refused: shown and audited, never silently dropped. */
export interface HeldChange extends Change {
  readonly code: string;
}

/** Everything that one account needs, in the target's own terms, to be applied in as few calls as the target can. */
export interface ChangeSet {
  readonly desired: DesiredAccount;
  /** Absent: the account is to be created. */
  readonly actual?: ActualAccount;
  /** Profile members to write (update: only what differs). */
  readonly profile: Profile;
  /** User name of a new account. */
  readonly userName: string;
  /** Set when the account's switch is to be turned. */
  readonly active?: boolean;
  /** Remove the account itself. */
  readonly remove?: boolean;
  readonly add: readonly Entitlement[];
  readonly drop: readonly ActualEntitlement[];
  /** Groups and roles that are made first, because they are missing and may be created. */
  readonly create: readonly Entitlement[];
  /** The same as rows, for people and the audit. */
  readonly changes: readonly Change[];
}

/** What became of a ChangeSet. `already`: the target had it when we came to write (another instance was faster). */
export interface Applied {
  readonly outcome: 'applied' | 'already';
  readonly account: ActualAccount;
}
