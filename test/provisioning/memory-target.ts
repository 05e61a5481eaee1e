import type { ActualAccount, Applied, ChangeSet } from '../../src/model/change.ts';
import type { DesiredAccount } from '../../src/model/desired.ts';
import { type ActualEntitlement, type Entitlement, entitlementKey } from '../../src/model/entitlement.ts';
import { type ErrorCode, LatchgateError } from '../../src/model/errors.ts';
import type { Capabilities, Scope, Target } from '../../src/targets/target.ts';

interface StoredAccount {
  id: string;
  userName: string;
  externalId?: string;
  active: boolean;
  profile: Record<string, string | null>;
  entitlements: Set<string>;
  isProtected: boolean;
  never?: 'delete' | 'disable';
}

/** A target in memory that refuses what a real one refuses: unknown roles, taken names and e-mails, accounts without anything. */
export class MemoryTarget implements Target {
  readonly name: string;
  readonly type = 'memory';
  readonly can: Capabilities;
  readonly accounts = new Map<string, StoredAccount>();
  readonly entitlements = new Map<string, ActualEntitlement>();
  readonly calls: string[] = [];
  /** Called before a call is carried out (`read`, `find`, `apply`) and after an apply (`applied`); may throw or wait. */
  hook: (call: string) => Promise<void> | void = () => {};
  /** As Superset does with accounts that own something: asked to delete, it only switches off. */
  keepsOwners = false;
  #next = 1;

  constructor(name: string, can: Partial<Capabilities> = {}) {
    this.name = name;
    this.can = {
      kinds: ['group', 'role'],
      creates: ['group', 'role'],
      disable: true,
      delete: true,
      needsEntitlement: false,
      uniqueEmail: true,
      requiredProfile: ['email'],
      profile: ['givenName', 'familyName', 'email'],
      ...can,
    };
  }

  addEntitlement(entitlement: Entitlement): ActualEntitlement {
    const made = { ...entitlement, id: `e${this.#next++}` };
    this.entitlements.set(made.id, made);
    return made;
  }

  addAccount(
    account: Partial<StoredAccount> & { userName: string },
    given: readonly Entitlement[] = [],
  ): StoredAccount {
    const ids = given.map((entitlement) => this.#byKey(entitlement)?.id ?? this.addEntitlement(entitlement).id);
    const made = {
      id: `a${this.#next++}`,
      active: true,
      profile: {},
      isProtected: false,
      ...account,
      entitlements: new Set(ids),
    };
    this.accounts.set(made.id, made);
    return made;
  }

  /** `role:Alpha` of each entitlement that the account of this name has. */
  given(userName: string): string[] {
    const account = [...this.accounts.values()].find((one) => one.userName === userName);
    return account === undefined
      ? []
      : this.#actual(account)
          .entitlements.map((one) => entitlementKey(one))
          .sort();
  }

  adapt(desired: DesiredAccount): DesiredAccount {
    return { ...desired, userNames: desired.userNames.map((name) => name.toLowerCase()) };
  }

  async read(scope: Scope): Promise<{ complete: boolean; accounts: ActualAccount[] }> {
    await this.#called('read');
    const all = [...this.accounts.values()];
    if (scope.kind === 'all') return { complete: true, accounts: all.map((one) => this.#actual(one)) };
    const { accountId, externalId, userNames, email } = scope.lookup;
    const fits = all.filter(
      (one) =>
        one.id === accountId ||
        (externalId !== undefined && one.externalId === externalId) ||
        userNames.includes(one.userName) ||
        (email !== undefined && one.profile['email']?.toLowerCase() === email.toLowerCase()),
    );
    return { complete: true, accounts: fits.map((one) => this.#actual(one)) };
  }

  async find(entitlements: readonly Entitlement[]): Promise<ActualEntitlement[]> {
    await this.#called('find');
    return entitlements.flatMap((entitlement) => this.#byKey(entitlement) ?? []);
  }

  async apply(changes: ChangeSet): Promise<Applied> {
    await this.#called('apply');
    const account = this.#apply(changes);
    await this.hook('applied');
    return account;
  }

  async probe(): Promise<{ account: string }> {
    return { account: 'memory' };
  }

  #apply(changes: ChangeSet): Applied {
    for (const entitlement of changes.create) {
      if (this.#byKey(entitlement) === undefined) this.addEntitlement(entitlement);
    }
    const account = changes.actual === undefined ? this.#create(changes) : this.accounts.get(changes.actual.id);
    if (account === undefined) throw new LatchgateError('target_conflict', 'the account is gone');
    if (changes.remove === true && this.keepsOwners) {
      account.active = false;
      return { outcome: 'applied', account: this.#actual(account) };
    }
    if (changes.remove === true) {
      this.accounts.delete(account.id);
      return { outcome: 'applied', account: this.#actual(account) };
    }
    Object.assign(account.profile, changes.profile);
    if (changes.active !== undefined) account.active = changes.active;
    for (const entitlement of changes.add) account.entitlements.add(this.#idOf(entitlement));
    for (const entitlement of changes.drop) account.entitlements.delete(entitlement.id);
    if (this.can.needsEntitlement && account.entitlements.size === 0)
      throw this.#refusal('target_refused', 'nothing left');
    return { outcome: 'applied', account: this.#actual(account) };
  }

  #create(changes: ChangeSet): StoredAccount {
    const same = [...this.accounts.values()].find((one) => one.userName === changes.userName);
    if (same !== undefined) {
      if (same.externalId !== changes.desired.externalId) throw this.#refusal('user_name_taken', 'taken');
      return same;
    }
    for (const field of this.can.requiredProfile) {
      if (!changes.profile[field]) throw this.#refusal('profile_incomplete', field);
    }
    if (this.can.needsEntitlement && changes.add.length === 0) throw this.#refusal('target_refused', 'nothing given');
    return this.addAccount({
      userName: changes.userName,
      externalId: changes.desired.externalId,
      profile: { ...changes.profile } as Record<string, string | null>,
    });
  }

  #actual(account: StoredAccount): ActualAccount {
    const { id, userName, externalId, active, profile, isProtected, never } = account;
    return {
      id,
      userName,
      ...(externalId === undefined ? {} : { externalId }),
      active,
      profile: { ...profile },
      isProtected,
      ...(never === undefined ? {} : { never }),
      entitlements: [...account.entitlements].flatMap((one) => this.entitlements.get(one) ?? []),
    };
  }

  #byKey(entitlement: Entitlement): ActualEntitlement | undefined {
    const key = entitlementKey(entitlement);
    return [...this.entitlements.values()].find((one) => entitlementKey(one) === key);
  }

  #idOf(entitlement: Entitlement): string {
    const id = this.#byKey(entitlement)?.id;
    if (id === undefined) throw this.#refusal('target_conflict', `no ${entitlementKey(entitlement)}`);
    return id;
  }

  async #called(call: string): Promise<void> {
    this.calls.push(call);
    await this.hook(call);
  }

  #refusal(code: ErrorCode, message: string): LatchgateError {
    return new LatchgateError(code, message);
  }
}
