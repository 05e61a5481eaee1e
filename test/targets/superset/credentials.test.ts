import { decodeJwt } from 'jose';
import { createHttpClient } from '../../../src/ops/http.ts';
import type { HttpClient, HttpRequest } from '../../../src/ops/http-client.ts';
import { createSupersetTarget } from '../../../src/targets/superset/target.ts';
import { addUser, signal } from './people.ts';
import { AUDIENCE, ISSUER, MISSING, SERVICE, type SupersetInMemory, startInMemory, targetConfig } from './subject.ts';

const MINUTE = 60_000;
const clock = { ms: 0, now: () => clock.ms };
const closing: (() => Promise<void>)[] = [];

beforeEach(() => {
  clock.ms = Date.now();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(signIn: 'assertion' | 'header', password?: string) {
  const superset = await startInMemory({ sign_in: signIn }, { clock: clock.now });
  closing.push(() => superset.close());
  const sent: HttpRequest[] = [];
  const real = createHttpClient();
  closing.push(() => real.close());
  const send: HttpClient['send'] = (request) => {
    sent.push(request);
    return real.send(request);
  };
  const http: HttpClient = { ...real, send };
  const config = {
    ...targetConfig(superset.emulator.url),
    sign_in: signIn,
    service_password: password ?? SERVICE.password,
  };
  const { signer } = superset;
  const target = createSupersetTarget({ name: AUDIENCE, config, http, signer, publicUrl: ISSUER, clock });
  const read = () => target.read({ kind: 'person', lookup: { accountId: '1', userNames: [] } }, signal);
  return { ...superset, target, sent, read };
}

const logins = ({ emulator }: SupersetInMemory) => emulator.requests.filter(({ path }) => path.endsWith('/login'));

describe('by assertion', () => {
  it('signs as the service account, for Superset alone, and uses it for half its life', async () => {
    const { read, sent } = await start('assertion');
    await read();
    clock.ms += 29_000;
    await read();
    clock.ms += 1_000;
    await read();
    const assertions = sent.map(({ headers }) => headers?.['x-latchgate-assertion'] ?? '');
    expect(new Set(assertions).size).toBe(2);
    expect(assertions[0]).toBe(assertions[1]);
    const { iss, aud, sub, iat = 0, exp = 0 } = decodeJwt(assertions[0] ?? '');
    expect({ iss, aud, sub, seconds: exp - iat }).toEqual({
      iss: ISSUER,
      aud: AUDIENCE,
      sub: 'latchgate',
      seconds: 60,
    });
    expect(sent.every(({ headers }) => headers?.['authorization'] === undefined)).toBe(true);
  });

  it('is refused when the service account is switched off', async () => {
    const { read, emulator } = await start('assertion');
    const own = emulator.state.users.get(2);
    if (own !== undefined) own.active = false;
    await expect(read()).rejects.toMatchObject({ code: 'target_refused' });
  });
});

describe('by password', () => {
  it('logs in once for all that come together, and again before the token is too old', async () => {
    const superset = await start('header');
    await Promise.all(Array.from({ length: 10 }, superset.read));
    expect(logins(superset)).toHaveLength(1);
    clock.ms += 14 * MINUTE;
    await superset.read();
    expect(logins(superset)).toHaveLength(1);
    clock.ms += MINUTE;
    await superset.read();
    expect(logins(superset)).toHaveLength(2);
    expect(superset.emulator.requests.every(({ status }) => status === 200)).toBe(true);
  });

  it('logs in again when a token is refused before its time, once for a call', async () => {
    const superset = await start('header');
    await superset.read();
    superset.emulator.faults.set({ match: (method) => method === 'GET', status: 401, times: 1 });
    await superset.read();
    expect(logins(superset)).toHaveLength(2);
    superset.emulator.faults.set({ match: (method) => method === 'GET', status: 401 });
    await expect(superset.read()).rejects.toMatchObject({ code: 'target_refused' });
    expect(logins(superset)).toHaveLength(3);
  });

  it.each([
    ['a wrong password', 401, 'target_refused'],
    ['a Superset that takes no passwords', 400, 'target_refused'],
    ['a Superset in trouble', 500, 'target_unavailable'],
    ['something else at that address', 404, 'target_answer_invalid'],
  ] as const)('says so: %s', async (_what, status, code) => {
    const { read, emulator } = await start('header', status === 401 ? 'wrong' : undefined);
    if (status !== 401) emulator.faults.set({ match: (_, path) => path.endsWith('/login'), status });
    await expect(read()).rejects.toMatchObject({ code, detail: { status } });
    emulator.faults.clear();
    if (status !== 401) expect((await read()).accounts).toHaveLength(1);
  });

  it('does not wait for a login longer than the caller does', async () => {
    const { target, emulator } = await start('header');
    emulator.faults.set({ delayMs: 60_000 });
    const controller = new AbortController();
    const reading = target.read({ kind: 'all' }, controller.signal);
    controller.abort();
    await expect(reading).rejects.toMatchObject({ code: 'target_unavailable' });
  });

  it('is not possible without one', async () => {
    const { signer, emulator } = await start('assertion');
    const { service_password: _, ...config } = targetConfig(emulator.url);
    const http = createHttpClient();
    closing.push(() => http.close());
    const make = () =>
      createSupersetTarget({
        name: AUDIENCE,
        config: { ...config, sign_in: 'header' },
        http,
        signer,
        publicUrl: ISSUER,
      });
    expect(make).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });
});

describe('whether we may do our work', () => {
  it('is so with the fifteen permissions, and fewer where nothing is created', async () => {
    const { target, emulator, another } = await start('assertion');
    expect(await target.probe(signal)).toEqual({ account: 'latchgate' });
    const { servicePermissions } = emulator.state;
    for (const permission of ['can_delete on User', 'can_put on Role', 'can_put on Group', 'can_delete on Group']) {
      servicePermissions.delete(permission);
    }
    await target.probe(signal);
    servicePermissions.delete('can_post on Role');
    await expect(target.probe(signal)).rejects.toMatchObject({
      code: 'target_refused',
      detail: { permission: 'can_post', resource: 'roles' },
    });
    await another({ missing: { ...MISSING, roles: 'refuse' } }).probe(signal);
  });

  it('is not so for an account without the role', async () => {
    const { emulator, another } = await start('assertion');
    addUser(emulator.state, { username: 'nobody' });
    await expect(another({ service_account: 'nobody' }).probe(signal)).rejects.toMatchObject({
      code: 'target_refused',
    });
  });
});
