import type { Audit } from '../audit/audit.ts';
import type { Directory, Leases } from '../directory/directory.ts';
import type { ActualAccount, Applied, ChangeSet } from '../model/change.ts';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import type { StillOurs, Target } from '../targets/target.ts';
import { writeFailure } from './failed.ts';
import type { Memory, ReconcileContext } from './job.ts';
import { unlessHeld } from './leaver.ts';
import { type Goal, isErrorCode, whyOut } from './outcome.ts';
import type { Missing } from './plan.ts';
import { type Planned, recall } from './plan-one.ts';
import type { AccountState } from './provision.ts';
import { type UnderLeases, underLeases } from './still-ours.ts';
import { intend, record, remaining } from './written.ts';

/** Several stores at once, all or nothing. Kept short: nothing slow is called in it. */
export type Together = <T>(
  work: (stores: { readonly directory: Directory; readonly audit: Audit }) => Promise<T>,
) => Promise<T>;

export interface ManyContext extends ReconcileContext {
  readonly together: Together;
  /** Brings one person to what everybody who speaks of them says by now. */
  readonly again: (person: PersonId, target: string, actor: string, requestId: string) => Promise<AccountState>;
}

export interface ManyInput {
  readonly target: Target;
  readonly missing: Missing;
  /** For one account, in milliseconds, beside the patience that a target may ask for. */
  readonly timeoutMs: number;
  readonly actor: string;
  readonly requestId: string;
  /** Asked before each write of many; what it throws ends all of them. */
  readonly keep: (leases: Leases) => Promise<void>;
}

/** A person's plan, and the memory that it was made on. */
export interface ReadyRow {
  readonly person: PersonId;
  readonly goal: Goal;
  readonly memory: Memory;
  readonly planned: Planned;
}

export type RowOutcome = { readonly outcome: 'applied' | 'already' } | { readonly error: LatchgateError };

/** For targets that ask for patience: nobody waits for a sync as people do at a login. */
const PATIENCE_MS = 120_000;
/** Accounts that are written to at the same time, in a target that takes them one by one. */
const AT_ONCE = 8;

/**
 * `reconcile` for many people whose plans are made: the leases, what is intended and what was done are written for all
 * of them at once, and the target gets all changes together where it can. A person of whom something else is remembered
 * by now than when the plan was made, or on whom somebody else works, is planned anew and alone, by what everybody says by
 * then: a login may have come since. Never throws for one row, only what `keep` throws. Answers in the order of the rows.
 */
export async function reconcileMany(
  context: ManyContext,
  input: ManyInput,
  rows: readonly ReadyRow[],
): Promise<readonly RowOutcome[]> {
  const outcomes = new Map<ReadyRow, RowOutcome>();
  const nameOf = ({ person }: ReadyRow): string => `account:${input.target.name}:${person}`;
  const lease = await context.directory.leases.acquireFree(rows.map(nameOf), context.leaseMs);
  try {
    const ours = rows.filter((row) => lease.names.has(nameOf(row)));
    const ready = await intendMany(context, input, ours);
    const { leases } = context.directory;
    const under = underLeases(context.clock, async () => {
      await input.keep(leases);
      await leases.keep(lease);
    });
    const done = await applyMany(input, ready, under);
    if (await areOurs(under.stillOurs, () => rememberOff(context, input, done))) {
      for (const [row, outcome] of await recordMany(context, input, ready, done)) outcomes.set(row, outcome);
    }
  } finally {
    await lease.release().catch(() => undefined);
  }
  const alone = rows.filter((row) => !outcomes.has(row));
  for (const row of alone) {
    await input.keep(context.directory.leases);
    outcomes.set(row, await reconcileAlone(context, input, row));
  }
  return rows.map((row) => outcomes.get(row) ?? { outcome: 'already' });
}

/**
 * False: the accounts' leases are lost, though the run goes on; these people are looked at anew. Whoever stood still does
 * not say what became of accounts that others may have worked on since.
 */
async function areOurs(stillOurs: StillOurs, ifNot: () => Promise<void>): Promise<boolean> {
  try {
    await stillOurs();
    return true;
  } catch (thrown) {
    await ifNot().catch(() => undefined);
    if (toLatchgateError(thrown).code === 'lease_lost') return false;
    throw thrown;
  }
}

/** Writes ahead for all whose plan still stands. The others are planned anew. */
async function intendMany(
  context: ManyContext,
  input: ManyInput,
  rows: readonly ReadyRow[],
): Promise<readonly ReadyRow[]> {
  const held = await heldBy(context, rows);
  try {
    return await context.together(async ({ directory }) => {
      await input.keep(directory.leases);
      const ready: ReadyRow[] = [];
      for (const row of rows) {
        if (held.has(row.person) || !(await stillStands(directory, input, row))) continue;
        await intend({ directory, clock: context.clock }, { ...input, person: row.person }, row.planned);
        ready.push(row);
      }
      return ready;
    });
  } catch (thrown) {
    if (toLatchgateError(thrown).code === 'state_unavailable') throw thrown;
    return [];
  }
}

/** Of whom an account was to be deleted that waits for somebody's word by now. */
async function heldBy({ holdsDeletion }: ManyContext, rows: readonly ReadyRow[]): Promise<ReadonlySet<PersonId>> {
  const held = new Set<PersonId>();
  for (const { person, goal } of rows) {
    if ('leaving' in goal && (await unlessHeld(goal.leaving, person, holdsDeletion)) !== goal.leaving) held.add(person);
  }
  return held;
}

async function stillStands(
  directory: Directory,
  { target }: ManyInput,
  { person, goal, memory }: ReadyRow,
): Promise<boolean> {
  // Whoever disables a person waits for the lease that we hold: either the mark is seen here, or the account is seen there.
  const isOut = whyOut(await directory.people.get(person)) !== undefined;
  if ('desired' in goal ? isOut : goal.leaving.policy === 'delete' && !isOut) return false;
  const now = await recall(directory, { person, target });
  return JSON.stringify(now) === JSON.stringify({ link: memory.link, ledger: memory.ledger, pins: memory.pins });
}

/** Calls that were on their way: what they switched off we did, so that the next run may switch it on again. */
async function rememberOff(
  { directory: { accounts } }: ManyContext,
  { target }: ManyInput,
  done: ReadonlyMap<ReadyRow, Done>,
): Promise<void> {
  for (const [{ person, planned }, applied] of done) {
    if (applied === undefined || applied instanceof Error || planned.plan.set?.active !== false) continue;
    const link = await accounts.get(person, target.name);
    if (link?.accountId === applied.account.id) await accounts.save({ ...link, state: 'disabled' });
  }
}

type Done = Applied | LatchgateError | undefined;

/** Several changes of one target, all together where it can. Nothing is begun once the leases are lost. */
export async function applySets(
  { target, timeoutMs }: Pick<ManyInput, 'target' | 'timeoutMs'>,
  sets: readonly ChangeSet[],
  { stillOurs, signal: lost }: UnderLeases,
): Promise<readonly (Applied | LatchgateError)[]> {
  if (sets.length === 0) return [];
  const within = (ms: number): AbortSignal => AbortSignal.any([lost, AbortSignal.timeout(PATIENCE_MS + ms)]);
  if (target.applyMany !== undefined && sets.length > 1) {
    try {
      await stillOurs();
      return await target.applyMany(sets, within(timeoutMs * (1 + sets.length)), stillOurs);
    } catch (thrown) {
      const error = toLatchgateError(thrown);
      return sets.map(() => error);
    }
  }
  const results: (Applied | LatchgateError)[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < sets.length; at = next++) {
      const set = sets[at] as ChangeSet;
      const applied = stillOurs().then(() => target.apply(set, within(timeoutMs), stillOurs));
      results[at] = await applied.catch(toLatchgateError);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, sets.length) }, work));
  return results;
}

async function applyMany(
  input: ManyInput,
  rows: readonly ReadyRow[],
  under: UnderLeases,
): Promise<ReadonlyMap<ReadyRow, Done>> {
  const writing = rows.filter(({ planned }) => planned.plan.set !== undefined);
  const results = await applySets(
    input,
    writing.map(({ planned }) => planned.plan.set as ChangeSet),
    under,
  );
  return new Map<ReadyRow, Done>([
    ...rows.map((row) => [row, undefined] as const),
    ...writing.map((row, at) => [row, results[at]] as const),
  ]);
}

interface Finished {
  readonly row: ReadyRow;
  readonly applied: Applied | undefined;
  /** What is still there of an account that was to be deleted. */
  readonly left: ActualAccount | undefined;
}

async function recordMany(
  context: ManyContext,
  input: ManyInput,
  rows: readonly ReadyRow[],
  done: ReadonlyMap<ReadyRow, Done>,
): Promise<ReadonlyMap<ReadyRow, RowOutcome>> {
  const outcomes = new Map<ReadyRow, RowOutcome>();
  const finished: Finished[] = [];
  for (const row of rows) {
    const applied = done.get(row);
    try {
      if (applied instanceof Error) throw applied;
      const signal = AbortSignal.timeout(PATIENCE_MS + input.timeoutMs);
      finished.push({ row, applied, left: await remaining({ target: input.target, signal }, row.planned) });
    } catch (thrown) {
      outcomes.set(row, await failed(context, input, row, toLatchgateError(thrown)));
    }
  }
  const write = async (stores: Pick<ReconcileContext, 'directory' | 'audit'>, one: Finished): Promise<void> => {
    const { row, applied, left } = one;
    await record(stores, { ...input, person: row.person }, row.planned, applied, left);
    await stores.directory.retries.done(row.person, input.target.name);
  };
  try {
    await context.together(async (stores) => {
      for (const one of finished) await write(stores, one);
    });
    for (const { row, applied } of finished) outcomes.set(row, { outcome: applied?.outcome ?? 'applied' });
  } catch {
    // One that the database refuses undoes all: then each for itself, and the one that is refused is the one that fails.
    for (const one of finished) {
      const outcome: RowOutcome = { outcome: one.applied?.outcome ?? 'applied' };
      const failure = (thrown: unknown) => failed(context, input, one.row, toLatchgateError(thrown));
      outcomes.set(one.row, await write(context, one).then(() => outcome, failure));
    }
  }
  return outcomes;
}

async function reconcileAlone(context: ManyContext, input: ManyInput, row: ReadyRow): Promise<RowOutcome> {
  try {
    const state = await context.again(row.person, input.target.name, input.actor, input.requestId);
    if (state.status === 'failed') {
      const code = isErrorCode(state.code) ? state.code : 'internal';
      return { error: new LatchgateError(code, 'the account could not be brought to what it should be') };
    }
    return { outcome: state.status === 'ready' && state.changes.length === 0 ? 'already' : 'applied' };
  } catch (thrown) {
    return failed(context, input, row, toLatchgateError(thrown));
  }
}

async function failed(
  context: ManyContext,
  { target, actor, requestId }: ManyInput,
  { person, goal }: ReadyRow,
  error: LatchgateError,
): Promise<RowOutcome> {
  // What is not written down now is found by the next run: the row that was written ahead is still there.
  await writeFailure(context, { person, target, goal, actor, requestId }, error).catch(() => undefined);
  return { error };
}
