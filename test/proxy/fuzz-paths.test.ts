import { posix } from 'node:path';
import fc from 'fast-check';
import { createRouter, type Route } from '../../src/proxy/routes.ts';
import { parseRequestTarget } from '../../src/proxy/target.ts';

const RUNS = { numRuns: 2_000 };

describe('a path that is let through', () => {
  const parse = (raw: string) => parseRequestTarget(raw, ['bi.example.com']);

  const word = fc.constantFrom('a', 'admin', 'public', 'health', '.latchgate', 'login', '...', '~', '*', '@', ':', '%');
  const trick = fc.constantFrom(
    ...[
      '.',
      '..',
      '%2e',
      '%2E%2e',
      '.%2e',
      '%252e',
      '%%32%65',
      '%c0%ae',
      '%e0%80%ae',
      '%uff0e',
      '..;',
      '..;x',
      '.;/..',
    ],
    ...[
      '/',
      '//',
      '%2f',
      '%2F',
      '%252f',
      '%c0%af',
      '\\',
      '%5c',
      '%5C',
      '%255c',
      ';',
      '%3b',
      '%253B',
      '%00',
      '%0a',
      '%0d%0a',
    ],
    ...[
      '%09',
      '%20',
      '%7f',
      '%80',
      '%c2%85',
      '%ff',
      '%',
      '%2',
      '%zz',
      '?',
      '#',
      '%3f',
      '%23',
      '%25',
      '%2525',
      '\t',
      ' ',
    ],
  );
  const segment = fc
    .array(fc.oneof(word, trick, fc.string({ maxLength: 2 })), { maxLength: 4 })
    .map((all) => all.join(''));
  /** Any letter may be written as an escape, and an escape be escaped again. */
  const escaped = fc.tuple(segment, fc.array(fc.nat(40), { maxLength: 4 }), fc.boolean()).map(([text, places, twice]) =>
    [...text]
      .map((letter, at) => {
        const code = letter.charCodeAt(0);
        if (!places.includes(at) || code > 127) return letter;
        return `%${twice ? '25' : ''}${code.toString(16).padStart(2, '0')}`;
      })
      .join(''),
  );
  const path = fc.array(escaped, { maxLength: 6 }).map((segments) => `/${segments.join('/')}`);
  const query = fc.option(
    fc.array(fc.oneof(trick, word), { maxLength: 4 }).map((all) => `?${all.join('')}`),
    { nil: '' },
  );

  /** What servers behind us have been seen to make of a path before they decide. */
  const readings: readonly ((path: string) => string)[] = [
    (text) => decodeLeniently(text),
    (text) => decodeLeniently(decodeLeniently(text)),
    (text) => text.replaceAll('\\', '/'),
    (text) => text.replace(/\/{2,}/g, '/'),
    (text) => text.replace(/;[^/]*/g, ''),
    (text) => keepSlash(text, posix.normalize(text)),
    (text) =>
      decodeURIComponent(new URL(encodeURI(text).replaceAll('?', '%3F').replaceAll('#', '%23'), 'http://x').pathname),
    (text) => text.replace(/[\t\r\n]/g, ''),
    (text) => text.split('\0', 1)[0] ?? '',
    (text) => text.trim(),
  ];

  it('is the same in every reading', () => {
    fc.assert(
      fc.property(path, query, (raw, more) => {
        const target = parse(raw + more);
        if (target === undefined) return;
        for (const read of readings.slice(0, -1)) expect(read(target.path)).toBe(target.path);
        const [forwarded = ''] = target.forward.split('?', 1);
        // As it goes up: once decoded, and nothing of it is left to resolve, fold or cut.
        expect(decodeURIComponent(forwarded)).toBe(target.path);
        expect(decodeURIComponent(new URL(forwarded, 'http://x').pathname)).toBe(target.path);
        expect(forwarded).not.toMatch(/%2f|%5c|%00|%3b|[;\\\s]|\/\/|\/\.{1,2}(?:\/|$)/i);
        expect(target.path).not.toMatch(/[;\\\p{Cc}]|\/\/|\/\.{1,2}(?:\/|$)|%[0-9a-f]{2}/iu);
        expect(parse(target.forward)).toEqual(target);
      }),
      RUNS,
    );
  });

  it('is decided by nothing behind the question mark, and the query goes up as it is', () => {
    fc.assert(
      fc.property(path, fc.stringMatching(/^[!-"$-~]{0,20}$/), (raw, text) => {
        const alone = parse(raw.replaceAll('?', ''));
        const asked = parse(`${raw.replaceAll('?', '')}?${text}`);
        expect(asked?.path).toBe(alone?.path);
        if (asked !== undefined) expect(asked.forward).toBe(`${alone?.forward}?${text}`);
      }),
      RUNS,
    );
  });

  it('is the same in absolute form, of our own host alone', () => {
    const authority = fc.constantFrom(
      'bi.example.com',
      'BI.example.com',
      'evil.example',
      'bi.example.com:81',
      '',
      'x@bi.example.com',
    );
    fc.assert(
      fc.property(path, authority, fc.constantFrom('http', 'HTTPS', 'ftp', 'ws'), (raw, host, scheme) => {
        const isOurs = host.toLowerCase() === 'bi.example.com' && /^https?$/i.test(scheme);
        expect(parse(`${scheme}://${host}${raw}`)).toEqual(isOurs ? parse(raw) : undefined);
      }),
      RUNS,
    );
  });

  it('leads where the same path leads when it is written plainly', () => {
    const routes: Route<unknown>[] = [
      { path: '/', target: 'closed', isPublic: false },
      { path: '/public', target: 'open', isPublic: true, methods: ['GET'] },
      { path: '/public/admin', target: 'admin', isPublic: false },
      { path: '/health', target: 'open', isPublic: true },
    ];
    const match = createRouter(routes);
    const leads = (to: string, method: string) => {
      const found = match(to, method);
      return 'route' in found ? found.route.path : found.code;
    };
    fc.assert(
      fc.property(path, fc.constantFrom('GET', 'HEAD', 'POST', 'OPTIONS'), (raw, method) => {
        const target = parse(raw);
        if (target === undefined) return;
        const plain = decodeURIComponent(new URL(target.forward, 'http://x').pathname);
        expect(leads(target.path, method)).toBe(leads(plain, method));
        if (leads(target.path, method) === '/public') expect(plain).toMatch(/^\/public(?:\/(?!admin(?:\/|$))|$)/);
      }),
      RUNS,
    );
  });
});

/** As servers do that leave alone what they cannot decode. */
function decodeLeniently(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('latin1'));
}

function keepSlash(before: string, after: string): string {
  return before.endsWith('/') && !after.endsWith('/') ? `${after}/` : after;
}
