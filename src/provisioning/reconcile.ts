import type { Audit, AuditEntry } from '../audit/audit.ts';
import type { AccountLink, Directory } from '../directory/directory.ts';
import type { ActualAccount, Applied, Change, HeldChange } from '../model/change.ts';
import type { DesiredAccount } from '../model/desired.ts';
import { entitlementKey, type Grant } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';
import type { Lookup, Target } from '../targets/target.ts';
import { type Correlation, correlate, type MatchBy } from './correlate.ts';
import { planLeaver } from './leaver.ts';
import { type AccountPlan, additions, type Missing, planAccount } from './plan.ts';
import { auditEntries } from './record.ts';

export interface ReconcileContext {
  readonly directory: Directory;
  readonly audit: Audit;
  readonly match: readonly MatchBy[];
  readonly privileged: readonly string[];
  readonly neverTouch: (account: ActualAccount) => boolean;
  /** How long a lease outlives a holder that died. */
  readonly leaseMs: number;
}

/** Why an account is to have nothing: the person left, or nothing is given here. */
export interface Leaving {
  readonly policy: 'disable' | 'delete';
  readonly reason: string;
  /** False: only what we granted goes; an account that was there before us stays switched on. */
  readonly person: boolean;
}

export interface ReconcileInput {
  readonly person: PersonId;
  readonly target: Target;
  readonly missing: Missing;
  /** What the mapping says, or that the person is to have nothing here. */
  readonly goal: { readonly desired: DesiredAccount } | { readonly leaving: Leaving };
  readonly actor: string;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

export interface Reconciled {
  /** Absent: there is no account. */
  readonly account?: ActualAccount;
  readonly changes: readonly Change[];
  readonly held: readonly HeldChange[];
  readonly notes: readonly string[];
}

interface Planned {
  readonly plan: AccountPlan;
  readonly account: ActualAccount | undefined;
  readonly link: AccountLink | undefined;
  readonly ledger: readonly Grant[];
  readonly notes: readonly string[];
}

/**
 * Brings one person's account in one target to what it should be: read, adapt, plan, write down what is intended,
 * apply, record. Idempotent; run again after any failure it goes on where that one stopped.
 */
export async function reconcile(context: ReconcileContext, input: ReconcileInput): Promise<Reconciled> {
  const lease = await context.directory.leases.acquire(
    `account:${input.target.name}:${input.person}`,
    context.leaseMs,
    input.signal,
  );
  try {
    const planned = await planOne(context, input);
    await intend(context, input, planned);
    const applied = await apply(input, planned.plan);
    await record(context, input, planned, applied);
    const account = planned.plan.set?.remove === true ? undefined : (applied?.account ?? planned.account);
    return {
      ...(account === undefined ? {} : { account }),
      changes: planned.plan.changes,
      held: planned.plan.held,
      notes: planned.notes,
    };
  } finally {
    await lease.release();
  }
}

/** The plan alone: reads, and writes nothing anywhere. */
export async function planOne(
  {
    directory,
    match,
    privileged,
    neverTouch,
  }: Pick<ReconcileContext, 'directory' | 'match' | 'privileged' | 'neverTouch'>,
  { person, target, missing, goal, signal }: Pick<ReconcileInput, 'person' | 'target' | 'missing' | 'goal' | 'signal'>,
): Promise<Planned> {
  const [link, ledger] = await Promise.all([
    directory.accounts.get(person, target.name),
    directory.ledger.ofAccount(person, target.name),
  ]);
  if ('leaving' in goal) return planGoing({ person, target, missing, link, ledger, leaving: goal.leaving, signal });

  const desired = target.adapt(goal.desired);
  const { accounts } = await target.read({ kind: 'person', lookup: lookupFor(desired, link, match) }, signal);
  const ownedByOthers = await othersAmong(directory, person, target.name, accounts);
  const found = correlate({ desired, link, found: accounts, ownedByOthers, match, privileged, neverTouch });
  const actual = found.account;
  const others = accounts.filter((account) => account.id !== actual?.id);
  const base = { desired, actual, link, others, ledger, can: target.can, missing };
  const wanted = additions(base);
  const existing = wanted.length === 0 ? [] : await target.find(wanted, signal);
  return { plan: planAccount({ ...base, existing }), account: actual, link, ledger, notes: notesOf(found) };
}

async function planGoing(input: {
  person: PersonId;
  target: Target;
  missing: Missing;
  link: AccountLink | undefined;
  ledger: readonly Grant[];
  leaving: Leaving;
  signal: AbortSignal;
}): Promise<Planned> {
  const { person, target, missing, link, ledger, leaving, signal } = input;
  const nothing = { set: undefined, changes: [], held: [], gives: [], takes: [], confirms: [] };
  if (link?.accountId === undefined) return { plan: nothing, account: undefined, link, ledger, notes: [] };
  const lookup = { accountId: link.accountId, userNames: [] };
  const { accounts } = await target.read({ kind: 'person', lookup }, signal);
  const actual = accounts.find((account) => account.id === link.accountId && account.userName === link.userName);
  if (actual === undefined)
    return { plan: nothing, account: undefined, link, ledger, notes: ['the account is gone from the target'] };
  const leaver = planLeaver({
    person,
    target: target.name,
    actual,
    link,
    ledger,
    can: target.can,
    policy: leaving.policy,
    reason: leaving.reason,
  });
  if (leaving.person || link.created) return { plan: leaver, account: actual, link, ledger, notes: [] };
  const desired = { ...(leaver.set?.desired ?? emptyDesired(person, target.name)), active: actual.active };
  const plan = planAccount({ desired, actual, link, others: [], ledger, existing: [], can: target.can, missing });
  return { plan, account: actual, link, ledger, notes: [] };
}

function emptyDesired(person: PersonId, target: string): DesiredAccount {
  return {
    person,
    target,
    externalId: '',
    matchExternalId: false,
    key: '',
    userNames: [],
    active: true,
    profile: {},
    profileIfNew: {},
    emailTrusted: false,
    entitlements: [],
    leaveAlone: [],
  };
}

function lookupFor(desired: DesiredAccount, link: AccountLink | undefined, match: readonly MatchBy[]): Lookup {
  const email = desired.profile.email ?? desired.profileIfNew.email;
  const linked = link?.accountId !== undefined;
  // A linked account is found by its id; the further keys only matter for the first meeting and for clashes.
  const names = linked && !match.includes('user_name') ? [] : desired.userNames;
  return {
    ...(linked ? { accountId: link.accountId } : {}),
    ...(desired.externalId === '' ? {} : { externalId: desired.externalId }),
    userNames: link !== undefined && !linked ? [link.userName, ...names] : names,
    ...(typeof email === 'string' && email !== '' ? { email } : {}),
  };
}

async function othersAmong(
  directory: Directory,
  person: PersonId,
  target: string,
  accounts: readonly ActualAccount[],
): Promise<ReadonlySet<string>> {
  const owners = await Promise.all(accounts.map((account) => directory.accounts.owner(target, account.id)));
  return new Set(
    accounts.filter((_, at) => owners[at] !== undefined && owners[at] !== person).map((account) => account.id),
  );
}

/** Written ahead of the call, so that after a crash between the call and our record the next run knows what is ours. */
async function intend(
  { directory }: ReconcileContext,
  { person, target }: ReconcileInput,
  { plan, account, link }: Planned,
): Promise<void> {
  if (plan.set !== undefined && account === undefined) {
    await directory.accounts.save({
      person,
      target: target.name,
      userName: plan.set.userName,
      created: true,
      state: 'intended',
    });
  } else if (account !== undefined && link?.accountId !== account.id) {
    await directory.accounts.save({
      person,
      target: target.name,
      accountId: account.id,
      userName: account.userName,
      created: link?.state === 'intended' && link.created,
      state: 'ready',
    });
  }
  const { gives } = plan;
  if (gives.length > 0) {
    await directory.ledger.intend(gives.map((grant) => ({ ...grant, person, target: target.name })));
  }
}

async function apply({ target, signal }: ReconcileInput, { set }: AccountPlan): Promise<Applied | undefined> {
  return set === undefined ? undefined : target.apply(set, signal);
}

async function record(
  context: ReconcileContext,
  input: ReconcileInput,
  planned: Planned,
  applied: Applied | undefined,
): Promise<void> {
  const { directory, audit } = context;
  const { person, target } = input;
  const { plan, link, ledger } = planned;
  const account = applied?.account ?? planned.account;
  if (plan.set?.remove === true) {
    await directory.accounts.remove(person, target.name);
  } else if (account !== undefined) {
    await saveLink(directory, input, planned, account);
  }
  const confirms = new Map(plan.confirms.map(({ key, entitlementId }) => [key, entitlementId]));
  const ids = new Map(account?.entitlements.map((entitlement) => [entitlementKey(entitlement), entitlement.id]));
  for (const grant of plan.gives) {
    const id = ids.get(entitlementKey(grant));
    if (id !== undefined) confirms.set(entitlementKey(grant), id);
  }
  if (confirms.size > 0) {
    await directory.ledger.confirm(
      person,
      target.name,
      [...confirms].map(([key, entitlementId]) => ({ key, entitlementId })),
    );
  }
  if (plan.takes.length > 0) await directory.ledger.withdraw(person, target.name, plan.takes);
  const entries: AuditEntry[] = auditEntries({
    input,
    plan,
    account,
    recoveredAccount: link?.state === 'intended',
    ledger,
  });
  if (entries.length > 0) await audit.append(entries);
}

async function saveLink(
  directory: Directory,
  { person, target, goal }: ReconcileInput,
  { plan, link, account: before }: Planned,
  account: ActualAccount,
): Promise<void> {
  // Also where the target has no switch: who is to have nothing here does not get in.
  const off = 'leaving' in goal || plan.set?.active === false || !account.active;
  const state = off ? 'disabled' : 'ready';
  const created = link?.created ?? before === undefined;
  if (link?.accountId === account.id && link.state === state && link.userName === account.userName) return;
  await directory.accounts.save({
    person,
    target: target.name,
    accountId: account.id,
    userName: account.userName,
    created,
    state,
  });
}

function notesOf({ by, notes, account }: Correlation): string[] {
  return [
    account === undefined ? 'no account was there' : `account ${account.userName} found by ${by ?? '?'}`,
    ...notes,
  ];
}
