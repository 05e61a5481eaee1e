import type { AuditRecord } from '../audit/audit.ts';
import type { Person } from '../directory/directory.ts';
import { entitlementKey } from '../model/entitlement.ts';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { Pin } from '../model/pin.ts';
import { whyOut } from '../provisioning/outcome.ts';
import type { AccountState } from '../provisioning/provision.ts';
import { ABOUT_ACCOUNT, ABOUT_GRANT, type RecordAndSince, recordAndSince, stale } from './since-record.ts';
import {
  againOrLater,
  codeOf,
  FOLLOW_UP_MS,
  pendingOf,
  type Step,
  type Stores,
  type UndoDeps,
  type UndoOptions,
} from './undo-step.ts';

export interface Undone {
  readonly record: AuditRecord;
  /** A sentence. */
  readonly did: string;
  /** Why it is not in the target yet; it is tried again in the background. */
  readonly pending?: string;
}

/**
 * Does the opposite of what one record of the audit says, through the engine, and writes that down as a record of its own.
 * Throws `not_found`, `undo_impossible` for a kind of record that has no opposite, `undo_stale` when what it is about has
 * changed since, `target_*` when what the rules give cannot be planned: then nothing was done.
 */
export async function undo(deps: UndoDeps, seq: number, options: UndoOptions): Promise<Undone> {
  const since = await recordAndSince(deps.audit, seq);
  const { record } = since;
  const step = await new Undoing(deps, since, options).step();
  if (options.dryRun) return { record, did: step.did };
  const { person, target, key, event, hash } = record;
  const about = { actor: options.actor, requestId: options.requestId, ...(person === undefined ? {} : { person }) };
  const undone = {
    event: 'change.undone',
    ...about,
    ...(target === undefined ? {} : { target }),
    ...(key === undefined ? {} : { key }),
    before: { seq, event, hash },
  };
  const { write } = step;
  if (write !== undefined) {
    await deps.together(async (stores) => {
      await stores.audit.append([undone]);
      await write(stores);
    });
  }
  const { isDone, ...followed } = await step.follow();
  // Where nothing was decided beforehand, what did not come about was not undone, and can be undone once more.
  if (write === undefined && (isDone ?? followed.pending === undefined)) await deps.audit.append([undone]);
  return { record, did: step.did, ...followed };
}

class Undoing {
  readonly #deps: UndoDeps;
  readonly #since: RecordAndSince;
  readonly #options: UndoOptions;

  constructor(deps: UndoDeps, since: RecordAndSince, options: UndoOptions) {
    this.#deps = deps;
    this.#since = since;
    this.#options = options;
  }

  async step(): Promise<Step> {
    const { event, person: id, seq } = this.#since.record;
    this.#since.refuseUndone();
    const steps: Readonly<Record<string, (person: Person) => Promise<Step>>> = {
      'grant.given': (person) => this.#take(person),
      'grant.adopted': (person) => this.#take(person),
      'grant.taken': (person) => this.#giveBack(person),
      'grant.pinned': (person) => this.#lift(person),
      'pin.lifted': (person) => this.#pinAgain(person),
      'account.disabled': (person) => this.#switchOn(person),
      'person.disabled': (person) => this.#enable(person),
      'person.enabled': (person) => this.#disable(person),
    };
    const make = Object.hasOwn(steps, event) ? steps[event] : undefined;
    if (make === undefined || id === undefined) {
      throw new LatchgateError('undo_impossible', `record ${seq} is ${event}, which has no opposite`);
    }
    const person = await this.#deps.directory.people.get(id);
    if (person === undefined) {
      const now = this.#since.now(id);
      // What was decided about one of two is no order about the one whom both are.
      throw stale(
        now === id ? 'the person is not known any more' : `the person was linked to ${now} since, and is ${now} now`,
      );
    }
    return make(person);
  }

  /** Something was given: it is withheld from now on. */
  async #take(person: Person): Promise<Step> {
    const { target, entitlement } = this.#since.about();
    this.#since.refuseMovedGrant();
    if (!(await this.#isGranted())) throw stale('it is not given any more');
    const link = await this.#deps.directory.accounts.get(person.id, target);
    if (link?.state === 'disabled')
      throw stale('the account is switched off by now, and keeps what it has until it is on');
    return {
      did: `${entitlementKey(entitlement)} is taken, and pinned so that it is not given again`,
      write: (stores) => this.#pin(stores, person, 'withheld'),
      follow: async () => {
        const state = await againOrLater(this.#deps, person, target, this.#options);
        return (await this.#isGranted()) ? { pending: codeOf(state) } : {};
      },
    };
  }

  /** Something was taken: given again by the rules if they give it, else kept. */
  async #giveBack(person: Person): Promise<Step> {
    const { target, entitlement } = this.#since.about();
    this.#since.refuseMovedGrant();
    await this.#refuseOut(person, target);
    if (await this.#isGranted(true)) throw stale('it is given again already');
    const key = entitlementKey(entitlement);
    const pin = await this.#pinNow();
    const given = pin === undefined ? `${key} is given again` : `${key} is given again: the pin by ${pin.by} is lifted`;
    const follow = async () => {
      const state = await againOrLater(this.#deps, person, target, this.#options);
      return (await this.#isGranted(true)) ? {} : { pending: codeOf(state) };
    };
    // Asked of a plan, and before anything is written: a target that is down has no say in what is kept for good.
    if (!(await this.#wouldGive(person, target, key))) {
      const did = `${given}, and pinned: the rules would take it again`;
      return { did, write: (stores) => this.#pin(stores, person, 'kept'), follow };
    }
    if (pin === undefined) return { did: given, follow };
    const write = async ({ directory }: Stores): Promise<void> => {
      await directory.pins.lift(person.id, target, entitlement);
      const due = new Date(this.#deps.clock.now() + FOLLOW_UP_MS);
      await directory.retries.put(person.id, target, 'target_pending', due);
    };
    return { did: given, write, follow };
  }

  /** Whether the rules give it, were it not for a pin. */
  async #wouldGive({ id }: Person, target: string, key: string): Promise<boolean> {
    const isOther = (pin: Pin): boolean => entitlementKey(pin) !== key;
    const plan = await this.#deps.planAgain(id, target, (memory) => ({ ...memory, pins: memory.pins.filter(isOther) }));
    if (plan === undefined) return false;
    // What a run that failed has announced already is a change still, and not given anew.
    const granted = plan.changes.flatMap(({ op, entitlement }) => (op === 'grant' && entitlement ? [entitlement] : []));
    return [...plan.gives, ...granted].some((one) => entitlementKey(one) === key);
  }

  async #lift(person: Person): Promise<Step> {
    const { target, entitlement } = this.#since.about();
    this.#since.refuseMoved(
      (one) => this.#since.isSameGrant(one) && one.event !== 'grant.taken' && ABOUT_GRANT.has(one.event),
    );
    const pin = await this.#pinNow();
    if (pin === undefined) throw stale('it is not pinned any more');
    return {
      did: `the pin by ${pin.by} is lifted: the rules decide about ${entitlementKey(entitlement)} again`,
      write: async ({ directory }) => void (await directory.pins.lift(person.id, target, entitlement)),
      follow: async () => pendingOf(await againOrLater(this.#deps, person, target, this.#options)),
    };
  }

  async #pinAgain(person: Person): Promise<Step> {
    const { target, entitlement } = this.#since.about();
    this.#since.refuseMoved(
      (one) => this.#since.isSameGrant(one) && (one.event === 'grant.pinned' || one.event === 'pin.lifted'),
    );
    if ((await this.#pinNow()) !== undefined) throw stale('it is pinned again already');
    const { effect = 'withheld', reason } = (this.#since.record.before ?? {}) as Partial<
      Pick<Pin, 'effect' | 'reason'>
    >;
    return {
      did: `${entitlementKey(entitlement)} is pinned again (${effect})`,
      write: (stores) => this.#pin(stores, person, effect, reason),
      follow: async () => pendingOf(await againOrLater(this.#deps, person, target, this.#options)),
    };
  }

  async #switchOn(person: Person): Promise<Step> {
    const target = this.#since.target();
    this.#since.refuseMoved(({ event, target: other, after }) => {
      const isOn = event === 'account.updated' && (after as { active?: unknown } | undefined)?.active === true;
      return other === target && (isOn || ABOUT_ACCOUNT.has(event));
    });
    await this.#refuseOut(person, target);
    const link = await this.#deps.directory.accounts.get(person.id, target);
    if (link?.state !== 'disabled') throw stale('the account is not one that we have switched off any more');
    return {
      did: `the account ${link.userName} is switched on again`,
      follow: async () =>
        pendingOf(await this.#deps.again(person.id, target, this.#options.actor, this.#options.requestId)),
    };
  }

  async #enable(person: Person): Promise<Step> {
    this.#since.refuseMoved(({ event }) => event === 'person.enabled' || event === 'person.disabled');
    if (!person.disabled) throw stale('the person is not disabled any more');
    if (person.leftAt !== undefined) throw stale(`${person.owner ?? 'their source'} says that the person has left`);
    const { directory, provisioner } = this.#deps;
    return {
      did: 'the person may log in again, and the accounts are what the rules say',
      follow: async () => {
        const { actor, requestId } = this.#options;
        await provisioner.enable(person.id, { actor, requestId });
        let pending: string | undefined;
        for (const { target } of await directory.accounts.ofPerson(person.id)) {
          const { pending: why } = pendingOf(await againOrLater(this.#deps, person, target, this.#options));
          pending ??= why;
        }
        return pending === undefined ? {} : { pending, isDone: true };
      },
    };
  }

  async #disable(person: Person): Promise<Step> {
    this.#since.refuseMoved(({ event }) => event === 'person.enabled' || event === 'person.disabled');
    if (person.disabled) throw stale('the person is disabled again already');
    return {
      did: 'the person is disabled again',
      follow: async () => {
        const { actor, requestId } = this.#options;
        const signal = new AbortController().signal;
        const { directory, provisioner } = this.#deps;
        let states: ReadonlyMap<string, AccountState>;
        try {
          states = await provisioner.disable(person.id, { actor, requestId, signal });
        } catch (thrown) {
          // Out already, and their accounts are switched off later: that is no reason to do it once more.
          if ((await directory.people.get(person.id))?.disabled !== true) throw thrown;
          return { pending: toLatchgateError(thrown).code, isDone: true };
        }
        const failed = [...states.values()].find(({ status }) => status === 'failed');
        return failed === undefined ? {} : { ...pendingOf(failed), isDone: true };
      },
    };
  }

  /** Whoever is to have nothing there, by the rules or by an operator, would lose it again at once. */
  async #refuseOut(person: Person, target: string): Promise<void> {
    const out = whyOut(person);
    if (out !== undefined) {
      const last = this.#since.later.findLast(({ event }) => event === 'person.disabled' || event === 'person.left');
      throw stale(`${out.message}${last === undefined ? '' : ` (record ${last.seq})`}`);
    }
    if (await this.#deps.wants(person.id, target)) return;
    throw stale('the rules give the person nothing there now, and would take it again at once');
  }

  /** `isConfirmed`: what was only announced by a run that failed does not count. */
  async #isGranted(isConfirmed = false): Promise<boolean> {
    const { target, entitlement } = this.#since.about();
    const grants = await this.#deps.directory.ledger.ofAccount(String(this.#since.record.person), target);
    const key = entitlementKey(entitlement);
    return grants.some((grant) => entitlementKey(grant) === key && (grant.confirmed || !isConfirmed));
  }

  async #pinNow(): Promise<Pin | undefined> {
    const { target, entitlement } = this.#since.about();
    const pins = await this.#deps.directory.pins.ofAccount(String(this.#since.record.person), target);
    return pins.find((pin) => entitlementKey(pin) === entitlementKey(entitlement));
  }

  async #pin(
    { directory, audit }: Stores,
    { id: person }: Person,
    effect: Pin['effect'],
    reason?: string,
  ): Promise<void> {
    const { target, entitlement } = this.#since.about();
    const now = this.#deps.clock.now();
    const by = `undo ${this.#since.record.seq}`;
    const why = reason === undefined ? {} : { reason };
    await directory.pins.set({ ...entitlement, ...why, person, target, effect, by, at: new Date(now) });
    await directory.retries.put(person, target, 'target_pending', new Date(now + FOLLOW_UP_MS));
    const { actor, requestId } = this.#options;
    const about = { actor, requestId, person, target, key: entitlementKey(entitlement) };
    await audit.append([{ event: 'grant.pinned', ...about, after: { effect, by, ...why } }]);
  }
}
