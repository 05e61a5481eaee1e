import { setTimeout as sleep } from 'node:timers/promises';
import { watchLiveSessions } from '../../src/login/live-sessions-watch.ts';
import type { Completed } from '../../src/login/provider.ts';
import { type ErrorCode, LatchgateError } from '../../src/model/errors.ts';
import type { LiveSession } from '../../src/session/cookie.ts';
import { providerSessionHash, subjectHash } from '../../src/session/seal.ts';
import { AskedProvider, EVERY_MS, IDLE_MS, type Instance, LiveWorld } from './live-world.ts';

let world: LiveWorld;
let here: Instance;
beforeEach(async () => {
  world = await new LiveWorld().open();
  here = await world.instance();
});
afterEach(() => world.close());

const throwing = (code: ErrorCode) => async (): Promise<never> => {
  throw new LatchgateError(code, code);
};
const groupsOf = (live: LiveSession | undefined) => live?.session.identity.groups;

/** For what goes on in the background; the limit only ends a broken test. */
async function until(is: () => boolean): Promise<void> {
  for (let waits = 0; waits < 500 && !is(); waits += 1) await sleep(10);
  expect(is()).toBe(true);
}

/** Something that is over when the test says so. */
function gate(): { readonly passed: Promise<void>; open: () => void } {
  let open = (): void => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

describe('a session that is not due', () => {
  it('goes on at once, as it is', async () => {
    const live = await world.due(here, { checkAt: world.now() + 1 });
    expect(here.live.current(live)).toBe(live);
    const { checkAt: _, ...never } = live.session;
    const unchecked = { ...live, session: never };
    expect(here.live.current(unchecked)).toBe(unchecked);
    expect(world.provider.asked).toEqual([]);
  });
});

describe('a session that is due', () => {
  it('goes on as the provider says, and is asked about again only when it is time', async () => {
    world.provision = () => ({ groups: ['ops'] });
    const live = await world.due(here);
    const current = await here.live.current(live);
    expect(groupsOf(current)).toEqual(['ops']);
    expect(current?.session.checkAt).toBe(world.now() + EVERY_MS);
    expect(world.provider.asked).toMatchObject([
      { issuer: 'https://id.example', subject: 'subject-of-alice', refreshToken: 'r', idToken: 'id' },
    ]);
    expect(world.asserted[0]?.options).toMatchObject({ occasion: 'refresh' });
    expect(await here.store.loadWhole(live.id)).toEqual({
      session: {
        ...live.session,
        identity: { ...live.session.identity, groups: ['ops'] },
        checkAt: world.now() + EVERY_MS,
      },
      tokens: { idToken: 'new-id-token', refreshToken: 'r+' },
    });
    world.state.clock.fastForward(EVERY_MS - 1);
    const session = await here.store.load(live.id);
    expect(here.live.current({ ...live, session: session as LiveSession['session'] })).toMatchObject({ id: live.id });
    world.state.clock.fastForward(1);
    await here.live.current({ ...live, session: session as LiveSession['session'] });
    expect(world.provider.asked.map(({ refreshToken }) => refreshToken)).toEqual(['r', 'r+']);
    expect(world.checked).toEqual(['staff renewed ok', 'staff renewed ok']);
    expect(world.ended).toEqual([]);
  });

  it('is asked about once, by fifty requests on two instances', async () => {
    const there = await world.instance();
    world.provision = () => ({ groups: ['ops'] });
    const live = await world.due(here);
    const all = await Promise.all(Array.from({ length: 50 }, (_, at) => (at % 2 ? here : there).live.current(live)));
    expect(all.map(groupsOf)).toEqual(Array.from({ length: 50 }, () => ['ops']));
    expect(world.provider.asked).toHaveLength(1);
    // Requests that still bring the record of before find what is known by now.
    expect(groupsOf(await there.live.current(live))).toEqual(['ops']);
    expect(groupsOf(await here.live.current(live))).toEqual(['ops']);
    expect(world.provider.asked).toHaveLength(1);
  });

  it('keeps others waiting for nothing', async () => {
    const held = gate();
    world.provider.answer = async (input) => {
      if (input.refreshToken === 'slow') await held.passed;
      return world.provider.completed(input);
    };
    const slow = await world.due(here, {}, { idToken: 'id', refreshToken: 'slow' });
    const waiting = here.live.current(slow);
    expect(await here.live.current(await world.due(here))).toMatchObject({
      session: { checkAt: world.now() + EVERY_MS },
    });
    held.open();
    expect(await waiting).toMatchObject({ id: slow.id });
  });

  it('takes over the session of the provider where it has become another', async () => {
    world.provider.answer = (input) => world.provider.completed(input, { providerSession: 'sid-2' });
    const live = await world.due(here);
    await here.live.current(live);
    expect(await here.store.destroyFor({ issuer: 'https://id.example', providerSession: 'sid-2' })).toBe(1);
  });

  it('does not live longer for it: neither idle nor in all', async () => {
    const live = await world.due(here);
    world.state.clock.fastForward(IDLE_MS - 1_000);
    const current = await here.live.current(live);
    expect(current?.session.endsAt).toBe(live.session.endsAt);
    world.state.clock.fastForward(1_000);
    expect(await here.store.load(live.id)).toBeUndefined();
  });

  it('without a refresh token is not asked about ever again', async () => {
    const live = await world.due(here, {}, { idToken: 'id' } as never);
    expect((await here.live.current(live))?.session.checkAt).toBeUndefined();
    expect((await here.store.load(live.id))?.checkAt).toBeUndefined();
    expect(world.provider.asked).toEqual([]);
  });

  it('of a login that is not asked any more by now goes on', async () => {
    const off = new AskedProvider(0);
    Object.assign(off, { refreshEveryMs: undefined });
    const other = await world.instance({ providers: new Map([['staff', off]]) });
    const live = await world.due(other);
    expect(await other.live.current(live)).toBe(live);
    expect(off.asked).toEqual([]);
  });
});

describe('a session ends', () => {
  const ends: ErrorCode[] = ['login_ended', 'token_invalid', 'subject_invalid'];
  it.each(ends)('when the provider says %s', async (code) => {
    const there = await world.instance();
    world.provider.answer = throwing(code);
    const live = await world.due(here);
    const other = await world.due(here);
    expect(await here.live.current(live)).toBeUndefined();
    expect(await here.store.load(live.id)).toBeUndefined();
    world.state.clock.fastForward(1_000);
    expect(await there.store.load(live.id)).toBeUndefined();
    // Another session of the same person is its own matter.
    expect(await there.store.load(other.id)).toBeDefined();
    const { issuer, subject } = live.session.identity;
    expect(world.ended).toEqual([
      { requestId: expect.any(String), login: 'staff', code, sessions: 1, subject: { issuer, subject } },
    ]);
    expect(world.checked).toEqual([`staff ended ${code}`]);
  });

  const refusals: ErrorCode[] = [
    'denied_by_rule',
    'denied_by_default',
    'person_disabled',
    'groups_invalid',
    'groups_overage',
    'email_missing',
  ];
  it.each(refusals)('when the person is refused by now: %s', async (code) => {
    world.provision = () => {
      throw new LatchgateError(code, code);
    };
    const live = await world.due(here);
    expect(await here.live.current(live)).toBeUndefined();
    expect(await here.store.load(live.id)).toBeUndefined();
    // Under the request id of the decision, so that `why` knows more.
    expect(world.ended).toMatchObject([{ code, requestId: world.asserted[0]?.options.requestId }]);
  });

  it('when the answer is of another person of ours', async () => {
    world.provision = () => ({ person: 'p_bob' });
    expect(await here.live.current(await world.due(here))).toBeUndefined();
    expect(world.ended).toMatchObject([{ code: 'token_invalid' }]);
  });

  it('when its login is not there any more', async () => {
    const without = await world.instance({ providers: new Map() });
    expect(await without.live.current(await world.due(without))).toBeUndefined();
    expect(world.ended).toMatchObject([{ code: 'login_unknown' }]);
  });

  it('for all fifty requests that wait', async () => {
    world.provider.answer = throwing('login_ended');
    const live = await world.due(here);
    const all = await Promise.all(Array.from({ length: 50 }, () => here.live.current(live)));
    expect(all.filter(Boolean)).toEqual([]);
    expect([world.provider.asked.length, world.ended.length]).toEqual([1, 1]);
  });

  it('when the provider ended it while it was being renewed', async () => {
    const { logouts } = here.directory;
    const later = new Date(world.now() + 600_000);
    const at = world.now();
    const live = await world.due(here);
    world.provider.answer = async (input) => {
      await logouts.save(providerSessionHash('https://id.example', 'sid-1'), new Date(at), later);
      return world.provider.completed(input, { issuedAt: at + 5_000 });
    };
    expect(await here.live.current(live)).toBeUndefined();
    expect(await here.store.load(live.id)).toBeUndefined();
  });

  it('when every login of the subject was ended after its token was issued, and not when before', async () => {
    const { logouts } = here.directory;
    const at = world.now();
    await logouts.save(subjectHash('https://id.example', 'subject-of-alice'), new Date(at), new Date(at + 600_000));
    world.provider.answer = (input) => world.provider.completed(input, { issuedAt: at + 1_000 });
    expect(await here.live.current(await world.due(here))).toBeDefined();
    world.provider.answer = (input) => world.provider.completed(input, { issuedAt: at });
    expect(await here.live.current(await world.due(here))).toBeUndefined();
  });

  it('and stays so, though the provider is just renewing it: what it gave is given back', async () => {
    const held = gate();
    world.provider.answer = async (input) => {
      await held.passed;
      return world.provider.completed(input);
    };
    const live = await world.due(here);
    const waiting = here.live.current(live);
    await sleep(20);
    await here.store.destroy(live.id);
    held.open();
    expect(await waiting).toBeUndefined();
    expect(await here.store.loadWhole(live.id)).toBeUndefined();
    expect(world.provider.revoked).toEqual(['r+']);
  });

  it('here, even when the store cannot be told', async () => {
    world.provider.answer = throwing('login_ended');
    const live = await world.due(here);
    world.onCall = (call) => {
      if (call === 'destroy') throw new LatchgateError('session_store_unavailable', 'down');
    };
    expect(await here.live.current(live)).toBeUndefined();
    expect(world.logged.join('\n')).toContain('the end of a session could not be stored');
  });
});

describe('a provider that cannot say', () => {
  const troubles: ErrorCode[] = [
    'provider_unavailable',
    'provider_misconfigured',
    'provider_metadata_invalid',
    'token_key_unknown',
    'answer_too_large',
    'internal',
    'state_unavailable',
  ];
  it.each(troubles)('(%s) ends nothing, and is asked again after half a minute', async (code) => {
    world.provider.answer = throwing(code);
    const live = await world.due(here);
    expect(await here.live.current(live)).toMatchObject({ id: live.id, session: live.session });
    expect(world.ended).toEqual([]);
    expect(world.checked).toEqual([`staff failed ${code}`]);
    // Not by each request: they do not even wait.
    for (let at = 0; at < 20; at += 1) expect(here.live.current(live)).toBe(live);
    expect(world.provider.asked).toHaveLength(1);
    world.state.clock.fastForward(30_000);
    world.provider.answer = (input) => world.provider.completed(input);
    await here.live.current(live);
    await until(() => world.checked.length === 2);
    expect(world.provider.asked).toHaveLength(2);
    expect((await here.store.load(live.id))?.checkAt).toBe(world.now() + EVERY_MS);
  });

  it('is asked less and less often, and never less than every five minutes', async () => {
    world.provider.answer = throwing('provider_unavailable');
    const live = await world.due(here, { endsAt: world.now() + 10 * IDLE_MS });
    const asked: number[] = [];
    for (let second = 0; second < 3_000; second += 10) {
      await here.store.touch(live.id, IDLE_MS);
      await here.live.current(live);
      await sleep(0);
      if (world.provider.asked.length > asked.length) asked.push(second);
      world.state.clock.fastForward(10_000);
    }
    const pauses = asked.slice(1).map((at, index) => at - (asked[index] as number));
    expect(pauses[0]).toBeLessThanOrEqual(30);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(300);
    expect(asked.length).toBeLessThan(20);
    expect(asked.length).toBeGreaterThan(8);
  });

  it('is said once in the log, and that it answers again', async () => {
    world.provider.answer = throwing('provider_unavailable');
    for (let at = 0; at < 5; at += 1) await here.live.current(await world.due(here));
    await sleep(50);
    expect(world.logged.filter((line) => line.startsWith('warn'))).toHaveLength(1);
    world.provider.answer = (input) => world.provider.completed(input);
    await here.live.current(await world.due(here));
    await sleep(50);
    expect(world.logged.filter((line) => line.includes('answers again'))).toHaveLength(1);
    const log = world.logged.join('\n');
    for (const secret of ['"r"', 'r+', 'new-id-token', 'alice@example.com']) expect(log).not.toContain(secret);
  });

  it('is asked by few while it is down, and nobody waits', async () => {
    world.provider.answer = throwing('provider_unavailable');
    await here.live.current(await world.due(here));
    const held = gate();
    world.provider.answer = async () => {
      await held.passed;
      throw new LatchgateError('provider_unavailable', 'still');
    };
    const before = world.provider.asked.length;
    const sessions = await Promise.all(Array.from({ length: 40 }, () => world.due(here)));
    for (const live of sessions) expect(here.live.current(live)).toBe(live);
    await sleep(50);
    expect(world.provider.asked.length - before).toBeLessThanOrEqual(2);
    held.open();
  });

  it('keeps the new refresh token, whatever goes wrong after it', async () => {
    world.provider.answer = async (input) => {
      await input.keep?.('second');
      throw new LatchgateError('provider_unavailable', 'its keys cannot be read');
    };
    const live = await world.due(here);
    await here.live.current(live);
    expect((await here.store.loadWhole(live.id))?.tokens).toEqual({ idToken: 'id', refreshToken: 'second' });
    world.state.clock.fastForward(30_000);
    world.provider.answer = (input) => world.provider.completed(input);
    await here.live.current(live);
    await until(() => world.checked.length === 2);
    expect(world.provider.asked[1]?.refreshToken).toBe('second');
  });

  it('keeps it though the store fails for a moment', async () => {
    let failures = 2;
    world.onCall = (call) => {
      if (call === 'renew' && failures-- > 0) throw new LatchgateError('session_store_unavailable', 'down');
    };
    const live = await world.due(here);
    await here.live.current(live);
    expect((await here.store.loadWhole(live.id))?.tokens.refreshToken).toBe('r+');
  });
});

describe('a provider that is slow', () => {
  it('is waited for a while; then the request goes on, and so does the question', async () => {
    const quick = await world.instance({ waitMs: 40 });
    const held = gate();
    world.provider.answer = async (input): Promise<Completed> => {
      await held.passed;
      return world.provider.completed(input);
    };
    world.provision = () => ({ groups: ['ops'] });
    const live = await world.due(quick);
    expect(groupsOf(await quick.live.current(live))).toEqual(['bi-admins', 'ö']);
    // Those that come later do not wait at all, nor do other sessions.
    expect(quick.live.current(live)).toBe(live);
    const other = await world.due(quick);
    expect(quick.live.current(other)).toBe(other);
    held.open();
    await until(() => world.checked.length === 2);
    expect((await quick.store.load(live.id))?.identity.groups).toEqual(['ops']);
    expect(world.provider.asked.filter(({ refreshToken }) => refreshToken === 'r')).toHaveLength(2);
  });

  it('lets nobody through whose session ended while they waited', async () => {
    const quick = await world.instance({ waitMs: 60 });
    const held = gate();
    world.provider.answer = async (input) => {
      await held.passed;
      return world.provider.completed(input);
    };
    const live = await world.due(quick);
    const waiting = quick.live.current(live);
    await sleep(10);
    await quick.store.destroy(live.id);
    expect(await waiting).toBeUndefined();
    held.open();
  });
});

describe('at the end of the process', () => {
  it('answers that are on their way are stored, and nothing new is asked', async () => {
    const held = gate();
    world.provider.answer = async (input) => {
      await held.passed;
      return world.provider.completed(input);
    };
    const live = await world.due(here);
    const waiting = here.live.current(live);
    await sleep(20);
    const closing = here.live.close();
    const late = await world.due(here);
    expect(await here.live.current(late)).toBe(late);
    held.open();
    await closing;
    await waiting;
    expect((await here.store.loadWhole(live.id))?.tokens.refreshToken).toBe('r+');
    expect(world.provider.asked).toHaveLength(1);
  });
});

describe('looking after sessions without requests', () => {
  it('checks those that have something open, when it is time, and no others', async () => {
    const open = await world.due(here);
    const idle = await world.due(here);
    const later = await world.due(here, { checkAt: world.now() + EVERY_MS });
    const { clock } = world.state;
    const log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
    const stop = watchLiveSessions({ live: here.live, ids: () => [open.id, later.id], everyMs: 1, clock, log });
    for (let waits = 0; waits < 100 && world.checked.length === 0; waits += 1) await sleep(20);
    await stop();
    await here.live.close();
    expect(world.checked).toEqual(['staff renewed ok']);
    expect((await here.store.load(open.id))?.checkAt).toBe(world.now() + EVERY_MS);
    expect((await here.store.load(idle.id))?.checkAt).toBe(world.now());
  });

  it('ends those whose login is over', async () => {
    world.provider.answer = throwing('login_ended');
    const open = await world.due(here);
    const heard: string[] = [];
    here.store.onEnded((handle) => heard.push(handle));
    await here.live.look(open.id);
    await until(() => world.ended.length === 1);
    expect(heard).toEqual([open.handle]);
  });

  it('says when to look again', async () => {
    const live = await world.due(here, { checkAt: world.now() + 5_000 });
    expect(await here.live.look(live.id)).toBe(world.now() + 5_000);
    expect(await here.live.look('A'.repeat(43))).toBe(Number.POSITIVE_INFINITY);
  });
});
