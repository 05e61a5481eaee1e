import type { AccountLink, Directory, Person } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import { compilePrivileged, type IsPrivileged } from '../mapping/privileged.ts';
import type { RememberedAssertion } from '../mapping/reading.ts';
import type { ActualAccount } from '../model/change.ts';
import type { DesiredAccount } from '../model/desired.ts';
import type { Entitlement } from '../model/entitlement.ts';
import { toLatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import { sameEmail } from '../provisioning/correlate.ts';
import { hear } from '../provisioning/heard.ts';
import type { Memory, PlanContext } from '../provisioning/job.ts';
import { type Goal, goalFor, isPolicy, isTargetFault, whyOut } from '../provisioning/outcome.ts';
import { heed } from '../provisioning/pinned.ts';
import type { Missing } from '../provisioning/plan.ts';
import { planOne, recall } from '../provisioning/plan-one.ts';
import { createBreath } from '../sync/breath.ts';
import { planReads, TargetMemory } from '../sync/memory.ts';
import { TargetSnapshot } from '../sync/snapshot.ts';
import type { Target } from '../targets/target.ts';
import { type Compared, compareAccount } from './compare.ts';
import { type DriftRow, driftRow, type TargetDrift } from './drift.ts';
import { duplicateAccounts, missingEntitlements, renamedEntitlements, unknownAccounts } from './whole-target.ts';

/** A target that is to be looked at. */
export interface DriftSetup {
  readonly name: string;
  /** Reads and cannot write. */
  readonly target: Target;
  readonly missing: Missing;
}

export interface ReviewDeps extends Omit<PlanContext, 'directory'> {
  readonly directory: Directory;
  readonly mapping: Mapping;
  readonly clock: Clock;
  /** What rules and the default give in a target by its very name. */
  readonly named: (target: string) => readonly (Entitlement & { readonly rule: string })[];
  /** Absent: nobody is idle. */
  readonly idleMs?: number;
  readonly isShadow: boolean;
}

export interface TargetReview {
  readonly drift: Omit<TargetDrift, 'accepted'>;
  readonly rows: readonly DriftRow[];
  readonly notes: readonly string[];
}

const PAGE = 500;
const NO_GROUND: Memory = { link: undefined, ledger: [], pins: [] };

/**
 * Compares a target with what the directory remembers and the rules give. Reads alone. What differs is looked at once
 * more, by itself and by what is remembered then: a list may lag behind, and people log in meanwhile. Throws `target_*`.
 */
export async function reviewTarget(deps: ReviewDeps, setup: DriftSetup, signal: AbortSignal): Promise<TargetReview> {
  const snapshot = new TargetSnapshot(setup.target, await setup.target.read({ kind: 'all' }, signal));
  const review = new Review(deps, setup, snapshot, signal);
  return review.run(await TargetMemory.read(deps.directory, setup.name));
}

/** The same of one person, read by themselves; rows of the target itself are not among them. Throws `target_*`. */
export function reviewPerson(
  deps: ReviewDeps,
  setup: DriftSetup,
  who: Person,
  signal: AbortSignal,
): Promise<readonly DriftRow[]> {
  const snapshot = new TargetSnapshot(setup.target, { complete: false, accounts: [] });
  return new Review(deps, setup, snapshot, signal).reread(who);
}

class Review {
  readonly #deps: ReviewDeps;
  readonly #setup: DriftSetup;
  readonly #snapshot: TargetSnapshot;
  readonly #signal: AbortSignal;
  readonly #isPrivileged: IsPrivileged;
  readonly #notes: string[] = [];
  /** Accounts of which it is known whose they are. */
  readonly #owned = new Set<string>();

  constructor(deps: ReviewDeps, setup: DriftSetup, snapshot: TargetSnapshot, signal: AbortSignal) {
    this.#deps = deps;
    this.#setup = setup;
    this.#snapshot = snapshot;
    this.#signal = signal;
    this.#isPrivileged = compilePrivileged(deps.privileged);
  }

  async run(memory: TargetMemory): Promise<TargetReview> {
    const { name: target } = this.#setup;
    const snapshot = this.#snapshot;
    if (!snapshot.complete) this.#notes.push(`${target} did not show every account`);
    const rows: DriftRow[] = [];
    const breath = createBreath(this.#signal);
    const assertions = await this.#assertions();
    const ledger = [];
    for await (const page of this.#everybody()) {
      for (const who of page) {
        await breath();
        const said = assertions.get(who.id) ?? [];
        const known = memory.of(who.id);
        ledger.push(...known.ledger);
        rows.push(...(await this.#person(who, said, known, memory)));
      }
    }
    const touchable = snapshot.accounts.filter((account) => !this.#isLeftAlone(account));
    const nobodys = touchable.filter(({ id }) => !this.#owned.has(id) && memory.owner(id) === undefined);
    rows.push(
      ...unknownAccounts(target, nobodys, this.#isPrivileged),
      ...duplicateAccounts(target, touchable),
      ...renamedEntitlements(target, touchable, ledger),
      ...(await this.#missing()),
    );
    const drift = { target, complete: snapshot.complete, accounts: snapshot.accounts.length, ours: this.#owned.size };
    return { drift, rows, notes: this.#notes };
  }

  async #assertions(): Promise<ReadonlyMap<PersonId, RememberedAssertion[]>> {
    const { directory } = this.#deps;
    const found = new Map<PersonId, RememberedAssertion[]>();
    for await (const page of directory.listings.others('')) {
      for (const { person, ...assertion } of page) {
        found.set(person, [...(found.get(person) ?? []), assertion]);
      }
    }
    return found;
  }

  async *#everybody(): AsyncGenerator<readonly Person[], void> {
    for (let after: PersonId | undefined; ; ) {
      const page = await this.#deps.directory.people.list(PAGE, after);
      yield page;
      after = page.at(-1)?.id;
      if (page.length < PAGE) return;
    }
  }

  async #person(
    who: Person,
    said: readonly RememberedAssertion[],
    known: Memory,
    memory: TargetMemory,
  ): Promise<readonly DriftRow[]> {
    const goal = this.#goalOf(who, said);
    const { link } = known;
    if (link?.accountId === undefined) return this.#unlinked(who, said, goal, memory);
    const account = this.#snapshot.byId(link.accountId);
    const isTheirs = account !== undefined && (await this.#isSame(account, link, who));
    if (isTheirs) this.#owned.add(account.id);
    if (isTheirs && this.#isLeftAlone(account)) return [];
    const first = this.#compare(who, goal, known, isTheirs ? account : undefined);
    return first.every(({ kind }) => kind === 'account_idle') ? first : this.reread(who);
  }

  /** What was read first may be older than what was done since. */
  async reread(who: Person): Promise<readonly DriftRow[]> {
    const { directory } = this.#deps;
    const { name, target } = this.#setup;
    // What is still to be done there is no difference that somebody made.
    if ((await directory.retries.get(who.id, name)) !== undefined) return [];
    const now = (await directory.people.get(who.id)) ?? who;
    const remembered = await directory.people.assertions(who.id);
    const known = await recall(directory, { person: who.id, target });
    const { link } = known;
    if (link?.accountId === undefined) return [];
    const lookup = { accountId: link.accountId, userNames: [] };
    const { accounts } = await target.read({ kind: 'person', lookup }, this.#signal);
    const found = accounts.find(({ id }) => id === link.accountId);
    const account = found !== undefined && (await this.#isSame(found, link, now)) ? found : undefined;
    return this.#compare(now, this.#goalOf(now, remembered), known, account);
  }

  #compare(
    who: Person,
    goal: Goal | undefined,
    { link, ledger, pins }: Memory,
    account: ActualAccount | undefined,
  ): readonly DriftRow[] {
    if (link === undefined) return [];
    const { clock, idleMs, isShadow } = this.#deps;
    const wanted = goal !== undefined && 'desired' in goal ? this.#snapshot.adapted(goal.desired) : undefined;
    const desired = wanted === undefined ? undefined : heed(wanted, pins);
    const compared: Compared = {
      target: this.#setup.name,
      who,
      goal,
      desired,
      link,
      ledger,
      account,
      can: this.#snapshot.can,
      isPrivileged: this.#isPrivileged,
      isShadow,
      ...(idleMs === undefined ? {} : { idleBefore: clock.now() - idleMs }),
    };
    return compareAccount(compared);
  }

  /** Somebody of whom we do not know an account here. */
  async #unlinked(
    who: Person,
    said: readonly RememberedAssertion[],
    goal: Goal | undefined,
    memory: TargetMemory,
  ): Promise<readonly DriftRow[]> {
    const { isShadow } = this.#deps;
    const target = this.#setup.name;
    if (goal === undefined) return [];
    if (!('desired' in goal)) return isShadow ? this.#shutOut(who, said, goal.leaving.reason) : [];
    const about = { target, person: who.id, account: goal.desired.userNames[0] ?? who.displayName };
    try {
      const account = await this.#fitting(who.id, goal.desired, memory);
      if (account === undefined) {
        const seen = 'no account fits, and one would be made';
        return isShadow ? [driftRow({ kind: 'account_not_made', ...about, seen })] : [];
      }
      this.#owned.add(account.id);
      const link = { person: who.id, target, accountId: account.id, userName: account.userName, created: false };
      if (isShadow) return this.#compare(who, goal, { ...NO_GROUND, link: { ...link, state: 'ready' } }, account);
      const seen = `it fits ${who.displayName}, and is not remembered as theirs`;
      return [
        driftRow({
          kind: 'account_unlinked',
          target,
          person: who.id,
          account: account.userName,
          accountId: account.id,
          seen,
        }),
      ];
    } catch (thrown) {
      const { code, message } = toLatchgateError(thrown);
      if (isTargetFault(code) || code === 'internal' || code === 'state_unavailable') throw thrown;
      return isShadow ? [driftRow({ kind: 'account_held', ...about, seen: `${code}: ${message}` })] : [];
    }
  }

  async #fitting(person: PersonId, desired: DesiredAccount, memory: TargetMemory): Promise<ActualAccount | undefined> {
    const { directory, match, privileged, neverTouch, isManaged } = this.#deps;
    const { name, missing } = this.#setup;
    const context = { directory: planReads(directory, name, memory), match, privileged, neverTouch, isManaged };
    const input = { person, target: this.#snapshot, missing, goal: { desired }, signal: this.#signal };
    const { account } = await planOne(context, input, NO_GROUND);
    return account;
  }

  /** By the e-mail: for people to read, and nothing is done because of it. */
  #shutOut(who: Person, said: readonly RememberedAssertion[], reason: string): readonly DriftRow[] {
    if (said.length === 0 || who.email === undefined) return [];
    const theirs = this.#snapshot.accounts.filter(
      (account) => sameEmail(account.profile.email, who.email) && !this.#isLeftAlone(account),
    );
    return theirs.flatMap((account) => {
      this.#owned.add(account.id);
      if (!account.active) return [];
      return [
        driftRow({
          kind: 'account_shut_out',
          target: this.#setup.name,
          account: account.userName,
          accountId: account.id,
          person: who.id,
          seen: `they would not get in: ${reason}`,
        }),
      ];
    });
  }

  async #missing(): Promise<readonly DriftRow[]> {
    const { name, missing, target } = this.#setup;
    const named = this.#deps.named(name).filter(({ kind }) => {
      const policy = kind === 'role' ? missing.roles : missing.groups;
      return policy === 'refuse' || !target.can.creates.includes(kind);
    });
    return named.length === 0 ? [] : missingEntitlements(name, named, await target.find(named, this.#signal));
  }

  #goalOf(who: Person, said: readonly RememberedAssertion[]): Goal | undefined {
    const out = whyOut(who);
    if (out !== undefined) {
      return { leaving: { policy: 'disable', reason: out.message, person: true, leaveAlone: [] } };
    }
    const heard = hear(this.#deps.mapping, who.id, said);
    if (heard === undefined || 'leaving' in heard) return heard;
    const { decision } = heard;
    // What cannot be read changes nothing.
    if (decision.decision === 'deny' && !isPolicy(decision.code)) return undefined;
    return goalFor(decision, this.#setup.name);
  }

  /** Some backends give the id of a deleted account to the next one: one further mark has to be there. */
  async #isSame(account: ActualAccount, link: AccountLink, { id, email }: Person): Promise<boolean> {
    const { userName, externalId, profile } = account;
    if (userName === link.userName || sameEmail(profile.email, email)) return true;
    if (externalId === undefined) return false;
    const subjects = await this.#deps.directory.people.subjects(id);
    return subjects.some(({ subject, origin }) => externalId === subject || externalId === `${origin}|${subject}`);
  }

  #isLeftAlone(account: ActualAccount): boolean {
    return account.isProtected || this.#deps.neverTouch(account);
  }
}
