import { type Auth0Emulator, startAuth0Emulator } from './server.ts';
import { plantUser, removeUser } from './state.ts';

interface Frame {
  readonly event?: string;
  readonly id?: string;
  readonly data?: string;
}

/** Reads frames from an open stream until there are so many, or it ends. */
async function frames(answer: Response, count: number): Promise<Frame[]> {
  const found: Frame[] = [];
  let text = '';
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  while (found.length < count) {
    const { value, done } = await reader.read();
    if (done) break;
    text += Buffer.from(value).toString();
    const parts = text.split('\n\n');
    text = parts.pop() ?? '';
    for (const part of parts) {
      const pairs = part
        .split('\n')
        .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]);
      const frame = Object.fromEntries(pairs) as Frame;
      if (frame.event !== undefined) found.push(frame);
    }
  }
  await reader.cancel();
  return found;
}

describe('the event stream of the Auth0 emulator', () => {
  let emulator: Auth0Emulator;
  let number = 0;
  const world = () => ({ now: Date.now(), newId: () => String(number++) });
  const add = (id: string) => {
    plantUser(emulator.state, { user_id: `auth0|${id}`, email: `${id}@example.com` }, world());
    emulator.events.publish(emulator.state);
  };
  const open = (query = '', headers: Record<string, string> = {}) =>
    fetch(`${emulator.url}/api/v2/events${query}`, {
      headers: { authorization: `Bearer ${emulator.token()}`, ...headers },
    });
  const types = (all: readonly Frame[]) => all.map(({ event }) => event);

  beforeAll(async () => {
    emulator = await startAuth0Emulator({ streams: { most: 2, heartbeatMs: 20 } });
  });
  afterAll(() => emulator.close());
  beforeEach(() => emulator.reset());

  it('tells what happens from now on, and goes on after the last id that was seen', async () => {
    const first = await open();
    add('a');
    const [seen] = await frames(first, 1);
    expect(JSON.parse(seen?.data ?? '').event).toMatchObject({
      type: 'user.created',
      data: { object: { user_id: 'auth0|a' } },
    });
    add('b');
    removeUser(emulator.state, 'auth0|a', world());
    const again = await frames(await open('', { 'last-event-id': seen?.id ?? '' }), 2);
    expect(types(again)).toEqual(['user.created', 'user.deleted']);
    const wins = await open(`?from=${again[0]?.id}`, { 'last-event-id': seen?.id ?? '' });
    expect(types(await frames(wins, 2))).toEqual(['user.created', 'user.deleted']);
  });

  it('begins at a time, and moves on over events of other types', async () => {
    const since = new Date(Date.now() - 1_000).toISOString().replace(/\.\d+/, '');
    add('a');
    removeUser(emulator.state, 'auth0|a', world());
    const all = await frames(await open(`?from_timestamp=${since}&event_type=user.deleted`), 2);
    expect(types(all)).toEqual(['offset-only', 'user.deleted']);
    expect(all[0]?.id).not.toBe(all[1]?.id);
  });

  it('answers 410 for what is too old, 400 for what never was, 403 without the scope', async () => {
    add('a');
    const old = emulator.state.events[0]?.offset ?? '';
    add('b');
    emulator.events.forget(emulator.state);
    expect((await open(`?from=${old}`)).status).toBe(410);
    expect((await open('?from=nonsense')).status).toBe(400);
    const headers = { authorization: `Bearer ${emulator.token(['read:users'])}` };
    expect((await fetch(`${emulator.url}/api/v2/events`, { headers })).status).toBe(403);
  });

  it('has so many streams and no more, keeps them alive, repeats itself, and ends them', async () => {
    const [one, two] = [await open(), await open()];
    const third = await open();
    expect([third.status, third.headers.get('retry-after')]).toEqual([429, '1']);
    add('a');
    add('b');
    emulator.events.repeat(emulator.state, 2);
    expect(types(await frames(one, 4))).toEqual(Array(4).fill('user.created'));
    emulator.events.disconnect('error');
    const rest = await frames(two, 100);
    expect(rest.at(-1)?.event).toBe('error');
  });
});
