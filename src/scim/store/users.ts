import { type Kysely, sql } from 'kysely';
import { prepared } from '../../directory/prepared.ts';
import type { ScimUserRow, Tables } from '../../directory/tables.ts';
import type { SubjectKey } from '../../model/person.ts';
import type { ScimObject } from '../protocol/attribute.ts';
import { ScimError } from '../protocol/error.ts';
import { foldCase } from '../protocol/filter.ts';

/** A User as its client said it: attributes without `id`, `meta`, `groups` and `password`. */
export type Attributes = ScimObject;

export interface StoredUser {
  readonly client: string;
  readonly id: string;
  readonly createdAt: number;
  readonly modifiedAt: number;
  readonly version: number;
  readonly attributes: Attributes;
}

/** The rows of users. Each function is one statement or a few: the caller has the transaction. */
const insertOne = prepared((db, row: ScimUserRow) => db.insertInto('scim_users').values(row));

/**
 * `told`: who the user is to the directory, which the caller tells in the same transaction. Without it whoever settles
 * finds the user. Returns the row.
 */
export async function insertUser(db: Kysely<Tables>, user: StoredUser, told?: SubjectKey): Promise<ScimUserRow> {
  const row = rowOf(user, told);
  await insertOne(db, row);
  await insertEmails(db, [user]);
  await addToCount(db, user.client, 1);
  return row;
}

/** All of one client, and no more than a hundred or two. */
export async function insertUsers(db: Kysely<Tables>, users: readonly StoredUser[]): Promise<void> {
  await db
    .insertInto('scim_users')
    .values(users.map((user) => rowOf(user)))
    .execute();
  await insertEmails(db, users);
  for (const { client } of users.slice(0, 1)) await addToCount(db, client, users.length);
}

function rowOf({ client, id, createdAt, modifiedAt, version, attributes }: StoredUser, told?: SubjectKey): ScimUserRow {
  return {
    client,
    id,
    ...columnsOf(attributes),
    created_at: createdAt,
    modified_at: modifiedAt,
    version,
    issuer: told?.issuer ?? null,
    subject: told?.subject ?? null,
    pushed: 1,
    settled: told === undefined ? 0 : 1,
    owed: 0,
    refused: null,
  };
}

/** Writes only over the version that was read. Says whether it did. */
export async function replaceUser(db: Kysely<Tables>, user: StoredUser, before: StoredUser): Promise<boolean> {
  const { client, id, modifiedAt, version } = user;
  const written = await db
    .updateTable('scim_users')
    .set((set) => ({
      ...columnsOf(user.attributes, before.attributes),
      modified_at: modifiedAt,
      version,
      owed: 0,
      pushed: set('pushed', '+', 1),
    }))
    .where('client', '=', client)
    .where('id', '=', id)
    .where('version', '=', before.version)
    .where('body', 'is not', null)
    .executeTakeFirst();
  if (written.numUpdatedRows === 0n) return false;
  const emails = emailsOf(user.attributes);
  if (emails.join('\n') === emailsOf(before.attributes).join('\n')) return true;
  await db.deleteFrom('scim_emails').where('client', '=', client).where('user_id', '=', id).execute();
  await insertEmails(db, [user]);
  return true;
}

/** Leaves a row behind until the directory knows. Says whether it was there in that version. */
export async function removeUser(db: Kysely<Tables>, user: StoredUser): Promise<boolean> {
  const { client, id, version } = user;
  const written = await db
    .updateTable('scim_users')
    .set((set) => ({
      user_name: null,
      external_id: null,
      display: null,
      active: 0,
      body: null,
      pushed: set('pushed', '+', 1),
    }))
    .where('client', '=', client)
    .where('id', '=', id)
    .where('version', '=', version)
    .where('body', 'is not', null)
    .executeTakeFirst();
  if (written.numUpdatedRows === 0n) return false;
  await db.deleteFrom('scim_emails').where('client', '=', client).where('user_id', '=', id).execute();
  await addToCount(db, client, -1);
  return true;
}

const addToCount = prepared((db, client: string, users: number) =>
  db
    .insertInto('scim_counts')
    .values({ client, users, changes: 1 })
    .onConflict((conflict) =>
      conflict
        .column('client')
        .doUpdateSet({ users: sql`scim_counts.users + ${users}`, changes: sql`scim_counts.changes + 1` }),
    ),
);

/** `lock`: until the end of the transaction nobody else may change it. SQLite has no other transaction meanwhile. */
export async function userById(
  db: Kysely<Tables>,
  client: string,
  id: string,
  lock = false,
): Promise<StoredUser | undefined> {
  const row = await db
    .selectFrom('scim_users')
    .selectAll()
    .where('client', '=', client)
    .where('id', '=', id)
    .where('body', 'is not', null)
    .$if(lock, (query) => query.forUpdate())
    .executeTakeFirst();
  return row && toUser(row);
}

/** Ids of those that are waiting for the directory, by id, those after `after`. */
export async function unsettledUsers(
  db: Kysely<Tables>,
  client: string,
  after: string,
  limit: number,
): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('scim_users')
    .select('id')
    .where('client', '=', client)
    .where('id', '>', after)
    .whereRef('pushed', '>', 'settled')
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

/** Says that those whom the mapping could not read are to be looked at again. */
export async function touchRefused(db: Kysely<Tables>, clients: readonly string[]): Promise<void> {
  if (clients.length === 0) return;
  await db
    .updateTable('scim_users')
    .set((set) => ({ pushed: set('pushed', '+', 1) }))
    .where('client', 'in', clients)
    .where('refused', 'is not', null)
    .where('body', 'is not', null)
    .execute();
}

/** `code`: why the mapping could not read the user; undefined: it could. */
export async function setRefused(db: Kysely<Tables>, row: ScimUserRow, code: string | undefined): Promise<void> {
  const { client, id, refused } = row;
  if (refused === (code ?? null)) return;
  await db
    .updateTable('scim_users')
    .set({ refused: code ?? null })
    .where('client', '=', client)
    .where('id', '=', id)
    .execute();
}

/** Says that something new is to be said of these users. Answers with those that are there; nobody deletes them before the end. */
export async function touchUsers(
  db: Kysely<Tables>,
  client: string,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  // In one order, so that two at once wait for each other and do not lock each other out.
  const sorted = [...ids].sort();
  for (let from = 0; from < sorted.length; from += IDS_AT_ONCE) {
    const rows = await db
      .updateTable('scim_users')
      .set((set) => ({ pushed: set('pushed', '+', 1) }))
      .where('client', '=', client)
      .where('id', 'in', sorted.slice(from, from + IDS_AT_ONCE))
      .where('body', 'is not', null)
      .returning('id')
      .execute();
    for (const { id } of rows) found.add(id);
  }
  return found;
}

/** Below the number of parameters that any SQLite takes. */
const IDS_AT_ONCE = 500;

/** Which of these are there, with the name that groups show of them. */
export async function displaysOf(
  db: Kysely<Tables>,
  client: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string | undefined>> {
  const found = new Map<string, string | undefined>();
  for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
    const rows = await db
      .selectFrom('scim_users')
      .select(['id', 'display'])
      .where('client', '=', client)
      .where('id', 'in', ids.slice(from, from + IDS_AT_ONCE))
      .where('body', 'is not', null)
      .execute();
    for (const { id, display } of rows) found.set(id, display ?? undefined);
  }
  return found;
}

export function toUser(row: Omit<ScimUserRow, 'body'> & { body: string | null }): StoredUser {
  return {
    client: row.client,
    id: row.id,
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
    version: row.version,
    attributes: row.body === null ? {} : (JSON.parse(row.body) as Attributes),
  };
}

/** By which it is looked up and unique. An empty text, which some send for everybody, is none. */
export function externalKeyOf(externalId: unknown): string | null {
  return typeof externalId === 'string' && externalId !== '' ? externalId : null;
}

type Said = Pick<ScimUserRow, 'user_name' | 'external_id' | 'display' | 'active' | 'body'>;

/** Of one user as JSON: a page has up to ten thousand. */
const MOST_CHARACTERS = 262_144;
const SWITCH_CHARACTERS = 20;

/** Throws `scim_too_large`, unless the user was that large before: who is to be switched off has to be. */
function columnsOf(attributes: Attributes, before?: Attributes): Said {
  const { userName, externalId, displayName } = attributes;
  const body = JSON.stringify(attributes);
  if (
    body.length > MOST_CHARACTERS &&
    !(before !== undefined && body.length <= JSON.stringify(before).length + SWITCH_CHARACTERS)
  ) {
    throw new ScimError('scim_too_large', `a user of more than ${MOST_CHARACTERS} characters`);
  }
  return {
    user_name: foldCase(String(userName)),
    external_id: externalKeyOf(externalId),
    display: typeof displayName === 'string' && displayName !== '' ? displayName : String(userName),
    active: attributes['active'] === false ? 0 : 1,
    body,
  };
}

const insertEmail = prepared((db, row: Tables['scim_emails']) => db.insertInto('scim_emails').values(row));

async function insertEmails(db: Kysely<Tables>, users: readonly StoredUser[]): Promise<void> {
  const rows = users.flatMap(({ client, id, attributes }) =>
    emailsOf(attributes).map((email) => ({ client, user_id: id, email })),
  );
  const [first, ...more] = rows;
  if (first !== undefined && more.length === 0) await insertEmail(db, first);
  else if (first !== undefined) await db.insertInto('scim_emails').values(rows).execute();
}

function emailsOf(attributes: Attributes): readonly string[] {
  const { emails } = attributes;
  if (!Array.isArray(emails)) return [];
  const values = emails.flatMap((one: unknown) => {
    const value = typeof one === 'object' && one !== null ? (one as Record<string, unknown>)['value'] : undefined;
    return typeof value === 'string' && value !== '' ? [foldCase(value)] : [];
  });
  return [...new Set(values)];
}

/** How many users a client has, and how often one came or went. */
export async function countUsers(
  db: Kysely<Tables>,
  client: string,
): Promise<{ readonly total: number; readonly changes: number }> {
  const row = await db
    .selectFrom('scim_counts')
    .select(['users', 'changes'])
    .where('client', '=', client)
    .executeTakeFirst();
  return { total: row?.users ?? 0, changes: row?.changes ?? 0 };
}
