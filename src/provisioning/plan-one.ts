import type { AccountLink, Directory } from '../directory/directory.ts';
import type { ActualAccount } from '../model/change.ts';
import type { DesiredAccount } from '../model/desired.ts';
import type { Grant } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';
import type { Lookup } from '../targets/target.ts';
import { isUnvouched, refuseBeside } from './beside.ts';
import { type Correlation, correlate, type MatchBy } from './correlate.ts';
import { refuseFormer } from './former.ts';
import { type Going, planGoing } from './going.ts';
import type { Memory, PlanContext, PlanReads, ReconcileInput } from './job.ts';
import { heed, pinText } from './pinned.ts';
import { type AccountPlan, additions, planAccount, unrecorded } from './plan.ts';
import { isStaleOwner } from './stale.ts';

export interface Planned extends Going {
  readonly link: AccountLink | undefined;
  /** Rows that count. */
  readonly ledger: readonly Grant[];
  /** Rows of an account that is not there any more: nothing that another account has is ours because of them. */
  readonly stale: readonly Grant[];
  readonly notes: readonly string[];
}

interface Found {
  readonly accounts: readonly ActualAccount[];
  readonly ownedByOthers: ReadonlyMap<string, PersonId>;
  readonly found: Correlation;
}

export type PlanOneInput = Pick<ReconcileInput, 'person' | 'target' | 'missing' | 'goal' | 'signal'>;

export async function recall(
  directory: Pick<Directory, 'accounts' | 'ledger' | 'pins'>,
  { person, target }: Pick<ReconcileInput, 'person' | 'target'>,
): Promise<Memory> {
  // One after the other: in a transaction nothing may be under way when it ends.
  const link = await directory.accounts.get(person, target.name);
  const ledger = await directory.ledger.ofAccount(person, target.name);
  const pins = await directory.pins.ofAccount(person, target.name);
  return { link, ledger, pins };
}

/** The plan alone: reads, and writes nothing anywhere. */
export async function planOne(context: PlanContext, input: PlanOneInput, memory: Memory): Promise<Planned> {
  const { goal } = input;
  if ('leaving' in goal) {
    const going = await planGoing(context, { ...input, leaving: goal.leaving }, memory);
    const stale = going.isGone ? memory.ledger : [];
    return { ...going, link: memory.link, ledger: going.isGone ? [] : memory.ledger, stale };
  }
  return planWanted(context, input, goal.desired, memory);
}

async function planWanted(
  context: PlanContext,
  input: PlanOneInput,
  wanted: DesiredAccount,
  { link, ledger: rows, pins }: Memory,
): Promise<Planned> {
  const { person, target, missing, signal } = input;
  const { directory, match, privileged, neverTouch, isManaged } = context;
  const desired = heed(target.adapt(wanted), pins);
  const find = async (lookup: Lookup): Promise<Found> => {
    const { accounts } = await target.read({ kind: 'person', lookup }, signal);
    const ownedByOthers = await othersAmong(directory, person, target.name, accounts);
    const found = correlate({
      desired,
      link,
      ledger: rows,
      found: accounts,
      ownedByOthers,
      match,
      privileged,
      neverTouch,
    });
    return { accounts, ownedByOthers, found };
  };
  const lookup = lookupFor(desired, link, match);
  let { accounts, ownedByOthers, found } = await find(lookup);
  if (found.account === undefined && lookup.userNames.length < desired.userNames.length) {
    // The linked account is gone: before a new one is planned, it has to be known which user names are taken.
    ({ accounts, ownedByOthers, found } = await find({ ...lookup, userNames: desired.userNames }));
  }
  const actual = found.account;
  if (link === undefined) {
    const email = desired.profile.email ?? desired.profileIfNew.email;
    await refuseFormer(directory, person, email, { detail: { target: target.name } });
  }
  if (actual === undefined && missing.users === 'create')
    refuseBeside({ desired, found: accounts, ownedByOthers, match });
  // Rows are about one account: what we gave another one was never given to this one by us.
  const isOther = link === undefined || (link.accountId !== undefined && link.accountId !== actual?.id);
  const ours = isOther ? [] : rows;
  // While somebody could not be heard, nobody can say what nobody gives.
  const isWhole = desired.leaveAlone.length === 0 && desired.active;
  const more = actual === undefined || !isWhole ? [] : unrecorded({ desired, actual, ledger: ours }, isManaged);
  const ledger = more.length === 0 ? ours : [...ours, ...more];
  const others = accounts.filter((account) => account.id !== actual?.id);
  const sharesNoEmail = isUnvouched(desired, match);
  const base = { desired, actual, link, others, ledger, pins, can: target.can, sharesNoEmail, missing };
  const lacking = additions(base);
  const existing = lacking.length === 0 ? [] : await target.find(lacking, signal);
  const plan = planAccount({ ...base, existing });
  const stale = isOther ? rows : [];
  return {
    plan,
    account: actual,
    link,
    ledger,
    stale,
    closes: isOff(plan, actual),
    isGone: false,
    notes: [...notesOf(found), ...pins.map(pinText)],
  };
}

/** After the plan the account is switched off, because nothing is left that it may have. */
function isOff({ set }: AccountPlan, actual: ActualAccount | undefined): boolean {
  return actual !== undefined && !(set?.active ?? actual.active);
}

function lookupFor(desired: DesiredAccount, link: AccountLink | undefined, match: readonly MatchBy[]): Lookup {
  const email = desired.profile.email ?? desired.profileIfNew.email;
  const linked = link?.accountId !== undefined;
  // A linked account is found by its id; the further keys only matter for the first meeting and for clashes.
  const names = linked && !match.includes('user_name') ? [] : desired.userNames;
  return {
    ...(linked ? { accountId: link.accountId } : {}),
    ...(desired.externalId === '' ? {} : { externalId: desired.externalId }),
    userNames: link !== undefined && !linked ? [...new Set([link.userName, ...names])] : names,
    ...(typeof email === 'string' && email !== '' ? { email } : {}),
  };
}

async function othersAmong(
  directory: PlanReads,
  person: PersonId,
  target: string,
  accounts: readonly ActualAccount[],
): Promise<ReadonlyMap<string, PersonId>> {
  const owners = await Promise.all(
    accounts.map(async (account): Promise<readonly [string, PersonId] | undefined> => {
      const owner = await directory.accounts.owner(target, account.id);
      if (owner === undefined || owner === person) return undefined;
      return (await isStaleOwner(directory, owner, target, account)) ? undefined : [account.id, owner];
    }),
  );
  return new Map(owners.filter((one) => one !== undefined));
}

function notesOf({ by, notes, account }: Correlation): string[] {
  return [
    account === undefined ? 'no account was there' : `account ${account.userName} found by ${by ?? '?'}`,
    ...notes,
  ];
}
