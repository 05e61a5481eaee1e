import fc from 'fast-check';
import { compilePattern } from '../../src/mapping/patterns.ts';
import { LatchgateError } from '../../src/model/errors.ts';

describe('an exact pattern', () => {
  it('fits its own text alone, code point by code point', () => {
    const pattern = compilePattern('bi-admins');
    expect(pattern.kind).toBe('exact');
    expect(pattern.match('bi-admins')).toEqual({ captures: {} });
    for (const other of ['Bi-admins', 'bi-admins ', 'bi-admin', 'bi-admins\u200b', 'bi\u2010admins']) {
      expect(pattern.match(other)).toBeUndefined();
    }
  });

  it('takes every character but * and a leading ~ as it is', () => {
    for (const text of ['a.b', '[x]', 'a?', '(', '\\', '$', 'a~b', '__proto__']) {
      expect(compilePattern(text)).toMatchObject({ kind: 'exact' });
      expect(compilePattern(text).match(text)).toBeDefined();
    }
  });
});

describe('a glob', () => {
  it.each([
    ['*', '', true],
    ['*', 'anything at all', true],
    ['bi-*', 'bi-', true],
    ['bi-*', 'bi-eng', true],
    ['bi-*', 'xbi-eng', false],
    ['*-admins', 'eng-admins', true],
    ['*-admins', '-admins-', false],
    ['a*b*c', 'a1b2c', true],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'acb', false],
    ['ab*ba', 'aba', false],
    ['a*a', 'a', false],
    ['**', 'x', true],
    ['a.*', 'a.b', true],
    ['a.*', 'axb', false],
    ['company/*', 'company/team/sub', true],
  ])('%s on %j: %j', (text, value, fits) => {
    expect(compilePattern(text).kind).toBe('glob');
    expect(compilePattern(text).match(value) !== undefined).toBe(fits);
  });

  it('agrees with a naive matcher', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
    fc.assert(
      fc.property(word, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 }), (glob, value) => {
        const naive = (g: string, v: string): boolean => {
          if (g === '') return v === '';
          if (g[0] === '*') return naive(g.slice(1), v) || (v !== '' && naive(g, v.slice(1)));
          return v !== '' && g[0] === v[0] && naive(g.slice(1), v.slice(1));
        };
        expect(compilePattern(`${glob}*`).match(value) !== undefined).toBe(naive(`${glob}*`, value));
      }),
    );
  });
});

describe('a regular expression', () => {
  it('fits the whole value only, the longer of two branches too', () => {
    expect(compilePattern('~eng').match('eng')).toBeDefined();
    expect(compilePattern('~eng').match('engineers')).toBeUndefined();
    expect(compilePattern('~a|ab').match('ab')).toBeDefined();
  });

  it('hands out named captures, and leaves out those that took no part', () => {
    const pattern = compilePattern('~company[:/](?<team>[a-z0-9-]+)([:/](?P<level>viewer|editor))?');
    expect(pattern.captureNames).toEqual(['team', 'level']);
    expect(pattern.match('company:eng:viewer')?.captures).toEqual({ team: 'eng', level: 'viewer' });
    expect(pattern.match('company/eng')?.captures).toEqual({ team: 'eng' });
  });

  it('has no trouble with a capture called like a member of every object', () => {
    const captures = compilePattern('~(?<__proto__>x+)').match('xx')?.captures ?? {};
    expect(Object.hasOwn(captures, '__proto__')).toBe(true);
    expect(Object.getOwnPropertyDescriptor(captures, '__proto__')?.value).toBe('xx');
  });

  it.each(['~(', '~(?=x)', '~(a)\\1', '~[z-a]', '~a{1001}', '~(?<a>x)(?<a>y)'])('%s is refused by name', (text) => {
    expect(() => compilePattern(text)).toThrow(LatchgateError);
    expect(() => compilePattern(text)).toThrow(expect.objectContaining({ code: 'config_invalid' }));
    expect(() => compilePattern(text)).toThrow(text);
  });

  it.each(['~(a+)+', '~(a|a)*b', '~(a|aa)+$', '~(.*a){12}'])('%s comes to an end on a long hostile value', (text) => {
    // A backtracking engine would be at it for longer than the universe is old.
    expect(compilePattern(text).match(`${'a'.repeat(20_000)}!`)).toBeUndefined();
  });
});
