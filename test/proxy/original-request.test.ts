import { readOriginal } from '../../src/proxy/original-request.ts';

function read(headers: readonly (readonly [string, string])[], known?: { address: string; method: string }) {
  return readOriginal({ rawHeaders: headers.flat() }, known);
}

describe('what a server in front says of the original request', () => {
  test.each([
    [
      'nginx',
      [
        ['X-Original-URI', '/a/b?x=1'],
        ['X-Original-Method', 'POST'],
        ['X-Forwarded-Host', 'BI.example.com'],
      ],
    ],
    [
      'ingress-nginx',
      [
        ['X-Original-URL', 'https://bi.example.com/a/b?x=1'],
        ['X-Original-Method', 'POST'],
      ],
    ],
    [
      'Traefik, Caddy',
      [
        ['X-Forwarded-Uri', '/a/b?x=1'],
        ['X-Forwarded-Method', 'POST'],
        ['X-Forwarded-Host', 'bi.example.com'],
      ],
    ],
    [
      'several that agree',
      [
        ['X-Original-URI', '/a/b?x=1'],
        ['x-forwarded-uri', '/a/b?x=1'],
        ['X-Original-Method', 'POST'],
        ['X-FORWARDED-METHOD', 'POST'],
        ['X-Original-URL', 'http://bi.example.com/a/b?x=1'],
        ['X-Forwarded-Host', 'bi.example.com'],
      ],
    ],
  ] as [string, [string, string][]][])('%s', (_who, headers) => {
    expect(read(headers)).toEqual({
      target: { path: '/a/b', forward: '/a/b?x=1' },
      method: 'POST',
      host: 'bi.example.com',
    });
  });

  test('Envoy, by the address and the method of its question', () => {
    const original = read([], { address: '/a/../b?x=1', method: 'DELETE' });
    expect(original).toEqual({ target: { path: '/b', forward: '/b?x=1' }, method: 'DELETE', host: undefined });
  });

  test('nothing, whatever else is said', () => {
    const others: [string, string][] = [
      ['X-Original-Method', 'GET'],
      ['X-Forwarded-Host', 'bi.example.com'],
      ['X_Original_URI', '/public'],
      ['X-Rewrite-URL', '/public'],
      ['X-Original-Path', '/public'],
      ['X-Forwarded-Path', '/public'],
      ['X-Auth-Request-Redirect', '/public'],
      ['Forwarded', 'host=bi.example.com'],
    ];
    expect(read(others)).toBeUndefined();
  });

  test('no method is none, and not GET', () => {
    expect(read([['X-Original-URI', '/a']])).toEqual({
      target: { path: '/a', forward: '/a' },
      method: '',
      host: undefined,
    });
  });

  test.each([
    [
      'two lines of one header',
      [
        ['X-Original-URI', '/secret'],
        ['X-Original-URI', '/public'],
      ],
    ],
    [
      'two headers',
      [
        ['X-Forwarded-Uri', '/secret'],
        ['X-Original-URI', '/public'],
      ],
    ],
    [
      'a path and an address',
      [
        ['X-Original-URI', '/secret'],
        ['X-Original-URL', 'https://bi.example.com/public'],
      ],
    ],
    [
      'two queries',
      [
        ['X-Original-URI', '/a?x=1'],
        ['X-Forwarded-Uri', '/a?x=2'],
      ],
    ],
    [
      'one of them empty',
      [
        ['X-Forwarded-Uri', '/secret'],
        ['X-Original-URI', ''],
      ],
    ],
    ['a list', [['X-Original-URI', '/secret, /public']]],
    [
      'two methods',
      [
        ['X-Original-URI', '/a'],
        ['X-Original-Method', 'POST'],
        ['X-Forwarded-Method', 'GET'],
      ],
    ],
    [
      'two lines of the method',
      [
        ['X-Original-URI', '/a'],
        ['X-Original-Method', 'POST'],
        ['X-Original-Method', 'GET'],
      ],
    ],
    [
      'a method in another case',
      [
        ['X-Original-URI', '/a'],
        ['X-Original-Method', 'get'],
      ],
    ],
    [
      'no method at all',
      [
        ['X-Original-URI', '/a'],
        ['X-Original-Method', ''],
      ],
    ],
    [
      'a method with a blank',
      [
        ['X-Original-URI', '/a'],
        ['X-Original-Method', 'GET '],
      ],
    ],
    [
      'methods in a list',
      [
        ['X-Original-URI', '/a'],
        ['X-Original-Method', 'GET, POST'],
      ],
    ],
  ] as [string, [string, string][]][])('odd: %s', (_what, headers) => {
    expect(read(headers)).toBe('odd');
  });

  test.each([
    '',
    '*',
    'a',
    'a/b',
    '//host/a',
    '/a//b',
    '/a;b',
    '/a%2fb',
    '/a%2Fb',
    '/a%5cb',
    '/a\\b',
    '/a%00',
    '/%252e%252e/a',
    '/a%',
    '/a%zz',
    '/a#b',
    '/a b',
    '/%c0%ae%c0%ae/a',
    '/.%2e;/a',
    'https://bi.example.com',
    'https://bi.example.com//a',
    'https:///a/../b;',
    'ftp://bi.example.com/a',
    'javascript:alert(1)',
    'bi.example.com:443',
  ])('no address that is ever forwarded: %s', (address) => {
    const original = read([['X-Original-URI', address]]);
    // An address without a path is that of the root.
    if (address === 'https://bi.example.com') expect(original).toMatchObject({ target: { path: '/' } });
    else expect(original).toBe('odd');
  });

  test('dots are resolved before anything is compared', () => {
    for (const address of ['/public/../secret', '/public/%2e%2e/secret', '/x/./%2E./secret', '/../secret']) {
      expect(read([['X-Forwarded-Uri', address]])).toMatchObject({ target: { path: '/secret' } });
    }
  });

  test.each([
    ['https://one.example.com/a', 'two.example.com'],
    ['/a', 'one.example.com, two.example.com'],
  ])('hosts that disagree are odd: %s, %s', (address, host) => {
    const headers: [string, string][] = [
      ['X-Original-URL', address],
      ['X-Forwarded-Host', host],
      ['X-Forwarded-Host', 'ONE.example.com'],
    ];
    expect(read(headers)).toBe('odd');
    expect(read(headers.slice(0, 1))).toMatchObject({ target: { path: '/a' } });
  });
});
