import { createHttpClient } from '../../../src/ops/http.ts';
import { createSupersetSession, createSupersetSignIn } from '../../../src/targets/superset/sign-in.ts';
import { type SupersetEmulator, startSupersetEmulator } from '../../emulators/superset/server.ts';
import { addUser, signal } from './people.ts';

const HEADER = { sign_in: 'header', sign_in_header: 'X-Forwarded-User' } as const;
const closing: (() => Promise<void>)[] = [];
let emulator: SupersetEmulator;

beforeEach(async () => {
  emulator = await startSupersetEmulator({ signIn: 'header' });
  closing.push(() => emulator.close());
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function session(url = emulator.url) {
  const http = createHttpClient();
  closing.push(() => http.close());
  return createSupersetSession({ config: { ...HEADER, url, timeout: 2_000 }, http });
}

const accountOf = ({ id, username }: { id: number; username: string }) => ({ id: String(id), userName: username });
const whoIs = async (cookies: readonly string[]) => {
  const answer = await fetch(`${emulator.url}/api/v1/me/`, { headers: { cookie: cookies.join('; ') } });
  return answer.status === 200
    ? ((await answer.json()) as { result: { username: string } }).result.username
    : answer.status;
};

describe('what the proxy is told', () => {
  it('by assertion: set nothing, take no token from a browser, leave Superset’s cookie alone', async () => {
    const signIn = createSupersetSignIn({ ...HEADER, sign_in: 'assertion' });
    expect(await signIn.headers({ id: '1', userName: 'alice', displayName: '' }, signal)).toMatchObject({ set: {} });
    expect(signIn.drop).toEqual(['authorization']);
    expect(signIn.dropCookies).toBeUndefined();
  });

  it('by header: take neither the header nor Superset’s cookie from a browser', () => {
    const signIn = createSupersetSignIn({ ...HEADER, sign_in_header: 'X-Remote-User' });
    expect(signIn.drop).toEqual(['authorization', 'x-remote-user']);
    expect(signIn.dropCookies).toEqual(['session']);
    expect(session().cookieNames).toEqual(['session']);
  });
});

describe('a session of Superset’s', () => {
  it('is opened by one request with the header, and is the person’s', async () => {
    const alice = addUser(emulator.state, { username: 'alice' });
    const bob = addUser(emulator.state, { username: 'bob' });
    const { open } = session();
    expect(await whoIs(await open(accountOf(alice), signal))).toBe('alice');
    expect(await whoIs(await open(accountOf(bob), signal))).toBe('bob');
    expect(emulator.requests.filter(({ path }) => path === '/login/')).toHaveLength(2);
  });

  it.each(['alice in a hurry', 'josé', "o'brien"])('is opened for %s', async (username) => {
    const user = addUser(emulator.state, { username });
    expect(await whoIs(await session().open(accountOf(user), signal))).toBe(username);
  });

  it('is not opened for who has no account, an inactive one, or one of two that differ in case', async () => {
    const off = addUser(emulator.state, { username: 'off', active: false });
    const twin = addUser(emulator.state, { username: 'u1' });
    addUser(emulator.state, { username: 'U1', email: 'two@example.com' });
    for (const account of [{ id: '99', userName: 'nobody' }, accountOf(off), accountOf(twin)]) {
      await expect(session().open(account, signal)).rejects.toMatchObject({ code: 'target_refused' });
    }
  });

  it('is not another account’s, whatever the header makes of the name', async () => {
    const alice = addUser(emulator.state, { username: 'alice' });
    await expect(session().open({ id: '99', userName: 'Alice' }, signal)).rejects.toMatchObject({
      code: 'target_refused',
    });
    expect(alice.login_count).toBe(1);
  });

  it('is not opened by a Superset that shows a login page of its own, or is in trouble', async () => {
    const alice = accountOf(addUser(emulator.state, { username: 'alice' }));
    emulator.faults.set({ html: true });
    await expect(session().open(alice, signal)).rejects.toMatchObject({ code: 'target_refused' });
    emulator.faults.set({ status: 500 });
    await expect(session().open(alice, signal)).rejects.toMatchObject({ code: 'target_unavailable' });
  });

  it('is over when Superset asks for a login', () => {
    const { expired } = session();
    expect(expired(401, undefined)).toBe(true);
    expect(expired(302, '/login/?next=%2Fsuperset%2Fwelcome%2F')).toBe(true);
    expect(expired(302, 'https://bi.example.com/bi/login/')).toBe(true);
    expect(expired(302, '/superset/welcome/')).toBe(false);
    expect(expired(302, 'https://elsewhere.example/?to=/login/')).toBe(false);
    expect(expired(200, undefined)).toBe(false);
    expect(expired(403, undefined)).toBe(false);
  });
});
