import fc from 'fast-check';
import { safeReturnTo } from '../../src/login/return-to.ts';

const rule = {
  publicUrl: 'https://bi.example.com',
  origins: ['https://reports.example.com', 'https://x.example.com:8443'],
};

describe('stays as it is', () => {
  it.each([
    '/',
    '/superset/welcome/',
    '/superset/dashboard/7/?native_filters=(a:b)&x=1#tab',
    '/superset/dashboard/7/?q=a%20b&city=S%C3%A3o%20Paulo#my%20tab',
    '/caf%C3%A9/',
    '/a//b',
    '/?next=https://evil.example/',
    '/@evil.example',
    '/https://evil.example',
    '/100%',
    '/.latchgate/userinfo',
    '/.latchgate-not',
    'https://reports.example.com/r/1?x=y#z',
    'https://x.example.com:8443/',
    'https://reports.example.com/.latchgate/userinfo',
  ])('%s', (target) => {
    expect(safeReturnTo(target, rule)).toBe(target);
  });
});

describe('is written in the normal way', () => {
  it.each([
    ['/a/../b', '/b'],
    ['/café', '/caf%C3%A9'],
    ['https://bi.example.com/a', '/a'],
    ['https://bi.example.com:443/a', '/a'],
    ['https://BI.EXAMPLE.COM/a', '/a'],
    ['HTTPS://reports.example.com', 'https://reports.example.com/'],
    ['https://reports.example.com:443/x', 'https://reports.example.com/x'],
  ])('%s', (raw, target) => {
    expect(safeReturnTo(raw, rule)).toBe(target);
  });
});

/** Spellings that some browser, or some server behind us, takes for another origin; and what is nothing at all. */
const HOSTILE = [
  // Back to where a login begins, on a listed host.
  'https://reports.example.com/.latchgate/login?rd=/x',
  'https://reports.example.com/.latchgate/logout',
  'https://reports.example.com/%2elatchgate/login',
  'https://reports.example.com/a/../.LATCHGATE/login',
  '//evil.example',
  '///evil.example',
  '////evil.example/%2f..',
  '/\\evil.example',
  '/\\/evil.example',
  '\\/evil.example',
  '\\\\evil.example',
  '\\evil.example',
  '/\t/evil.example',
  '/\n/evil.example',
  '/\r/evil.example',
  '/\u0000/evil.example',
  '/ /evil.example',
  ' //evil.example',
  ' /a',
  '/a ',
  '/a b',
  '/a\u00a0b',
  '/a\u2028b',
  '/a\u3000b',
  '\ufeff/a',
  '/%09/evil.example',
  '/%0a/evil.example',
  '/%0D%0ASet-Cookie:x=1',
  '/%00',
  '/%20a',
  '/a%20b?x=y',
  '/a?x=%0d%0aSet-Cookie:x=1',
  '/a?x=%00',
  '/a?x=y z',
  '/a#%0a',
  '/%C2%A0',
  '/%E2%80%A8',
  '/%2f/evil.example',
  '/%2Fevil.example',
  '/%5cevil.example',
  '/%5C%5Cevil.example',
  '/..//evil.example',
  '/./\\evil.example',
  '/a/..//evil.example',
  '/%2e%2e//evil.example',
  '/.//evil.example',
  'https:evil.example',
  'https:/evil.example',
  'https:///evil.example',
  'https:\\\\evil.example',
  'https://\\evil.example',
  'https://evil.example',
  'http://evil.example',
  'https://bi.example.com.evil.example',
  'https://bi.example.com@evil.example',
  'https://bi.example.com%40evil.example',
  'https://bi.example.com:pw@evil.example/',
  'https://user@bi.example.com/',
  'https://user:pw@reports.example.com/',
  'https://evil.example\\@bi.example.com',
  'https://evil.example/https://bi.example.com',
  'https://evil.example#@bi.example.com',
  'https://evil.example?@bi.example.com',
  'https://bi.example.com:8443/',
  'https://reports.example.com:444/',
  'http://reports.example.com/',
  'http://bi.example.com/',
  'https://x.example.com/',
  'https://reports.example.com./',
  'https://xreports.example.com/',
  'https://reports.example.com%2eevil.example/',
  'https://reports.example.com\u3002evil.example/',
  'https://reports.example.com/\r\nX: y',
  'https://reports.example.com/%0d%0a',
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  'javascript://bi.example.com/%0aalert(1)',
  'data:text/html,<script>alert(1)</script>',
  'vbscript:x',
  'file:///etc/passwd',
  'ftp://bi.example.com/',
  'blob:https://bi.example.com/x',
  'about:blank',
  'evil.example',
  'a/b',
  './a',
  '../a',
  '?x',
  '#x',
  '',
  '.',
  '@evil.example',
  ':80/',
  'https://',
  'https://[::1',
  `/${'a'.repeat(9_000)}`,
  '/\ud800',
  '/.latchgate/login?rd=/',
  '/.latchgate/login',
  '/.latchgate/logout',
  '/.latchgate/callback/staff?code=x',
  '/.LATCHGATE/login',
  '/x/../.latchgate/logout',
  '/%2elatchgate/logout',
  '/.latchgate/%6cogin?rd=/',
  'https://bi.example.com/.latchgate/logout',
];

describe('becomes /', () => {
  it.each(HOSTILE)('%j', (raw) => {
    expect(safeReturnTo(raw, rule)).toBe('/');
  });

  it.each([[undefined], [null], [7], [['/a']], [{ toString: () => '/a' }]])('%j, which is no text', (raw) => {
    expect(safeReturnTo(raw, rule)).toBe('/');
  });
});

describe('whatever is thrown at it', () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(
        '/',
        '\\',
        '//',
        '.',
        '..',
        '%2f',
        '%5c',
        '%09',
        '%',
        '@',
        ':',
        '?',
        '#',
        '\t',
        '\n',
        ' ',
        'https:',
        'bi.example.com',
        'evil.example',
        'reports.example.com',
      ),
      fc.string({ unit: 'binary', maxLength: 4 }),
    ),
    { maxLength: 12 },
  );
  const anything = fc.oneof(
    pieces.map((list) => list.join('')),
    pieces.map((list) => `/${list.join('')}`),
    fc.webUrl(),
  );
  const allowed = new Set(['https://bi.example.com', ...rule.origins]);

  it('stays on a listed origin, also for a browser that reads it as a link', () => {
    fc.assert(
      fc.property(anything, (raw) => {
        const target = safeReturnTo(raw, rule);
        return allowed.has(new URL(target, rule.publicUrl).origin);
      }),
      { numRuns: 5_000 },
    );
  });

  it('is what a browser makes of it', () => {
    const plain = fc
      .array(fc.constantFrom('/', 'a', 'B9', '.', '-', '~', '_', '?', '=', '&', '.latchgate', 'login', '..'))
      .map((list) => `/${list.join('')}`);
    fc.assert(
      fc.property(fc.oneof(plain, anything), (raw) => {
        const target = safeReturnTo(raw, rule);
        if (!target.startsWith('/')) return true;
        const { pathname, search, hash } = new URL(target, rule.publicUrl);
        return pathname + search + hash === target && !/^\/\.latchgate\/login(?:[/?#]|$)/.test(target);
      }),
      { numRuns: 5_000 },
    );
  });

  it('fits into a header, and goes through again unchanged', () => {
    fc.assert(
      fc.property(anything, (raw) => {
        const target = safeReturnTo(raw, rule);
        return /^[\x21-\x7e]+$/.test(target) && safeReturnTo(target, rule) === target;
      }),
      { numRuns: 5_000 },
    );
  });

  /** What browsers, and servers on the way, have been seen to make of an address before they look where it leads. */
  const readings: readonly ((target: string) => string)[] = [
    (target) => target,
    (target) => target.replace(/[\t\r\n]/g, ''),
    (target) => target.replaceAll('\\', '/'),
    (target) => target.replace(/[\t\r\n]/g, '').replaceAll('\\', '/'),
    (target) => decodeLeniently(target),
    (target) => decodeLeniently(target).replace(/[\t\r\n]/g, ''),
    (target) => decodeLeniently(target).replaceAll('\\', '/'),
    (target) => decodeLeniently(decodeLeniently(target)).replace(/^\/(?=[^/\\])/, '/'),
    // biome-ignore lint/suspicious/noControlCharactersInRegex: browsers cut those off at both ends
    (target) => target.replace(/^[\x00-\x20]+|[\x00-\x20]+$/g, ''),
    (target) => target.split('\0', 1)[0] ?? '',
    (target) => target.split(/[\r\n]/, 1)[0] ?? '',
    (target) => target.toLowerCase(),
    (target) => target.replaceAll('&amp;', '&'),
    (target) => target.normalize('NFKC'),
    (target) => target.replace(/[?#].*$/s, ''),
    (target) => target.replace(/^\/(?:[^/?#]*\/)?\.\.(?=\/|$)/, ''),
  ];
  const decodeLeniently = (text: string) =>
    text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('latin1'));
  /** As a Location, as a link on a page of ours, and as a link on the page that was asked for. */
  const bases = [
    'https://bi.example.com/',
    'https://bi.example.com/.latchgate/callback/staff?code=x',
    'https://bi.example.com/a/b/',
  ];

  it('leads to a listed origin in every reading of a browser', () => {
    fc.assert(
      fc.property(anything, (raw) => {
        const target = safeReturnTo(raw, rule);
        for (const read of readings) {
          const spelled = read(target);
          for (const base of bases) {
            // What no browser can read leads nowhere.
            if (!URL.canParse(spelled, base)) continue;
            const { origin, protocol } = new URL(spelled, base);
            if (!allowed.has(origin) || protocol !== 'https:')
              throw new Error(`${raw} leads to ${origin} by ${spelled}`);
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('never becomes a way to the login or logout, or the login of somebody else, in any spelling', () => {
    const spell = fc.tuple(
      fc.constantFrom('login', 'logout', 'callback/staff', 'LOGIN', 'Logout'),
      fc.array(fc.nat(30), { maxLength: 6 }),
      fc.constantFrom('', '/', '?rd=/', '#x', '/x', '%3f'),
    );
    const before = fc.constantFrom(
      '',
      '/x/..',
      '/.',
      '/%2e',
      '/a/%2E%2e',
      'https://bi.example.com',
      'HTTPS://BI.EXAMPLE.COM:443',
    );
    fc.assert(
      fc.property(before, spell, (start, [name, places, end]) => {
        const path = [...`.latchgate/${name}`]
          .map((letter, at) => (places.includes(at) ? `%${letter.charCodeAt(0).toString(16)}` : letter))
          .join('');
        expect(safeReturnTo(`${start}/${path}${end}`, rule)).toBe('/');
      }),
      { numRuns: 2_000 },
    );
  });
});
