import { probe, userDocument } from './probe.ts';
import { type GoodDataEmulator, startGoodDataEmulator } from './server.ts';

const USERS = '/api/v1/entities/users';

let emulator: GoodDataEmulator;
let now = 1_000_000;

beforeAll(async () => {
  emulator = await startGoodDataEmulator({ clock: () => now });
});
afterAll(() => emulator.close());
beforeEach(() => emulator.reset());

const create = (id: string) => probe(emulator, 'POST', USERS, { body: userDocument(id) });

const createWithin = (timeoutMs: number) =>
  fetch(`${emulator.url}${USERS}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${emulator.token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(userDocument('bob')),
    signal: AbortSignal.timeout(timeoutMs),
  });

describe('faults of the GoodData emulator', () => {
  it.each([500, 502, 503])('%i, nothing done, as often as told', async (status) => {
    emulator.faults.set({ status, times: 2 });
    const answers = [await create('bob'), await create('bob'), await create('bob')];
    expect(answers.map((answer) => answer.status)).toEqual([status, status, 201]);
    expect(answers[0]?.body).toMatchObject({ status });
  });

  it('401 without a body', async () => {
    emulator.faults.set({ status: 401 });
    expect(await create('bob')).toMatchObject({ status: 401, body: undefined });
  });

  it('a page instead of JSON', async () => {
    emulator.faults.set({ html: true, times: 1 }, { html: true, status: 502 });
    const [first, second] = [await create('bob'), await create('bob')];
    expect([first.status, second.status]).toEqual([200, 502]);
    expect(first.headers.get('content-type')).toMatch(/^text\/html/);
    expect(first.body).toMatch(/^<!doctype html>/);
    expect(emulator.state.users.has('bob')).toBe(false);
  });

  it('only for the requests that match', async () => {
    emulator.faults.set({ status: 503, match: (method, path) => method === 'POST' && path === USERS });
    expect((await probe(emulator, 'GET', `${USERS}?size=1`)).status).toBe(200);
    expect((await create('bob')).status).toBe(503);
  });

  it('a reset connection, nothing done', async () => {
    emulator.faults.set({ reset: true, times: 1 });
    await expect(create('bob')).rejects.toThrow();
    expect(emulator.state.users.has('bob')).toBe(false);
    expect(emulator.requests.at(-1)).toMatchObject({ method: 'POST', path: USERS, status: 0 });
  });

  it('a write that is done and never answered', async () => {
    emulator.faults.set({ dropAfterApply: 'cut', times: 1 });
    await expect(create('bob')).rejects.toThrow();
    expect(emulator.state.users.has('bob')).toBe(true);
    expect((await create('bob')).status).toBe(409);
  });

  it('a write that is done and leaves the caller hanging', async () => {
    emulator.faults.set({ dropAfterApply: 'hang' });
    await expect(createWithin(200)).rejects.toThrow();
    expect(emulator.state.users.has('bob')).toBe(true);
  });

  it('slow, and the work is done although the caller has given up', async () => {
    emulator.faults.set({ delayMs: 100 });
    await expect(createWithin(20)).rejects.toThrow();
    expect(emulator.state.users.has('bob')).toBe(false);
    while (!emulator.state.users.has('bob')) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await create('bob')).status).toBe(409);
  });

  it('429 with Retry-After above the rate, and again let in a second later', async () => {
    emulator.faults.set({ rateLimit: { perSecond: 2, retryAfter: 7 } });
    const answers = [await create('a'), await create('b'), await create('c')];
    expect(answers.map((answer) => answer.status)).toEqual([201, 201, 429]);
    expect(answers[2]?.headers.get('retry-after')).toBe('7');
    now += 1000;
    expect((await create('c')).status).toBe(201);
  });

  it('reads that lag behind writes', async () => {
    emulator.faults.set({ stale: true });
    expect((await create('bob')).status).toBe(201);
    expect((await probe(emulator, 'GET', `${USERS}/bob`)).status).toBe(404);
    expect((await create('bob')).status).toBe(409);
    emulator.faults.clear();
    expect((await probe(emulator, 'GET', `${USERS}/bob`)).status).toBe(200);
  });

  it('reset forgets faults, log and everything written', async () => {
    await create('bob');
    emulator.faults.set({ status: 503 });
    emulator.reset();
    expect(emulator.requests).toEqual([]);
    expect((await probe(emulator, 'GET', `${USERS}/bob`)).status).toBe(404);
    expect(emulator.requests).toEqual([
      { method: 'GET', path: `${USERS}/bob`, status: 404, body: undefined, caller: { userId: 'admin', via: 'token' } },
    ]);
  });

  it('closes while a request is being delayed', async () => {
    const other = await startGoodDataEmulator();
    other.faults.set({ delayMs: 60_000 });
    const pending = probe(other, 'GET', USERS).catch(() => 'cut');
    while (other.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await other.close();
    expect(await pending).toBe('cut');
  });
});
