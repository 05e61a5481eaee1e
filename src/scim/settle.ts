import type { Kysely } from 'kysely';
import type { Audit, AuditEntry } from '../audit/audit.ts';
import type { Database } from '../directory/database.ts';
import type { Directory, Person } from '../directory/directory.ts';
import { prepared } from '../directory/prepared.ts';
import type { ScimUserRow, Tables } from '../directory/tables.ts';
import type { Mapping } from '../mapping/mapping.ts';
import { scimIssuer } from '../model/origin.ts';
import type { Assertion, PersonId, SubjectKey } from '../model/person.ts';
import { type JoiningDeps, personByEmail } from '../provisioning/joining.ts';
import { descriptionOf, isPolicy } from '../provisioning/outcome.ts';
import { claimsOf } from './claims.ts';
import { formerSubject, type ScimClient, subjectOf } from './client.ts';
import { Concern, type ConcernDeps, type Concerned } from './concern.ts';
import type { Foreseen } from './existing.ts';
import { personBefore } from './former.ts';
import { type GroupOf, groupsOf } from './store/members.ts';
import { lockUsers } from './store/user-locks.ts';
import { type Attributes, setRefused } from './store/users.ts';

/** Several stores in one transaction. */
export type Together = <T>(
  work: (stores: { readonly database: Database; readonly directory: Directory; readonly audit: Audit }) => Promise<T>,
) => Promise<T>;

export interface SettleDeps extends ConcernDeps, Pick<JoiningDeps, 'join' | 'privileged'> {
  readonly together: Together;
  readonly mapping: Mapping;
}

/** A user who came with a transaction, stored as told to the directory. */
export interface Made {
  readonly row: ScimUserRow;
  readonly attributes: Attributes;
  /** Holds where nobody knows them still. */
  readonly foreseen: Foreseen | undefined;
}

export interface Settled {
  readonly concerned: readonly Concerned[];
}

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

/**
 * The same in a transaction of the caller's, who appends the entries to the audit as the last thing in it. `made`: the one
 * user, who comes with this transaction.
 */
export async function settleWithin(
  deps: SettleDeps,
  { database, directory }: { readonly database: Database; readonly directory: Directory },
  client: ScimClient,
  ids: readonly string[],
  requestId: string,
  made?: Made,
): Promise<{ readonly settled: Settled; readonly entries: readonly AuditEntry[] }> {
  const settling = new Settling(deps, client, requestId, directory);
  await database.run(async (db) => {
    if (made !== undefined) {
      await settling.made(db, made);
      return;
    }
    if (database.engine === 'postgres') await lockUsers(db, client.name, ids);
    const rows = await claim(db, client.name, ids);
    const there = rows.filter(({ body }) => body !== null).map(({ id }) => id);
    const groups = await groupsOf(db, client.name, there);
    for (const row of rows) await settling.user(db, row, groups.get(row.id) ?? []);
  });
  await settling.concern.followUp();
  return { settled: { concerned: settling.concern.result() }, entries: settling.entries };
}

/** Whoever comes second waits here for the first. */
async function claim(db: Kysely<Tables>, client: string, ids: readonly string[]): Promise<readonly ScimUserRow[]> {
  const [first, ...more] = ids;
  if (first === undefined) return [];
  return more.length === 0 ? (await claimOne(db, client, first)).rows : claiming(db, client, ids).execute();
}

const claiming = (db: Kysely<Tables>, client: string, ids: readonly string[]) =>
  db
    .updateTable('scim_users')
    .set((set) => ({ settled: set.ref('pushed') }))
    .where('client', '=', client)
    .where('id', 'in', ids)
    .whereRef('pushed', '>', 'settled')
    .returningAll();

const claimOne = prepared((db, client: string, id: string) => claiming(db, client, [id]));

/** The directory does not know the user. */
const UNKNOWN = { issuer: null, subject: null };

const setSubject = prepared((db, client: string, id: string, { issuer, subject }: SubjectKey | typeof UNKNOWN) =>
  db.updateTable('scim_users').set({ issuer, subject }).where('client', '=', client).where('id', '=', id),
);

/** What a client says of one user. */
interface Said {
  readonly subject: SubjectKey;
  readonly attributes: Attributes;
  readonly groups: readonly GroupOf[];
  readonly foreseen?: Foreseen | undefined;
}

class Settling {
  readonly entries: AuditEntry[] = [];
  readonly concern: Concern;
  readonly #deps: SettleDeps;
  readonly #client: ScimClient;
  readonly #requestId: string;
  readonly #directory: Directory;

  constructor(deps: SettleDeps, client: ScimClient, requestId: string, directory: Directory) {
    this.#deps = deps;
    this.#client = client;
    this.#requestId = requestId;
    this.#directory = directory;
    this.concern = new Concern(deps, client.name, directory, (entry) => this.#audit(entry));
  }

  /** In no group yet. */
  async made(db: Kysely<Tables>, { row, attributes, foreseen }: Made): Promise<void> {
    const { externalId } = attributes;
    const subject = subjectOf(this.#client, row.id, externalId);
    await this.#back(db, subject, externalId);
    const said = { subject, attributes, groups: [], foreseen };
    if (!(await this.#say(db, row, said))) await setSubject(db, row.client, row.id, UNKNOWN);
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
    if (known === undefined) await this.#back(db, now, attributes['externalId']);
    if (!isSame && known?.issuer === scimIssuer(this.#client.name)) await this.#join(known, now);
    const isTaken = await this.#say(db, row, { subject: now, attributes, groups });
    if (!isTaken || isSame) return;
    if (known !== undefined) await this.#gone(db, row, known);
    await setSubject(db, row.client, id, now);
  }

  /** A person of their own until now, whom no login knows: the `externalId` that came later is theirs. */
  async #join(known: SubjectKey, now: SubjectKey): Promise<void> {
    const { people } = this.#directory;
    const person = await people.bySubject(known);
    if (person === undefined || (await people.bySubject(now)) !== undefined) return;
    await people.addSubject(person.id, now, this.#client.name);
  }

  /** Somebody whom the client deleted and makes again is who they were: their accounts are theirs. */
  async #back(db: Kysely<Tables>, now: SubjectKey, externalId: unknown): Promise<void> {
    const { people } = this.#directory;
    const former = await personBefore({ db, people }, this.#client, externalId);
    if (former !== undefined) await people.addSubject(former.id, now, this.#client.name);
  }

  /** False: it cannot be read, and nothing changes. */
  async #say(db: Kysely<Tables>, row: ScimUserRow, said: Said): Promise<boolean> {
    const { mapping, clock } = this.#deps;
    const { people, listings } = this.#directory;
    const { id } = row;
    const { subject, attributes, groups, foreseen } = said;
    const assertion: Assertion = {
      ...subject,
      origin: this.#client.name,
      active: attributes['active'] !== false,
      claims: foreseen?.assertion.claims ?? claimsOf(attributes, groups),
      at: new Date(clock.now()),
    };
    const met = await people.bySubject(subject);
    const joined = met === undefined ? await this.#joins(assertion) : undefined;
    const before = met ?? joined;
    const others =
      before === undefined ? [] : (await people.assertions(before.id)).filter((one) => !isOf(one, assertion));
    const decision =
      (before === undefined ? foreseen?.decision : undefined) ??
      mapping.map({ person: before?.id ?? 'new', assertions: [...others, assertion], current: assertion.origin });
    const isDenied = decision.decision === 'deny';
    if (isDenied && !isPolicy(decision.code) && assertion.active) {
      const code = decision.code ?? 'internal';
      // Once: what is refused again says nothing new.
      if (row.refused !== code) this.#refuse(id, before, code);
      await setRefused(db, row, code);
      return false;
    }
    await setRefused(db, row, undefined);
    const sent = mapping.sentGroups(assertion);
    const [after] = await listings.save([
      {
        ...(before === undefined ? {} : { person: before.id, joins: joined !== undefined }),
        assertion,
        ...(sent === undefined ? {} : { groups: sent }),
        description: descriptionOf(assertion, decision),
        owner: this.#client.ownerOf(before?.owner),
      },
    ]);
    if (after === undefined) return true;
    const wanted = isDenied || !assertion.active ? [] : [...decision.accounts.keys()];
    await this.concern.note(db, { user: id, before, after, isDenied: isDenied && assertion.active, wanted });
    return true;
  }

  /** Somebody whom another door brought, by their address. */
  async #joins(assertion: Assertion): Promise<Person | undefined> {
    const person = await personByEmail({ ...this.#deps, directory: this.#directory }, assertion);
    if (person === undefined) return undefined;
    const after = { subject: assertion.subject, by: 'verified_email' };
    this.#audit({ event: 'person.joined', person: person.id, after });
    return person;
  }

  async #gone(db: Kysely<Tables>, { client, id }: ScimUserRow, subject: SubjectKey): Promise<void> {
    if (await isSomeoneElses(db, { client, id, subject })) return;
    const { people, listings } = this.#directory;
    const before = await people.bySubject(subject);
    if (before === undefined) return;
    await this.#remember(before.id, subject);
    const row = { ...subject, person: before.id, owner: this.#client.ownerOf(before.owner) };
    const [after] = await listings.saveGone(this.#client.name, [row], new Date(this.#deps.clock.now()));
    if (after !== undefined) await this.concern.note(db, { user: id, before, after, isDenied: false, wanted: [] });
  }

  /** Who goes may be made again by the same `externalId`. */
  async #remember(person: PersonId, subject: SubjectKey): Promise<void> {
    const { people } = this.#directory;
    const { name: origin } = this.#client;
    const said = (await people.assertions(person)).find((one) => isOf(one, { ...subject, origin }));
    const former = formerSubject(this.#client, said?.claims['externalId']);
    if (former !== undefined) await people.addSubject(person, former, origin);
  }

  #refuse(id: string, person: Person | undefined, code: string): void {
    this.#audit({ event: 'scim.not_taken', key: id, code, ...(person === undefined ? {} : { person: person.id }) });
  }

  #audit(entry: Omit<AuditEntry, 'actor'>): void {
    const { name } = this.#client;
    this.entries.push({ ...entry, actor: `scim:${name}`, origin: name, requestId: this.#requestId });
  }
}

function isOf(one: Assertion, { origin, issuer, subject }: SubjectKey & { readonly origin: string }): boolean {
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
