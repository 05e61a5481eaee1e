import type { AuditEntry } from '../audit/audit.ts';
import type { Leases } from '../directory/directory.ts';
import type { ChangeSet } from '../model/change.ts';
import type { PersonId } from '../model/person.ts';
import { applySets, type ManyInput, type ReadyRow, reconcileMany } from '../provisioning/reconcile-many.ts';
import { auditEntries } from '../provisioning/record.ts';
import { underLeases } from '../provisioning/still-ours.ts';
import { recordCarried } from './carried-lately.ts';
import { isStandIn, type PlannedRow, whose } from './draft.ts';
import type { Prepared } from './plan.ts';
import { Leavings, rememberGone, rememberListing } from './remember.ts';
import type { SyncDeps, SyncSetup } from './setup.ts';
import type { AppliedRow, ApplyOptions, ApplyResult } from './sync.ts';

/** Rows that are under way at the same time: these are finished when the run is stopped. */
const ROWS_AT_ONCE = 25;
/** The same of rows that only give or take entitlements, in a target that takes many of those in one call. */
const GRANTS_AT_ONCE = 500;
/** For what the config says of the target itself. */
const PREPARE_MS = 120_000;

export interface ApplyingOptions extends ApplyOptions {
  /** Throws `run_stalled` when the run is not the sync's only one any more, or was not for a while. */
  readonly keep: (leases: Leases) => Promise<void>;
}

/** Carries a plan out. A row that fails does not stop the others. */
export async function applyPrepared(
  deps: SyncDeps,
  setup: SyncSetup,
  prepared: Prepared,
  options: ApplyingOptions,
): Promise<ApplyResult> {
  const { draft, plan } = prepared;
  const { keep } = options;
  const { leases } = deps.directory;
  await keep(leases);
  await endSessions(deps, prepared);
  const left = leaving(prepared).map(({ person }) => person);
  const { actor, requestId } = options;
  const about = { actor, origin: setup.origin.name, requestId };
  const leavings = new Leavings(left, about);
  await recordCarried(deps.audit, plan, about);
  const ids = await rememberListing(deps, setup, draft, { leavings, keep });
  await rememberGone(deps, setup, draft, { leavings, keep });
  // Whoever was in the middle of a login when it began is out now too.
  for (const person of left) await deps.endSessions(person);
  const run = new Run(deps, setup, options);
  await run.elsewhere(prepared);
  await keep(leases);
  await setup.target.prepare?.(AbortSignal.timeout(PREPARE_MS));
  await run.people(draft.rows.flatMap((row) => withPerson(row, ids) ?? []));
  await run.nobodys(prepared.nobodys);
  await keep(leases);
  return run.result(plan);
}

/** Who leaves by this plan, and had not before. */
function leaving({ draft: { out, known } }: Prepared): Prepared['draft']['out'] {
  return out.filter(({ leaves, subject }) => leaves && known.subjects.get(subject)?.leftAt === undefined);
}

/** Ahead of the word that they have left: a run that dies before it is written does this once more. */
async function endSessions({ endSessions: end }: SyncDeps, prepared: Prepared): Promise<void> {
  const { out, rows } = prepared.draft;
  const losing = new Set(rows.map(({ person }) => person));
  const ending = [...leaving(prepared), ...out.filter(({ person }) => losing.has(person))];
  for (const person of new Set(ending.map((one) => one.person))) await end(person);
}

/** The row under the id that the person has by now; undefined when they could not be written down. */
function withPerson(row: PlannedRow, ids: ReadonlyMap<PersonId, PersonId>): PlannedRow | undefined {
  if (!isStandIn(row.person)) return row;
  const person = ids.get(row.person);
  if (person === undefined) return undefined;
  const { goal, planned } = row;
  const { set } = planned.plan;
  const named = set === undefined ? undefined : { ...set, desired: { ...set.desired, person } };
  return {
    ...row,
    person,
    goal: 'desired' in goal ? { desired: { ...goal.desired, person } } : goal,
    planned: { ...planned, plan: { ...planned.plan, set: named } },
  };
}

class Run {
  readonly #deps: SyncDeps;
  readonly #setup: SyncSetup;
  readonly #options: ApplyingOptions;
  #applied = 0;
  #failed = 0;
  #skipped = 0;

  constructor(deps: SyncDeps, setup: SyncSetup, options: ApplyingOptions) {
    this.#deps = deps;
    this.#setup = setup;
    this.#options = options;
  }

  /** Who leaves does so first, and in every target. */
  async elsewhere({ elsewhere }: Prepared): Promise<void> {
    const { actor, requestId } = this.#options;
    for (const { person, target, key, changes } of elsewhere) {
      if (this.#isStopped()) {
        this.#report({ person, key, changes, outcome: 'skipped', code: 'stopped' });
        continue;
      }
      await this.#keep();
      const state = await this.#deps.leave(person, target, actor, requestId);
      const isDone = state.status !== 'failed';
      this.#report({
        person,
        key,
        changes,
        outcome: isDone ? 'applied' : 'failed',
        ...(isDone ? {} : { code: state.code }),
      });
    }
  }

  async people(rows: readonly PlannedRow[]): Promise<void> {
    for (const batch of inBatches(rows, this.#setup.target.applyMany !== undefined)) {
      if (this.#isStopped()) {
        for (const row of batch) this.#report({ ...this.#rowOf(row), outcome: 'skipped', code: 'stopped' });
        continue;
      }
      const ready = batch.map(({ person, goal, memory, planned }): ReadyRow => ({ person, goal, memory, planned }));
      const outcomes = await reconcileMany(this.#deps, this.#input(), ready);
      for (const [at, row] of batch.entries()) {
        const outcome = outcomes[at];
        if (outcome === undefined) continue;
        if ('error' in outcome) this.#report({ ...this.#rowOf(row), outcome: 'failed', code: outcome.error.code });
        else this.#report({ ...this.#rowOf(row), outcome: outcome.outcome });
      }
    }
  }

  /** Nobody's accounts have no row in our books: the audit has what was done to them. */
  async nobodys(sets: readonly ChangeSet[]): Promise<void> {
    const { actor, requestId } = this.#options;
    for (let from = 0; from < sets.length; from += ROWS_AT_ONCE) {
      // An account that a login was given meanwhile is somebody's.
      const batch: ChangeSet[] = [];
      for (const set of sets.slice(from, from + ROWS_AT_ONCE)) {
        const owner = await this.#deps.directory.accounts.owner(this.#setup.target.name, set.actual?.id ?? '');
        if (owner === undefined) batch.push(set);
      }
      const results = this.#isStopped() ? undefined : await this.#nobodysNow(batch);
      for (const [at, set] of batch.entries()) {
        const result = results?.[at];
        const row = { key: set.userName, changes: set.changes };
        if (result === undefined) this.#report({ ...row, outcome: 'skipped', code: 'stopped' });
        else if (result instanceof Error) this.#report({ ...row, outcome: 'failed', code: result.code });
        else {
          const entries = auditEntries({
            input: { person: '', target: this.#setup.target, actor, requestId },
            plan: { set, changes: set.changes, held: [], gives: [], takes: [], confirms: [] },
            account: result.account,
            link: undefined,
            ledger: [],
            stale: [],
            applied: result,
            isLeft: false,
          });
          await this.#deps.audit.append(entries.map((entry) => ofNobody(entry, set.userName)));
          this.#report({ ...row, outcome: result.outcome });
        }
      }
      // Only now: what was done is in the audit, and nowhere else.
      await this.#keep();
    }
  }

  async #nobodysNow(batch: readonly ChangeSet[]): ReturnType<typeof applySets> {
    return applySets(
      this.#input(),
      batch,
      underLeases(this.#deps.clock, () => this.#keep()),
    );
  }

  #keep(): Promise<void> {
    return this.#options.keep(this.#deps.directory.leases);
  }

  result(plan: ApplyResult['plan']): ApplyResult {
    const counts = { applied: this.#applied, failed: this.#failed, skipped: this.#skipped };
    if (this.#skipped > 0) return { plan, outcome: 'stopped', ...counts };
    return { plan, outcome: this.#failed > 0 ? 'partial' : 'applied', ...counts };
  }

  #input(): ManyInput {
    const { target, missing, timeoutMs } = this.#setup;
    const { actor, requestId, keep } = this.#options;
    return { target, missing, timeoutMs, actor, requestId, keep };
  }

  #rowOf({ person, subject, planned }: PlannedRow): Pick<AppliedRow, 'person' | 'subject' | 'key' | 'changes'> {
    const changes = planned.plan.changes.map((change) => ({ ...change, ...whose(person, subject) }));
    const key = planned.account?.userName ?? planned.plan.set?.userName ?? planned.link?.userName ?? subject;
    return { person, subject, key, changes };
  }

  #report(row: AppliedRow): void {
    if (row.outcome === 'failed') this.#failed += 1;
    else if (row.outcome === 'skipped') this.#skipped += 1;
    // What is only written in our own books is no change that anybody counts.
    else if (row.changes.length === 0) return;
    else this.#applied += 1;
    this.#options.onRow?.(row);
  }

  #isStopped(): boolean {
    return this.#options.stop.aborted;
  }
}

/** The account is named where the record has the key of what was taken: there is no person to find it by. */
function ofNobody({ person: _nobody, ...entry }: AuditEntry, account: string): AuditEntry {
  return entry.event === 'grant.taken' ? { ...entry, after: { ...Object(entry.after), account } } : entry;
}

/** Who leaves first; then what makes groups, which others are then given; then the rest. */
function* inBatches(rows: readonly PlannedRow[], takesMany: boolean): Generator<readonly PlannedRow[]> {
  const leaving = rows.filter(({ goal }) => 'leaving' in goal);
  const others = rows.filter(({ goal }) => 'desired' in goal);
  const makers = others.filter(({ planned }) => (planned.plan.set?.create.length ?? 0) > 0);
  const rest = others.filter(({ planned }) => (planned.plan.set?.create.length ?? 0) === 0);
  const isBulk = (row: PlannedRow): boolean => takesMany && isGrantsOnly(row);
  const parts: readonly (readonly [readonly PlannedRow[], number])[] = [
    [leaving.filter((row) => !isBulk(row)), ROWS_AT_ONCE],
    [makers, ROWS_AT_ONCE],
    [rest.filter((row) => !isBulk(row)), ROWS_AT_ONCE],
    [[...leaving, ...rest].filter(isBulk), GRANTS_AT_ONCE],
  ];
  for (const [part, size] of parts)
    for (let from = 0; from < part.length; from += size) yield part.slice(from, from + size);
}

function isGrantsOnly({ planned: { plan, account } }: PlannedRow): boolean {
  const { set } = plan;
  if (set === undefined) return true;
  return (
    account !== undefined && set.remove !== true && set.active === undefined && Object.keys(set.profile).length === 0
  );
}
