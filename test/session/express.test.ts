import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { type Database, openDatabase } from '../../src/directory/database.ts';
import { LatchgateError } from '../../src/model/errors.ts';
import { createSessionCookies, type SessionCookies } from '../../src/session/cookie.ts';
import { createEmbeddedSessions } from '../../src/session/embedded.ts';
import { createExpressSessions } from '../../src/session/express.ts';
import type { Session, SessionStore } from '../../src/session/store.ts';

const IDLE = 3_600_000;
let now = 1_800_000_000_000;
const clock = { now: () => now };
let database: Database;
let store: SessionStore;
let saves = 0;
let isDown = false;

function session(subject: string): Session {
  const identity = {
    person: 'p_1',
    origin: 'staff',
    issuer: 'https://id.example.com',
    subject,
    displayName: subject,
    emailVerified: false,
    groups: [],
    attributes: {},
  };
  return { identity, createdAt: now, endsAt: now + 12 * IDLE } as Session;
}

interface Site {
  readonly cookies: SessionCookies;
  get(
    path: string,
    cookie?: string,
  ): Promise<{ readonly status: number; readonly text: string; readonly set: string[] }>;
  close(): void;
}

const SECRETS = ['a secret of at least thirty-two characters'];

async function startSite(publicUrl: string, secrets: readonly string[] = SECRETS): Promise<Site> {
  const watched: SessionStore = {
    load: (id) => (isDown ? Promise.reject(new LatchgateError('session_store_unavailable', 'down')) : store.load(id)),
    loadWhole: (id) => store.loadWhole(id),
    save: (...args) => {
      saves += 1;
      return store.save(...args);
    },
    renew: (...args) => store.renew(...args),
    runsOutAt: (id) => store.runsOutAt(id),
    touch: (...args) => store.touch(...args),
    destroy: (id) => store.destroy(id),
    destroyFor: (selector) => store.destroyFor(selector),
    list: () => store.list(),
    count: () => store.count(),
    probe: () => store.probe(),
    onEnded: (listener) => store.onEnded(listener),
    close: () => store.close(),
  };
  const options = {
    publicUrl,
    secrets,
    store: watched,
    config: { idle: IDLE },
    clock,
  };
  const cookies = createSessionCookies(options);
  const sessions = createExpressSessions({ ...options, cookies });
  const app = express();
  app.use(sessions.middleware);
  app.get('/who', (req, res) => void res.send(req.session.record?.identity.subject ?? 'nobody'));
  app.get('/as/:subject', async (req, res) => {
    await sessions.begin(req, session(req.params.subject), { idToken: 't' });
    res.send('in');
  });
  app.get('/out', async (req, res) => {
    await sessions.end(req, res);
    res.send('out');
  });
  app.get('/header', (req, res) => void res.send(req.headers.cookie ?? 'none'));
  app.use(
    ((error, _req, res, _next) => void res.status(error.status ?? 500).send(error.code)) as express.ErrorRequestHandler,
  );
  const server: Server = await new Promise((resolve) => {
    const listening = app.listen(0, '127.0.0.1', () => resolve(listening));
  });
  const { port } = server.address() as AddressInfo;
  return {
    cookies,
    get: async (path, cookie) => {
      const answer = await fetch(
        `http://127.0.0.1:${port}${path}`,
        cookie === undefined ? {} : { headers: { cookie } },
      );
      return { status: answer.status, text: await answer.text(), set: answer.headers.getSetCookie() };
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const pairOf = (set: readonly string[]): string => set[0]?.split(';')[0] as string;
let site: Site;

beforeAll(async () => {
  database = await openDatabase('sqlite::memory:');
  store = createEmbeddedSessions(database, { clock });
  site = await startSite('https://bi.example.com');
});
afterAll(async () => {
  site.close();
  await store.close();
  await database.close();
});

it('makes no session and sets no cookie for who is not logged in', async () => {
  expect(await site.get('/who')).toEqual({ status: 200, text: 'nobody', set: [] });
  expect(await store.list()).toEqual([]);
});

it('sets the cookie by public_url, though the socket is plain', async () => {
  const { set } = await site.get('/as/alice');
  expect(set).toEqual([
    expect.stringMatching(/^__Host-latchgate=s%3A[\w-]{43}\.[^;]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/),
  ]);
  const plain = await startSite('http://127.0.0.1:4180');
  expect((await plain.get('/as/alice')).set).toEqual([
    expect.stringMatching(/^latchgate=s%3A[^;]+; Path=\/; HttpOnly; SameSite=Lax$/),
  ]);
  plain.close();
});

it('is the session that the proxy reads from the same cookie', async () => {
  const pair = pairOf((await site.get('/as/alice')).set);
  const id = site.cookies.read(pair) as string;
  expect(id).toMatch(/^[\w-]{43}$/);
  expect(await store.load(id)).toEqual(session('alice'));
  expect(await site.get('/who', pair)).toEqual({ status: 200, text: 'alice', set: [] });
});

it('is written once at a login', async () => {
  saves = 0;
  await site.get('/as/alice');
  expect(saves).toBe(1);
});

it('takes a new id at each login and ends what was there before', async () => {
  const first = pairOf((await site.get('/as/alice')).set);
  const second = pairOf((await site.get('/as/bob', first)).set);
  expect(second).not.toBe(first);
  expect((await site.get('/who', second)).text).toBe('bob');
  expect((await site.get('/who', first)).text).toBe('nobody');
});

it('never takes an id that somebody planted', async () => {
  const planted = site.cookies.pair('A'.repeat(43));
  const { set } = await site.get('/as/alice', planted);
  expect(site.cookies.read(pairOf(set))).not.toBe('A'.repeat(43));
  expect((await site.get('/who', planted)).text).toBe('nobody');
});

it('is nobody with two cookies of the name, of which express-session would take the first', async () => {
  const pair = pairOf((await site.get('/as/alice')).set);
  expect((await site.get('/who', `${pair}; ${pair}`)).text).toBe('nobody');
});

it('leaves the header for others as the browser sent it', async () => {
  const pair = pairOf((await site.get('/as/alice')).set);
  const header = `a=1; ${pair}; b="2"`;
  expect((await site.get('/header', header)).text).toBe(header);
});

it('ends, and takes the cookie away', async () => {
  const pair = pairOf((await site.get('/as/alice')).set);
  const { set } = await site.get('/out', pair);
  expect(set).toEqual(['__Host-latchgate=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure']);
  expect((await site.get('/who', pair)).text).toBe('nobody');
});

it('puts the idle limit off, not past the end', async () => {
  const pair = pairOf((await site.get('/as/alice')).set);
  for (let step = 0; step < 15; step += 1) {
    now += IDLE - 1;
    expect((await site.get('/who', pair)).text).toBe(step < 12 ? 'alice' : 'nobody');
  }
});

it('is an error when the store does not answer, never nobody', async () => {
  const pair = site.cookies.pair('A'.repeat(43));
  isDown = true;
  expect(await site.get('/who', pair)).toMatchObject({ status: 503, text: 'session_store_unavailable' });
  isDown = false;
});

it('lives on when another secret is put in front, and is nobody once its own is gone', async () => {
  const pair = pairOf((await site.get('/as/alice')).set);
  const rotated = await startSite('https://bi.example.com', [
    'a new secret, which is as long as the old one',
    ...SECRETS,
  ]);
  const after = await startSite('https://bi.example.com', ['a new secret, which is as long as the old one']);
  expect((await rotated.get('/who', pair)).text).toBe('alice');
  const next = pairOf((await rotated.get('/as/bob')).set);
  expect((await after.get('/who', next)).text).toBe('bob');
  expect((await after.get('/who', pair)).text).toBe('nobody');
  expect((await site.get('/who', next)).text).toBe('nobody');
  expect((await rotated.get('/out', pair)).text).toBe('out');
  expect((await site.get('/who', pair)).text).toBe('nobody');
  rotated.close();
  after.close();
});
