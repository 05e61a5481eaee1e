import type { AccountLink } from '../directory/directory.ts';
import type { ActualAccount, Applied, ChangeSet } from '../model/change.ts';
import type { DesiredAccount } from '../model/desired.ts';
import { type ActualEntitlement, type Entitlement, entitlementKey, type Grant } from '../model/entitlement.ts';
import { LatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import type { Pin } from '../model/pin.ts';
import type { Planned } from '../provisioning/plan-one.ts';
import type { ActualState, Capabilities, Target } from '../targets/target.ts';

/** What of a target is known without asking it. */
export type KnownTarget = Pick<Target, 'name' | 'type' | 'can' | 'adapt'>;

/** What a person has in one target, as far as we gave it. */
export interface Standing {
  readonly link: AccountLink | undefined;
  readonly ledger: readonly Grant[];
  readonly pins: readonly Pin[];
  readonly account: ActualAccount | undefined;
}

/** The account as it is remembered: what was given by hand in the target is not in it. */
export function standingOf(link: AccountLink | undefined, ledger: readonly Grant[], pins: readonly Pin[]): Standing {
  if (link?.accountId === undefined) return { link, ledger, pins, account: undefined };
  const entitlements = new Map(
    ledger.map(({ kind, name, scope, entitlementId }) => {
      const entitlement = { kind, name, ...(scope === undefined ? {} : { scope }) };
      const key = entitlementKey(entitlement);
      return [key, { ...entitlement, id: entitlementId ?? key }];
    }),
  );
  const account = {
    id: link.accountId,
    userName: link.userName,
    active: link.state !== 'disabled',
    profile: {},
    entitlements: [...entitlements.values()],
    isProtected: false,
  };
  return { link, ledger, pins, account };
}

/** A target that has this one account and everything that can be given. Nothing of it is asked anywhere. */
export class StandIn implements Target {
  readonly name: string;
  readonly type: string;
  readonly can: Capabilities;
  readonly #known: KnownTarget;
  readonly #accounts: readonly ActualAccount[];

  constructor(known: KnownTarget, { account }: Standing) {
    this.name = known.name;
    this.type = known.type;
    this.can = known.can;
    this.#known = known;
    this.#accounts = account === undefined ? [] : [account];
  }

  adapt(desired: DesiredAccount): DesiredAccount {
    return this.#known.adapt(desired);
  }

  async read(): Promise<ActualState> {
    return { complete: true, accounts: this.#accounts };
  }

  async find(entitlements: readonly Entitlement[]): Promise<readonly ActualEntitlement[]> {
    return entitlements.map((entitlement) => ({ ...entitlement, id: entitlementKey(entitlement) }));
  }

  async apply(): Promise<Applied> {
    throw new LatchgateError('write_refused', 'a preview writes nothing');
  }

  async probe(): Promise<never> {
    throw new LatchgateError('write_refused', 'a preview asks nobody');
  }
}

/** What there is once the plan is applied. */
export function afterwards(standing: Standing, planned: Planned, person: PersonId, target: string): Standing {
  const { plan, account, link, ledger, closes } = planned;
  if (plan.set?.remove === true || planned.isGone) {
    return { link: undefined, ledger: [], pins: standing.pins, account: undefined };
  }
  const before = account ?? (plan.set === undefined ? undefined : newAccount(person, plan.set));
  if (before === undefined) return standing;
  const dropped = new Set(plan.set?.drop.map(({ id }) => id));
  const added = (account === undefined ? [] : (plan.set?.add ?? [])).map((one) => ({
    ...one,
    id: entitlementKey(one),
  }));
  const active = plan.set?.active ?? before.active;
  const taken = new Set(plan.takes.map(({ key, origin }) => `${origin} ${key}`));
  const kept = ledger.filter((grant) => !taken.has(`${grant.origin} ${entitlementKey(grant)}`));
  const given = plan.gives.map((grant): Grant => ({ ...grant, person, target, confirmed: true }));
  const isSwitchedOff = plan.set?.active === false || (link?.state === 'disabled' && !active);
  return {
    link: {
      person,
      target,
      accountId: before.id,
      userName: before.userName,
      created: account === undefined || link?.created === true,
      state: closes ? (isSwitchedOff ? 'disabled' : 'closed') : 'ready',
    },
    ledger: [...kept, ...given],
    pins: standing.pins,
    account: {
      ...before,
      active,
      entitlements: [...before.entitlements.filter(({ id }) => !dropped.has(id)), ...added],
    },
  };
}

function newAccount(person: PersonId, { userName, add }: ChangeSet): ActualAccount {
  return {
    id: `new ${person}`,
    userName,
    active: true,
    profile: {},
    entitlements: add.map((entitlement) => ({ ...entitlement, id: entitlementKey(entitlement) })),
    isProtected: false,
  };
}
