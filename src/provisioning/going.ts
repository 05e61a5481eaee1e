import type { AccountLink } from '../directory/directory.ts';
import type { ActualAccount } from '../model/change.ts';
import { sameEmail } from './correlate.ts';
import type { Leaving, Memory, PlanContext, PlanReads, ReconcileInput } from './job.ts';
import { nobody, planLeaver } from './leaver.ts';
import { type AccountPlan, planAccount, unrecorded } from './plan.ts';

/** What is to become of an account. */
export interface Going {
  readonly plan: AccountPlan;
  readonly account: ActualAccount | undefined;
  /** Afterwards the account is not to be used by this person. */
  readonly closes: boolean;
  /** The account that we knew is not in the target any more. */
  readonly isGone: boolean;
  readonly notes: readonly string[];
}

interface GoingInput extends Pick<ReconcileInput, 'person' | 'target' | 'missing' | 'signal'> {
  readonly leaving: Leaving;
}

const NOTHING: AccountPlan = { set: undefined, changes: [], held: [], gives: [], takes: [], confirms: [] };

/** The plan for somebody who is to have nothing in a target. Without an account of theirs there is nothing to do. */
export async function planGoing(
  { directory, neverTouch, isManaged }: Pick<PlanContext, 'directory' | 'neverTouch' | 'isManaged'>,
  input: GoingInput,
  { link, ledger: rows, pins }: Memory,
): Promise<Going> {
  const { person, target, missing, leaving } = input;
  const none = { plan: NOTHING, account: undefined, closes: true, isGone: false };
  if (link === undefined) return { ...none, notes: [] };
  const { account: actual, isGone } = await accountOf(directory, input, link);
  if (actual === undefined) return { ...none, isGone, notes: ['the account is gone from the target'] };
  const { policy, reason } = leaving;
  const isWhole = leaving.leaveAlone.length === 0;
  const wanted = nobody(person, target.name, actual);
  // While somebody could not be heard, nobody can say what nobody gives.
  const ledger = isWhole ? [...rows, ...unrecorded({ desired: wanted, actual, ledger: rows }, isManaged)] : rows;
  const leaver = planLeaver({ person, target: target.name, actual, link, ledger, can: target.can, policy, reason });
  const base = { account: actual, isGone: false, closes: true };
  if (actual.isProtected || neverTouch(actual)) {
    const held = leaver.changes.map((change) => ({ ...change, code: 'account_protected' }));
    return { ...base, plan: { ...NOTHING, held }, notes: ['the account is protected'] };
  }
  if (isWhole && (leaving.person || link.created)) return { ...base, plan: leaver, notes: [] };
  const { leaveAlone, groupRules = {} } = leaving;
  const desired = { ...wanted, active: actual.active, leaveAlone, groupRules };
  const plan = planAccount({ desired, actual, link, others: [], ledger, pins, existing: [], can: target.can, missing });
  return { ...base, plan, closes: isWhole || plan.set?.active === false || link.state !== 'ready', notes: [] };
}

/** The linked account, or the one that was announced by a run that ended before it could record it. */
async function accountOf(
  directory: PlanReads,
  { person, target, signal }: GoingInput,
  link: AccountLink,
): Promise<{ readonly account?: ActualAccount; readonly isGone: boolean }> {
  const [who, subjects] = await Promise.all([directory.people.get(person), directory.people.subjects(person)]);
  const keys = new Set(subjects.flatMap(({ subject, origin }) => [subject, `${origin}|${subject}`]));
  const lookup =
    link.accountId === undefined ? { userNames: [link.userName] } : { accountId: link.accountId, userNames: [] };
  const { accounts } = await target.read({ kind: 'person', lookup }, signal);
  const hasMark = (account: ActualAccount): boolean =>
    sameEmail(account.profile.email, who?.email) || (account.externalId !== undefined && keys.has(account.externalId));
  if (link.accountId === undefined) {
    const announced = accounts.find((account) => account.userName === link.userName && hasMark(account));
    return announced === undefined ? { isGone: false } : { account: announced, isGone: false };
  }
  const same = accounts.find(({ id }) => id === link.accountId);
  if (same === undefined) return { isGone: true };
  // An id alone is not enough, and neither is a user name that was changed by hand a reason to let a leaver stay.
  return same.userName === link.userName || hasMark(same) ? { account: same, isGone: false } : { isGone: true };
}
