import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { openDatabase } from '../src/directory/database.ts';
import { systemClock } from '../src/ops/clock.ts';
import { createSessionCookies } from '../src/session/cookie.ts';
import { createEmbeddedSessions } from '../src/session/embedded.ts';
import { newSessionId } from '../src/session/seal.ts';
import { type Gateway, SESSION_SECRETS } from './gateway.ts';
import { FILES } from './nginx.ts';
import { pssBytes } from './process-tree.ts';
import { API, logInAll } from './rounds.ts';

const CLIENTS = 32;
const WARM_UP_REQUESTS = 5_000;
const IDLE_MS = 3_600_000;
const REST_MS = 1_000;

/** Memory of the gateway with `count` sessions, copies of real logins, each of which has been used. */
export async function liveSessions(ours: Gateway, people: readonly string[], count: number): Promise<string[]> {
  const loggedIn = await logInAll(ours, people);
  await use(
    ours,
    Array.from({ length: Math.min(WARM_UP_REQUESTS, count) }, (_, at) => loggedIn[at % loggedIn.length] ?? ''),
  );
  const cookies = await copySessions(ours, loggedIn, count);
  await sleep(REST_MS);
  const before = pssBytes(ours.child.pid);
  await use(ours, cookies);
  const after = pssBytes(ours.child.pid);
  await sleep(REST_MS);
  const rested = pssBytes(ours.child.pid);
  const each = (rested - before) / 1024 / count;
  return [
    `memory (PSS), ${count} live sessions: ${mb(before)} before, ${mb(after)} after a request of each, ${mb(rested)} a second later (${each.toFixed(1)} KiB each)`,
  ];
}

/** Puts sessions into the store as a login would, without the way through the provider. Returns their Cookie headers. */
async function copySessions(ours: Gateway, headers: readonly string[], count: number): Promise<string[]> {
  const database = await openDatabase(ours.database);
  const clock = systemClock;
  const store = createEmbeddedSessions(database, { clock, cached: 1 });
  try {
    const cookies = createSessionCookies({
      ...{ publicUrl: ours.url, secrets: SESSION_SECRETS, store, clock },
      config: { idle: IDLE_MS, cookie_domain: undefined },
    });
    const originals = await Promise.all(headers.map((header) => store.loadWhole(cookies.read(header) ?? '')));
    const copies: string[] = [];
    while (copies.length < count) {
      const original = originals[copies.length % originals.length];
      if (original === undefined) throw new Error('a session that has just begun is not in the store');
      const id = newSessionId();
      await store.save(id, original.session, IDLE_MS, original.tokens);
      copies.push(cookies.pair(id));
    }
    return copies;
  } finally {
    await store.close();
    await database.close();
  }
}

/** One request with each of them. @throws Error when one is not answered with the file. */
async function use({ name, url }: Gateway, cookies: readonly string[]): Promise<void> {
  const { path, bytes } = FILES['1k'];
  const pool = new Pool(url, { connections: CLIENTS });
  const waiting = cookies.values();
  const client = async () => {
    for (const Cookie of waiting) {
      const { statusCode, body } = await pool.request({ path, method: 'GET', headers: { ...API, Cookie } });
      const { length } = await body.text();
      if (statusCode !== 200 || length !== bytes) throw new Error(`${name}: a live session is answered ${statusCode}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: CLIENTS }, client));
  } finally {
    await pool.destroy();
  }
}

function mb(bytes: number): string {
  return `${Math.round(bytes / 1_000_000)} MB`;
}
