import { systemClock } from '../../../src/ops/clock.ts';
import { createHttpClient } from '../../../src/ops/http.ts';
import { createHttpStreams } from '../../../src/ops/http-stream.ts';
import { type Auth0EventsOptions, createAuth0Events } from '../../../src/sources/auth0/events.ts';
import type { ChangeFeed, FeedStep } from '../../../src/sources/change-feed.ts';
import { type Auth0Emulator, startAuth0Emulator } from '../../emulators/auth0/server.ts';
import { plantUser, removeUser } from '../../emulators/auth0/state.ts';
import { configFor, until } from './tenant.ts';

describe('the change feed of Auth0', () => {
  let emulator: Auth0Emulator;
  let feed: ChangeFeed;
  let stop: AbortController;
  let troubles: { readonly code: string; readonly status: number }[];
  let number = 0;
  const http = createHttpClient({ readOnly: true });
  const world = () => ({ now: Date.now(), newId: () => String(number++) });

  const follow = (more: Partial<Auth0EventsOptions> = {}) => {
    feed = createAuth0Events({
      config: configFor(emulator.url),
      http,
      clock: systemClock,
      streams: createHttpStreams(),
      reconnectMs: 5,
      onTrouble: (trouble) => troubles.push(trouble),
      ...more,
    });
    return feed;
  };
  /** Everything that the feed says, as it comes; a failure at its end. */
  const record = (lastId?: string): { steps: FeedStep[]; done: Promise<unknown> } => {
    const steps: FeedStep[] = [];
    const run = async () => {
      for await (const step of feed.changes(stop.signal, lastId)) steps.push(step);
      return 'ended';
    };
    return { steps, done: run().catch((thrown: unknown) => thrown) };
  };
  const changed = (steps: readonly FeedStep[]) => steps.filter(({ kind }) => kind === 'changed').length;
  const add = (id: string) => {
    plantUser(emulator.state, { user_id: `auth0|${id}`, email: `${id}@example.com` }, world());
    emulator.events.publish(emulator.state);
  };
  const connected = () => until(() => emulator.events.count === 1);

  beforeEach(async () => {
    emulator = await startAuth0Emulator({ streams: { heartbeatMs: 20 } });
    stop = new AbortController();
    troubles = [];
  });
  afterEach(async () => {
    stop.abort();
    await feed.close();
    await emulator.close();
  });
  afterAll(() => http.close());

  it('tells of people made, changed and deleted, and ends with the signal', async () => {
    follow();
    const { steps, done } = record();
    await connected();
    add('a');
    add('b');
    removeUser(emulator.state, 'auth0|a', world());
    emulator.events.publish(emulator.state);
    await until(() => steps.length === 3);
    expect(steps.every(({ kind }) => kind === 'changed')).toBe(true);
    stop.abort();
    expect(await done).toBe('ended');
    expect(troubles).toEqual([]);
  });

  it.each(['end', 'error', 'reset'] as const)(
    'goes on where the stream broke off by %s, and tells nothing twice',
    async (how) => {
      follow();
      const { steps } = record();
      await connected();
      add('a');
      await until(() => steps.length === 1);
      emulator.events.disconnect(how);
      add('b');
      await until(() => steps.length === 2);
      expect(changed(steps)).toBe(2);
      const again = emulator.requests.filter(({ path }) => path.startsWith('/api/v2/events'));
      expect(again.length).toBeGreaterThanOrEqual(2);
    },
  );

  it('misses nothing between two connections, before it was told of anything too', async () => {
    follow();
    const { steps } = record();
    await connected();
    emulator.events.disconnect('end');
    add('a');
    await until(() => changed(steps) === 1);
  });

  it('begins after the place that was kept, be it one of no change of ours', async () => {
    add('a');
    const [first] = emulator.state.events;
    emulator.state.events.push({
      offset: Buffer.from('2\n').toString('base64'),
      at: Date.now(),
      type: 'group.created',
      body: { id: 'g' },
    });
    add('b');
    follow();
    const { steps } = record(first?.offset);
    await until(() => steps.length === 2);
    expect(steps.map(({ kind }) => kind)).toEqual(['moved', 'changed']);
  });

  it('counts what the stream repeats once, and does not go back for it', async () => {
    follow();
    const { steps } = record();
    await connected();
    add('a');
    add('b');
    await until(() => steps.length === 2);
    emulator.events.repeat(emulator.state, 2);
    add('c');
    await until(() => steps.length === 3);
    expect(changed(steps)).toBe(3);
    emulator.events.disconnect('end');
    await connected();
    add('d');
    await until(() => steps.length === 4);
    expect(changed(steps)).toBe(4);
  });

  it('says that changes were missed when its place is too old, once, and follows from then on', async () => {
    add('a');
    const [first] = emulator.state.events;
    add('b');
    emulator.events.forget(emulator.state);
    follow();
    const { steps } = record(first?.offset);
    await until(() => steps.length === 1);
    expect(steps).toEqual([{ kind: 'missed' }]);
    add('c');
    await until(() => steps.length === 2);
    expect(steps.map(({ kind }) => kind)).toEqual(['missed', 'changed']);
  });

  it('says the same of a place that Auth0 never gave', async () => {
    follow();
    const { steps } = record('nonsense');
    await until(() => steps.length === 1);
    expect(steps).toEqual([{ kind: 'missed' }]);
  });

  it('leaves a stream that has gone silent', async () => {
    follow({ silenceMs: 1_000 });
    const { steps } = record();
    await connected();
    emulator.events.silent = true;
    await until(() => troubles.length > 0);
    expect(troubles[0]).toEqual({ code: 'target_unavailable', status: 0 });
    emulator.events.silent = false;
    await connected();
    add('a');
    await until(() => changed(steps) === 1);
  });

  it('waits while there are too many streams, or Auth0 is in trouble', async () => {
    emulator.faults.set({ times: 2, status: 503, match: (_method, path) => path.endsWith('/events') });
    follow();
    const { steps } = record();
    await connected();
    expect(troubles.map(({ status }) => status)).toEqual([503, 503]);
    add('a');
    await until(() => changed(steps) === 1);
  });

  it('makes its token anew when that was ended', async () => {
    follow();
    const { steps } = record();
    await connected();
    emulator.endTokens();
    emulator.events.disconnect('end');
    await until(() => emulator.requests.filter(({ path }) => path === '/oauth/token').length === 2);
    await connected();
    add('a');
    await until(() => changed(steps) === 1);
  });

  it('gives up when the client may not read events', async () => {
    await emulator.close();
    const clients = [{ id: 'emulator-client', secret: 'emulator-secret', scopes: ['read:users'] }];
    emulator = await startAuth0Emulator({ clients });
    follow();
    expect(await record().done).toMatchObject({ code: 'source_refused' });
  });
});
