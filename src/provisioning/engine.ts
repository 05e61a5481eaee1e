import type { Person } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import type { Decision, DesiredAccount } from '../model/desired.ts';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { Assertion, PersonId } from '../model/person.ts';
import { denial, descriptionOf, displayName, goalFor, identityOf, isPolicy, refusal } from './outcome.ts';
import type { AccountPlan } from './plan.ts';
import type { AccountState, Provisioned, Provisioner } from './provision.ts';
import { type Leaving, planOne } from './reconcile.ts';
import { type ConfiguredTarget, Runs, type RunsDeps, withSignal } from './runs.ts';

export interface EngineDeps extends RunsDeps {
  readonly mapping: Mapping;
  readonly leaver: 'disable' | 'delete';
  /** Ends every session of a person on every instance, sockets included. */
  readonly endSessions: (person: PersonId) => Promise<void>;
}

/** What a login, and later a push or a sync, does with an assertion. */
export class Engine implements Provisioner {
  readonly #deps: EngineDeps;
  readonly #runs: Runs;
  readonly #stop = new AbortController();

  constructor(deps: EngineDeps) {
    this.#deps = deps;
    this.#runs = new Runs(deps);
  }

  account(person: PersonId, target: string, signal: AbortSignal): Promise<AccountState> {
    return this.#runs.account(person, target, signal);
  }

  async assert(
    assertion: Assertion,
    options: { readonly target?: string; readonly requestId: string; readonly signal: AbortSignal },
  ): Promise<Provisioned> {
    const { directory } = this.#deps;
    const { requestId } = options;
    const known = await directory.people.bySubject(assertion);
    if (known?.disabled === true) {
      const error = new LatchgateError('person_disabled', 'this person was disabled');
      await this.#refuse(assertion, known, undefined, error, requestId);
      throw error;
    }
    const heard = await this.#decide(known?.id ?? 'new', assertion);
    if (heard.decision === 'deny' && !isPolicy(heard.code)) {
      // What cannot be read changes nothing: not even a person is made of it.
      const error = denial(heard);
      await this.#refuse(assertion, known, heard, error, requestId);
      throw error;
    }
    const person = known ?? (await directory.people.ensure(assertion, assertion.origin, displayName(assertion, heard)));
    const decision = person.id === known?.id ? heard : await this.#decide(person.id, assertion);
    const groups = this.#deps.mapping.sentGroups(assertion);
    await directory.people.saveAssertion(person.id, assertion, groups, descriptionOf(assertion, decision));
    const states = this.#launch(person.id, decision, `login:${assertion.origin}`, requestId, options.target);
    if (decision.decision === 'deny') {
      const error = denial(decision);
      await this.#refuse(assertion, person, decision, error, requestId);
      await this.#deps.endSessions(person.id);
      throw error;
    }
    const identity = identityOf(person, assertion, decision);
    const awaited =
      options.target === undefined ? undefined : await this.#awaited(states, options.target, options.signal);
    const error = awaited === undefined ? undefined : refusal(awaited, options.target ?? '');
    if (error !== undefined) {
      await this.#refuse(assertion, person, decision, error, requestId, awaited);
      throw error;
    }
    await this.#allowed(person, decision, requestId, assertion.origin, options.target, awaited);
    return { identity, decision, ...(awaited === undefined ? {} : { awaited }) };
  }

  async disable(
    person: PersonId,
    options: { actor: string; requestId: string; signal: AbortSignal },
  ): Promise<ReadonlyMap<string, AccountState>> {
    const { directory, audit, endSessions, leaver } = this.#deps;
    await directory.people.setDisabled(person, true);
    await endSessions(person);
    await audit.append([{ event: 'person.disabled', actor: options.actor, person, requestId: options.requestId }]);
    const leaving: Leaving = { policy: leaver, reason: 'the person was disabled', person: true };
    const names = await this.#linkedTargets(person);
    const states = await Promise.all(
      names.map((target) => this.#runs.run(person, target, { leaving }, options.actor, options.requestId)),
    );
    return new Map(names.map((name, at) => [name, states[at] ?? { status: 'none' }]));
  }

  async enable(person: PersonId, options: { actor: string; requestId: string }): Promise<void> {
    await this.#deps.directory.people.setDisabled(person, false);
    await this.#deps.audit.append([
      { event: 'person.enabled', actor: options.actor, person, requestId: options.requestId },
    ]);
  }

  /** Does once more what failed before. Returns how many were tried. For the scheduler. */
  async retryDue(limit: number): Promise<number> {
    const due = await this.#deps.directory.retries.due(new Date(this.#deps.clock.now()), limit);
    for (const { person, target } of due) {
      if (this.#stop.signal.aborted) break;
      await this.#retry(person, target).catch((thrown: unknown) => {
        const { code } = toLatchgateError(thrown);
        this.#deps.log.warn('retry failed', { target, person, code });
      });
    }
    return due.length;
  }

  /** What would change in one target for this account. Reads the target, writes nothing anywhere. */
  async preview(desired: DesiredAccount, { target, missing, timeoutMs }: ConfiguredTarget): Promise<AccountPlan> {
    const { person } = desired;
    const signal = AbortSignal.timeout(timeoutMs);
    return (await planOne(this.#deps, { person, target, missing, goal: { desired }, signal })).plan;
  }

  /** No new work; waits for what is under way. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#runs.settled();
  }

  async #retry(person: PersonId, target: string): Promise<void> {
    const { directory, targets, leaver } = this.#deps;
    const who = await directory.people.get(person);
    if (who === undefined || !targets.has(target)) return directory.retries.done(person, target);
    const requestId = `retry-${person.slice(-8)}-${this.#deps.clock.now().toString(36)}`;
    if (who.disabled) {
      const leaving: Leaving = { policy: leaver, reason: 'the person was disabled', person: true };
      await this.#runs.run(person, target, { leaving }, 'scheduler', requestId);
      return;
    }
    const decision = await this.#remapped(person);
    if (decision === undefined) return directory.retries.done(person, target);
    const goal = goalFor(decision, target);
    if (goal === undefined) return directory.retries.done(person, target);
    await this.#runs.run(person, target, goal, 'scheduler', requestId);
  }

  async #remapped(person: PersonId): Promise<Decision | undefined> {
    const assertions = await this.#deps.directory.people.assertions(person);
    const latest = [...assertions].sort((a, b) => b.at.getTime() - a.at.getTime())[0];
    return latest === undefined ? undefined : this.#deps.mapping.map({ person, assertions, current: latest.origin });
  }

  async #decide(person: PersonId, assertion: Assertion): Promise<Decision> {
    const { directory, mapping } = this.#deps;
    const before = person === 'new' ? [] : await directory.people.assertions(person);
    const same = before.find(
      (one) => one.origin === assertion.origin && one.issuer === assertion.issuer && one.subject === assertion.subject,
    );
    const remembered =
      same?.rememberedGroups === undefined ? assertion : { ...assertion, rememberedGroups: same.rememberedGroups };
    const others = before.filter((one) => one !== same);
    return mapping.map({ person, assertions: [...others, remembered], current: assertion.origin });
  }

  #launch(
    person: PersonId,
    decision: Decision,
    actor: string,
    requestId: string,
    awaited: string | undefined,
  ): Map<string, Promise<AccountState>> {
    const states = new Map<string, Promise<AccountState>>();
    for (const name of this.#deps.targets.keys()) {
      const goal = goalFor(decision, name);
      if (goal === undefined) continue;
      const state = this.#runs.run(person, name, goal, actor, requestId);
      if (name !== awaited) state.catch(() => {});
      states.set(name, state);
    }
    return states;
  }

  async #awaited(
    states: ReadonlyMap<string, Promise<AccountState>>,
    target: string,
    signal: AbortSignal,
  ): Promise<AccountState> {
    const state = states.get(target);
    return state === undefined ? { status: 'none' } : withSignal(state, signal);
  }

  async #linkedTargets(person: PersonId): Promise<string[]> {
    const links = await this.#deps.directory.accounts.ofPerson(person);
    return links.map((link) => link.target).filter((name) => this.#deps.targets.has(name));
  }

  async #refuse(
    assertion: Assertion,
    person: Person | undefined,
    decision: Decision | undefined,
    error: LatchgateError,
    requestId: string,
    awaited?: AccountState,
  ): Promise<void> {
    const { directory, audit, clock } = this.#deps;
    const held = awaited !== undefined && 'held' in awaited ? awaited.held : [];
    const who = person === undefined ? {} : { person: person.id };
    await directory.decisions.save({
      requestId,
      at: new Date(clock.now()),
      origin: assertion.origin,
      ...who,
      outcome: error.retryable ? 'error' : 'deny',
      code: error.code,
      message: error.publicMessage ?? error.message,
      ...(decision === undefined ? {} : { trace: decision.trace }),
      ...(held.length === 0
        ? {}
        : { held: held.map((change) => ({ ...change, target: String(error.detail['target'] ?? '') })) }),
      detail: error.detail,
    });
    await audit.append([
      {
        event: 'login.refused',
        actor: person?.id ?? 'unknown',
        ...who,
        origin: assertion.origin,
        code: error.code,
        requestId,
      },
    ]);
  }

  async #allowed(
    person: Person,
    decision: Decision,
    requestId: string,
    origin: string,
    target: string | undefined,
    awaited: AccountState | undefined,
  ): Promise<void> {
    const { directory, audit, clock } = this.#deps;
    const held = awaited?.status === 'ready' ? awaited.held.map((change) => ({ ...change, target: target ?? '' })) : [];
    await directory.decisions.save({
      requestId,
      at: new Date(clock.now()),
      origin,
      person: person.id,
      outcome: 'allow',
      trace: decision.trace,
      ...(held.length === 0 ? {} : { held }),
      ...(awaited?.status === 'ready' && awaited.degraded !== undefined ? { code: awaited.degraded } : {}),
      detail: { ...(target === undefined ? {} : { target }) },
    });
    await audit.append([
      {
        event: 'login.allowed',
        actor: person.id,
        person: person.id,
        origin,
        requestId,
        ...(target === undefined ? {} : { target }),
      },
    ]);
  }
}
