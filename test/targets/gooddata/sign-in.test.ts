import { exportJWK, generateKeyPair } from 'jose';
import { createHttpClient } from '../../../src/ops/http.ts';
import type { Signer } from '../../../src/ops/keys.ts';
import { createSigner, type SharedValues } from '../../../src/ops/signer.ts';
import { createJwksRegistrar, type JwksRegistrar } from '../../../src/targets/gooddata/jwks.ts';
import { createGoodDataSignIn } from '../../../src/targets/gooddata/sign-in.ts';
import type { SignIn } from '../../../src/targets/target.ts';
import { type GoodDataEmulator, startGoodDataEmulator } from '../../emulators/gooddata/server.ts';

const MINUTE = 60_000;
const ALICE = { id: 'alice', userName: 'alice', displayName: 'Alice Ace' };
const signal = new AbortController().signal;

const clock = { ms: 0, now: () => clock.ms };
let emulator: GoodDataEmulator;
const closing: (() => Promise<void>)[] = [];

beforeEach(async () => {
  clock.ms = Date.UTC(2026, 0, 1);
  emulator = await startGoodDataEmulator({ clock: clock.now, seed: { users: [{ id: 'alice' }, { id: 'bob' }] } });
  closing.push(() => emulator.close());
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Gateway {
  readonly signer: Signer;
  readonly registrar: JwksRegistrar;
  readonly signIn: SignIn;
  readonly warnings: string[];
}

function inMemory(): SharedValues {
  const values = new Map<string, string>();
  return {
    get: async (name) => values.get(name),
    swap: async (name, expected, value) => {
      if (values.get(name) !== expected) return false;
      values.set(name, value);
      return true;
    },
  };
}

function startGateway(values = inMemory(), deployment = 'https://bi.example.com'): Gateway {
  const secrets = ['x'.repeat(32)];
  const times = { rotateAfterMs: 60 * MINUTE, publishAheadMs: 5 * MINUTE, keepAfterMs: 10 * MINUTE };
  const signer = createSigner({ values, name: 'gooddata:gooddata', alg: 'RS256', secrets, clock, ...times });
  const http = createHttpClient();
  closing.push(() => http.close());
  const warnings: string[] = [];
  const log = { info: () => {}, warn: (message: string) => void warnings.push(message) };
  const config = { url: emulator.url, token: emulator.token, timeout: 2_000 };
  const registrar = createJwksRegistrar({ config, deployment, signer, http, clock, log });
  return { signer, registrar, signIn: createGoodDataSignIn({ signer, registrar, clock, log }), warnings };
}

async function tokenOf({ signIn }: Gateway, account = ALICE): Promise<string> {
  return (await signIn.headers(account, signal)).set['authorization'] ?? '';
}

/** Who GoodData says that this header is; the status when it is nobody. */
async function whoIs(authorization: string): Promise<unknown> {
  const headers = { authorization, 'x-requested-with': 'XMLHttpRequest', accept: 'application/json' };
  const response = await fetch(`${emulator.url}/api/v1/profile`, { headers });
  return response.status === 200 ? ((await response.json()) as { userId: string }).userId : response.status;
}

function claims(authorization: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(authorization.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
}

function keyCalls(): string[] {
  return emulator.requests.filter(({ path }) => path.includes('/jwks')).map(({ method }) => method);
}

describe('signing a person in', () => {
  it('gives a token that GoodData takes for the user of that id, for five minutes at most', async () => {
    const gateway = startGateway();
    const { set, validForSeconds } = await gateway.signIn.headers(ALICE, signal);
    const token = set['authorization'] ?? '';
    expect(await whoIs(token)).toBe('alice');
    expect(await whoIs(await tokenOf(gateway, { ...ALICE, id: 'bob' }))).toBe('bob');
    expect(claims(token)).toEqual({
      sub: 'alice',
      name: 'Alice Ace',
      iat: clock.ms / 1_000,
      exp: clock.ms / 1_000 + 300,
      jti: expect.any(String),
    });
    expect(validForSeconds).toBe(300);
    clock.ms += 7 * MINUTE;
    expect(await whoIs(token)).toBe(401);
  });

  it('uses a token for half its life, for one account and name', async () => {
    const gateway = startGateway();
    const first = await tokenOf(gateway);
    clock.ms += 149_000;
    expect(await gateway.signIn.headers(ALICE, signal)).toEqual({
      set: { authorization: first },
      validForSeconds: 151,
    });
    expect(await tokenOf(gateway, { ...ALICE, id: 'bob' })).not.toBe(first);
    expect(claims(await tokenOf(gateway, { ...ALICE, displayName: 'Alice B' }))['name']).toBe('Alice B');
    const later = await tokenOf(gateway);
    clock.ms += 150_000;
    expect(await tokenOf(gateway)).not.toBe(later);
  });

  it('signs once for requests that come together', async () => {
    const gateway = startGateway();
    const tokens = await Promise.all(Array.from({ length: 10 }, () => tokenOf(gateway)));
    expect(new Set(tokens).size).toBe(1);
    expect(keyCalls()).toEqual(['GET', 'POST']);
  });

  it('keeps the name within what GoodData takes', async () => {
    const gateway = startGateway();
    expect(await whoIs(await tokenOf(gateway, { ...ALICE, displayName: 'é😀'.repeat(400) }))).toBe('alice');
    expect(claims(await tokenOf(gateway, { ...ALICE, displayName: '' }))['name']).toBe('alice');
  });

  it('signs for no id that GoodData would not give', async () => {
    const gateway = startGateway();
    for (const id of ['', '.alice', 'auth0|alice', 'a'.repeat(256)]) {
      await expect(gateway.signIn.headers({ ...ALICE, id }, signal)).rejects.toMatchObject({ code: 'internal' });
    }
  });

  it('makes a new token after the old one was logged out', async () => {
    const gateway = startGateway();
    const first = await tokenOf(gateway);
    await fetch(`${emulator.url}/logout`, { headers: { authorization: first }, redirect: 'manual' });
    expect(await whoIs(first)).toBe(401);
    gateway.signIn.renew?.(ALICE);
    expect(await whoIs(await tokenOf(gateway))).toBe('alice');
  });

  it('keeps what could sign a browser in by itself out of the requests', () => {
    const { signIn } = startGateway();
    expect(signIn.drop).toContain('authorization');
    expect(signIn.dropCookies).toEqual(['SPRING_SEC_*']);
  });

  it('waits no longer than the caller, and the others get their token', async () => {
    const gateway = startGateway();
    emulator.faults.set({ delayMs: 200, times: 1 });
    const controller = new AbortController();
    const [gaveUp, waited] = [gateway.signIn.headers(ALICE, controller.signal), tokenOf(gateway)];
    controller.abort();
    await expect(gaveUp).rejects.toMatchObject({ code: 'target_unavailable' });
    expect(await whoIs(await waited)).toBe('alice');
  });
});

describe('registering keys', () => {
  it('hands out no token before its key is there, and recovers when GoodData does', async () => {
    const gateway = startGateway();
    emulator.faults.set({ status: 503 });
    await expect(gateway.signIn.headers(ALICE, signal)).rejects.toMatchObject({ code: 'target_unavailable' });
    emulator.faults.clear();
    expect(await whoIs(await tokenOf(gateway))).toBe('alice');
  });

  it('writes nothing when every key is there', async () => {
    const gateway = startGateway();
    await Promise.all([gateway.registrar.ensure(signal), gateway.registrar.ensure(signal)]);
    await gateway.registrar.ensure(signal);
    expect(keyCalls()).toEqual(['GET', 'POST', 'GET']);
    expect([...emulator.state.jwks.values()]).toEqual([
      expect.objectContaining({
        id: expect.stringMatching(/^latchgate-[0-9a-f]{8}-lg-/),
        attributes: {
          content: { kty: 'RSA', alg: 'RS256', use: 'sig', kid: expect.any(String), n: expect.any(String), e: 'AQAB' },
        },
      }),
    ]);
  });

  it('is done by several instances at once without a quarrel', async () => {
    const values = inMemory();
    const instances = Array.from({ length: 4 }, () => startGateway(values));
    for (const { signer } of instances) await signer.currentKid();
    // Each of them looks before any of the others has written.
    emulator.faults.set({ match: (method) => method === 'GET', stale: true, times: instances.length });
    const tokens = await Promise.all(instances.map((gateway) => tokenOf(gateway)));
    expect(keyCalls().filter((method) => method === 'POST')).toHaveLength(instances.length);
    expect(emulator.state.jwks.size).toBe(1);
    for (const token of tokens) expect(await whoIs(token)).toBe('alice');
  });

  it('rotates without a moment in which a token is refused', async () => {
    const gateway = startGateway();
    const seen = new Set<string>();
    const kids = new Set<unknown>();
    let previous = await tokenOf(gateway);
    for (let minute = 0; minute < 150; minute += 1) {
      clock.ms += MINUTE;
      if (minute % 30 === 0) await gateway.registrar.ensure(signal);
      // What was handed out a minute ago still holds, the new one holds at once.
      expect([minute, await whoIs(previous)]).toEqual([minute, 'alice']);
      previous = await tokenOf(gateway);
      expect([minute, await whoIs(previous)]).toEqual([minute, 'alice']);
      kids.add(JSON.parse(Buffer.from(previous.slice(7).split('.')[0] ?? '', 'base64url').toString()).kid);
      for (const id of emulator.state.jwks.keys()) seen.add(id);
    }
    expect(kids.size).toBe(3);
    expect(seen.size).toBeGreaterThanOrEqual(3);
    expect(emulator.state.jwks.size).toBeLessThan(seen.size);
  });

  it('registers the next key before it signs', async () => {
    const gateway = startGateway();
    await tokenOf(gateway);
    clock.ms += 61 * MINUTE;
    const current = await gateway.signer.currentKid();
    await gateway.registrar.ensure(signal);
    expect(emulator.state.jwks.size).toBe(2);
    expect(await gateway.signer.currentKid()).toBe(current);
    const calls = keyCalls().length;
    clock.ms += 6 * MINUTE;
    expect(await whoIs(await tokenOf(gateway))).toBe('alice');
    expect(await gateway.signer.currentKid()).not.toBe(current);
    expect(keyCalls()).toHaveLength(calls);
  });

  it('deletes keys of its own that were given up for a while, never those of others', async () => {
    const mine = startGateway(inMemory());
    const other = startGateway(inMemory(), 'https://staging.example.com');
    await mine.registrar.ensure(signal);
    await other.registrar.ensure(signal);
    const [old = '', foreign = ''] = emulator.state.jwks.keys();
    const byHand = { id: 'latchgate-key', attributes: { content: {} }, relationships: {} };
    emulator.state.jwks.set(byHand.id, byHand);

    // The state was lost: the same deployment begins with new keys.
    const reborn = startGateway(inMemory());
    await reborn.registrar.ensure(signal);
    clock.ms += 14 * MINUTE;
    await reborn.registrar.ensure(signal);
    expect([...emulator.state.jwks.keys()]).toEqual(expect.arrayContaining([old, foreign, byHand.id]));
    clock.ms += 2 * MINUTE;
    await reborn.registrar.ensure(signal);
    expect(emulator.state.jwks.has(old)).toBe(false);
    expect([...emulator.state.jwks.keys()]).toEqual(expect.arrayContaining([foreign, byHand.id]));
    expect(await whoIs(await tokenOf(reborn))).toBe('alice');
    expect(await whoIs(await tokenOf(other))).toBe('alice');
  });

  it('puts a key back that was deleted by hand, once a token was refused', async () => {
    const gateway = startGateway();
    await tokenOf(gateway);
    emulator.state.jwks.clear();
    clock.ms += 2 * MINUTE;
    expect(await whoIs(await tokenOf(gateway))).toBe(401);
    gateway.signIn.renew?.(ALICE);
    expect(await whoIs(await tokenOf(gateway))).toBe('alice');
    // Refused tokens cannot make it ask over and over.
    const calls = keyCalls().length;
    for (let at = 0; at < 10; at += 1) {
      gateway.signIn.renew?.(ALICE);
      await tokenOf(gateway);
    }
    expect(keyCalls()).toHaveLength(calls);
  });

  it('replaces a key that stands under its id and is another', async () => {
    const gateway = startGateway();
    await gateway.registrar.ensure(signal);
    const [key] = emulator.state.jwks.values();
    const forged = await exportJWK((await generateKeyPair('RS256')).publicKey);
    const content = { ...(key?.attributes['content'] as object), n: forged.n };
    if (key !== undefined) key.attributes = { content };
    await gateway.registrar.ensure(signal);
    expect(await whoIs(await tokenOf(gateway))).toBe('alice');
    expect(gateway.warnings).toHaveLength(1);
  });

  it('refuses a signer whose keys GoodData does not take', async () => {
    const signer = createSigner({ values: inMemory(), name: 'x', alg: 'ES256', secrets: ['x'.repeat(32)], clock });
    const http = createHttpClient();
    closing.push(() => http.close());
    const config = { url: emulator.url, token: emulator.token, timeout: 2_000 };
    const log = { info: () => {}, warn: () => {} };
    const registrar = createJwksRegistrar({ config, deployment: 'd', signer, http, clock, log });
    await expect(registrar.ensure(signal)).rejects.toMatchObject({ code: 'internal' });
  });
});
