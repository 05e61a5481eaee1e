import type { ActualAccount, Applied } from '../model/change.ts';
import { LatchgateError } from '../model/errors.ts';
import type { ReconcileContext, Reconciled, ReconcileInput } from './job.ts';
import { whyOut } from './outcome.ts';
import { type Planned, planOne, recall } from './plan-one.ts';
import { intend, isSettled, record, remaining } from './written.ts';

const NO_ACCOUNT: Reconciled = { isOpen: false, changes: [], held: [], notes: [] };

/**
 * Brings one person's account in one target to what it should be: read, adapt, plan, write down what is intended,
 * apply, record. Idempotent; run again after any failure it goes on where that one stopped.
 */
export async function reconcile(context: ReconcileContext, input: ReconcileInput): Promise<Reconciled> {
  await refuseOut(context, input);
  const memory = await recall(context.directory, input);
  if ('desired' in input.goal && memory.link?.state === 'ready') {
    // Most logins change nothing: they are told so by one read, without a lease and without a write.
    const planned = await planOne(context, input, memory);
    if (isSettled(planned)) return outcome(planned, planned.account, true);
  }
  if ('leaving' in input.goal && !input.goal.leaving.person && memory.link === undefined) return NO_ACCOUNT;
  const lease = await context.directory.leases.acquire(
    `account:${input.target.name}:${input.person}`,
    context.leaseMs,
    input.signal,
  );
  try {
    // Whoever says something new of a person waits for this lease: either it is heard here, or what is done here is seen there.
    const now = { ...input, goal: await input.goalNow() };
    const planned = await planOne(context, now, await recall(context.directory, now));
    await intend(context, now, planned);
    const applied = await apply(now, planned);
    const { account, isOpen } = await record(context, now, planned, applied, await remaining(now, planned));
    return outcome(planned, account, isOpen);
  } finally {
    // What was done is done; a lease that cannot be given back ends by itself.
    await lease.release().catch(() => undefined);
  }
}

async function refuseOut({ directory }: ReconcileContext, { person, goal }: ReconcileInput): Promise<void> {
  const out = whyOut(await directory.people.get(person));
  if ('desired' in goal && out !== undefined) throw out;
  if ('leaving' in goal && goal.leaving.policy === 'delete' && out === undefined) {
    throw new LatchgateError('target_pending', 'somebody whose account was to be deleted is back');
  }
}

async function apply({ target, signal }: ReconcileInput, { plan }: Planned): Promise<Applied | undefined> {
  return plan.set === undefined ? undefined : target.apply(plan.set, signal);
}

function outcome({ plan, notes }: Planned, account: ActualAccount | undefined, isOpen: boolean): Reconciled {
  return {
    ...(account === undefined ? {} : { account }),
    isOpen: isOpen && account !== undefined,
    changes: plan.changes,
    held: plan.held,
    notes,
  };
}
