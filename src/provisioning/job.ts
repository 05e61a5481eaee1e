import type { Audit } from '../audit/audit.ts';
import type { AccountLink, Directory } from '../directory/directory.ts';
import type { ActualAccount, Change, HeldChange } from '../model/change.ts';
import type { DesiredAccount, GroupRules } from '../model/desired.ts';
import type { ActualEntitlement, Grant } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';
import type { Pin } from '../model/pin.ts';
import type { Clock } from '../ops/clock.ts';
import type { Target } from '../targets/target.ts';
import type { MatchBy } from './correlate.ts';
import type { Missing } from './plan.ts';

/** What planning reads of the directory. */
export interface PlanReads {
  readonly accounts: Pick<Directory['accounts'], 'get' | 'owner' | 'ofPerson'>;
  readonly people: Pick<Directory['people'], 'get' | 'subjects' | 'byEmail'>;
}

/** What planning goes by. */
export interface PlanContext {
  readonly directory: PlanReads;
  readonly match: readonly MatchBy[];
  readonly privileged: readonly string[];
  readonly neverTouch: (account: ActualAccount) => boolean;
  /** Whether an entitlement counts as ours that the ledger does not know (`safety.manage`). */
  readonly isManaged: (target: string, entitlement: ActualEntitlement) => boolean;
}

/** Whether accounts of somebody who left are switched off only, because nobody has approved yet that they are deleted. */
export type HoldsDeletion = (person: PersonId) => Promise<boolean>;

export interface ReconcileContext extends PlanContext {
  readonly directory: Directory;
  readonly audit: Audit;
  readonly clock: Clock;
  /** How long a lease outlives a holder that died. */
  readonly leaseMs: number;
  /** Absent: no deletion waits for anybody. */
  readonly holdsDeletion?: HoldsDeletion;
}

/** Why an account is to have nothing: the person left, or nothing is given here. */
export interface Leaving {
  readonly policy: 'disable' | 'delete';
  readonly reason: string;
  /** False: only what we granted goes; an account that was there before us stays switched on. */
  readonly person: boolean;
  /** Origins that could not be heard: what they gave stays, as `groupRules` says, and so does the account. */
  readonly leaveAlone: readonly string[];
  readonly groupRules?: GroupRules;
}

export interface ReconcileInput {
  readonly person: PersonId;
  readonly target: Target;
  readonly missing: Missing;
  /** What the mapping says, or that the person is to have nothing here. */
  readonly goal: { readonly desired: DesiredAccount } | { readonly leaving: Leaving };
  /** What the goal is by now. Asked once the lease is ours: `goal` may be older than what another instance did. */
  readonly goalNow: () => Promise<ReconcileInput['goal']>;
  readonly actor: string;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

/** What we remember of one person in one target. */
export interface Memory {
  readonly link: AccountLink | undefined;
  readonly ledger: readonly Grant[];
  readonly pins: readonly Pin[];
}

export interface Reconciled {
  /** Absent: there is no account. */
  readonly account?: ActualAccount;
  /** Whether the account may be used. */
  readonly isOpen: boolean;
  readonly changes: readonly Change[];
  readonly held: readonly HeldChange[];
  readonly notes: readonly string[];
}
