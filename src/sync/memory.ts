import type { AccountLink, Directory } from '../directory/directory.ts';
import type { Grant } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';
import type { Memory, PlanReads } from '../provisioning/job.ts';

const NOTHING: readonly Grant[] = [];

/** What we remember of everybody, or of these people, in one target. */
export class TargetMemory {
  readonly #links = new Map<PersonId, AccountLink>();
  readonly #ledger = new Map<PersonId, Grant[]>();
  readonly #owners = new Map<string, PersonId>();

  static async read(
    { accounts, ledger }: Pick<Directory, 'accounts' | 'ledger'>,
    target: string,
    people?: readonly PersonId[],
  ): Promise<TargetMemory> {
    const memory = new TargetMemory();
    for await (const page of accounts.ofTarget(target, people)) for (const link of page) memory.#addLink(link);
    for await (const page of ledger.ofTarget(target, people)) for (const grant of page) memory.#addGrant(grant);
    return memory;
  }

  of(person: PersonId): Memory {
    return { link: this.#links.get(person), ledger: this.#ledger.get(person) ?? NOTHING };
  }

  owner(accountId: string): PersonId | undefined {
    return this.#owners.get(accountId);
  }

  /** Everybody who has something of ours there now: what a removal can be counted against. */
  holders(): number {
    let count = 0;
    for (const [person, { state }] of this.#links) if (state !== 'disabled' || this.#ledger.has(person)) count += 1;
    for (const person of this.#ledger.keys()) if (!this.#links.has(person)) count += 1;
    return count;
  }

  /** From now on this account counts as the person's: one that is planned. */
  expect(accountId: string, person: PersonId): void {
    this.#owners.set(accountId, person);
  }

  #addLink(link: AccountLink): void {
    this.#links.set(link.person, link);
    if (link.accountId !== undefined) this.#owners.set(link.accountId, link.person);
  }

  #addGrant(grant: Grant): void {
    const rows = this.#ledger.get(grant.person);
    if (rows === undefined) this.#ledger.set(grant.person, [grant]);
    else rows.push(grant);
  }
}

/** Planning reads accounts from memory, and people, of whom it needs few, from the directory. */
export function planReads(directory: Directory, target: string, memory: TargetMemory): PlanReads {
  return {
    accounts: {
      get: async (person, name) => (name === target ? memory.of(person).link : directory.accounts.get(person, name)),
      owner: async (name, accountId) =>
        name === target ? memory.owner(accountId) : directory.accounts.owner(name, accountId),
    },
    people: directory.people,
  };
}
