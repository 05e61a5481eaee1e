import type { AccountLink, Directory } from '../directory/directory.ts';
import type { ActualAccount, Applied } from '../model/change.ts';
import { entitlementKey, type Grant } from '../model/entitlement.ts';
import type { ReconcileContext, ReconcileInput } from './job.ts';
import type { Planned } from './plan-one.ts';
import { auditEntries } from './record.ts';
import { isStaleOwner } from './stale.ts';

/** What was intended is done once more when nobody has recorded it by then. */
const RECOVER_AFTER_MS = 15_000;

/** Whose account is written about, where, and who does it. */
export type RecordInput = Pick<ReconcileInput, 'person' | 'target' | 'actor' | 'requestId'>;

/** Nothing is to be written: neither in the target nor here. */
export function isSettled({ plan, account, link, stale, closes }: Planned): boolean {
  const isIdle = plan.set === undefined && plan.held.length === 0 && stale.length === 0 && !closes;
  const isWritten = plan.gives.length === 0 && plan.takes.length === 0 && plan.confirms.length === 0;
  const isLinked = link?.state === 'ready' && link.accountId === account?.id && link.userName === account?.userName;
  return isIdle && isWritten && isLinked;
}

/** Written ahead of the call, so that after a crash between the call and our record the next run knows what is ours. */
export async function intend(
  context: Pick<ReconcileContext, 'directory' | 'clock'>,
  input: RecordInput,
  planned: Planned,
): Promise<void> {
  const { directory, clock } = context;
  const { person, target } = input;
  const { plan, account, link, stale } = planned;
  if (plan.set !== undefined && (await directory.retries.get(person, target.name)) === undefined) {
    await directory.retries.put(person, target.name, 'target_pending', new Date(clock.now() + RECOVER_AFTER_MS));
  }
  if (stale.length > 0) {
    await directory.ledger.withdraw(person, target.name, stale.map(rowOf));
  }
  if (plan.set !== undefined && account === undefined) {
    const { userName } = plan.set;
    await directory.accounts.save({ person, target: target.name, userName, created: true, state: 'intended' });
  } else if (account !== undefined && (planned.closes || link?.accountId !== account.id)) {
    await saveLink(directory, input, {
      account,
      planned,
      state: planned.closes ? stateOff(planned, account) : 'closed',
    });
  }
  if (plan.gives.length > 0) {
    await directory.ledger.intend(plan.gives.map((grant) => ({ ...grant, person, target: target.name })));
  }
}

/** The audit first: what is not audited counts as not recorded, and is found again by the next run. */
export async function record(
  { directory, audit }: Pick<ReconcileContext, 'directory' | 'audit'>,
  input: RecordInput,
  planned: Planned,
  applied: Applied | undefined,
  left: ActualAccount | undefined,
): Promise<{ readonly account?: ActualAccount; readonly isOpen: boolean }> {
  const { plan, link, ledger, stale } = planned;
  const account = plan.set?.remove === true ? left : (applied?.account ?? planned.account);
  const entries = auditEntries({ input, plan, account, link, ledger, stale, applied, isLeft: left !== undefined });
  if (entries.length > 0) await audit.append(entries);
  if (account === undefined) {
    if (link !== undefined && (plan.set?.remove === true || planned.isGone)) await forget(directory, input, planned);
    return { isOpen: false };
  }
  const closes = planned.closes || left !== undefined;
  const state = closes ? stateOff(planned, account) : 'ready';
  await saveLink(directory, input, { account, planned, state });
  await writeLedger(directory, input, planned, account, left === undefined);
  return { account, isOpen: !closes };
}

/** What is still there of an account that was to be deleted: some targets can only switch one off that owns something. */
export async function remaining(
  { target, signal }: Pick<ReconcileInput, 'target' | 'signal'>,
  { plan, account }: Planned,
): Promise<ActualAccount | undefined> {
  if (account === undefined || plan.set?.remove !== true) return undefined;
  const lookup = { accountId: account.id, userNames: [] };
  const { accounts } = await target.read({ kind: 'person', lookup }, signal);
  return accounts.find(({ id, userName }) => id === account.id && userName === account.userName);
}

async function forget(directory: Directory, { person, target }: RecordInput, { plan }: Planned): Promise<void> {
  await directory.accounts.remove(person, target.name);
  if (plan.takes.length > 0) await directory.ledger.withdraw(person, target.name, plan.takes);
}

async function writeLedger(
  directory: Directory,
  { person, target }: RecordInput,
  { plan, ledger }: Planned,
  account: ActualAccount,
  takes: boolean,
): Promise<void> {
  const confirms = new Map(plan.confirms.map(({ key, entitlementId }) => [key, entitlementId]));
  const ids = new Map(account.entitlements.map((entitlement) => [entitlementKey(entitlement), entitlement.id]));
  const added = new Set(plan.set?.add.map((entitlement) => entitlementKey(entitlement)));
  const ours = [...plan.gives, ...ledger.filter((grant) => added.has(entitlementKey(grant)))];
  for (const key of new Set(ours.map((grant) => entitlementKey(grant)))) {
    const id = ids.get(key);
    if (id !== undefined) confirms.set(key, id);
  }
  if (confirms.size > 0) {
    const given = [...confirms].map(([key, entitlementId]) => ({ key, entitlementId }));
    await directory.ledger.confirm(person, target.name, given);
  }
  if (takes && plan.takes.length > 0) await directory.ledger.withdraw(person, target.name, plan.takes);
}

/** Only what we switched off ourselves may be switched on again by a later login. */
function stateOff({ plan, link }: Planned, account: ActualAccount): AccountLink['state'] {
  const isOurs =
    plan.set?.active === false || plan.set?.remove === true || (link?.state === 'disabled' && !account.active);
  return isOurs ? 'disabled' : 'closed';
}

interface LinkTo {
  readonly account: ActualAccount;
  readonly planned: Planned;
  readonly state: AccountLink['state'];
}

async function saveLink(
  directory: Directory,
  { person, target }: RecordInput,
  { account, planned, state }: LinkTo,
): Promise<void> {
  const { link, account: before } = planned;
  const { id: accountId, userName } = account;
  const isKnown = link?.accountId === accountId || link?.state === 'intended';
  const created = before === undefined || (isKnown && link?.created === true);
  // Where an account was made, the link was announced anew meanwhile; some backends give it the id that it had before.
  const isSame =
    before !== undefined && link?.accountId === accountId && link.userName === userName && link.state === state;
  if (isSame && link.created === created) return;
  const save = () => directory.accounts.save({ person, target: target.name, accountId, userName, created, state });
  try {
    await save();
  } catch (thrown) {
    // Written down as another person's: of an account that is gone, or the refusal stands.
    const owner = await directory.accounts.owner(target.name, accountId);
    if (owner === undefined || owner === person) throw thrown;
    if (!(await isStaleOwner(directory, owner, target.name, account))) throw thrown;
    await directory.accounts.remove(owner, target.name);
    await save();
  }
}

function rowOf(grant: Grant): { key: string; origin: string } {
  return { key: entitlementKey(grant), origin: grant.origin };
}
