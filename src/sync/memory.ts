import type { AccountLink, Directory } from '../directory/directory.ts';
import type { Grant } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';
import type { Pin } from '../model/pin.ts';
import type { Memory, PlanReads } from '../provisioning/job.ts';

const NOTHING: Memory = { link: undefined, ledger: [], pins: [] };

/** Shared by nearly everybody. */
const NONE: readonly Pin[] = [];

interface Remembered extends Memory {
  link: AccountLink | undefined;
  readonly ledger: Grant[];
  readonly pins: readonly Pin[];
}

/** What we remember of everybody, or of these people, in one target. */
export class TargetMemory {
  readonly #people = new Map<PersonId, Remembered>();
  /** Made when it is first asked for: of people who are as they were left nobody asks. */
  #owners: Map<string, PersonId> | undefined;

  static async read(
    { accounts, ledger, pins }: Pick<Directory, 'accounts' | 'ledger' | 'pins'>,
    target: string,
    people?: readonly PersonId[],
  ): Promise<TargetMemory> {
    const memory = new TargetMemory();
    for await (const page of accounts.ofTarget(target, people)) {
      for (const link of page) memory.#people.set(link.person, { link, ledger: [], pins: NONE });
    }
    for await (const page of ledger.ofTarget(target, people)) memory.#addGrants(page);
    for await (const page of pins.ofTarget(target, people)) for (const pin of page) memory.#addPin(pin);
    return memory;
  }

  of(person: PersonId): Memory {
    return this.#people.get(person) ?? NOTHING;
  }

  owner(accountId: string): PersonId | undefined {
    return this.#ownersNow().get(accountId);
  }

  /** For whom an account was about to be made, under which name: it may be there, though nobody knows its id yet. */
  announced(): readonly { readonly person: PersonId; readonly userName: string }[] {
    return [...this.#people.values()].flatMap(({ link }) =>
      link?.state === 'intended' ? [{ person: link.person, userName: link.userName }] : [],
    );
  }

  /** Everybody who has something of ours there now: what a removal can be counted against. */
  holders(): number {
    let count = 0;
    for (const person of this.#people.keys()) if (this.holds(person)) count += 1;
    return count;
  }

  /** Whether somebody has something of ours there now. */
  holds(person: PersonId): boolean {
    const { link, ledger } = this.of(person);
    return ledger.length > 0 || (link !== undefined && link.state !== 'disabled');
  }

  /** From now on this account counts as the person's: one that is planned. */
  expect(accountId: string, person: PersonId): void {
    this.#ownersNow().set(accountId, person);
  }

  /** Rows of one person stand one after the other. */
  #addGrants(page: readonly Grant[]): void {
    let last: Remembered | undefined;
    let person: PersonId | undefined;
    for (const grant of page) {
      if (last === undefined || grant.person !== person) {
        person = grant.person;
        last = this.#people.get(person) ?? { link: undefined, ledger: [], pins: NONE };
        this.#people.set(person, last);
      }
      last.ledger.push(grant);
    }
  }

  #addPin(pin: Pin): void {
    const known = this.#people.get(pin.person);
    const pins = [...(known?.pins ?? NONE), pin];
    this.#people.set(pin.person, { link: known?.link, ledger: known?.ledger ?? [], pins });
  }

  #ownersNow(): Map<string, PersonId> {
    if (this.#owners !== undefined) return this.#owners;
    this.#owners = new Map();
    for (const [person, { link }] of this.#people) {
      if (link?.accountId !== undefined) this.#owners.set(link.accountId, person);
    }
    return this.#owners;
  }
}

/** Planning reads accounts from memory, and people, of whom it needs few, from the directory. */
export function planReads(directory: Directory, target: string, memory: TargetMemory): PlanReads {
  return {
    accounts: {
      get: async (person, name) => (name === target ? memory.of(person).link : directory.accounts.get(person, name)),
      owner: async (name, accountId) =>
        name === target ? memory.owner(accountId) : directory.accounts.owner(name, accountId),
      ofPerson: (person) => directory.accounts.ofPerson(person),
    },
    people: directory.people,
  };
}
