import type { Audit } from '../audit/audit.ts';
import type { AuditSearch } from '../audit/search.ts';
import type { Directory } from '../directory/directory.ts';
import type { Decision } from '../model/desired.ts';
import type { Clock } from '../ops/clock.ts';
import type { Readiness } from '../ops/health.ts';
import type { Log } from '../ops/log.ts';
import type { Provisioner } from '../provisioning/provision.ts';
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
  readonly provisioner: Pick<Provisioner, 'disable' | 'enable'>;
  /** Syncs of the config. */
  readonly sync: Readonly<Record<string, SyncConfig>>;
  /**
   * Applies a plan that was approved, beside the requests, if it is still true. The run is in the history under this
   * request id.
   */
  readonly applyApproved: (plan: ApprovedPlan) => void;
  readonly tryOut: TryOut;
  readonly readiness: () => Promise<Readiness>;
  readonly clock: Clock;
  readonly log: Log;
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
