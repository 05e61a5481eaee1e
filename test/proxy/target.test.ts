import fc from 'fast-check';
import { createRouter } from '../../src/proxy/routes.ts';
import { isAtOrBelow, parseRequestTarget } from '../../src/proxy/target.ts';

const parse = (raw: string) => parseRequestTarget(raw, ['bi.example.com', 'bi.example.com:443']);

describe('a request target', () => {
  it.each([
    ['/', '/', '/'],
    ['/a/b.html?x=1&y=/../z', '/a/b.html', '/a/b.html?x=1&y=/../z'],
    ['/a/', '/a/', '/a/'],
    ['/a%20b/%C3%BC', '/a b/ü', '/a%20b/%C3%BC'],
    ['/100%25', '/100%', '/100%25'],
    ['/%41dmin', '/Admin', '/%41dmin'],
    ['/a/./b', '/a/b', '/a/b'],
    ['/a/../b', '/b', '/b'],
    ['/public/%2e%2e/admin', '/admin', '/admin'],
    ['/public/.%2E/admin?x', '/admin', '/admin?x'],
    ['/a/..', '/', '/'],
    ['/a/b/.', '/a/b/', '/a/b/'],
    ['/../../a', '/a', '/a'],
    ['/...', '/...', '/...'],
    ['/.well-known/x', '/.well-known/x', '/.well-known/x'],
    ['/x/.hidden', '/x/.hidden', '/x/.hidden'],
    ['/a?b?c=%2f%00', '/a', '/a?b?c=%2f%00'],
    ['/%2elatchgate/login', '/.latchgate/login', '/%2elatchgate/login'],
    ['http://bi.example.com/a?b', '/a', '/a?b'],
    ['HTTPS://BI.example.com:443/a', '/a', '/a'],
    ['http://bi.example.com', '/', '/'],
    ['http://bi.example.com?x', '/', '/?x'],
  ])('%s is read as %s and forwarded as %s', (raw, path, forward) => {
    expect(parse(raw)).toEqual({ path, forward });
  });

  it.each([
    // Encoded separators, NUL, control characters.
    ...['/a%2fb', '/a%2Fb', '/a%5cb', '/a%5Cb', '/a%00', '/a%0a', '/a%0d%0aX', '/a%7f', '/a%c2%80', '/a\\b', '/\\a'],
    // Changes under a second decoding.
    ...['/a%252fb', '/%252e%252e/admin', '/a%25%32%66', '/%2541dmin', '/a%25%34%31'],
    // Path parameters.
    ...['/a;x=1', '/admin;/x', '/x/..;/admin', '/x/.;/admin', '/a%3bx', '/;/admin'],
    // Empty segments.
    ...['//', '//a', '/a//b', '/a//', '/a/..//b', '//bi.example.com/a'],
    // Not UTF-8, overlong, broken escapes.
    ...['/%ff', '/%c0%ae%c0%ae/admin', '/%c0%af', '/%', '/%2', '/%zz', '/%u002e', '/a%ed%a0%80'],
    // Other forms and foreign authorities.
    ...[
      '*',
      '',
      'a',
      'a/b',
      '?x',
      'bi.example.com:443',
      'http://evil.example/a',
      'http://bi.example.com@evil.example/',
    ],
    ...['http://evil.example@bi.example.com/', 'http://bi.example.com:8080/', 'http://bi.example.com.evil.example/'],
    ...[
      'http:///a',
      'http:/a',
      'ftp://bi.example.com/',
      'http://bi.example.com\\@evil.example/',
      'http://bi.example.com//a',
    ],
    // Characters that have no place in a target.
    ...['/a#b', '/a?b#c', '/a b', '/a\tb', '/a?b c', '/ü', '/a\u0000', '/a?\u0000', '/a?b\nc'],
  ])('%j is refused', (raw) => {
    expect(parse(raw)).toBeUndefined();
  });

  const piece = fc.oneof(
    fc.constantFrom(
      '.',
      '..',
      '%2e',
      '%2E%2e',
      '%2f',
      '%5c',
      '%25',
      '%252e',
      ';',
      '/',
      '//',
      '\\',
      '%00',
      '%',
      '?',
      '#',
    ),
    fc.constantFrom('a', 'admin', 'public', '%41', '%C3%BC', '%ff', '~', ' ', '@', ':'),
    fc.string({ maxLength: 3 }),
  );
  const anyTarget = fc.array(piece, { maxLength: 12 }).map((parts) => `/${parts.join('')}`);

  it('that is let through is free of everything that two servers could read differently', () => {
    fc.assert(
      fc.property(anyTarget, (raw) => {
        const target = parse(raw);
        if (target === undefined) return;
        const segments = target.path.slice(1).split('/');
        expect(target.path.startsWith('/')).toBe(true);
        expect(segments.some((segment) => segment === '.' || segment === '..')).toBe(false);
        expect(segments.slice(0, -1)).not.toContain('');
        expect(target.path).not.toMatch(/[\\;\p{Cc}]/u);
        const forwarded = target.forward.split('?', 1)[0] ?? '';
        expect(decodeURIComponent(forwarded)).toBe(target.path);
        expect(target.path).not.toMatch(/%[0-9a-f]{2}/i);
        expect(decodeURIComponent(new URL(forwarded, 'http://x').pathname)).toBe(target.path);
        expect(target.forward).toMatch(/^[!-~]*(?:\?[!-~\u0080-\u00ff]*)?$/);
      }),
      { numRuns: 5_000 },
    );
  });

  it('is the same after a second reading', () => {
    fc.assert(
      fc.property(anyTarget, (raw) => {
        const target = parse(raw);
        if (target !== undefined) expect(parse(target.forward)).toEqual(target);
      }),
      { numRuns: 5_000 },
    );
  });

  it('never becomes another path by encoding letters or by adding dot-segments', () => {
    const name = fc.stringMatching(/^[a-z]{1,6}$/);
    const spelled = (text: string) =>
      fc
        .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
        .map((choices) =>
          [...text].map((letter, at) => (choices[at] ? `%${letter.charCodeAt(0).toString(16)}` : letter)).join(''),
        );
    const dots = fc.constantFrom('', './', '%2e/', 'x/../', 'y/%2E./');
    fc.assert(
      fc.property(
        fc
          .array(name, { minLength: 1, maxLength: 4 })
          .chain((names) =>
            fc.tuple(fc.constant(names), fc.tuple(...names.map((one) => fc.tuple(dots, spelled(one))))),
          ),
        ([names, parts]) => {
          const raw = `/${parts.map(([before, text]) => before + text).join('/')}`;
          expect(parse(raw)?.path).toBe(`/${names.join('/')}`);
        },
      ),
    );
  });
});

describe('routes', () => {
  const match = createRouter<unknown>([
    { path: '/', target: 'root', isPublic: false },
    { path: '/health', target: 'root', isPublic: true, methods: ['GET'] },
    { path: '/embed/', target: 'embed', isPublic: false, methods: ['GET'] },
    { path: '/embed', target: 'upload', isPublic: false, methods: ['POST'] },
    { path: '/embed/deep', target: 'deep', isPublic: false },
  ]);
  const target = (path: string, method = 'GET') => {
    const found = match(path, method);
    return 'route' in found ? found.route.target : found.code;
  };

  it('match the longest prefix of whole segments', () => {
    expect(
      ['/', '/x', '/embed', '/embed/', '/embed/x', '/embedded', '/embed/deep', '/embed/deeper'].map((p) => target(p)),
    ).toEqual(['root', 'root', 'embed', 'embed', 'embed', 'root', 'deep', 'embed']);
  });

  it('do not fall through to a shorter prefix for another method', () => {
    expect(target('/health', 'POST')).toBe('method_not_allowed');
    expect(target('/embed/x', 'DELETE')).toBe('method_not_allowed');
    expect(target('/embed/x', 'POST')).toBe('upload');
    expect(target('/health', 'HEAD')).toBe('root');
    expect(match('/embed', 'PUT')).toEqual({ code: 'method_not_allowed', allow: 'GET, POST' });
  });

  it('serve nothing that no prefix fits', () => {
    const few = createRouter<unknown>([{ path: '/bi', target: 'x', isPublic: false }]);
    expect(few('/bix', 'GET')).toEqual({ code: 'route_unknown' });
    expect(isAtOrBelow('/.latchgate', '/.latchgate')).toBe(true);
    expect(isAtOrBelow('/.latchgatex', '/.latchgate')).toBe(false);
  });
});
