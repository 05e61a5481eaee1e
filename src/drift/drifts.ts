import { entitlementKey } from '../model/entitlement.ts';
import { LatchgateError } from '../model/errors.ts';
import type { PlannedChange } from '../sync/sync.ts';
import type { DriftReport, DriftRow } from './drift.ts';
import { kindRow } from './kinds.ts';
import { planRepair, type RepairBrake, repairBrake } from './repair-plan.ts';
import { type DriftSetup, type ReviewDeps, reviewPerson, reviewTarget, type TargetReview } from './review.ts';
import { adoptRow, repairRow, type SettleDeps, type SettledRow, type SettleOptions } from './settle.ts';

export interface DriftsDeps extends ReviewDeps, SettleDeps {
  readonly directory: ReviewDeps['directory'];
  /** All targets of the config, or the one of that name. Throws `not_found`. */
  readonly openTargets: (target: string | undefined) => readonly DriftSetup[];
}

export interface SettleAllOptions extends SettleOptions {
  /** Keys of rows; `all`: whatever it can do something about. */
  readonly which: readonly string[] | 'all';
  readonly target?: string;
  /** True: goes on in spite of the brake. */
  readonly approve?: boolean;
}

export interface Settled {
  readonly rows: readonly SettledRow[];
  /** Present: nothing was written. */
  readonly brake?: RepairBrake;
  /** Present: what a repair does, or would do, beyond what any difference shows. */
  readonly unshown?: readonly PlannedChange[];
}

/** What targets have that nobody granted, what we granted that is gone, and what to do about it. */
export interface Drifts {
  /** Reads alone. Rows that a person has let stand are left out. Throws `not_found`, `target_*`. */
  review(target: string | undefined, signal: AbortSignal): Promise<DriftReport>;
  /** Reviews again, and takes for ours, or lets stand, what is still so. Throws `not_found` for a key that is no row's. */
  adopt(options: SettleAllOptions): Promise<Settled>;
  /** Reviews again, and brings the target to what it is to be, by the one engine. Throws as `adopt`, and `shadow_mode`. */
  repair(options: SettleAllOptions): Promise<Settled>;
}

export function createDrifts(deps: DriftsDeps): Drifts {
  const review = async (only: string | undefined, signal: AbortSignal): Promise<DriftReport> => {
    const reviews: (TargetReview & { readonly accepted: ReadonlySet<string> })[] = [];
    for (const setup of deps.openTargets(only)) {
      const accepted = await deps.letStand.of(setup.name);
      reviews.push({ ...(await reviewTarget(deps, setup, signal)), accepted });
    }
    return {
      at: new Date(deps.clock.now()),
      targets: reviews.map(({ drift, rows, accepted }) => ({
        ...drift,
        accepted: rows.filter(({ key }) => accepted.has(key)).length,
      })),
      rows: reviews.flatMap(({ rows, accepted }) => rows.filter(({ key }) => !accepted.has(key))),
      notes: reviews.flatMap(({ notes }) => notes),
    };
  };
  const stillDiffers = async (row: DriftRow, signal: AbortSignal): Promise<boolean> => {
    const who = row.person === undefined ? undefined : await deps.directory.people.get(row.person);
    const [setup] = deps.openTargets(row.target);
    if (who === undefined || setup === undefined) return false;
    return (await reviewPerson(deps, setup, who, signal)).some((now) => isSameDifference(now, row));
  };
  return {
    review,
    adopt: async (options) => {
      const report = await chosenFrom(review, deps, options);
      const can = (row: DriftRow): boolean => kindRow(row.kind).adopt !== undefined;
      return { rows: await each(chosen(report, options, can), (row) => adoptRow(deps, row, options)) };
    },
    repair: async (options) => {
      const report = await chosenFrom(review, deps, options);
      const rows = chosen(
        report,
        options,
        ({ kind, person }) => kindRow(kind).repair !== undefined && person !== undefined,
      );
      const plan = await planRepair(deps.engine, report, rows);
      const brake = options.approve === true ? undefined : repairBrake(report, plan, deps.stopIf);
      const unshown = plan.unshown.length === 0 ? {} : { unshown: plan.unshown };
      if (brake !== undefined) return { rows: [], brake, ...unshown };
      const differs = (row: DriftRow): Promise<boolean> => stillDiffers(row, options.signal);
      const repair = async (row: DriftRow): Promise<SettledRow> => {
        const code = plan.left.get(row.key);
        return code === undefined ? repairRow({ ...deps, differs }, row, options) : { row, outcome: 'failed', code };
      };
      return { rows: await each(rows, repair), ...unshown };
    },
  };
}

/** Values in it may be others by now, and an account that was made again has another id. */
function isSameDifference(one: DriftRow, other: DriftRow): boolean {
  const what = ({ entitlement }: DriftRow) => (entitlement === undefined ? '' : entitlementKey(entitlement));
  return one.kind === other.kind && what(one) === what(other);
}

async function chosenFrom(
  review: Drifts['review'],
  { isShadow }: DriftsDeps,
  { target, signal }: SettleAllOptions,
): Promise<DriftReport> {
  if (isShadow) throw new LatchgateError('shadow_mode', 'in shadow mode nothing is written, and nothing is ours');
  return review(target, signal);
}

function chosen(
  { rows }: DriftReport,
  { which }: SettleAllOptions,
  can: (row: DriftRow) => boolean,
): readonly DriftRow[] {
  if (which === 'all') return rows.filter(can);
  return which.map((key) => {
    const row = rows.find((one) => one.key === key);
    if (row === undefined) throw new LatchgateError('not_found', `there is no difference ${key} now`);
    return row;
  });
}

/** One after the other: two may be of one account. */
async function each(
  rows: readonly DriftRow[],
  work: (row: DriftRow) => Promise<SettledRow>,
): Promise<readonly SettledRow[]> {
  const done: SettledRow[] = [];
  for (const row of rows) done.push(await work(row));
  return done;
}
