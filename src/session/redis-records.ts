import type { RedisConnection } from './redis-connection.ts';
import { ALL_KEY, listsOf, PROBE_KEY, sessionKey } from './redis-keys.ts';
import { END, LIST, RENEW, SAVE, TOUCH } from './redis-scripts.ts';
import type { StoredSession } from './remembered.ts';
import { sealSession, sealTokens } from './seal.ts';
import type { Session, SessionInfo, SessionTokens } from './store.ts';

/*
 * What the store says to Redis. Each throws `session_store_unavailable` when there is no answer.
 */

/** Longer than any call takes: a save that was under way when the session ended does not bring it back. */
const ENDED_KEPT_MS = 15 * 60_000;
const AT_ONCE = 500;
const PROBE_MS = 10_000;

export interface WrittenSession {
  readonly id: string;
  readonly handle: string;
  readonly session: Session;
  readonly tokens: SessionTokens | undefined;
  readonly now: number;
}

/** Its lists first, so that who ends the sessions of somebody finds one that is just being written, and keeps it from being. */
export async function saveRecord(
  connection: RedisConnection,
  written: WrittenSession & { readonly ttlMs: number },
): Promise<'ended' | 'new' | 'replaced'> {
  const { handle, session, now, ttlMs } = written;
  const lists = listsOf(session);
  await Promise.all([
    connection.ask((client) => client.zadd(ALL_KEY, Math.min(now + ttlMs, session.endsAt), handle)),
    ...lists.map((key) => connection.run(LIST, key, now, handle, session.endsAt)),
  ]);
  const times = [now, now + ttlMs, session.endsAt];
  const said = await connection.run(SAVE, sessionKey(handle), ...times, ...fieldsOf(written, lists));
  return said === 0 ? 'ended' : said === 1 ? 'new' : 'replaced';
}

/** False: there is no such session any more. */
export async function renewRecord(connection: RedisConnection, written: WrittenSession): Promise<boolean> {
  const { handle, session, now } = written;
  const lists = listsOf(session);
  await Promise.all(lists.map((key) => connection.run(LIST, key, now, handle, session.endsAt)));
  const times = [now, session.endsAt];
  const until = Number(await connection.run(RENEW, sessionKey(handle), ...times, ...fieldsOf(written, lists)));
  if (until > 0) await relist(connection, handle, until);
  return until > 0;
}

function fieldsOf({ id, handle, session, tokens }: WrittenSession, lists: readonly string[]): (string | number)[] {
  const { person, origin } = session.identity;
  return [
    sealSession(id, handle, session),
    tokens === undefined ? '' : sealTokens(id, handle, tokens),
    ...['person', person, 'origin', origin],
    ...['created', session.createdAt, 'lists', lists.join('\n')],
  ];
}

export async function readRecord(connection: RedisConnection, handle: string): Promise<StoredSession | undefined> {
  const [sealed, idle, seen] = await connection.ask((client) =>
    client.hmget(sessionKey(handle), 'record', 'idle', 'seen'),
  );
  return typeof sealed === 'string' ? { sealed, idleUntil: Number(idle), seenAt: Number(seen) } : undefined;
}

/** Its limits alone. */
export async function readTimes(
  connection: RedisConnection,
  handle: string,
): Promise<{ readonly idleUntil: number; readonly seenAt: number; readonly endsAt: number } | undefined> {
  const [idle, seen, ends] = await connection.ask((client) => client.hmget(sessionKey(handle), 'idle', 'seen', 'ends'));
  if (typeof ends !== 'string') return undefined;
  return { idleUntil: Number(idle), seenAt: Number(seen), endsAt: Number(ends) };
}

export interface WholeRecord {
  readonly sealed: string;
  readonly sealedTokens: string | undefined;
  readonly idleUntil: number;
  readonly endsAt: number;
}

export async function readWholeRecord(connection: RedisConnection, handle: string): Promise<WholeRecord | undefined> {
  const [sealed, tokens, idle, ends] = await connection.ask((client) =>
    client.hmget(sessionKey(handle), 'record', 'tokens', 'idle', 'ends'),
  );
  if (typeof sealed !== 'string') return undefined;
  return { sealed, sealedTokens: tokens ?? undefined, idleUntil: Number(idle), endsAt: Number(ends) };
}

/** False: there is no such session any more. */
export async function touchRecord(
  connection: RedisConnection,
  handle: string,
  now: number,
  ttlMs: number,
  writtenBefore: number,
): Promise<boolean> {
  const until = Number(await connection.run(TOUCH, sessionKey(handle), now, now + ttlMs, writtenBefore));
  if (until === 0) return false;
  await relist(connection, handle, until);
  return true;
}

export interface EndedRecord {
  readonly handle: string;
  /** It was spared, and ends then. */
  readonly until: number | undefined;
  readonly existed: boolean;
  /** Where it was listed. */
  readonly lists: readonly string[];
}

export interface EndOptions {
  /** Only when its time has run out. */
  readonly ifExpired?: boolean;
  /** Only when it still stands in this list. */
  readonly ifIn?: string | undefined;
}

/** Ends a session for good, also one that is just being written. */
export async function endRecord(
  connection: RedisConnection,
  handle: string,
  now: number,
  { ifExpired = false, ifIn = '' }: EndOptions = {},
): Promise<EndedRecord> {
  const said = await connection.run(END, sessionKey(handle), now, ENDED_KEPT_MS, ifExpired ? 'expired' : '', ifIn);
  const [until, existed, lists = ''] = said as [number, number?, string?];
  return {
    handle,
    until: until === 0 ? undefined : until,
    existed: existed === 1,
    lists: lists.split('\n').filter((key) => key !== ''),
  };
}

/** Out of every list that they are in, or were found by. Those that they cannot be taken out of now drop them in time. */
export async function unlist(
  connection: RedisConnection,
  ended: readonly EndedRecord[],
  from: readonly string[],
): Promise<void> {
  const byList = new Map<string, string[]>(from.map((key) => [key, ended.map(({ handle }) => handle)]));
  for (const { handle, lists } of ended) {
    for (const key of lists) byList.set(key, [...(byList.get(key) ?? []), handle]);
  }
  const removals = [...byList].map(async ([key, handles]) => {
    if (handles.length > 0) await connection.ask((client) => client.zrem(key, ...handles));
  });
  await Promise.allSettled(removals);
}

/** In the list of all, which has it until then. One that has been taken out of it stays out. */
export async function relist(connection: RedisConnection, handle: string, until: number): Promise<void> {
  await connection.ask((client) => client.zadd(ALL_KEY, 'XX', until, handle));
}

/** The handles in one list. */
export function listedIn(connection: RedisConnection, key: string): Promise<readonly string[]> {
  return connection.ask((client) => client.zrange(key, 0, -1));
}

/** Those whose time seems to have run out. */
export function expiredHandles(connection: RedisConnection, now: number): Promise<readonly string[]> {
  return connection.ask((client) => client.zrangebyscore(ALL_KEY, '-inf', now));
}

export function countRecords(connection: RedisConnection, now: number): Promise<number> {
  return connection.ask((client) => client.zcount(ALL_KEY, `(${now}`, '+inf'));
}

/** Those that stand in this list. */
export async function listRecords(
  connection: RedisConnection,
  now: number,
  list: string,
): Promise<readonly SessionInfo[]> {
  const handles = await connection.ask((client) => client.zrangebyscore(list, `(${now}`, '+inf'));
  const infos: SessionInfo[] = [];
  for (const some of batches(handles)) {
    const read = await Promise.all(some.map((handle) => readInfo(connection, handle, now)));
    infos.push(...read.filter((info) => info !== undefined));
  }
  return infos.sort((a, b) => a.createdAt - b.createdAt || (a.handle < b.handle ? -1 : 1));
}

async function readInfo(connection: RedisConnection, handle: string, now: number): Promise<SessionInfo | undefined> {
  const [person, origin, created, seen, idle, ends] = await connection.ask((client) =>
    client.hmget(sessionKey(handle), 'person', 'origin', 'created', 'seen', 'idle', 'ends'),
  );
  const endsAt = Number(ends);
  if (typeof person !== 'string' || typeof origin !== 'string' || Number(idle) <= now || endsAt <= now) {
    return undefined;
  }
  return { handle, person, origin, createdAt: Number(created), lastSeenAt: Number(seen), endsAt };
}

/** Which of these are no sessions any more. */
export async function goneOf(
  connection: RedisConnection,
  handles: Iterable<string>,
  now: number,
): Promise<readonly string[]> {
  const gone: string[] = [];
  for (const some of batches([...handles])) {
    const read = await Promise.all(some.map((handle) => readInfo(connection, handle, now)));
    gone.push(...some.filter((_, at) => read[at] === undefined));
  }
  return gone;
}

/** Throws when writes are not taken, as by a replica, a full server or a cluster with a hole. */
export async function probeWrite(connection: RedisConnection): Promise<void> {
  await connection.ask(async (client) => {
    await client.set(PROBE_KEY, '1', 'PX', PROBE_MS);
    if (!client.isCluster) return;
    const info = String(await client.cluster('INFO'));
    if (!info.includes('cluster_state:ok')) throw new Error('the cluster does not serve every slot');
  });
}

export function* batches<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += AT_ONCE) yield items.slice(from, from + AT_ONCE);
}
