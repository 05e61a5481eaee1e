import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { LatchgateError } from '../../src/model/errors.ts';
import { createSigner, type SharedValues, type SignerOptions } from '../../src/ops/signer.ts';

const DAY = 86_400_000;
const SECRET = 'a'.repeat(32);

function memory(): SharedValues & { readonly stored: Map<string, string>; swaps: number; down: boolean } {
  const stored = new Map<string, string>();
  return {
    stored,
    swaps: 0,
    down: false,
    async get(name) {
      if (this.down) throw new LatchgateError('state_unavailable', 'down');
      await Promise.resolve();
      return stored.get(name);
    },
    async swap(name, expected, value) {
      await Promise.resolve();
      if (stored.get(name) !== expected) return false;
      stored.set(name, value);
      this.swaps += 1;
      return true;
    },
  };
}

function world(overrides: Partial<SignerOptions> = {}) {
  const clock = { at: 1_800_000_000_000, now: () => clock.at };
  const values = memory();
  const make = (more: Partial<SignerOptions> = {}) =>
    createSigner({ values, name: 'assertion', alg: 'ES256', secrets: [SECRET], clock, ...overrides, ...more });
  return { clock, values, make };
}

describe.each(['ES256', 'RS256'] as const)('the signer with %s', (alg) => {
  it('signs tokens that verify against its public keys, which hold nothing private', async () => {
    const { clock, make } = world({ alg, claims: { iss: 'https://bi.example.com' } });
    const signer = make();
    const token = await signer.sign({ sub: 'alice', aud: 'superset' }, 60);
    const keys = await signer.publicKeys();
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet({ keys: [...keys] }), {
      issuer: 'https://bi.example.com',
      audience: 'superset',
      currentDate: new Date(clock.now()),
    });
    expect(payload.sub).toBe('alice');
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
    expect(payload.jti).toEqual(expect.any(String));
    expect(protectedHeader).toMatchObject({ alg, typ: 'JWT', kid: await signer.currentKid() });
    expect(await signer.currentKid()).toMatch(/^lg-[\w-]{43}$/);
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi']) expect(keys[0]).not.toHaveProperty(member);
  });
});

describe('the keys', () => {
  it('are the same for instances that begin at once, and for one that begins later', async () => {
    const { make, values } = world();
    const kids = await Promise.all(Array.from({ length: 5 }, () => make().currentKid()));
    expect(new Set([...kids, await make().currentKid()]).size).toBe(1);
    expect(values.swaps).toBe(1);
  });

  it('are never stored readable', async () => {
    const { make, values } = world();
    await make().currentKid();
    const stored = [...values.stored.values()].join();
    expect(stored).toMatch(/^v1\.[\w-]+$/);
    expect(Buffer.from(stored.slice(3), 'base64url').toString('latin1')).not.toMatch(/lg-|"kty"/);
  });

  it('are published 300 s before they sign, and for a while after they did', async () => {
    const { clock, make } = world();
    const signer = make();
    const other = make();
    const first = await signer.currentKid();
    clock.at += 90 * DAY;
    expect(await signer.currentKid()).toBe(first);
    const published = (await signer.publicKeys()).map(({ kid }) => kid);
    expect(published).toHaveLength(2);
    expect((await other.publicKeys()).map(({ kid }) => kid)).toEqual(published);
    clock.at += 299_000;
    expect(decodeProtectedHeader(await signer.sign({}, 60)).kid).toBe(first);
    clock.at += 1_000;
    const second = await signer.currentKid();
    expect(second).toBe(published[1]);
    expect(await other.currentKid()).toBe(second);
    clock.at += 3_500_000;
    expect(await signer.publicKeys()).toHaveLength(2);
    clock.at += 200_000;
    expect((await signer.publicKeys()).map(({ kid }) => kid)).toEqual([second]);
  });

  it('survive a rotation of the secret and are then sealed under the new one alone', async () => {
    const { make } = world();
    const kid = await make().currentKid();
    const fresh = 'b'.repeat(32);
    expect(await make({ secrets: [fresh, SECRET] }).currentKid()).toBe(kid);
    expect(await make({ secrets: [fresh] }).currentKid()).toBe(kid);
    await expect(make().currentKid()).rejects.toMatchObject({ code: 'state_unreadable' });
  });

  it('of one purpose do not open as those of another', async () => {
    const { make, values } = world();
    await make().currentKid();
    values.stored.set('keys:gooddata:main', values.stored.get('keys:assertion') ?? '');
    await expect(make({ name: 'gooddata:main' }).currentKid()).rejects.toMatchObject({ code: 'state_unreadable' });
  });

  it('go on signing while the state database is away, but none is made up', async () => {
    const { clock, make, values } = world();
    const signer = make();
    const kid = await signer.currentKid();
    values.down = true;
    clock.at += 10 * 60_000;
    expect(await signer.currentKid()).toBe(kid);
    await expect(make().sign({}, 60)).rejects.toMatchObject({ code: 'state_unavailable' });
  });
});
