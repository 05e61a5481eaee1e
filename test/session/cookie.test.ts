import { randomBytes } from 'node:crypto';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import fc from 'fast-check';
import { type Database, openDatabase } from '../../src/directory/database.ts';
import { cookieValues, createSessionCookies, type SessionCookies } from '../../src/session/cookie.ts';
import { createEmbeddedSessions } from '../../src/session/embedded.ts';
import { sessionHandle } from '../../src/session/seal.ts';
import type { Session, SessionStore } from '../../src/session/store.ts';

const SECRET = 'a secret of at least thirty-two characters';
const OTHER = 'another secret of at least thirty-two chars';
const IDLE = 3_600_000;
let now = 1_800_000_000_000;
const clock = { now: () => now };
let database: Database;
let store: SessionStore;

beforeAll(async () => {
  database = await openDatabase('sqlite::memory:');
  store = createEmbeddedSessions(database, { clock });
});
afterAll(async () => {
  await store.close();
  await database.close();
});

function cookies(secrets: readonly string[] = [SECRET], publicUrl = 'https://bi.example.com'): SessionCookies {
  return createSessionCookies({ publicUrl, secrets, store, config: { idle: IDLE }, clock });
}

const newId = () => randomBytes(32).toString('base64url');

function session(more: Partial<Session> = {}): Session {
  const identity = {
    person: 'p_1',
    origin: 'staff',
    issuer: 'https://id.example.com',
    subject: 'alice',
    displayName: 'alice',
    emailVerified: false,
    groups: [],
    attributes: {},
  };
  return { identity, createdAt: now, endsAt: now + 12 * IDLE, ...more } as Session;
}

describe('the cookie', () => {
  it.each([
    ['https://bi.example.com', '__Host-latchgate', true],
    ['http://127.0.0.1:4180', 'latchgate', false],
  ])('of %s is %s', (publicUrl, name, secure) => {
    expect(cookies([SECRET], publicUrl)).toMatchObject({
      name,
      attributes: { httpOnly: true, secure, sameSite: 'lax', path: '/' },
    });
  });

  it('is read back, also from among others and with odd blanks', () => {
    const id = newId();
    const pair = cookies().pair(id);
    for (const header of [pair, `a=b; ${pair}`, `${pair}; a=b`, `a=b;${pair};c`, `  ${pair} \t; =x`, `a="x; ${pair}`]) {
      expect(cookies().read(header)).toBe(id);
    }
  });

  it('is read as browsers and as some clients encode it', () => {
    const id = newId();
    const pair = cookies().pair(id);
    expect(cookies().read(decodeURIComponent(pair))).toBe(id);
  });

  it('verifies under any listed secret and signs under the first', () => {
    const id = newId();
    const old = cookies([OTHER]).pair(id);
    expect(cookies([SECRET, OTHER]).read(old)).toBe(id);
    expect(cookies([SECRET]).read(old)).toBeUndefined();
    expect(cookies([SECRET]).read(cookies([SECRET, OTHER]).pair(id))).toBe(id);
  });

  it('is nothing when there are two of its name, even the same one twice', () => {
    const one = cookies().pair(newId());
    for (const header of [
      `${one}; ${cookies().pair(newId())}`,
      `${one}; ${one}`,
      `${one}; __Host-latchgate=`,
      `__Host-latchgate=x; ${one}`,
    ]) {
      expect(cookies().read(header)).toBeUndefined();
    }
  });

  it('is nothing under another name', () => {
    const value = cookies().pair(newId()).split('=')[1];
    for (const name of [
      'latchgate',
      '__host-latchgate',
      '__HOST-LATCHGATE',
      '__Secure-latchgate',
      'x__Host-latchgate',
      '__Host-latchgate2',
      '"__Host-latchgate"',
      '__Host-latchgate\u00a0',
    ]) {
      expect(cookies().read(`${name}=${value}`)).toBeUndefined();
    }
  });

  it('is nothing when any character is changed, left out or added', () => {
    const pair = cookies().pair(newId());
    const start = pair.indexOf('=') + 1;
    for (let at = start; at < pair.length; at += 1) {
      const rest = pair.slice(at + 1);
      for (const put of ['', pair[at] === 'A' ? 'B' : 'A', `${pair[at]}A`, `${pair[at]}%00`]) {
        expect(cookies().read(pair.slice(0, at) + put + rest)).toBeUndefined();
      }
    }
  });

  it('is nothing when it was signed under the bare secret, or for another purpose', () => {
    const id = newId();
    const { signingKeys } = cookies();
    expect(signingKeys).toHaveLength(1);
    expect(signingKeys[0]).not.toContain(SECRET);
    const forged = createSessionCookies({
      publicUrl: 'https://bi.example.com',
      secrets: [signingKeys[0] as string],
      store,
      config: { idle: IDLE },
      clock,
    });
    expect(cookies().read(forged.pair(id))).toBeUndefined();
  });

  it('verifies again and again, with many others in between', () => {
    const one = cookies();
    const pairs = Array.from({ length: 200 }, newId).map((id) => [id, one.pair(id)] as const);
    for (let round = 0; round < 2; round += 1) for (const [id, pair] of pairs) expect(one.read(pair)).toBe(id);
  });

  it('is cleared with the attributes that it was set with', () => {
    const res = new ServerResponse(new IncomingMessage(new Socket()));
    res.setHeader('Set-Cookie', 'other=1');
    cookies().clear(res);
    expect(res.getHeader('Set-Cookie')).toEqual([
      'other=1',
      '__Host-latchgate=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure',
    ]);
  });

  it('and all others of the gateway are named, for stripping', () => {
    const { names, name } = cookies();
    expect(names).toContain(name);
    expect(names).toEqual(expect.arrayContaining(['latchgate', '__Host-latchgate-login', 'latchgate-login']));
  });
});

describe('whatever a header holds', () => {
  const header = fc
    .array(
      fc.oneof(
        fc.constantFrom('__Host-latchgate', '=', ';', ' ', 's:', 's%3A', '.', '"', '%', ','),
        fc.string({ unit: 'binary' }),
      ),
      { maxLength: 20 },
    )
    .map((list) => list.join(''));

  it('never is a session that nobody signed', () => {
    const one = cookies();
    fc.assert(
      fc.property(header, (text) => one.read(text) === undefined),
      { numRuns: 3_000 },
    );
  });

  it('finds exactly the pairs that were put in', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,8}$/);
    const value = fc.stringMatching(/^[A-Za-z0-9%.:"/+-]{0,12}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), name, (pairs, wanted) => {
        const text = pairs.map(([n, v]) => `${n}=${v}`).join('; ');
        expect(cookieValues(text, wanted)).toEqual(pairs.filter(([n]) => n === wanted).map(([, v]) => v));
      }),
    );
  });
});

describe('the session of a request', () => {
  it('is loaded, and its idle limit put off', async () => {
    const one = cookies();
    const id = newId();
    await store.save(id, session(), IDLE);
    for (let step = 0; step < 5; step += 1) {
      now += IDLE / 2;
      expect(await one.sessionFromCookie(one.pair(id))).toMatchObject({
        id,
        session: { identity: { subject: 'alice' } },
      });
    }
    now += IDLE + 1;
    expect(await one.sessionFromCookie(one.pair(id))).toBeUndefined();
  });

  it('is there at once when its store was asked just now, and its idle limit is put off all the same', async () => {
    const one = cookies();
    const id = newId();
    await store.save(id, session({ endsAt: now + 100 * IDLE }), IDLE);
    const atOnce = () => {
      const found = one.sessionFromCookie(one.pair(id));
      return found instanceof Promise ? undefined : found;
    };
    expect(atOnce()).toMatchObject({ id, handle: sessionHandle(id), session: { identity: { subject: 'alice' } } });
    now += 999;
    expect(atOnce()).toBeDefined();
    now += 1;
    expect(atOnce()).toBeUndefined();
    expect(await one.sessionFromCookie(one.pair(id))).toBeDefined();
    now += IDLE - 1;
    expect(await one.sessionFromCookie(one.pair(id))).toBeDefined();
    expect(atOnce()).toBeDefined();
    await store.destroy(id);
    expect(await one.sessionFromCookie(one.pair(id))).toBeUndefined();
  });

  it('ends at its end, however busy', async () => {
    const one = cookies();
    const id = newId();
    await store.save(id, session({ endsAt: now + IDLE }), IDLE);
    now += IDLE - 1;
    expect(await one.sessionFromCookie(one.pair(id))).toBeDefined();
    now += 1;
    expect(await one.sessionFromCookie(one.pair(id))).toBeUndefined();
  });

  it('is none without a cookie, with a forged one, or with one that nobody stored', async () => {
    const one = cookies();
    for (const cookie of [undefined, 'a=b', cookies([OTHER]).pair(newId()), one.pair(newId())]) {
      expect(await one.sessionFromCookie(cookie)).toBeUndefined();
    }
  });

  it('is gone at once when it was destroyed', async () => {
    const one = cookies();
    const id = newId();
    await store.save(id, session(), IDLE);
    expect(await one.sessionFromCookie(one.pair(id))).toBeDefined();
    await store.destroy(id);
    expect(await one.sessionFromCookie(one.pair(id))).toBeUndefined();
  });

  it('is an error when the store does not answer', async () => {
    const broken = await openDatabase('sqlite::memory:');
    const gone = createEmbeddedSessions(broken, { clock });
    await broken.close();
    const one = createSessionCookies({
      publicUrl: 'https://bi.example.com',
      secrets: [SECRET],
      store: gone,
      config: { idle: IDLE },
      clock,
    });
    await expect(one.sessionFromCookie(one.pair(newId()))).rejects.toMatchObject({ status: 503 });
    await gone.close();
  });
});
