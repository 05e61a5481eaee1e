import type { Directory, Person, RememberedAssertion } from '../directory/directory.ts';
import { entitlementKey } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import { differences, givesOtherwise, type PreviewChange } from './compare.ts';
import { UnreadDoors } from './doors.ts';
import { countsOf, type Preview, type PreviewPerson } from './outcome.ts';
import { rewritten } from './profile.ts';
import { type Side, type SideTarget, settle, type Verdict, verdictOf } from './side.ts';
import { type Standing, standingOf } from './stand-in.ts';

export interface PreviewParts {
  readonly directory: Pick<Directory, 'people' | 'accounts' | 'ledger' | 'pins'>;
  readonly clock: Clock;
  readonly before: Side;
  readonly after: Side;
  /** What the origins of the old config are called in the new one, where they have another name. */
  readonly renamed: ReadonlyMap<string, string>;
  readonly since?: Date;
  /** About the configs themselves. */
  readonly notes: readonly string[];
}

/** People are read in pages of this many. */
const PAGE = 500;
const MOST_UNSEEN = 20;

/**
 * What changes for whom when the new config goes live: both configs decide about what is recorded, by the code that a
 * reconcile runs, and the accounts are those that we remember. Asks no target and writes nothing.
 */
export async function previewChanges(parts: PreviewParts): Promise<Preview> {
  return new Previewing(parts).run();
}

class Previewing {
  readonly #parts: PreviewParts;
  readonly #people: PreviewPerson[] = [];
  /** What somebody is given, and whether anybody has it. */
  readonly #given = new Map<string, boolean>();
  /** Of whom the claims that decide are not recorded. */
  readonly #unknown: string[] = [];
  readonly #unread = new UnreadDoors();
  #looked = 0;
  #otherRule = 0;

  constructor(parts: PreviewParts) {
    this.#parts = parts;
  }

  async run(): Promise<Preview> {
    const { directory, since, notes } = this.#parts;
    for (let after: PersonId | undefined; ; ) {
      const page = await directory.people.list(PAGE, after);
      await this.#look(page);
      after = page.at(-1)?.id;
      if (page.length < PAGE) break;
    }
    return {
      ...(since === undefined ? {} : { since }),
      looked: this.#looked,
      people: this.#people,
      summary: { ...countsOf(this.#people), otherRule: this.#otherRule },
      notes: [...this.#nobody(), ...this.#unknowable(), ...this.#unread.notes(), ...notes, ...(await this.#unseen())],
    };
  }

  async #look(people: readonly Person[]): Promise<void> {
    const said = new Map<PersonId, RememberedAssertion[]>();
    for (const { person, ...assertion } of await this.#parts.directory.people.assertionsOf(
      people.map(({ id }) => id),
    )) {
      const rows = said.get(person) ?? [];
      said.set(person, rows);
      rows.push(assertion);
    }
    const { since } = this.#parts;
    const moving: Moving[] = [];
    for (const person of people) {
      const assertions = said.get(person.id) ?? [];
      if (assertions.length === 0) continue;
      if (since !== undefined && !assertions.some(({ at }) => at >= since)) continue;
      this.#looked += 1;
      const one = this.#verdicts(person, assertions);
      if (isUnknown(one)) {
        this.#unknown.push(person.displayName);
        continue;
      }
      if (one.targets.length > 0 || isOtherDoor(one)) moving.push(one);
    }
    for (const one of await this.#standings(moving)) await this.#compare(one);
  }

  #verdicts(person: Person, assertions: readonly RememberedAssertion[]): Moving {
    const { before, after, renamed, clock } = this.#parts;
    const now = clock.now();
    const was = verdictOf(before, person, assertions, now);
    const is = verdictOf(after, person, sayAgain(assertions, renamed), now);
    this.#unread.count(was.unread, is.unread);
    const targets = [...after.targets.keys()].filter((name) => isMoved(name, this.#parts, was, is));
    const origins = [...new Set(assertions.filter(({ active }) => active).map(({ origin }) => origin))];
    return { person, origins, was, is, targets, standings: new Map() };
  }

  /** What is remembered of those who may move, target by target. */
  async #standings(moving: readonly Moving[]): Promise<readonly Moving[]> {
    const { directory, after } = this.#parts;
    for (const target of after.targets.keys()) {
      const concerned = moving.filter(({ targets }) => targets.includes(target));
      if (concerned.length === 0) continue;
      const people = concerned.map(({ person }) => person.id);
      const links = await byPerson(directory.accounts.ofTarget(target, people));
      const ledger = await byPerson(directory.ledger.ofTarget(target, people));
      const pins = await byPerson(directory.pins.ofTarget(target, people));
      for (const { person, standings } of concerned) {
        standings.set(
          target,
          standingOf(links.get(person.id)?.[0], ledger.get(person.id) ?? [], pins.get(person.id) ?? []),
        );
      }
    }
    return moving;
  }

  async #compare({ person, origins, was, is, standings }: Moving): Promise<void> {
    const { before, after } = this.#parts;
    const changes: PreviewChange[] = [];
    let keepsByOther = false;
    for (const [target, standing] of standings) {
      const old = before.targets.get(target);
      const now = after.targets.get(target);
      if (now === undefined) continue;
      const first =
        old === undefined
          ? { standing, isOpen: standing.account !== undefined }
          : await settle(before, old, person, standing, was.goal(target));
      const then = await settle(after, now, person, first.standing, is.goal(target));
      const rows = differences({
        target,
        before: first,
        after: then,
        rewritten: rewritten(now.known, was.goal(target), is.goal(target)),
        verdict: is,
        sides: [before, after],
      });
      changes.push(...rows);
      keepsByOther ||= rows.length === 0 && givesOtherwise(was.goal(target), is.goal(target));
      for (const { op, entitlement } of rows) {
        if (op === 'grant' && entitlement !== undefined)
          this.#given.set(`${target} ${entitlementKey(entitlement)}`, false);
      }
    }
    const shutOut = was.out === undefined ? is.out : undefined;
    const letIn = was.out !== undefined && is.out === undefined;
    if (changes.length === 0 && shutOut === undefined && !letIn) {
      if (keepsByOther) this.#otherRule += 1;
      return;
    }
    this.#people.push({
      person: person.id,
      name: person.displayName,
      ...(person.email === undefined ? {} : { email: person.email }),
      origins,
      changes,
      ...(shutOut === undefined ? {} : { shutOut }),
      letIn,
    });
  }

  #nobody(): readonly string[] {
    if (this.#looked > 0) return [];
    return ['nothing is recorded of anybody who counts here, so that nobody can be named'];
  }

  #unknowable(): readonly string[] {
    if (this.#unknown.length === 0) return [];
    const named = this.#unknown.slice(0, MOST_UNSEEN).join(', ');
    const more = this.#unknown.length > MOST_UNSEEN ? ` and ${this.#unknown.length - MOST_UNSEEN} more` : '';
    return [
      `unknown: ${named}${more}: claims that the new config reads are not recorded (state.claims); they keep what they have until their next login or sync tells`,
    ];
  }

  /** What nobody was ever given: whether the target has it is for the target to say. */
  async #unseen(): Promise<readonly string[]> {
    const { directory, after } = this.#parts;
    for (const target of after.targets.keys()) {
      if (![...this.#given.keys()].some((key) => key.startsWith(`${target} `))) continue;
      for await (const page of directory.ledger.ofTarget(target)) {
        for (const grant of page) {
          const key = `${target} ${entitlementKey(grant)}`;
          if (this.#given.has(key)) this.#given.set(key, true);
        }
      }
    }
    const unseen = [...this.#given].filter(([, isSeen]) => !isSeen).map(([key]) => key.replace(' ', ':'));
    if (unseen.length === 0) return [];
    const named = unseen.slice(0, MOST_UNSEEN).join(', ');
    const more = unseen.length > MOST_UNSEEN ? ` and ${unseen.length - MOST_UNSEEN} more` : '';
    return [`nobody has ${named}${more} yet: whether the target has it, or lets it be made, is not known here`];
  }
}

interface Moving {
  readonly person: Person;
  readonly origins: readonly string[];
  readonly was: Verdict;
  readonly is: Verdict;
  /** Where something may be different. */
  readonly targets: readonly string[];
  readonly standings: Map<string, Standing>;
}

function isUnknown({ is }: Moving): boolean {
  return is.out?.code === 'claim_not_recorded';
}

function isOtherDoor({ was, is }: Moving): boolean {
  return (was.out === undefined) !== (is.out === undefined);
}

function isMoved(name: string, { before, after }: PreviewParts, was: Verdict, is: Verdict): boolean {
  const fingerprint = (target: SideTarget | undefined) => target?.fingerprint;
  if (fingerprint(before.targets.get(name)) !== fingerprint(after.targets.get(name))) return true;
  return JSON.stringify(was.goal(name)) !== JSON.stringify(is.goal(name));
}

/**
 * What was said by an origin that has another name now, as it will be said again. Groups that it did not send this time are
 * remembered under the name that it had.
 */
function sayAgain(
  assertions: readonly RememberedAssertion[],
  renamed: ReadonlyMap<string, string>,
): readonly RememberedAssertion[] {
  if (renamed.size === 0) return assertions;
  return assertions.map((assertion) => {
    const origin = renamed.get(assertion.origin);
    if (origin === undefined) return assertion;
    const { rememberedGroups: _, ...rest } = assertion;
    return { ...rest, origin };
  });
}

async function byPerson<Row extends { readonly person: PersonId }>(
  pages: AsyncIterable<readonly Row[]>,
): Promise<ReadonlyMap<PersonId, readonly Row[]>> {
  const rows = new Map<PersonId, Row[]>();
  for await (const page of pages) {
    for (const row of page) {
      const known = rows.get(row.person);
      if (known === undefined) rows.set(row.person, [row]);
      else known.push(row);
    }
  }
  return rows;
}
