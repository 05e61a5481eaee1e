import { createFailureLimit } from '../../src/ops/failure-limit.ts';

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
