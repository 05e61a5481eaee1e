import type { Person } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import type { Decision, DesiredAccount } from '../model/desired.ts';
import { type LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { Assertion, PersonId } from '../model/person.ts';
import { Aliases } from './aliases.ts';
import { recordAllowed, recordRefusal } from './decided.ts';
import { deleteDue, type Removals } from './delete-due.ts';
import { LAST_RETRY_MS } from './failed.ts';
import { refuseFormer } from './former.ts';
import { allBut } from './heard.ts';
import type { Leaving, Memory } from './job.ts';
import { type JoiningDeps, personByEmail } from './joining.ts';
import { type LeaverPolicy, personLeaves, unlessHeld } from './leaver.ts';
import {
  denial,
  descriptionOf,
  displayName,
  type Goal,
  goalFor,
  identityOf,
  isPolicy,
  refusal,
  whyOut,
} from './outcome.ts';
import type { AccountPlan } from './plan.ts';
import { planOne, recall } from './plan-one.ts';
import type { AccountState, AssertOptions, Provisioned, Provisioner } from './provision.ts';
import { type ConfiguredTarget, Runs, type RunsDeps, withSignal } from './runs.ts';
import { Said } from './said.ts';

export interface EngineDeps extends RunsDeps, Pick<JoiningDeps, 'join'> {
  readonly mapping: Mapping;
  readonly leaver: LeaverPolicy;
  /** Of how many people accounts may be deleted within a day, once they are due. Absent: of any number. */
  readonly removals?: Removals;
  /** Logins whose people a source lists, by their `external_id`. */
  readonly aliases: ReadonlySet<string>;
  /** Ends every session of a person on every instance, sockets included. */
  readonly endSessions: (person: PersonId) => Promise<void>;
}

/** Within this time the one who began is expected to be done. */
const FOLLOW_UP_MS = 15_000;
/** Of an account of ours in shadow mode: it waits for the day that we write again. */
const NOT_WRITTEN: AccountState = { status: 'failed', code: 'shadow_mode', retryable: true, held: [] };

/** What a login, and later a push or a sync, does with an assertion. */
export class Engine implements Provisioner {
  readonly #deps: EngineDeps;
  readonly #runs: Runs;
  readonly #said: Said;
  readonly #aliases: Aliases;
  readonly #stop = new AbortController();

  constructor(deps: EngineDeps) {
    this.#deps = deps;
    this.#runs = new Runs(deps, (person, target) => this.#goalNow(person, target));
    this.#said = new Said(deps);
    this.#aliases = new Aliases(deps);
  }

  account(person: PersonId, target: string, signal: AbortSignal): Promise<AccountState> {
    return this.#runs.account(person, target, signal);
  }

  async assert(assertion: Assertion, options: AssertOptions): Promise<Provisioned> {
    const { directory } = this.#deps;
    const { requestId, occasion = 'login', target } = options;
    const at = { occasion, requestId, assertion };
    const met = (await directory.people.bySubject(assertion)) ?? (await this.#aliases.personOf(assertion));
    const joined = met === undefined ? await personByEmail(this.#deps, assertion) : undefined;
    const known = met ?? joined;
    const out = whyOut(known);
    if (out !== undefined) {
      await recordRefusal(this.#deps, { ...at, person: known, decision: undefined }, out);
      throw out;
    }
    const heard = await this.#said.decide(known?.id ?? 'new', assertion);
    if (heard.decision === 'deny' && !isPolicy(heard.code)) {
      // What cannot be read changes nothing: not even a person is made of it.
      const error = denial(heard);
      await recordRefusal(this.#deps, { ...at, person: known, decision: heard }, error);
      throw error;
    }
    const person = known ?? (await directory.people.ensure(assertion, assertion.origin, displayName(assertion, heard)));
    if (joined !== undefined) await this.#join(joined, assertion, requestId);
    await this.#aliases.addTo(person.id, assertion);
    const decision = person.id === known?.id ? heard : await this.#said.decide(person.id, assertion);
    const identity = identityOf(person, assertion, decision);
    const isAllowed = decision.decision === 'allow';
    const isSame =
      occasion === 'refresh' && isAllowed && (await this.#said.wantsSame(person.id, decision, assertion.origin));
    // Ahead of what it is about: whoever dies before the reconciles have begun is followed up by the scheduler.
    if (occasion === 'refresh' && !isSame && this.#deps.shadow === undefined)
      await this.#followUp(person.id, [...this.#deps.targets.keys()]);
    const groups = this.#deps.mapping.sentGroups(assertion);
    await directory.people.saveAssertion(person.id, assertion, groups, descriptionOf(assertion, decision));
    if (isSame) return { identity, decision };
    if (this.#deps.shadow !== undefined) return this.#shadowed({ ...at, person, decision }, identity);
    if (decision.decision === 'deny') {
      // In this order: out first, then the account.
      await this.#deps.endSessions(person.id);
      this.#launch(person.id, decision, `${occasion}:${assertion.origin}`, requestId);
      const error = denial(decision);
      await recordRefusal(this.#deps, { ...at, person, decision }, error);
      throw error;
    }
    const states = this.#launch(person.id, decision, `${occasion}:${assertion.origin}`, requestId);
    const awaited = target === undefined ? undefined : await this.#awaited(states, target, options.signal);
    const error = await this.#refusal(person.id, awaited, target, decision);
    if (error !== undefined) {
      await recordRefusal(this.#deps, { ...at, person, decision }, error, awaited);
      throw error;
    }
    await recordAllowed(this.#deps, { ...at, person, decision }, target, awaited);
    return { identity, decision, ...(awaited === undefined ? {} : { awaited }) };
  }

  /**
   * Says what would be done, and throws at nobody whom the provider knows: who gets in at a backend is the backend's to
   * say. The decision may be a denial.
   */
  async #shadowed(at: Parameters<typeof recordAllowed>[1], identity: Provisioned['identity']): Promise<Provisioned> {
    const { person, decision, occasion, requestId, assertion } = at;
    const states = this.#launch(person.id, decision, `${occasion}:${assertion.origin}`, requestId);
    await Promise.all(states.values());
    if (decision.decision === 'deny') await recordRefusal(this.#deps, at, denial(decision));
    else await recordAllowed(this.#deps, at, undefined, undefined);
    return { identity, decision };
  }

  /** From now on the door knows the person by this id. */
  async #join({ id }: Person, { issuer, subject, origin }: Assertion, requestId: string): Promise<void> {
    const { directory, audit } = this.#deps;
    await directory.people.addSubject(id, { issuer, subject }, origin);
    const entry = { event: 'person.joined', actor: origin, person: id, origin, requestId };
    await audit.append([{ ...entry, after: { subject, by: 'verified_email' } }]);
  }

  async disable(
    person: PersonId,
    options: { actor: string; requestId: string; signal: AbortSignal },
  ): Promise<ReadonlyMap<string, AccountState>> {
    const { directory, audit, endSessions, targets } = this.#deps;
    const linked = await this.#linkedTargets(person);
    // Ahead of everything, so that whoever dies in the middle of this is followed up by the scheduler.
    await this.#followUp(person, linked);
    await directory.people.setDisabled(person, true);
    await endSessions(person);
    await audit.append([{ event: 'person.disabled', actor: options.actor, person, requestId: options.requestId }]);
    // In every target, linked or not: a login that is under way may be making an account there.
    const goal = { leaving: await this.#leaves(await directory.people.get(person)) };
    const states = new Map(
      await Promise.all(
        [...targets.keys()].map(
          async (name) => [name, await this.#runs.run(person, name, goal, options.actor, options.requestId)] as const,
        ),
      ),
    );
    // Whoever was in the middle of a login when it began is out now too.
    await endSessions(person);
    const concerned = new Set([...linked, ...(await this.#linkedTargets(person))]);
    if (this.#deps.shadow !== undefined) return new Map([...concerned].map((name) => [name, NOT_WRITTEN]));
    return new Map([...states].filter(([name, { status }]) => concerned.has(name) || status === 'failed'));
  }

  async enable(person: PersonId, options: { actor: string; requestId: string }): Promise<void> {
    await this.#deps.directory.people.setDisabled(person, false);
    await this.#deps.audit.append([
      { event: 'person.enabled', actor: options.actor, person, requestId: options.requestId },
    ]);
  }

  /** Does once more what failed before; in shadow mode it waits. Returns how many were tried. For the scheduler. */
  async retryDue(limit: number): Promise<number> {
    if (this.#deps.shadow !== undefined) return 0;
    const due = await this.#deps.directory.retries.due(new Date(this.#deps.clock.now()), limit);
    // Side by side, so that one target that is slow does not keep the others waiting.
    await Promise.all(
      due.map(async ({ person, target }) => {
        if (this.#stop.signal.aborted) return;
        await this.#retry(person, target).catch((thrown: unknown) => this.#putOff(person, target, thrown));
      }),
    );
    return due.length;
  }

  /** What would change in one target for this account. Reads the target, writes nothing anywhere. */
  async preview(desired: DesiredAccount, { target, missing, timeoutMs }: ConfiguredTarget): Promise<AccountPlan> {
    const input = {
      person: desired.person,
      target,
      missing,
      goal: { desired },
      signal: AbortSignal.timeout(timeoutMs),
    };
    return (await planOne(this.#deps, input, await recall(this.#deps.directory, input))).plan;
  }

  /** No new work; waits for what is under way. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#runs.settled();
  }

  /** Deletes the accounts of those who have been out for as long as `safety.leaver` says. For the scheduler. */
  async deleteDue(): Promise<void> {
    const leave = this.leave.bind(this);
    await deleteDue({ ...this.#deps, leave }, this.#stop.signal);
  }

  /** Brings somebody who is out to what that means, in one target; who is back by now is treated as `again` does. */
  async leave(person: PersonId, target: string, actor: string, requestId: string): Promise<AccountState> {
    const who = await this.#deps.directory.people.get(person);
    if (who !== undefined && whyOut(who) === undefined) return this.again(person, target, actor, requestId);
    return this.#runs.run(person, target, { leaving: await this.#leaves(who) }, actor, requestId);
  }

  /** Brings somebody to what everybody who speaks of them says by now, in one target. For syncs. */
  async again(person: PersonId, target: string, actor: string, requestId: string): Promise<AccountState> {
    const goal = await this.#goalNow(person, target);
    return goal === undefined ? { status: 'none' } : this.#runs.run(person, target, goal, actor, requestId);
  }

  /** What `again` or `leave` would do were this remembered. Reads the target, writes nothing anywhere. */
  async planAgain(
    person: PersonId,
    target: string,
    memoryOf: (memory: Memory) => Memory,
  ): Promise<AccountPlan | undefined> {
    const goal = await this.#goalNow(person, target);
    const configured = this.#deps.targets.get(target);
    if (goal === undefined || configured === undefined) return undefined;
    const input = { person, ...configured, goal, signal: AbortSignal.timeout(configured.timeoutMs) };
    return (await planOne(this.#deps, input, memoryOf(await recall(this.#deps.directory, input)))).plan;
  }

  /** Whether the person is to have an account there, by what everybody who speaks of them says by now. */
  async wants(person: PersonId, target: string): Promise<boolean> {
    const goal = await this.#goalNow(person, target).catch(() => undefined);
    return goal !== undefined && 'desired' in goal;
  }

  async #retry(person: PersonId, target: string): Promise<void> {
    const { directory, targets } = this.#deps;
    const who = await directory.people.get(person);
    if (who === undefined || !targets.has(target)) return directory.retries.done(person, target);
    const requestId = `retry-${person.slice(-8)}-${this.#deps.clock.now().toString(36)}`;
    const goal = await this.#goalNow(person, target, who);
    if (goal === undefined) return directory.retries.done(person, target);
    // Whoever let them go may have died before their sessions were ended, or had no store to end them in.
    const ended = whyOut(who) === undefined ? undefined : this.#deps.endSessions(person);
    const trouble = await ended?.then(
      () => undefined,
      (thrown: unknown) => toLatchgateError(thrown),
    );
    await this.#runs.run(person, target, goal, 'scheduler', requestId);
    if (trouble === undefined) return;
    const due = new Date(this.#deps.clock.now() + FOLLOW_UP_MS);
    await directory.retries.put(person, target, trouble.code, due);
  }

  async #goalNow(person: PersonId, target: string, known?: Person): Promise<Goal | undefined> {
    const { people, pins, ledger } = this.#deps.directory;
    const who = known ?? (await people.get(person));
    if (whyOut(who) !== undefined) return { leaving: await this.#leaves(who) };
    const withheld = async () => allBut(await pins.ofAccount(person, target), await ledger.ofAccount(person, target));
    try {
      return (await this.#said.goalNow(person, target)) ?? (await withheld());
    } catch (thrown) {
      // What an operator has withheld goes, whether or not what is said of the person can be read.
      const goal = await withheld();
      if (goal === undefined) throw thrown;
      return goal;
    }
  }

  async #leaves(who: Person | undefined): Promise<Leaving> {
    const { leaver, clock, holdsDeletion } = this.#deps;
    return unlessHeld(personLeaves(leaver, who, clock.now()), who?.id, holdsDeletion);
  }

  async #followUp(person: PersonId, targets: readonly string[]): Promise<void> {
    const due = new Date(this.#deps.clock.now() + FOLLOW_UP_MS);
    for (const target of targets) await this.#deps.directory.retries.put(person, target, 'target_pending', due);
  }

  /** What cannot even be tried is tried later, and does not stand in the way of what can. */
  async #putOff(person: PersonId, target: string, thrown: unknown): Promise<void> {
    const { directory, clock, log } = this.#deps;
    const { code } = toLatchgateError(thrown);
    log.warn('retry failed', { target, person, code });
    const due = new Date(clock.now() + LAST_RETRY_MS);
    await directory.retries.put(person, target, code, due).catch(() => undefined);
  }

  #launch(
    person: PersonId,
    decision: Decision,
    actor: string,
    requestId: string,
  ): ReadonlyMap<string, Promise<AccountState>> {
    return new Map(
      [...this.#deps.targets.keys()].map((name) => [
        name,
        this.#runs.run(person, name, goalFor(decision, name), actor, requestId),
      ]),
    );
  }

  async #awaited(
    states: ReadonlyMap<string, Promise<AccountState>>,
    target: string,
    signal: AbortSignal,
  ): Promise<AccountState> {
    try {
      return await withSignal(states.get(target) ?? Promise.resolve({ status: 'none' }), signal);
    } catch (thrown) {
      const { code, retryable } = toLatchgateError(thrown);
      return { status: 'failed', code, retryable, held: [] };
    }
  }

  async #refusal(
    person: PersonId,
    awaited: AccountState | undefined,
    target: string | undefined,
    decision: Decision,
  ): Promise<LatchgateError | undefined> {
    const who = await this.#deps.directory.people.get(person);
    const out = whyOut(who);
    if (out !== undefined) return out;
    if (awaited !== undefined) return refusal(awaited, target ?? '');
    const email = decision.attributes['email'];
    return refuseFormer(this.#deps.directory, person, typeof email === 'string' ? email : undefined).then(
      () => undefined,
      (thrown: unknown) => toLatchgateError(thrown),
    );
  }

  async #linkedTargets(person: PersonId): Promise<string[]> {
    const links = await this.#deps.directory.accounts.ofPerson(person);
    return links.map((link) => link.target).filter((name) => this.#deps.targets.has(name));
  }
}
