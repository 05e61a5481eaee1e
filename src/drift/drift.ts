import { hash } from 'node:crypto';
import { type ActualEntitlement, type Entitlement, entitlementKey } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';
import type { DriftKind } from './kinds.ts';

/** One difference between a target and what we know. */
export interface DriftRow {
  /** The same as long as the difference is: what `adopt` and `repair` take. */
  readonly key: string;
  readonly kind: DriftKind;
  readonly target: string;
  /** User name of the account; absent: it is about the target itself. */
  readonly account?: string;
  readonly accountId?: string;
  readonly person?: PersonId;
  readonly entitlement?: Entitlement & { readonly id?: string };
  /** Whoever has it can do more than people should (`safety.privileged`). */
  readonly privileged?: true;
  /** One sentence. */
  readonly seen: string;
}

export interface TargetDrift {
  readonly target: string;
  /** The target showed every account. */
  readonly complete: boolean;
  readonly accounts: number;
  /** Accounts that we know whose they are. */
  readonly ours: number;
  /** Differences that a person has let stand. */
  readonly accepted: number;
}

export interface DriftReport {
  readonly at: Date;
  readonly targets: readonly TargetDrift[];
  readonly rows: readonly DriftRow[];
  /** Lines for people: who could not be compared. */
  readonly notes: readonly string[];
}

/** How many differences a target had when it was last compared. */
export interface SeenDrift {
  readonly target: string;
  readonly at: Date;
  readonly count: number;
  /** Of them. */
  readonly privileged: number;
}

const KEY_CHARACTERS = 10;

export function driftRow(row: Omit<DriftRow, 'key'>): DriftRow {
  const { kind, target, accountId, person, entitlement, seen } = row;
  const what = entitlement === undefined ? null : entitlementKey(entitlement);
  // A changed name or e-mail is another difference each time; what else was seen is words.
  const isOfValues = kind === 'profile_changed' || kind === 'account_renamed' || kind === 'account_duplicate';
  const parts = [kind, target, accountId ?? null, person ?? null, what, isOfValues ? seen : null];
  return { key: `d_${hash('sha256', JSON.stringify(parts), 'hex').slice(0, KEY_CHARACTERS)}`, ...row };
}

export function plainEntitlement({ kind, name, scope, label, id }: ActualEntitlement): ActualEntitlement {
  return { kind, name, ...(scope === undefined ? {} : { scope }), ...(label === undefined ? {} : { label }), id };
}

/** `role "Alpha"`, `permission "VIEW" on "sales"`. */
export function entitlementText({ kind, name, scope, label }: Entitlement): string {
  return `${kind} "${label ?? name}"${scope === undefined ? '' : ` on "${scope}"`}`;
}
