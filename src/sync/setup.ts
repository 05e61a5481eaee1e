import type { Audit } from '../audit/audit.ts';
import type { Directory } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import type { PersonId } from '../model/person.ts';
import type { ReconcileContext } from '../provisioning/job.ts';
import type { JoiningDeps } from '../provisioning/joining.ts';
import type { LeaverPolicy } from '../provisioning/leaver.ts';
import type { Missing } from '../provisioning/plan.ts';
import type { AccountState } from '../provisioning/provision.ts';
import type { Together } from '../provisioning/reconcile-many.ts';
import type { ConfiguredTarget } from '../provisioning/runs.ts';
import type { Source } from '../sources/source.ts';
import type { Target } from '../targets/target.ts';
import type { StopIf } from './brake.ts';
import type { SyncOrigin } from './deciding.ts';

/** One sync of the config, ready to be run. */
export interface SyncSetup {
  readonly name: string;
  readonly source: Source;
  readonly origin: SyncOrigin;
  /** The login whose people these are. */
  readonly login?: string;
  /** Where more than what is recorded may be taken: the syncs that lead into the same target from other sources. */
  readonly besides?: readonly string[];
  /** Reads and cannot write. */
  readonly planning: Target;
  /** The same target, to be written to. */
  readonly target: Target;
  readonly missing: Missing;
  /** For one account, in milliseconds. */
  readonly timeoutMs: number;
}

/** What all syncs share. */
export interface SyncDeps extends ReconcileContext, Pick<JoiningDeps, 'join'> {
  readonly directory: Directory;
  readonly audit: Audit;
  readonly together: Together;
  readonly mapping: Mapping;
  /** Names of all origins of the config. */
  readonly origins: ReadonlySet<string>;
  readonly targets: ReadonlyMap<string, ConfiguredTarget>;
  readonly leaver: LeaverPolicy;
  readonly stopIf: StopIf;
  /** `safety.manage: all`: accounts that belong to nobody are switched off. */
  readonly managesAll: boolean;
  /** Ends every session of a person on every instance. */
  readonly endSessions: (person: PersonId) => Promise<void>;
  /** Brings somebody who left to what leavers are, in one target. */
  readonly again: (person: PersonId, target: string, actor: string, requestId: string) => Promise<AccountState>;
  readonly leave: (person: PersonId, target: string, actor: string, requestId: string) => Promise<AccountState>;
}
