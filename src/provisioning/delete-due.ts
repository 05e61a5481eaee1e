import type { Audit } from '../audit/audit.ts';
import type { Directory } from '../directory/directory.ts';
import type { PersonId } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { HoldsDeletion } from './job.ts';
import type { LeaverPolicy } from './leaver.ts';
import type { ConfiguredTarget } from './runs.ts';

/** `safety.stop_if.removals`. */
export interface Removals {
  readonly percent?: number;
  readonly people?: number;
}

export interface DeleteDueDeps {
  readonly directory: Pick<Directory, 'people' | 'accounts'>;
  readonly audit: Pick<Audit, 'list'>;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
  readonly leaver: LeaverPolicy;
  readonly targets: ReadonlyMap<string, ConfiguredTarget>;
  /** Of how many people accounts may be deleted within a day. Absent: of any number. */
  readonly removals?: Removals;
  /** Absent: no deletion waits for anybody's word. */
  readonly holdsDeletion?: HoldsDeletion;
  readonly leave: (person: PersonId, target: string, actor: string, requestId: string) => Promise<unknown>;
}

/** Who left, read at a time. */
const PEOPLE_AT_ONCE = 100;
const DAY_MS = 86_400_000;
/** Fewer people than this may always go, as when a SCIM client lets go of them. */
const FEWEST = 3;
const REQUEST = 'delete-';

/**
 * Deletes the accounts of those who have been out for as long as `safety.leaver` says. Beyond what the brake allows
 * within a day the others wait: by a clock that is wrong everybody who is out would be due.
 */
export async function deleteDue(deps: DeleteDueDeps, stop: AbortSignal): Promise<void> {
  const { directory, clock, leaver, targets, log, leave, holdsDeletion } = deps;
  if (leaver.deleteAfterMs === undefined) return;
  const before = new Date(clock.now() - leaver.deleteAfterMs);
  let allowance: Allowance | undefined;
  for (let after: PersonId | undefined; !stop.aborted; ) {
    const people = await directory.people.goneBefore(before, PEOPLE_AT_ONCE, after);
    for (const { id } of people) {
      const accounts = await directory.accounts.ofPerson(id);
      const ours = accounts.filter(({ target, created }) => created && targets.get(target)?.target.can.delete === true);
      // Who waits for somebody's word is not deleted, and takes nobody's place.
      if (ours.length === 0 || (await holdsDeletion?.(id)) === true) continue;
      allowance ??= await Allowance.read(deps);
      if (!allowance.take(id)) {
        log.warn('more accounts are due to be deleted than may be within a day, and wait', { reason: 'stop_if' });
        return;
      }
      for (const { target } of ours) await leave(id, target, 'scheduler', `${REQUEST}${id.slice(-8)}`);
    }
    after = people.at(-1)?.id;
    if (people.length < PEOPLE_AT_ONCE) return;
  }
}

/** Of how many people accounts may still be deleted. */
class Allowance {
  readonly #deleted: Set<PersonId>;
  readonly #people: number;
  readonly #removals: Removals | undefined;

  private constructor(deleted: Set<PersonId>, people: number, removals: Removals | undefined) {
    this.#deleted = deleted;
    this.#people = people;
    this.#removals = removals;
  }

  static async read({ audit, clock, directory, targets, removals }: DeleteDueDeps): Promise<Allowance> {
    const deleted = new Set<PersonId>();
    if (removals === undefined) return new Allowance(deleted, 0, removals);
    for await (const { event, person, requestId } of audit.list({ since: new Date(clock.now() - DAY_MS) })) {
      const isOurs = event === 'account.deleted' && requestId?.startsWith(REQUEST) === true;
      if (isOurs && person !== undefined) deleted.add(person);
    }
    const counts = await Promise.all([...targets.keys()].map((target) => directory.accounts.count(target)));
    return new Allowance(deleted, Math.max(0, ...counts) + deleted.size, removals);
  }

  take(person: PersonId): boolean {
    const count = this.#deleted.size + (this.#deleted.has(person) ? 0 : 1);
    if (count >= FEWEST && this.#removals !== undefined) {
      const { percent, people } = this.#removals;
      if (percent !== undefined && count * 100 > percent * this.#people) return false;
      if (people !== undefined && count > people) return false;
    }
    this.#deleted.add(person);
    return true;
  }
}
