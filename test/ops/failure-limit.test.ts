import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFailureLimit, type FailureLimit as Limit } from '../../src/ops/failure-limit.ts';

const clock = { at: 0, now: () => clock.at };

beforeEach(() => {
  clock.at = 1_800_000_000_000;
});

function failures(limit: ReturnType<typeof createFailureLimit>, peer: string, count: number): void {
  for (let at = 0; at < count; at += 1) limit.failed(peer);
}

it('lets a peer fail so often, and then one more time after each while', () => {
  const limit = createFailureLimit({ perMinute: 60, clock });
  failures(limit, '192.0.2.1', 59);
  expect(limit.wait('192.0.2.1')).toBe(0);
  limit.failed('192.0.2.1');
  expect(limit.wait('192.0.2.1')).toBe(1);
  expect(limit.wait('192.0.2.2')).toBe(0);
  clock.at += 999;
  expect(limit.wait('192.0.2.1')).toBe(1);
  clock.at += 1;
  expect(limit.wait('192.0.2.1')).toBe(0);
  limit.failed('192.0.2.1');
  expect(limit.wait('192.0.2.1')).toBe(1);
  clock.at += 3_600_000;
  failures(limit, '192.0.2.1', 59);
  expect(limit.wait('192.0.2.1')).toBe(0);
});

it('says how long a slow limit takes', () => {
  const limit = createFailureLimit({ perMinute: 2, clock });
  failures(limit, 'a', 5);
  expect(limit.wait('a')).toBe(30);
});

it('does not owe anybody more when the clock goes back', () => {
  const limit = createFailureLimit({ perMinute: 60, clock });
  failures(limit, 'a', 60);
  clock.at -= 3_600_000;
  expect(limit.wait('a')).toBe(1);
});

it('counts an IPv6 network of 64 bits as one peer, however its addresses are written', () => {
  const limit = createFailureLimit({ perMinute: 4, clock });
  for (const peer of ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', '2001:0db8:0000:0001:0:0:0:3', '2001:DB8:0:1::4']) {
    expect(limit.wait(peer)).toBe(0);
    limit.failed(peer);
  }
  expect(limit.wait('2001:db8:0:1:a:b:c:d')).toBeGreaterThan(0);
  expect(limit.wait('2001:db8:0:2::1')).toBe(0);
  expect(limit.wait('2001:db8::1:0:0:1')).toBe(0);
  failures(limit, '::1', 4);
  expect(limit.wait('::2')).toBeGreaterThan(0);
  expect(limit.wait('fe80::1%eth0')).toBe(0);
});

it('forgets who failed longest ago before it fills the memory', () => {
  const limit = createFailureLimit({ perMinute: 1, clock, peers: 3 });
  for (const peer of ['a', 'b', 'c']) limit.failed(peer);
  limit.failed('a');
  limit.failed('d');
  expect(['a', 'b', 'c', 'd'].map((peer) => limit.wait(peer) > 0)).toEqual([true, false, true, true]);
});

describe('with others', () => {
  /** Counts as the database does. */
  function counting() {
    const sums = new Map<string, number>();
    let isDown = false;
    const add = async (failed: ReadonlyMap<string, number>) => {
      if (isDown) throw new Error('nobody counts');
      for (const [key, times] of failed) sums.set(key, (sums.get(key) ?? 0) + times);
      return new Map([...failed.keys()].map((key) => [key, sums.get(key) ?? 0]));
    };
    const fail = (): void => {
      isDown = true;
    };
    return { add, keys: () => [...sums.keys()], clear: () => sums.clear(), fail };
  }
  const told = () => sleep(1_200);

  it('counts what failed elsewhere, once', async () => {
    const { add } = counting();
    const [one, other] = [0, 1].map(() => createFailureLimit({ perMinute: 10, clock, shared: add })) as [Limit, Limit];
    failures(one, 'a', 6);
    await told();
    failures(other, 'a', 3);
    expect([one.wait('a'), other.wait('a')]).toEqual([0, 0]);
    await told();
    expect(other.wait('a')).toBe(0);
    failures(other, 'a', 1);
    expect(other.wait('a')).toBe(6);
    failures(one, 'a', 1);
    await told();
    expect(one.wait('a')).toBe(6);
    expect(other.wait('b')).toBe(0);
  });

  it('says to others who it was by a hash alone', async () => {
    const { add, keys } = counting();
    createFailureLimit({ perMinute: 10, clock, shared: add }).failed('192.0.2.1');
    await told();
    expect(keys()).toEqual([createHash('sha256').update('192.0.2.1').digest('base64url')]);
  });

  it('takes a count that begins anew for what it is', async () => {
    const { add, clear } = counting();
    const limit = createFailureLimit({ perMinute: 10, clock, shared: add });
    failures(limit, 'a', 8);
    await told();
    clear();
    clock.at += 60_000;
    failures(limit, 'a', 9);
    await told();
    expect(limit.wait('a')).toBe(0);
    limit.failed('a');
    expect(limit.wait('a')).toBe(6);
  });

  it('goes on by itself when nobody counts', async () => {
    const { add, fail } = counting();
    const limit = createFailureLimit({ perMinute: 2, clock, shared: add });
    fail();
    limit.failed('a');
    await told();
    expect(limit.wait('a')).toBe(0);
    limit.failed('a');
    expect(limit.wait('a')).toBe(30);
  });
});
