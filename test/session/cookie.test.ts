import { createHmac, randomBytes } from 'node:crypto';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import fc from 'fast-check';
import { type Database, openDatabase } from '../../src/directory/database.ts';
import type { Leases } from '../../src/directory/directory.ts';
import { createLoginStates } from '../../src/login/state.ts';
import { cookieValues, createSessionCookies, deriveKey, type SessionCookies } from '../../src/session/cookie.ts';
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

  it('is nothing under any key but that of session cookies, and by no other algorithm', () => {
    const id = newId();
    const purposes = ['login-state', 'logout hint', 'logout token', 'bearer token', 'session', 'Session cookie', ''];
    const keys: readonly (string | Buffer)[] = [
      ...purposes.flatMap((purpose) => [deriveKey(SECRET, purpose), deriveKey(SECRET, purpose).toString('hex')]),
      ...[SECRET, Buffer.from(SECRET).toString('hex'), Buffer.from(SECRET).toString('base64'), '', 'latchgate'],
      deriveKey(SECRET, 'session cookie'),
    ];
    const macs = keys.flatMap((key) =>
      ['sha256', 'sha1', 'sha512'].map((hash) => createHmac(hash, key).update(id).digest('base64')),
    );
    const own = cookies().signingKeys[0] as string;
    for (const hash of ['sha1', 'sha384', 'sha512', 'md5'])
      macs.push(createHmac(hash, own).update(id).digest('base64'));
    for (const mac of [...macs, '', 'A'.repeat(43)]) {
      for (const value of [
        `s:${id}.${mac.replace(/=+$/, '')}`,
        `s:${id}.${mac}`,
        `${id}.${mac}`,
        `j:${id}.${mac}`,
        id,
      ]) {
        expect(cookies().read(`__Host-latchgate=${encodeURIComponent(value)}`)).toBeUndefined();
        expect(cookies().read(`__Host-latchgate=${value}`)).toBeUndefined();
      }
    }
  });

  it('is not what binds a login to a browser, nor its state; and is neither of them', async () => {
    const leases = { once: async () => true } as unknown as Leases;
    const states = createLoginStates({ publicUrl: 'https://bi.example.com', secrets: [SECRET], leases, clock });
    const { state, cookie } = await states.start({
      provider: 'staff',
      returnTo: '/',
      restarts: 0,
      cookieHeader: undefined,
    });
    const binding = cookie.slice(cookie.indexOf('=') + 1, cookie.indexOf(';'));
    for (const value of [binding, `s:${binding}`, `s:${binding}.${binding}`, state, state.slice(0, 91)]) {
      expect(cookies().read(`__Host-latchgate=${value}`)).toBeUndefined();
    }
    const pair = cookies().pair(binding);
    expect(await states.open(state, `__Host-latchgate-login=${binding}`)).toMatchObject({ live: true });
    for (const value of [pair.slice(pair.indexOf('=') + 1), decodeURIComponent(pair.slice(pair.indexOf('=') + 1))]) {
      expect(await states.open(state, `__Host-latchgate-login=${value}`)).toMatchObject({ live: false });
      expect(await states.open(value, `__Host-latchgate-login=${binding}`)).toBeUndefined();
    }
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

  it('is the session that was put in once, whatever stands around it, and none when there is a second of the name', () => {
    const one = cookies();
    const [id, another] = [newId(), newId()];
    const own = fc.constantFrom(
      ...[one.pair(id), decodeURIComponent(one.pair(id)), ` ${one.pair(id)}\t`, one.pair(id).replace('=', ' = ')],
    );
    const false_ = fc.constantFrom(
      '__Host-latchgate=',
      '__Host-latchgate=x',
      '__Host-latchgate ="x"',
      `\t${one.pair(another)}`,
    );
    const other = fc.oneof(
      fc.stringMatching(/^[^;]{0,12}$/).filter((text) => !/^[ \t]*__Host-latchgate[ \t]*=/.test(text)),
      fc.constantFrom(
        '__host-latchgate=x',
        'latchgate=x',
        '__Host-latchgate',
        '__Host-latchgate2=x',
        'a="__Host-latchgate=x"',
        '=',
      ),
    );
    fc.assert(
      fc.property(fc.array(fc.oneof({ weight: 4, arbitrary: other }, own, false_), { maxLength: 8 }), (pairs) => {
        const named = pairs.filter((pair) => /^[ \t]*__Host-latchgate[ \t]*=/.test(pair));
        const only = named.length === 1 ? [id, another].find((known) => named[0]?.includes(known)) : undefined;
        expect(one.read(pairs.join(';'))).toBe(only);
      }),
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
