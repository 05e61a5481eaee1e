import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { type Database, openDatabase } from '../src/directory/database.ts';
import { newPersonId } from '../src/directory/person-id.ts';
import type { Identity } from '../src/model/person.ts';
import { systemClock } from '../src/ops/clock.ts';
import { createSessionCookies } from '../src/session/cookie.ts';
import { createEmbeddedSessions } from '../src/session/embedded.ts';
import { newSessionId } from '../src/session/seal.ts';
import { BARS, verdict } from './bars.ts';
import { type Gateway, SESSION_SECRETS, TARGET } from './gateway.ts';
import { FILES } from './nginx.ts';
import { pssByProcess, pssBytes } from './process-tree.ts';
import { API, logInAll } from './rounds.ts';

const CLIENTS = 32;
const WARM_UP_REQUESTS = 5_000;
const IDLE_MS = 3_600_000;
const REST_MS = 1_000;
/** Rows in one statement. */
const BATCH = 500;

/**
 * Memory of the gateway with `count` sessions, each of a person with an account of their own and like one of a real
 * login, and each of which has been used.
 */
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
    ...pssByProcess(ours.child.pid).map(
      ([pid, bytes]) => `process ${pid} with them: ${mb(bytes)}; wanted ${verdict(bytes, BARS.processBytes, mb)}`,
    ),
  ];
}

/** Puts people, their accounts and their sessions where a login would. Returns the sessions' Cookie headers. */
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
    const identities = Array.from({ length: count }, (_, at) => {
      const original = originals[at % originals.length];
      if (original === undefined) throw new Error('a session that has just begun is not in the store');
      return somebodyLike(original.session.identity, at);
    });
    for (let at = 0; at < count; at += BATCH) await addPeople(database, identities.slice(at, at + BATCH));
    const copies: string[] = [];
    for (const [at, identity] of identities.entries()) {
      const original = originals[at % originals.length] as NonNullable<(typeof originals)[0]>;
      const id = newSessionId();
      // Not checked meanwhile: the provider has never heard of them.
      const session = { ...original.session, identity, checkAt: clock.now() + IDLE_MS };
      await store.save(id, session, IDLE_MS, original.tokens);
      copies.push(cookies.pair(id));
    }
    return copies;
  } finally {
    await store.close();
    await database.close();
  }
}

function somebodyLike(identity: Identity, at: number): Identity {
  const name = `copy${at}`;
  return {
    ...identity,
    person: newPersonId(systemClock.now()),
    subject: name,
    displayName: `${name} Bench`,
    email: `${name}@example.com`,
    attributes: { ...identity.attributes, given_name: name, email: `${name}@example.com` },
  };
}

async function addPeople(database: Database, identities: readonly Identity[]): Promise<void> {
  const now = systemClock.now();
  await database.transaction(async (trx) => {
    const people = identities.map(({ person, displayName, email = null }) => {
      return { id: person, display_name: displayName, email, disabled: 0, created_at: now, last_seen_at: now };
    });
    const subjects = identities.map(({ issuer, subject, origin, person }) => {
      return { issuer, subject, origin, person_id: person };
    });
    const accounts = identities.map(({ person, subject }) => {
      const account = { account_id: subject, user_name: subject, created: 1, state: 'ready' as const };
      return { person_id: person, target: TARGET, ...account, updated_at: now };
    });
    await trx.insertInto('people').values(people).execute();
    await trx.insertInto('subjects').values(subjects).execute();
    await trx.insertInto('accounts').values(accounts).execute();
  });
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
