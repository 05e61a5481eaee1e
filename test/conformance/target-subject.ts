import type { AccountLink } from '../../src/directory/directory.ts';
import type { ActualAccount, Applied, ChangeSet } from '../../src/model/change.ts';
import type { DesiredAccount } from '../../src/model/desired.ts';
import {
  type ActualEntitlement,
  type Entitlement,
  type EntitlementKind,
  entitlementKey,
  type Grant,
  type GrantedEntitlement,
} from '../../src/model/entitlement.ts';
import { LatchgateError } from '../../src/model/errors.ts';
import type { Profile } from '../../src/model/person.ts';
import { correlate } from '../../src/provisioning/correlate.ts';
import { type AccountPlan, additions, type Missing, planAccount } from '../../src/provisioning/plan.ts';
import type { Lookup, Target } from '../../src/targets/target.ts';

/** How the backend behind a target can be made to misbehave; each holds until `clear`. */
export type TargetFault =
  | 'unauthorized'
  | 'failing'
  | 'html'
  | 'hanging'
  | 'reset'
  /** 429 with `Retry-After: 7`. */
  | 'rate_limited'
  /** The next write is done, but its answer never arrives. */
  | 'answer_lost';

interface AccountByHand {
  /** One that `adapt` would leave as it is. */
  readonly userName: string;
  readonly externalId?: string;
  readonly givenName: string;
  readonly familyName: string;
  readonly email: string;
}

/** A target, and what a person could do in its backend by hand, past the target. */
export interface TargetSubject {
  readonly target: Target;
  readonly missing: Missing;
  /** Given to every account of the suite: for targets that demand at least one entitlement. */
  readonly base?: readonly Entitlement[];
  readonly byHand: {
    createAccount(account: AccountByHand): Promise<{ readonly id: string }>;
    deleteAccount(id: string): Promise<void>;
    /** As `find` would report it. */
    createEntitlement(kind: EntitlementKind, name: string): Promise<ActualEntitlement>;
    deleteEntitlement(entitlement: ActualEntitlement): Promise<void>;
    renameEntitlement(entitlement: ActualEntitlement, name: string): Promise<void>;
    give(accountId: string, entitlement: ActualEntitlement): Promise<void>;
  };
  readonly faults?: {
    set(fault: TargetFault): Promise<void> | void;
    clear(): Promise<void> | void;
  };
  cleanup(): Promise<void>;
}

/** Registers a test unless the target has a reason to skip it. */
export type Prove = (title: string, test: () => Promise<void>) => void;

/** One person of the suite, with what the gateway would remember of them. */
export interface Someone {
  desired: DesiredAccount;
  link: AccountLink | undefined;
  ledger: Grant[];
}

export interface Step {
  readonly plan: AccountPlan;
  readonly applied: Applied | undefined;
  readonly account: ActualAccount | undefined;
}

let people = 0;
/** Backends outlive a run of the suite, so names must be new each time. */
const run = Date.now().toString(36);

export function uniqueName(what: string): string {
  people += 1;
  return `${what}-${run}-${people}`;
}

/** A person whom every target takes. */
export function someone(subject: TargetSubject, more: Partial<DesiredAccount> = {}): Someone {
  const key = more.key ?? uniqueName('person');
  const profile: Profile = {
    givenName: 'Ada',
    familyName: 'Lovelace',
    displayName: 'Ada Lovelace',
    email: `${uniqueName('ada')}@example.com`,
    title: 'Countess',
    department: 'Engines',
  };
  const desired: DesiredAccount = {
    person: `p_${key}`,
    target: subject.target.name,
    externalId: key,
    matchExternalId: true,
    key,
    userNames: [key],
    active: true,
    profile,
    profileIfNew: more.profile ?? profile,
    emailTrusted: true,
    entitlements: granted(subject, []),
    leaveAlone: [],
    ...more,
  };
  return { desired, link: undefined, ledger: [] };
}

/** These and the subject's base, as a rule would give them. */
export function granted(subject: TargetSubject, entitlements: readonly Entitlement[]): readonly GrantedEntitlement[] {
  return [...(subject.base ?? []), ...entitlements].map(({ kind, name, scope, label }) => ({
    kind,
    name: label ?? name,
    ...(scope === undefined ? {} : { scope }),
    rule: 'conformance',
    origin: 'staff',
  }));
}

export function lookupOf({ desired, link }: Pick<Someone, 'desired' | 'link'>): Lookup {
  const { email } = desired.profile;
  return {
    ...(link?.accountId === undefined ? {} : { accountId: link.accountId }),
    externalId: desired.externalId,
    userNames: desired.userNames,
    ...(typeof email === 'string' ? { email } : {}),
  };
}

export const patience = (): AbortSignal => AbortSignal.timeout(60_000);

/** Read, adapt, plan, as the engine does it for a login; writes nothing. */
export async function plan(
  subject: TargetSubject,
  person: Someone,
): Promise<AccountPlan & { actual: ActualAccount | undefined }> {
  const { target, missing } = subject;
  const desired = target.adapt(person.desired);
  const { accounts } = await target.read({ kind: 'person', lookup: lookupOf({ ...person, desired }) }, patience());
  const { account: actual } = correlate({
    desired,
    link: person.link,
    ledger: [],
    found: accounts,
    ownedByOthers: new Map(),
    match: ['link', 'external_id', 'user_name'],
    privileged: [],
    neverTouch: () => false,
  });
  const others = accounts.filter(({ id }) => id !== actual?.id);
  const base = { desired, actual, link: person.link, others, ledger: person.ledger, can: target.can, missing };
  const wanted = additions(base);
  const existing = wanted.length === 0 ? [] : await target.find(wanted, patience());
  return { ...planAccount({ ...base, existing }), actual };
}

/** The same, applied and remembered. */
export async function reconcile(subject: TargetSubject, person: Someone): Promise<Step> {
  const planned = await plan(subject, person);
  const applied = planned.set === undefined ? undefined : await subject.target.apply(planned.set, patience());
  const account = applied?.account ?? planned.actual;
  remember(subject, person, planned, account);
  return { plan: planned, applied, account };
}

/** The same for several people in one write; what failed of it throws. Undefined: there was nothing to write. */
export async function reconcileMany(
  subject: TargetSubject,
  people: readonly Someone[],
): Promise<readonly (Applied | undefined)[]> {
  const plans = await Promise.all(people.map((person) => plan(subject, person)));
  const sets = plans.flatMap(({ set }) => set ?? []);
  const results = [...must(await subject.target.applyMany?.(sets, patience()))];
  return people.map((person, at) => {
    const planned = must(plans[at]);
    const applied = planned.set === undefined ? undefined : must(results.shift());
    if (applied instanceof LatchgateError) throw applied;
    remember(subject, person, planned, applied?.account ?? planned.actual);
    return applied;
  });
}

function remember(
  subject: TargetSubject,
  person: Someone,
  planned: AccountPlan,
  account: ActualAccount | undefined,
): void {
  const gone = new Set(planned.takes.map(({ key, origin }) => `${origin} ${key}`));
  const kept = person.ledger.filter((grant) => !gone.has(`${grant.origin} ${entitlementKey(grant)}`));
  const given = planned.gives.map((grant): Grant => {
    const id = account?.entitlements.find((one) => entitlementKey(one) === entitlementKey(grant))?.id;
    const { target } = person.desired;
    return {
      ...grant,
      target,
      person: person.desired.person,
      ...(id === undefined ? {} : { entitlementId: id }),
      confirmed: id !== undefined,
    };
  });
  person.ledger = [...kept, ...given];
  if (account === undefined) return;
  person.link = {
    person: person.desired.person,
    target: subject.target.name,
    accountId: account.id,
    userName: account.userName,
    created: true,
    state: account.active ? 'ready' : 'disabled',
  };
}

/** The person's account as the target reports it now. */
export async function readBack(subject: TargetSubject, person: Someone): Promise<ActualAccount> {
  const desired = subject.target.adapt(person.desired);
  const { accounts } = await subject.target.read(
    { kind: 'person', lookup: lookupOf({ ...person, desired }) },
    patience(),
  );
  const account = accounts.find(({ id }) => id === person.link?.accountId);
  if (account === undefined) throw new Error(`the account is not among the ${accounts.length} that were read`);
  return account;
}

/** Every account that carries this person's marks: for proving that there is exactly one. */
export async function accountsOf(subject: TargetSubject, person: Someone): Promise<readonly ActualAccount[]> {
  const { accounts } = await subject.target.read({ kind: 'all' }, patience());
  const { email } = person.desired.profileIfNew;
  return accounts.filter((account) => account.profile.email === email);
}

/** The changes that a first login would make. */
export async function firstLogin(subject: TargetSubject, person: Someone): Promise<ChangeSet> {
  const { set } = await plan(subject, person);
  if (set === undefined) throw new Error('there is nothing to plan for a new person');
  return set;
}

export function keysOf(account: Pick<ActualAccount, 'entitlements'>): readonly string[] {
  return account.entitlements.map((entitlement) => entitlementKey(entitlement)).sort();
}

/** What has to be there for a test to go on. */
export function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('there is nothing where the test needs something');
  return value;
}
