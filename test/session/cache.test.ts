import { BoundedMap } from '../../src/session/cache.ts';

describe('a bounded map', () => {
  it('holds so many entries and no more, and keeps what is used', () => {
    const map = new BoundedMap<number>(10);
    map.set('used', 0);
    for (let at = 1; at <= 100; at += 1) {
      map.set(`k${at}`, at);
      expect(map.get('used')).toBe(0);
    }
    const kept = Array.from({ length: 100 }, (_, at) => map.get(`k${at + 1}`)).filter((value) => value !== undefined);
    expect(kept.length).toBeLessThan(10);
  });

  it('remembers at least the half of its limit that was used last', () => {
    const map = new BoundedMap<number>(10);
    for (let at = 0; at < 23; at += 1) map.set(`k${at}`, at);
    for (let at = 18; at < 23; at += 1) expect(map.get(`k${at}`)).toBe(at);
    expect(map.get('k0')).toBeUndefined();
  });

  it('has the last value of a key and none that was deleted', () => {
    const map = new BoundedMap<number>(4);
    map.set('a', 1);
    map.set('b', 2);
    map.set('c', 3);
    map.set('a', 4);
    expect(map.get('a')).toBe(4);
    map.delete('a');
    expect(map.get('a')).toBeUndefined();
    map.clear();
    expect([map.get('b'), map.get('c')]).toEqual([undefined, undefined]);
  });
});
