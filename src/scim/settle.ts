import type { Kysely } from 'kysely';
import type { Audit, AuditEntry } from '../audit/audit.ts';
import type { Database } from '../directory/database.ts';
import type { Directory, Person } from '../directory/directory.ts';
import type { ScimUserRow, Tables } from '../directory/tables.ts';
import type { Mapping } from '../mapping/mapping.ts';
import { scimIssuer } from '../model/origin.ts';
import type { Assertion, PersonId, SubjectKey } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import { descriptionOf, isPolicy, whyOut } from '../provisioning/outcome.ts';
import { claimsOf } from './claims.ts';
import { type ScimClient, subjectOf } from './client.ts';
import { forgetDeletion, noteDeletion, type Removals } from './store/held.ts';
import { type GroupOf, groupsOf } from './store/members.ts';
import type { Attributes } from './store/users.ts';

/** Several stores in one transaction. */
export type Together = <T>(
  work: (stores: { readonly database: Database; readonly directory: Directory; readonly audit: Audit }) => Promise<T>,
) => Promise<T>;

export interface SettleDeps {
  readonly together: Together;
  readonly mapping: Mapping;
  readonly clock: Clock;
  /** Names of the targets, which are all looked at again. */
  readonly targets: readonly string[];
  /** Present: accounts of leavers are deleted at once, and this is how many may go. */
  readonly deletions?: Removals;
}

/** Somebody whose accounts are to be looked at, because of what the directory has been told. */
export interface Concerned {
  readonly person: PersonId;
  /** No session may go on: they have left, or were disabled. */
  readonly isOut: boolean;
  /** A rule refuses them: no session may go on either. */
  readonly isDenied: boolean;
  /** Where they have something, or are to have something. */
  readonly targets: readonly string[];
}

export interface Settled {
  readonly concerned: readonly Concerned[];
}

/** How long whoever settles has for the targets before the scheduler looks. */
const FOLLOW_UP_MS = 15_000;

/**
 * Tells the directory what a client says of these users by now: its assertions, whom it owns, who has left. All or
 * nothing, and each user by one caller at a time. Those that the directory knows already are left out.
 */
export function settle(
  deps: SettleDeps,
  client: ScimClient,
  ids: readonly string[],
  requestId: string,
): Promise<Settled> {
  return deps.together(async (stores) => {
    const { settled, entries } = await settleWithin(deps, stores, client, ids, requestId);
    if (entries.length > 0) await stores.audit.append(entries);
    return settled;
  });
}

/** The same in a transaction of the caller's, who appends the entries to the audit as the last thing in it. */
export async function settleWithin(
  deps: SettleDeps,
  { database, directory }: { readonly database: Database; readonly directory: Directory },
  client: ScimClient,
  ids: readonly string[],
  requestId: string,
): Promise<{ readonly settled: Settled; readonly entries: readonly AuditEntry[] }> {
  const settling = new Settling(deps, client, requestId, directory);
  await database.run(async (db) => {
    const rows = await claim(db, client.name, ids);
    const there = rows.filter(({ body }) => body !== null).map(({ id }) => id);
    const groups = await groupsOf(db, client.name, there);
    for (const row of rows) await settling.user(db, row, groups.get(row.id) ?? []);
  });
  await settling.followUp();
  return { settled: settling.result(), entries: settling.entries };
}

/** Whoever comes second waits here for the first. */
async function claim(db: Kysely<Tables>, client: string, ids: readonly string[]): Promise<readonly ScimUserRow[]> {
  return db
    .updateTable('scim_users')
    .set((set) => ({ settled: set.ref('pushed') }))
    .where('client', '=', client)
    .where('id', 'in', ids)
    .whereRef('pushed', '>', 'settled')
    .returningAll()
    .execute();
}

class Settling {
  readonly entries: AuditEntry[] = [];
  readonly #deps: SettleDeps;
  readonly #client: ScimClient;
  readonly #requestId: string;
  readonly #directory: Directory;
  readonly #concerned = new Map<PersonId, Concerned>();

  constructor(deps: SettleDeps, client: ScimClient, requestId: string, directory: Directory) {
    this.#deps = deps;
    this.#client = client;
    this.#requestId = requestId;
    this.#directory = directory;
  }

  async user(db: Kysely<Tables>, row: ScimUserRow, groups: readonly GroupOf[]): Promise<void> {
    const { id, issuer, subject, body } = row;
    const known = issuer === null || subject === null ? undefined : { issuer, subject };
    if (body === null) {
      if (known !== undefined) await this.#gone(db, row, known);
      await db.deleteFrom('scim_users').where('client', '=', row.client).where('id', '=', id).execute();
      return;
    }
    const attributes = JSON.parse(body) as Attributes;
    const now = subjectOf(this.#client, id, attributes['externalId']);
    const isSame = known?.issuer === now.issuer && known.subject === now.subject;
    if (!isSame && known?.issuer === scimIssuer(this.#client.name)) await this.#join(known, now);
    const isTaken = await this.#say(db, id, now, attributes, groups);
    if (!isTaken || isSame) return;
    if (known !== undefined) await this.#gone(db, row, known);
    await db.updateTable('scim_users').set(now).where('client', '=', row.client).where('id', '=', id).execute();
  }

  /** A person of their own until now, whom no login knows: the `externalId` that came later is theirs. */
  async #join(known: SubjectKey, now: SubjectKey): Promise<void> {
    const { people } = this.#directory;
    const person = await people.bySubject(known);
    if (person === undefined || (await people.bySubject(now)) !== undefined) return;
    await people.addSubject(person.id, now, this.#client.name);
  }

  /** False: it cannot be read, and nothing changes. */
  async #say(
    db: Kysely<Tables>,
    id: string,
    subject: SubjectKey,
    attributes: Attributes,
    groups: readonly GroupOf[],
  ): Promise<boolean> {
    const { mapping, clock } = this.#deps;
    const { people, listings } = this.#directory;
    const assertion: Assertion = {
      ...subject,
      origin: this.#client.name,
      active: attributes['active'] !== false,
      claims: claimsOf(attributes, groups),
      at: new Date(clock.now()),
    };
    const before = await people.bySubject(subject);
    const others =
      before === undefined ? [] : (await people.assertions(before.id)).filter((one) => !isOf(one, assertion));
    const decision = mapping.map({
      person: before?.id ?? 'new',
      assertions: [...others, assertion],
      current: assertion.origin,
    });
    const isDenied = decision.decision === 'deny';
    if (isDenied && !isPolicy(decision.code) && assertion.active) {
      this.#refuse(id, before, decision.code ?? 'internal');
      return false;
    }
    const sent = mapping.sentGroups(assertion);
    const [after] = await listings.save([
      {
        ...(before === undefined ? {} : { person: before.id }),
        assertion,
        ...(sent === undefined ? {} : { groups: sent }),
        description: descriptionOf(assertion, decision),
        owner: this.#client.ownerOf(before?.owner),
      },
    ]);
    if (after === undefined) return true;
    const wanted = isDenied || !assertion.active ? [] : [...decision.accounts.keys()];
    await this.#note(db, before, after, { isDenied: isDenied && assertion.active, wanted });
    return true;
  }

  async #gone(db: Kysely<Tables>, { client, id }: ScimUserRow, subject: SubjectKey): Promise<void> {
    if (await isSomeoneElses(db, { client, id, subject })) return;
    const { people, listings } = this.#directory;
    const before = await people.bySubject(subject);
    if (before === undefined) return;
    const row = { ...subject, person: before.id, owner: this.#client.ownerOf(before.owner) };
    const [after] = await listings.saveGone(this.#client.name, [row], new Date(this.#deps.clock.now()));
    if (after !== undefined) await this.#note(db, before, after, { isDenied: false, wanted: [] });
  }

  async #note(
    db: Kysely<Tables>,
    before: Person | undefined,
    after: Person,
    { isDenied, wanted }: { readonly isDenied: boolean; readonly wanted: readonly string[] },
  ): Promise<void> {
    const { deletions, clock } = this.#deps;
    const { name } = this.#client;
    const isOut = whyOut(after) !== undefined;
    // Of somebody who is out in every target, linked or not: a login that is under way may be making an account there.
    const targets = isOut ? this.#deps.targets : await this.#targetsOf(before, wanted);
    this.#concerned.set(after.id, { person: after.id, isOut, isDenied, targets });
    if (after.leftAt === undefined) {
      if (before?.leftAt !== undefined) await forgetDeletion(db, after.id);
      return;
    }
    if (before?.leftAt !== undefined) return;
    this.#audit({ event: 'person.left', person: after.id });
    if (deletions === undefined) return;
    const isHeld = await noteDeletion(db, { person: after.id, client: name, at: new Date(clock.now()) }, deletions);
    if (isHeld) this.#audit({ event: 'scim.deletion_held', person: after.id, code: 'too_many_removals' });
  }

  async #targetsOf(known: Person | undefined, wanted: readonly string[]): Promise<readonly string[]> {
    const there = new Set(wanted);
    if (known !== undefined) {
      const { accounts, ledger } = this.#directory;
      for (const { target } of await accounts.ofPerson(known.id)) there.add(target);
      for (const { target } of await ledger.ofPerson(known.id)) there.add(target);
    }
    return this.#deps.targets.filter((target) => there.has(target));
  }

  #refuse(id: string, person: Person | undefined, code: string): void {
    this.#audit({ event: 'scim.not_taken', key: id, code, ...(person === undefined ? {} : { person: person.id }) });
  }

  #audit(entry: Omit<AuditEntry, 'actor'>): void {
    const { name } = this.#client;
    this.entries.push({ ...entry, actor: `scim:${name}`, origin: name, requestId: this.#requestId });
  }

  /** Ahead of the targets: whoever dies before these are done is followed up by the scheduler. */
  async followUp(): Promise<void> {
    const due = new Date(this.#deps.clock.now() + FOLLOW_UP_MS);
    for (const { person, targets } of this.#concerned.values()) {
      for (const target of targets) await this.#directory.retries.put(person, target, 'target_pending', due);
    }
  }

  result(): Settled {
    return { concerned: [...this.#concerned.values()] };
  }
}

function isOf(one: Assertion, { origin, issuer, subject }: Assertion): boolean {
  return one.origin === origin && one.issuer === issuer && one.subject === subject;
}

/** Another user says by now that they are who this one was. */
async function isSomeoneElses(
  db: Kysely<Tables>,
  { client, id, subject: { issuer, subject } }: { client: string; id: string; subject: SubjectKey },
): Promise<boolean> {
  const other = await db
    .selectFrom('scim_users')
    .select('id')
    .where('client', '=', client)
    .where('id', '!=', id)
    .where('body', 'is not', null)
    .where((is) =>
      issuer === scimIssuer(client)
        ? is.and([is('issuer', '=', issuer), is('subject', '=', subject)])
        : is('external_id', '=', subject),
    )
    .executeTakeFirst();
  return other !== undefined;
}
