import type { Audit } from '../audit/audit.ts';
import type { AuditSearch } from '../audit/search.ts';
import type { Directory } from '../directory/directory.ts';
import type { DriftReport, SeenDrift } from '../drift/drift.ts';
import type { Settled } from '../drift/drifts.ts';
import type { Decision } from '../model/desired.ts';
import type { Clock } from '../ops/clock.ts';
import type { Readiness } from '../ops/health.ts';
import type { Log } from '../ops/log.ts';
import type { Provisioner } from '../provisioning/provision.ts';
import type { LiftPinDeps } from '../review/lift-pin.ts';
import type { SessionStore } from '../session/store.ts';
import type { SyncConfig } from '../sync/schema.ts';
import type { ConsoleLogins } from './login.ts';
import type { ConsoleSessions } from './sessions.ts';

/** What the pages show, and what they act with. */
export interface ConsoleDeps {
  readonly adminUrl: string;
  readonly publicUrl: string;
  readonly logins: ConsoleLogins;
  readonly sessions: ConsoleSessions;
  readonly directory: Directory;
  readonly audit: Audit;
  readonly auditSearch: AuditSearch;
  /** Sessions at `public_url`. */
  readonly gatewaySessions: Pick<SessionStore, 'list' | 'count' | 'destroyFor'>;
  readonly provisioner: Pick<Provisioner, 'disable' | 'enable'> & Pick<LiftPinDeps, 'again'>;
  /** Syncs of the config. */
  readonly sync: Readonly<Record<string, SyncConfig>>;
  /**
   * Applies a plan that was approved, beside the requests, if it is still true. The run is in the history under this
   * request id.
   */
  readonly applyApproved: (plan: ApprovedPlan) => void;
  readonly tryOut: TryOut;
  readonly drifts: ConsoleDrifts;
  readonly readiness: () => Promise<Readiness>;
  readonly clock: Clock;
  readonly log: Log;
}

/** One difference of a target, and who does something about it. */
export interface ChosenDrift {
  readonly target: string;
  readonly key: string;
  readonly actor: string;
  readonly requestId: string;
}

/** What targets have that nobody granted, and the other way round. Throws as `Drifts` does. */
export interface ConsoleDrifts {
  /** Names of the config. */
  readonly targets: readonly string[];
  readonly isShadow: boolean;
  /** When they were last compared; of targets of the config alone. */
  seen(): Promise<readonly SeenDrift[]>;
  /** Reads the whole target. */
  review(target: string): Promise<DriftReport>;
  adopt(chosen: ChosenDrift): Promise<Settled>;
  repair(chosen: ChosenDrift): Promise<Settled>;
}

export interface ApprovedPlan {
  readonly id: string;
  readonly sync: string;
  readonly fingerprint: string;
  readonly by: string;
  readonly requestId: string;
}

/** What the mapping makes of claims. Reads and writes nothing. */
export interface TryOut {
  /** Names of logins. */
  readonly origins: readonly string[];
  decide(origin: string, claims: Readonly<Record<string, unknown>>): Decision;
}
