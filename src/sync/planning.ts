import type { ListedSubject } from '../directory/directory.ts';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import type { HoldsDeletion, PlanContext } from '../provisioning/job.ts';
import { unlessHeld } from '../provisioning/leaver.ts';
import { type Goal, isTargetFault } from '../provisioning/outcome.ts';
import { isPlainlySettled } from '../provisioning/plainly-settled.ts';
import { type Planned, planOne } from '../provisioning/plan-one.ts';
import type { ListedPerson } from '../sources/source.ts';
import { createBreath } from './breath.ts';
import { type Decided, Deciding } from './deciding.ts';
import { type Draft, type Leaver, type PlannedRow, standIn } from './draft.ts';
import { Held, isOutBefore } from './held.ts';
import { withJoined } from './joined.ts';
import { readKnown } from './known.ts';
import { type Lately, NOTHING_LATELY, writtenSince } from './lately.ts';
import { listsEverybody, readListing } from './listing.ts';
import { planReads, TargetMemory } from './memory.ts';
import { withNewcomers } from './newcomers.ts';
import { withOverlooked } from './overlooked.ts';
import { SaidBefore } from './said-before.ts';
import type { SyncDeps, SyncSetup } from './setup.ts';
import { TargetSnapshot } from './snapshot.ts';
import { hasWork, takesSomething } from './weighing.ts';

/** Reads source, target and directory, and plans everybody. Writes nothing anywhere. */
export async function draftSync(deps: SyncDeps, setup: SyncSetup, signal: AbortSignal): Promise<Draft> {
  const { source, origin, planning, login } = setup;
  const { directory, audit, mapping, origins, leaver, clock } = deps;
  const now = new Date(clock.now());
  const [listed, state] = await Promise.all([readListing(source, signal), planning.read({ kind: 'all' }, signal)]);
  const met = await readKnown(directory, {
    origin: origin.name,
    issuer: origin.issuer,
    mapping,
    origins,
    ...(login === undefined ? {} : { login }),
  });
  const before = new Deciding({ origin, target: planning.name, mapping, leaver, others: met.others, now });
  const groupsOf = (person: ListedPerson) =>
    mapping.sentGroups(before.assertionOf(person, met.subjects.get(person.subject)));
  const listing = await withOverlooked(source, listed, { subjects: met.subjects, groupsOf }, signal);
  const known = await withJoined(met, listing, before, deps);
  const deciding = new Deciding({ origin, target: planning.name, mapping, leaver, others: known.others, now });
  const memory = await TargetMemory.read(directory, planning.name);
  const snapshot = new TargetSnapshot(planning, state);
  const read = { listing, known, memory, snapshot, deciding };
  const isPart = !isWhole(listing.end);
  const parts = { listings: directory.listings, origin, known, mapping };
  const saidBefore = isPart ? await SaidBefore.read(parts) : undefined;
  const { listLagMs } = planning.can;
  const since = new Date(now.getTime() - (listLagMs ?? 0));
  const lately = listLagMs === undefined ? NOTHING_LATELY : await writtenSince(audit, planning.name, since);
  return new Drafting(deps, setup, read, { saidBefore, lately }).run(signal);
}

/** Whether everything is there that the source says of those whom it lists. */
function isWhole({ complete, unreadable }: Draft['listing']['end']): boolean {
  return complete && unreadable === 0;
}

interface Besides {
  /** Absent: everything is there that the source says of those whom it lists. */
  readonly saidBefore: SaidBefore | undefined;
  readonly lately: Lately;
}

type Read = Pick<Draft, 'listing' | 'known' | 'memory' | 'snapshot' | 'deciding'>;

/** Somebody whom the source lists, by however many subjects. */
interface ListedTogether {
  readonly person: PersonId;
  readonly listed: readonly ListedPerson[];
  /** By the first of the subjects. */
  readonly known: ListedSubject | undefined;
}

class Drafting {
  readonly #context: PlanContext;
  readonly #holdsDeletion: HoldsDeletion | undefined;
  readonly #setup: SyncSetup;
  readonly #read: Read;
  readonly #saidBefore: SaidBefore | undefined;
  readonly #listsEverybody: boolean;
  readonly #rows: PlannedRow[] = [];
  readonly #held: Held;
  readonly #out: Leaver[] = [];
  readonly #gone: ListedSubject[] = [];
  readonly #unheard = new Set<string>();
  readonly #lately: Lately;
  readonly #later = new Map<PersonId, () => Promise<void>>();
  /** Of people who have several subjects the one that says what is to become of them. */
  readonly #speaking = new Map<PersonId, string>();
  /** Subjects that are listed and known. */
  #found = 0;
  #before = 0;
  #missing = 0;

  constructor(deps: SyncDeps, setup: SyncSetup, read: Read, { saidBefore, lately }: Besides) {
    const { match, privileged, neverTouch, isManaged, directory, holdsDeletion } = deps;
    this.#holdsDeletion = holdsDeletion;
    const reads = withNewcomers(planReads(directory, setup.planning.name, read.memory), setup.origin);
    this.#context = { directory: reads, match, privileged, neverTouch, isManaged };
    this.#setup = setup;
    this.#read = read;
    this.#saidBefore = saidBefore;
    this.#held = new Held(read.memory);
    this.#lately = lately;
    this.#listsEverybody = listsEverybody(read.listing);
  }

  async run(signal: AbortSignal): Promise<Draft> {
    const breath = createBreath(signal);
    for (const one of this.#byPerson()) {
      if (this.#mayBeHalf(one) || !this.#isSettled(one)) await this.#planListed(one, signal);
      // Nearly everybody is settled: waiting for nothing would take longer than the look at them.
      const pause = breath();
      if (pause !== undefined) await pause;
    }
    const isListed = this.#listed();
    for (const subject of this.#read.known.subjects.values()) {
      if (subject.active === undefined) continue;
      if (subject.active) this.#before += 1;
      if (isListed(subject.subject)) continue;
      if (subject.active) this.#missing += 1;
      await this.#planGone(subject, signal);
      await breath();
    }
    await this.#planLater(signal);
    return {
      ...this.#read,
      lately: this.#lately,
      rows: this.#rows,
      held: this.#held.rows,
      out: this.#out,
      gone: this.#gone,
      unheard: this.#unheard,
      before: this.#before,
      missing: this.#missing,
    };
  }

  /** A person who is listed by two subjects is one person. */
  *#byPerson(): Iterable<ListedTogether> {
    const { listing, known } = this.#read;
    const several = new Map<PersonId, ListedTogether & { readonly listed: ListedPerson[] }>();
    for (const listed of listing.people) {
      const before = known.subjects.get(listed.subject);
      if (before !== undefined) this.#found += 1;
      const person = before?.person ?? standIn(listed.subject);
      const together = known.twins.has(person) ? several.get(person) : undefined;
      if (together !== undefined) together.listed.push(listed);
      else if (known.twins.has(person)) several.set(person, { person, known: before, listed: [listed] });
      else yield { person, known: before, listed: [listed] };
    }
    for (const [person, { listed }] of several) this.#speaking.set(person, listed[0]?.subject ?? '');
    yield* several.values();
  }

  /** Whether the source lists a subject that the directory knows; asked when everybody who is listed was looked at. */
  #listed(): (subject: string) => boolean {
    const { listing, known } = this.#read;
    if (this.#found === known.subjects.size) return () => true;
    const subjects = new Set(listing.people.map(({ subject }) => subject));
    return (subject) => subjects.has(subject);
  }

  async #planListed({ person, listed, known }: ListedTogether, signal: AbortSignal): Promise<void> {
    const [first] = listed;
    if (first === undefined) return;
    if (listed.some(({ subject }) => this.#read.listing.doubled.has(subject))) {
      const error = new LatchgateError('source_answer_invalid', 'the source lists this person more than once');
      return this.#refuse(person, listed, error.code, error.message);
    }
    const decided = await this.#unlessHeld(person, this.#read.deciding.listed(listed, person, known));
    if ('refused' in decided) return this.#refuse(person, listed, decided.refused, decided.message);
    const planned = await this.#plan(person, first.subject, decided.goal, signal);
    if (planned === 'later') {
      this.#later.set(person, () => this.#planListed({ person, listed, known }, signal));
      return;
    }
    const isLess = planned !== undefined && takesSomething(planned);
    const isOut = decided.isOut && known !== undefined;
    if (this.#saidBefore !== undefined && (isLess || isOut || this.#mayBeHalf({ person, listed, known }))) {
      // What of a person a part of a listing lacks may be in the rest of it.
      this.#held.back(person, first.subject, planned, known);
      for (const { subject } of listed) this.#unheard.add(subject);
      return;
    }
    this.#keep(person, first.subject, decided.goal, planned);
    if (decided.isOut && known !== undefined) {
      if (decided.leaves && known.active === true) this.#missing += 1;
      this.#out.push({ person, subject: first.subject, leaves: decided.leaves });
    }
  }

  async #planGone(known: ListedSubject, signal: AbortSignal): Promise<void> {
    const { person, subject } = known;
    // Another subject of theirs is listed, or missing too, and says what is to become of them.
    if ((this.#speaking.get(person) ?? subject) !== subject) {
      if (this.#listsEverybody && known.active === true) this.#gone.push(known);
      return;
    }
    const decided = await this.#unlessHeld(person, this.#read.deciding.gone(person, known));
    if ('refused' in decided) return this.#refuse(person, [], decided.refused, decided.message, subject);
    if (this.#read.known.twins.has(person)) this.#speaking.set(person, subject);
    const planned = await this.#plan(person, subject, decided.goal, signal);
    if (planned === 'later') {
      this.#later.set(person, () => this.#planGone(known, signal));
      return;
    }
    // Whoever was out before is so whatever this listing lacks.
    if (!this.#listsEverybody && !isOutBefore(known)) {
      if (known.active === true || (planned !== undefined && hasWork(planned, decided.goal))) {
        this.#held.back(person, subject, planned, known);
      }
      return;
    }
    if (known.active === true || (decided.leaves && known.leftAt === undefined)) this.#gone.push(known);
    this.#keep(person, subject, decided.goal, planned);
    if (decided.isOut) this.#out.push({ person, subject, leaves: decided.leaves });
  }

  async #unlessHeld(person: PersonId, decided: Decided): Promise<Decided> {
    if (!('goal' in decided) || !('leaving' in decided.goal)) return decided;
    return { ...decided, goal: { leaving: await unlessHeld(decided.goal.leaving, person, this.#holdsDeletion) } };
  }

  /** Whether a look is enough to see that nothing is to be done about somebody. */
  #isSettled({ person, listed, known }: ListedTogether): boolean {
    const { memory, snapshot, listing, deciding } = this.#read;
    const mine = memory.of(person);
    const account = mine.link?.accountId === undefined ? undefined : snapshot.byId(mine.link.accountId);
    const [first] = listed;
    if (account === undefined || first === undefined) return false;
    if (listed.some(({ subject }) => listing.doubled.has(subject))) return false;
    const decided = deciding.listed(listed, person, known, account.id);
    if (!('goal' in decided) || !('desired' in decided.goal)) return false;
    const desired = snapshot.adapted(decided.goal.desired);
    // What was pinned for somebody is for the plan.
    if (desired === undefined || mine.pins.length > 0) return false;
    return isPlainlySettled({ desired, memory: mine, account, can: snapshot.can }, this.#context);
  }

  /** `later`: the target's list may show an account as it was; it is looked at by itself, and planned then. */
  async #plan(
    person: PersonId,
    subject: string,
    goal: Goal,
    signal: AbortSignal,
  ): Promise<Planned | 'later' | undefined> {
    const { snapshot, memory } = this.#read;
    const input = { person, target: snapshot, missing: this.#setup.missing, goal, signal };
    const mayLag = this.#mayLag(person);
    try {
      const planned = await planOne(this.#context, input, memory.of(person));
      return mayLag && hasWork(planned, goal) ? 'later' : planned;
    } catch (thrown) {
      const error = toLatchgateError(thrown);
      if (isTargetFault(error.code) || error.code === 'internal' || error.code === 'state_unavailable') throw error;
      if (mayLag) return 'later';
      this.#held.failed(person, subject, goal, error);
      return undefined;
    }
  }

  #mayLag(person: PersonId): boolean {
    if (!this.#lately.people.has(person) || this.#later.has(person)) return false;
    const id = this.#read.memory.of(person).link?.accountId;
    return id !== undefined && this.#read.snapshot.byId(id) !== undefined;
  }

  /** Accounts of whom the list would change something that was written a moment ago, looked at one by one. */
  async #planLater(signal: AbortSignal): Promise<void> {
    const { memory, snapshot } = this.#read;
    await snapshot.refresh(
      [...this.#later.keys()].flatMap((person) => memory.of(person).link?.accountId ?? []),
      signal,
    );
    for (const plan of this.#later.values()) await plan();
  }

  #keep(person: PersonId, subject: string, goal: Goal, planned: Planned | undefined): void {
    if (planned === undefined) return;
    for (const { code, ...change } of planned.plan.held) this.#held.add(person, subject, change, code);
    if (!hasWork(planned, goal)) return;
    const { memory, snapshot } = this.#read;
    this.#rows.push({ person, subject, goal, memory: memory.of(person), planned });
    // From here on the account is theirs: nobody after them is given it, and it is not one of nobody.
    const made = planned.plan.set === undefined ? undefined : snapshot.expect(planned.plan.set);
    const account = made ?? planned.account;
    if (account !== undefined) memory.expect(account.id, person);
  }

  #refuse(person: PersonId, listed: readonly ListedPerson[], code: string, reason: string, gone?: string): void {
    for (const one of listed) this.#unheard.add(one.subject);
    this.#held.refused(person, listed[0]?.subject ?? gone ?? '', code, reason);
  }

  /** Whether what is said of somebody would take something from them, in whichever target, that the rest may still give. */
  #mayBeHalf({ person, listed, known }: ListedTogether): boolean {
    if (this.#saidBefore === undefined || known === undefined) return false;
    const now = listed.filter(({ active }) => active);
    return this.#saidBefore.wouldLose(
      person,
      now.map((one) => this.#read.deciding.assertionOf(one, this.#read.known.subjects.get(one.subject))),
    );
  }
}
