import { createDecipheriv, createHmac } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';
import { type Database, openDatabase } from '../../src/directory/database.ts';
import type { Leases } from '../../src/directory/directory.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { createLoginStates, LOGIN_LIMIT_MS, type LoginStates } from '../../src/login/state.ts';
import { deriveKey } from '../../src/session/cookie.ts';

const SECRET = 'a secret of at least thirty-two characters';
const OTHER = 'another secret of at least thirty-two chars';
let now = 1_800_000_000_000;
const clock = { now: () => now };
let database: Database;
let leases: Leases;

beforeAll(async () => {
  database = await openDatabase('sqlite::memory:');
  leases = createDirectory(database, clock).leases;
});
afterAll(() => database.close());
beforeEach(() => {
  now = 1_800_000_000_000;
});

function states(secrets: readonly string[] = [SECRET], publicUrl = 'https://bi.example.com'): LoginStates {
  return createLoginStates({ publicUrl, secrets, leases, clock });
}

const start = (from: LoginStates, more: { returnTo?: string; cookieHeader?: string } = {}) =>
  from.start({ provider: 'staff', returnTo: '/', restarts: 1, cookieHeader: undefined, ...more });
const pairOf = (cookie: string): string => cookie.split(';')[0] as string;

it('carries a login through the browser that began it', async () => {
  const { state, transaction, cookie } = await start(states(), { returnTo: '/dashboard/7' });
  expect(cookie).toMatch(/^__Host-latchgate-login=[\w-]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/);
  const opened = await states().open(state, pairOf(cookie));
  expect(opened).toMatchObject({ transaction, restarts: 1, live: true });
  expect(transaction).toMatchObject({ provider: 'staff', returnTo: '/dashboard/7', startedAt: 1_800_000_000 });
});

it('has another cookie name over http, and no Secure', async () => {
  const { cookie } = await start(states([SECRET], 'http://127.0.0.1:4180'));
  expect(cookie).toMatch(/^latchgate-login=[\w-]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/);
});

it('shows nothing of the login to who sees the state', async () => {
  const { state, transaction } = await start(states(), { returnTo: '/secret-dashboard' });
  const seen = state
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString('latin1'))
    .join();
  for (const hidden of ['secret-dashboard', transaction.nonce, transaction.codeVerifier]) {
    expect(seen).not.toContain(hidden);
  }
});

/** The counter block and the text of a ticket, read by Node's own AES in counter mode. */
function ticketOf(
  state: string,
  key = deriveKey(SECRET, 'login-state ticket'),
): { from: bigint; blocks: number; text: Buffer } {
  const ticket = state.split('.')[0] as string;
  const bytes = Buffer.from(ticket.slice(1), 'base64url');
  const hidden = bytes.subarray(16);
  const text = createDecipheriv('aes-256-ctr', key, bytes.subarray(0, 16)).update(hidden);
  return {
    from: BigInt(`0x${bytes.toString('hex', 0, 16)}`),
    blocks: Math.ceil(hidden.length / 16),
    text: ticket.startsWith('z') ? inflateRawSync(text) : text,
  };
}

it.each(['/', `/?${'a=b&'.repeat(200)}`])('says where it leads in AES-256 in counter mode: %#', async (returnTo) => {
  const { state } = await start(states(), { returnTo });
  expect(JSON.parse(ticketOf(state).text.toString())).toMatchObject({ p: 'staff', r: returnTo });
  for (const purpose of ['login-state', 'login-state mac', 'session cookie']) {
    expect(ticketOf(`p${state.slice(1)}`, deriveKey(SECRET, purpose)).text.toString()).not.toContain('staff');
  }
});

it('never uses a block of the key stream twice', () => {
  const [one, other] = [states(), states()];
  const used = Array.from({ length: 300 }, (_, at) => {
    const from = at % 3 === 0 ? other : one;
    return ticketOf(
      from.start({ provider: 'staff', returnTo: `/${'x'.repeat(at)}`, restarts: 0, cookieHeader: undefined }).state,
    );
  }).sort((a, b) => (a.from < b.from ? -1 : 1));
  for (const [at, { from, blocks }] of used.entries()) {
    const next = used[at + 1];
    if (next !== undefined) expect(next.from - from).toBeGreaterThanOrEqual(BigInt(blocks));
  }
});

it('has secrets of its own beside others that begin in the same second and lead to the same place', async () => {
  const [first, second] = [await start(states()), await start(states())];
  const same = states();
  const [third, fourth] = [await start(same, { returnTo: '/a' }), await start(same, { returnTo: '/a' })];
  const secrets = [first, second, third, fourth].flatMap(({ state, cookie, transaction }) => {
    return [state, pairOf(cookie), transaction.nonce, transaction.codeVerifier];
  });
  expect(new Set(secrets).size).toBe(16);
  for (const { state, transaction, cookie } of [third, fourth]) {
    expect(transaction.codeVerifier).toMatch(/^[\w-]{43}$/);
    expect(states().open(state, pairOf(cookie))).toMatchObject({ transaction, live: true });
  }
  expect(states().open(third.state, pairOf(fourth.cookie))).toMatchObject({ live: false });
  now += 1_000;
  expect((await start(same, { returnTo: '/a' })).transaction.startedAt).toBe(now / 1_000);
});

it('gives parallel tabs one cookie and each its own secrets', async () => {
  const first = await start(states());
  const tabs = await Promise.all(
    Array.from({ length: 50 }, () => start(states(), { cookieHeader: `a=b; ${pairOf(first.cookie)}` })),
  );
  expect(new Set(tabs.map(({ cookie }) => cookie))).toEqual(new Set([first.cookie]));
  expect(new Set(tabs.map(({ transaction }) => transaction.nonce)).size).toBe(50);
  expect(new Set(tabs.map(({ transaction }) => transaction.codeVerifier)).size).toBe(50);
  const opened = await Promise.all(tabs.map(({ state }) => states().open(state, pairOf(first.cookie))));
  expect(opened.every((one) => one?.live)).toBe(true);
  expect(await Promise.all(opened.map((one) => one?.use()))).toEqual(Array.from({ length: 50 }, () => true));
});

it('can be used once, whoever asks', async () => {
  const { state, cookie } = await start(states());
  const opened = await Promise.all(Array.from({ length: 10 }, () => states().open(state, pairOf(cookie))));
  const used = await Promise.all(opened.map((one) => one?.use()));
  expect(used.filter(Boolean)).toHaveLength(1);
});

describe('is not live', () => {
  it('in a browser without the cookie, with another, or with two', async () => {
    const { state, cookie } = await start(states());
    const other = pairOf((await start(states())).cookie);
    const pair = pairOf(cookie);
    for (const header of [
      undefined,
      '',
      other,
      `${pair}; ${other}`,
      `${pair}; ${pair}`,
      pair.toLowerCase(),
      `x${pair}`,
    ]) {
      expect(await states().open(state, header)).toMatchObject({ live: false });
    }
  });

  it('after ten minutes', async () => {
    const { state, cookie } = await start(states());
    now += LOGIN_LIMIT_MS - 1;
    expect(await states().open(state, pairOf(cookie))).toMatchObject({ live: true });
    now += 1;
    expect(await states().open(state, pairOf(cookie))).toMatchObject({ live: false });
  });
});

describe('does not open', () => {
  it('when a single character is changed', async () => {
    const { state, cookie } = await start(states());
    for (let at = 0; at < state.length; at += 7) {
      if (state[at] === '.') continue;
      const changed = `${state.slice(0, at)}${state[at] === 'A' ? 'B' : 'A'}${state.slice(at + 1)}`;
      expect(await states().open(changed, pairOf(cookie))).toBeUndefined();
    }
  });

  it('under another secret, and does under any that is still listed', async () => {
    const { state, cookie } = await start(states([SECRET]));
    expect(await states([OTHER]).open(state, pairOf(cookie))).toBeUndefined();
    expect(await states([OTHER, SECRET]).open(state, pairOf(cookie))).toMatchObject({ live: true });
  });

  it('in any other spelling of the same bytes', async () => {
    const { state, cookie } = await start(states());
    const [ticket = '', ...rest] = state.split('.');
    // A lax decoder reads the same bytes out of these.
    for (const other of [`${ticket}=`, `${ticket}+`, ticket.replace(/-/g, '+').replace(/_/g, '/'), `${ticket} `]) {
      const changed = [other, ...rest].join('.');
      if (changed !== state) expect(states().open(changed, pairOf(cookie))).toBeUndefined();
    }
    expect(states().open(`${state}=`, pairOf(cookie))).toBeUndefined();
  });

  it('when it was authenticated for another purpose, or under the bare secret', async () => {
    const { state, cookie } = await start(states());
    const said = state.split('.').slice(0, 3).join('.');
    const opened = (key: Buffer) => {
      const tag = createHmac('sha512', key).update(said).digest('base64url').slice(0, 43);
      return states().open(`${said}.${tag}`, pairOf(cookie));
    };
    expect(opened(deriveKey(SECRET, 'login-state mac'))).toBeDefined();
    for (const purpose of ['login-state', 'login-state ticket', 'session cookie', '']) {
      expect(opened(deriveKey(SECRET, purpose))).toBeUndefined();
    }
    expect(opened(Buffer.from(SECRET))).toBeUndefined();
  });

  it('when its parts are of different logins', async () => {
    const [one, two] = [await start(states(), { returnTo: '/one' }), await start(states(), { returnTo: '/two' })];
    const [ours, theirs] = [one.state.split('.'), two.state.split('.')];
    for (let at = 0; at < ours.length; at += 1) {
      const mixed = ours.with(at, theirs[at] as string).join('.');
      if (mixed !== one.state) expect(states().open(mixed, pairOf(one.cookie))).toBeUndefined();
    }
  });

  it.each(['', '.', '....', 'a.b.c.d.e', 'x'.repeat(100_000), 'eyJhbGciOiJub25lIn0....'])(
    '%#: garbage',
    async (state) => {
      expect(await states().open(state, undefined)).toBeUndefined();
    },
  );
});

describe('stays short', () => {
  it('with a long deep link that compresses', async () => {
    const returnTo = `/superset/dashboard/7/?native_filters=${'(id:NATIVE_FILTER,value:!n)'.repeat(150)}`;
    const { state, transaction } = await start(states(), { returnTo });
    expect(state.length).toBeLessThan(2_800);
    expect(transaction.returnTo).toBe(returnTo);
    const opened = await states().open(state, undefined);
    expect(opened?.transaction.returnTo).toBe(returnTo);
  });

  it('by leaving out a query that does not fit', async () => {
    const noise = Array.from({ length: 800 }, (_, at) => (at * 2_654_435_761).toString(36)).join('');
    const { state, transaction } = await start(states(), { returnTo: `/dashboard/7?x=${noise}` });
    expect(state.length).toBeLessThan(2_800);
    expect(transaction.returnTo).toBe('/dashboard/7');
    expect((await start(states(), { returnTo: `/${noise}` })).transaction.returnTo).toBe('/');
  });
});
