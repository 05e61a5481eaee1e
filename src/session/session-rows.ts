import type { Expression, ExpressionBuilder, SqlBool } from 'kysely';
import type { Database } from '../directory/database.ts';
import type { SessionRow, Tables } from '../directory/tables.ts';
import { LatchgateError } from '../model/errors.ts';
import type { StoredSession } from './remembered.ts';
import { providerSessionHash, sealSession, sealTokens, sessionHandle, subjectHash } from './seal.ts';
import type { Session, SessionInfo, SessionSelector, SessionTokens } from './store.ts';

/*
 * The statements of the embedded session store. Each throws `session_store_unavailable` when the database does not
 * answer.
 */

const ROWS_AT_ONCE = 1_000;

type Condition = (where: ExpressionBuilder<Tables, 'sessions'>) => Expression<SqlBool>;

/** What is written of a session; without `sealed_tokens` the ones that are there stay. */
export type WrittenRow = Omit<SessionRow, 'sealed_tokens'> & Partial<Pick<SessionRow, 'sealed_tokens'>>;

/** The row of a session that is used now. */
export function sessionRow(
  id: string,
  session: Session,
  tokens: SessionTokens | undefined,
  now: number,
  ttlMs: number,
): WrittenRow {
  const handle = sessionHandle(id);
  const { issuer, subject, person, origin } = session.identity;
  return {
    handle,
    person_id: person,
    origin,
    subject_hash: subjectHash(issuer, subject),
    provider_session_hash:
      session.providerSession === undefined ? null : providerSessionHash(issuer, session.providerSession),
    created_at: session.createdAt,
    last_seen_at: now,
    idle_until: now + ttlMs,
    ends_at: session.endsAt,
    sealed: sealSession(id, handle, session),
    ...(tokens === undefined ? {} : { sealed_tokens: sealTokens(id, handle, tokens) }),
  };
}

/** Which rows a selector means. */
export function chosenBy(selector: SessionSelector): Condition {
  if ('person' in selector) return (where) => where('person_id', '=', selector.person);
  if ('handle' in selector) return (where) => where('handle', '=', selector.handle);
  if ('subject' in selector) {
    return (where) => where('subject_hash', '=', subjectHash(selector.issuer, selector.subject));
  }
  if ('loneSubject' in selector) {
    const hash = subjectHash(selector.issuer, selector.loneSubject);
    return (where) => where.and([where('subject_hash', '=', hash), where('provider_session_hash', 'is', null)]);
  }
  if ('providerSession' in selector) {
    const hash = providerSessionHash(selector.issuer, selector.providerSession);
    return (where) => where('provider_session_hash', '=', hash);
  }
  return (where) => where.val(1).$castTo<SqlBool>();
}

/** Rows that ran out: the idle limit before `idle`, the absolute one before `absolute`. */
export function expired(idle: number, absolute: number): Condition {
  return (where) => where.or([where('idle_until', '<=', idle), where('ends_at', '<=', absolute)]);
}

export function readRow(database: Database, handle: string): Promise<StoredSession | undefined> {
  return answered(
    database.run((db) =>
      db
        .selectFrom('sessions')
        .select(['sealed', 'idle_until as idleUntil', 'last_seen_at as seenAt'])
        .where('handle', '=', handle)
        .executeTakeFirst(),
    ),
  );
}

/** Its limits alone. */
export function readTimes(
  database: Database,
  handle: string,
): Promise<{ readonly idleUntil: number; readonly seenAt: number; readonly endsAt: number } | undefined> {
  return answered(
    database.run((db) =>
      db
        .selectFrom('sessions')
        .select(['idle_until as idleUntil', 'last_seen_at as seenAt', 'ends_at as endsAt'])
        .where('handle', '=', handle)
        .executeTakeFirst(),
    ),
  );
}

/** With the tokens, which only few ask for. */
export function readWholeRow(
  database: Database,
  handle: string,
): Promise<Pick<SessionRow, 'sealed' | 'sealed_tokens' | 'idle_until' | 'ends_at'> | undefined> {
  return answered(
    database.run((db) =>
      db
        .selectFrom('sessions')
        .select(['sealed', 'sealed_tokens', 'idle_until', 'ends_at'])
        .where('handle', '=', handle)
        .executeTakeFirst(),
    ),
  );
}

export function listRows(database: Database, now: number, person?: string): Promise<readonly SessionInfo[]> {
  return answered(
    database.run(async (db) => {
      const all = db
        .selectFrom('sessions')
        .select(['handle', 'person_id', 'origin', 'created_at', 'last_seen_at', 'ends_at'])
        .where('idle_until', '>', now)
        .where('ends_at', '>', now)
        .orderBy('created_at')
        .orderBy('handle');
      const rows = await (person === undefined ? all : all.where('person_id', '=', person)).execute();
      return rows.map((row) => ({
        handle: row.handle,
        person: row.person_id,
        origin: row.origin,
        createdAt: row.created_at,
        lastSeenAt: row.last_seen_at,
        endsAt: row.ends_at,
      }));
    }),
  );
}

export function countRows(database: Database, now: number): Promise<number> {
  return answered(
    database.run(async (db) => {
      const row = await db
        .selectFrom('sessions')
        .select((select) => select.fn.countAll<number | string>().as('count'))
        .where('idle_until', '>', now)
        .where('ends_at', '>', now)
        .executeTakeFirst();
      return Number(row?.count ?? 0);
    }),
  );
}

/** False: the session has ended meanwhile, and stays so. */
export function writeUnlessEnded(database: Database, row: WrittenRow): Promise<boolean> {
  const writing = database.transaction(async (trx) => {
    // First the update: it waits for an end that is under way, and then finds nothing, but the end in its list.
    const updated = await trx.updateTable('sessions').set(row).where('handle', '=', row.handle).executeTakeFirst();
    if (updated.numUpdatedRows === 1n) return true;
    const ended = await trx
      .selectFrom('ended_sessions')
      .select('seq')
      .where('handle', '=', row.handle)
      .executeTakeFirst();
    if (ended !== undefined) return false;
    await trx
      .insertInto('sessions')
      .values({ sealed_tokens: null, ...row })
      .onConflict((conflict) => conflict.column('handle').doUpdateSet(row))
      .execute();
    return true;
  });
  return answered(writing);
}

/** Leaves alone when the session was used and when it ends. False: there is none. */
export async function writeRenewal(
  database: Database,
  { created_at: _made, last_seen_at: _used, idle_until: _idle, ...row }: WrittenRow,
): Promise<boolean> {
  const updated = await answered(
    database.run((db) => db.updateTable('sessions').set(row).where('handle', '=', row.handle).executeTakeFirst()),
  );
  return updated.numUpdatedRows === 1n;
}

/** Puts the idle limit off, unless that was done after `writtenBefore` or the limit has passed. */
export async function writeTouch(
  database: Database,
  handle: string,
  now: number,
  ttlMs: number,
  writtenBefore: number,
): Promise<void> {
  await answered(
    database.run((db) =>
      db
        .updateTable('sessions')
        .set({ last_seen_at: now, idle_until: now + ttlMs })
        .where('handle', '=', handle)
        .where('last_seen_at', '<=', writtenBefore)
        .where('idle_until', '>', now)
        .execute(),
    ),
  );
}

/** Takes sessions out and puts them on the list of the ended. Under the lock, so that the numbers of the list are in the order of the commits and a reader misses none. */
export function endRows(database: Database, condition: Condition, endedAt: number): Promise<readonly string[]> {
  const ending = database.transaction(async (trx) => {
    const rows = await trx.deleteFrom('sessions').where(condition).returning('handle').execute();
    const handles = rows.map((row) => row.handle);
    for (let from = 0; from < handles.length; from += ROWS_AT_ONCE) {
      const some = handles.slice(from, from + ROWS_AT_ONCE);
      await trx
        .insertInto('ended_sessions')
        .values(some.map((handle) => ({ handle, ended_at: endedAt })))
        .execute();
    }
    return handles;
  }, 'ended_sessions');
  return answered(ending);
}

export async function forgetEnded(database: Database, before: number): Promise<void> {
  await answered(database.run((db) => db.deleteFrom('ended_sessions').where('ended_at', '<=', before).execute()));
}

/** What has ended since `after`, in order; without it, only where the list stands. */
export function readEnded(
  database: Database,
  after: number | undefined,
): Promise<{ readonly position: number; readonly handles: readonly string[] }> {
  return database.run(async (db) => {
    if (after === undefined) {
      const last = await db
        .selectFrom('ended_sessions')
        .select((select) => select.fn.max('seq').as('seq'))
        .executeTakeFirst();
      return { position: last?.seq ?? 0, handles: [] };
    }
    const rows = await db
      .selectFrom('ended_sessions')
      .select(['seq', 'handle'])
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(ROWS_AT_ONCE)
      .execute();
    return { position: rows.at(-1)?.seq ?? after, handles: rows.map((row) => row.handle) };
  });
}

/** The sessions' own code for a database that does not answer. */
async function answered<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof LatchgateError) || error.code !== 'state_unavailable') throw error;
    throw new LatchgateError('session_store_unavailable', 'the session store does not answer', { cause: error });
  }
}
