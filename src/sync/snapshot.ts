import type { ActualAccount, Applied, ChangeSet } from '../model/change.ts';
import type { DesiredAccount } from '../model/desired.ts';
import { type ActualEntitlement, type Entitlement, entitlementKey } from '../model/entitlement.ts';
import { LatchgateError } from '../model/errors.ts';
import type { ActualState, Capabilities, Lookup, Scope, Target } from '../targets/target.ts';

const LOOKS_AT_ONCE = 8;

/**
 * A target as it was when it was read, so that many accounts are planned without a call for each. What a plan is going to
 * make counts as there for the plans after it: the same group is made once, the same user name is given once. It can
 * only be read.
 */
export class TargetSnapshot implements Target {
  readonly name: string;
  readonly type: string;
  readonly can: Capabilities;
  readonly complete: boolean;
  readonly #real: Target;
  readonly #byId = new Map<string, ActualAccount>();
  /** By further keys, each made when it is first asked for: of people who are as they were left nobody asks. */
  readonly #indexes: Record<Key, Index | undefined> = { externalId: undefined, userName: undefined, email: undefined };
  readonly #entitlements = new Map<string, ActualEntitlement | null>();
  /** Accounts that are there only by a plan. */
  readonly #expected = new Set<string>();

  constructor(real: Target, { complete, accounts }: ActualState) {
    this.#real = real;
    this.name = real.name;
    this.type = real.type;
    this.can = real.can;
    this.complete = complete;
    for (const account of accounts) this.#byId.set(account.id, account);
  }

  /** Those of the target, without those that are only planned. */
  get accounts(): readonly ActualAccount[] {
    return [...this.#byId.values()].filter(({ id }) => !this.#expected.has(id));
  }

  adapt(desired: DesiredAccount): DesiredAccount {
    return this.#real.adapt(desired);
  }

  /** Undefined when it cannot be: a plan says why. */
  adapted(desired: DesiredAccount): DesiredAccount | undefined {
    try {
      return this.adapt(desired);
    } catch {
      return undefined;
    }
  }

  async read(scope: Scope, signal: AbortSignal): Promise<ActualState> {
    if (scope.kind === 'all') return { complete: this.complete, accounts: this.accounts };
    const found = this.#find(scope.lookup);
    const { accountId } = scope.lookup;
    const isThere = accountId !== undefined && this.#byId.has(accountId);
    const isKnown = isThere || (this.complete && accountId === undefined);
    if (isKnown) return { complete: this.complete, accounts: found };
    // Not everything was read, or what was there before is not: some lists lag behind, and only a look at the one tells.
    const { complete, accounts } = await this.#real.read(scope, signal);
    return { complete, accounts: [...accounts, ...found.filter(({ id }) => this.#expected.has(id))] };
  }

  async find(entitlements: readonly Entitlement[], signal: AbortSignal): Promise<readonly ActualEntitlement[]> {
    const unknown = entitlements.filter((entitlement) => !this.#entitlements.has(entitlementKey(entitlement)));
    if (unknown.length > 0) {
      for (const entitlement of unknown) this.#entitlements.set(entitlementKey(entitlement), null);
      for (const found of await this.#real.find(unknown, signal)) this.#entitlements.set(entitlementKey(found), found);
    }
    return entitlements.flatMap((entitlement) => this.#entitlements.get(entitlementKey(entitlement)) ?? []);
  }

  async apply(): Promise<Applied> {
    throw new LatchgateError('write_refused', 'a target as it was when it was read takes no changes');
  }

  probe(signal: AbortSignal): Promise<{ readonly account: string }> {
    return this.#real.probe(signal);
  }

  /** Counts as done what a plan is going to make. Returns the account, when it is a new one. */
  expect({ actual, desired, profile, userName, create, add }: ChangeSet): ActualAccount | undefined {
    for (const entitlement of create) {
      const key = entitlementKey(entitlement);
      this.#entitlements.set(key, { ...entitlement, id: `new ${key}` });
    }
    if (actual !== undefined) return undefined;
    const account: ActualAccount = {
      id: `new ${desired.person}`,
      userName,
      ...(desired.externalId === '' ? {} : { externalId: desired.externalId }),
      active: true,
      profile,
      entitlements: add.map((entitlement) => ({ ...entitlement, id: `new ${entitlementKey(entitlement)}` })),
      isProtected: false,
    };
    this.#add(account);
    this.#expected.add(account.id);
    return account;
  }

  /** Looks at these accounts by themselves, for a list that lags behind. */
  async refresh(accountIds: readonly string[], signal: AbortSignal): Promise<void> {
    if (accountIds.length === 0) return;
    const waiting = accountIds.values();
    const worker = async (): Promise<void> => {
      for (const accountId of waiting) {
        const { accounts } = await this.#real.read({ kind: 'person', lookup: { accountId, userNames: [] } }, signal);
        const account = accounts.find(({ id }) => id === accountId);
        if (account === undefined) this.#byId.delete(accountId);
        else this.#byId.set(accountId, account);
      }
    };
    await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, worker));
    for (const key of KEYS) this.#indexes[key] = undefined;
  }

  byId(accountId: string): ActualAccount | undefined {
    return this.#byId.get(accountId);
  }

  #add(account: ActualAccount): void {
    this.#byId.set(account.id, account);
    for (const key of KEYS) this.#indexes[key]?.add(keyOf[key](account), account);
  }

  /** What differs in case alone is among it: the planner compares, and needs to know of names that would clash. */
  #find({ accountId, externalId, userNames, email }: Lookup): readonly ActualAccount[] {
    const found = new Set<ActualAccount>();
    const byId = accountId === undefined ? undefined : this.#byId.get(accountId);
    if (byId !== undefined) found.add(byId);
    for (const account of this.#by('externalId', externalId)) found.add(account);
    for (const name of userNames) for (const account of this.#by('userName', name.toLowerCase())) found.add(account);
    for (const account of this.#by('email', email?.toLowerCase())) found.add(account);
    return [...found];
  }

  #by(key: Key, value: string | undefined): readonly ActualAccount[] {
    if (value === undefined) return NONE;
    let index = this.#indexes[key];
    if (index === undefined) {
      index = new Index();
      for (const account of this.#byId.values()) index.add(keyOf[key](account), account);
      this.#indexes[key] = index;
    }
    return index.get(value);
  }
}

const KEYS = ['externalId', 'userName', 'email'] as const;
type Key = (typeof KEYS)[number];

const keyOf: Readonly<Record<Key, (account: ActualAccount) => string | null | undefined>> = {
  externalId: (account) => account.externalId,
  userName: (account) => account.userName.toLowerCase(),
  email: (account) => account.profile.email?.toLowerCase(),
};

const NONE: readonly ActualAccount[] = [];

/** Accounts by a key that is nearly always of one account. */
class Index {
  readonly #accounts = new Map<string, ActualAccount | readonly ActualAccount[]>();

  add(key: string | null | undefined, account: ActualAccount): void {
    if (key === null || key === undefined || key === '') return;
    const before = this.#accounts.get(key);
    this.#accounts.set(key, before === undefined ? account : [...(isList(before) ? before : [before]), account]);
  }

  get(key: string): readonly ActualAccount[] {
    const found = this.#accounts.get(key);
    if (found === undefined) return NONE;
    return isList(found) ? found : [found];
  }
}

function isList(found: ActualAccount | readonly ActualAccount[]): found is readonly ActualAccount[] {
  return Array.isArray(found);
}
