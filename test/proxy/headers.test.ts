import fc from 'fast-check';
import { setCookieName, withoutCookies } from '../../src/proxy/cookies.ts';
import {
  createHeaderFilter,
  encodeHeaderText,
  foldHeaderName,
  identityHeaders,
  isReservedHeader,
} from '../../src/proxy/identity-headers.ts';
import { createPeerList, plainAddress } from '../../src/proxy/peers.ts';

const filter = createHeaderFilter({ drop: ['x-custom-user'], dropCookies: ['latchgate', '__Host-latchgate'] });
const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,30}$/);
const value = fc.stringMatching(/^[!-~]{0,20}$/);

/** Any spelling that a CGI-like server folds to the same name. */
function spellings(name: string): fc.Arbitrary<string> {
  const spell = (char: string): fc.Arbitrary<string> =>
    char === '-' ? fc.constantFrom(..."-_.~!#$%&'*+^`|") : fc.constantFrom(char.toLowerCase(), char.toUpperCase());
  return fc.tuple(...[...name].map(spell)).map((chars) => chars.join(''));
}

describe('the header filter', () => {
  const reserved = [
    'x-forwarded-user',
    'x-forwarded-groups',
    'x-latchgate-assertion',
    'x-request-id',
    'forwarded',
    'x-original-url',
    'x-custom-user',
    'transfer-encoding',
    'script-name',
    'path-info',
    'x-script-name',
  ];

  it.each(reserved)('lets no spelling of %s through', (name) => {
    fc.assert(
      fc.property(spellings(name), value, (spelled, text) => {
        expect(filter([spelled, text]).headers).toEqual([]);
      }),
    );
  });

  it('lets everything else through byte by byte and in order', () => {
    const special = new Set([
      'host',
      'cookie',
      'connection',
      'content-length',
      'content-type',
      'authorization',
      'origin',
    ]);
    const free = token.filter(
      (name) =>
        !isReservedHeader(name) && !special.has(foldHeaderName(name)) && foldHeaderName(name) !== 'x-custom-user',
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(free, value), { maxLength: 20 }), (pairs) => {
        expect(filter(pairs.flat()).headers).toEqual(pairs.flat());
      }),
    );
  });

  it.each(['Host', 'Cookie', 'Content-Length', 'Authorization'])('lets no other spelling of %s through', (name) => {
    fc.assert(
      fc.property(spellings(name.toLowerCase()), (spelled) => {
        const { headers } = filter([spelled, '1']);
        if (spelled.toLowerCase() !== name.toLowerCase()) expect(headers).toEqual([]);
      }),
    );
    expect(filter(['Content_Length', '1']).headers).toEqual([]);
  });

  it('is not led astray by more names than it remembers', () => {
    const names = Array.from({ length: 5_000 }, (_, at) => `x-name-${at}`);
    expect(filter(names.flatMap((name) => [name, '1'])).headers).toHaveLength(10_000);
    expect(filter(['X-Forwarded_User', 'forged', 'x-last', '1']).headers).toEqual(['x-last', '1']);
  });
});

describe('the cookie filter', () => {
  const names = new Set(['latchgate', '__Host-latchgate']);
  const pair = fc.oneof(
    fc.stringMatching(/^[ \t]?[a-z!]{0,6}=?[!-:<-~ ]{0,8}$/),
    fc.constantFrom(
      'latchgate=x',
      ' latchgate=x',
      '\tlatchgate = x',
      ' __Host-latchgate=y',
      'latchgate',
      ' LATCHGATE=z',
      '',
    ),
  );

  it('takes our pairs away and leaves the bytes of all others', () => {
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 8 }), (pairs) => {
        const header = pairs.join(';');
        const isOurs = (one: string) => names.has((one.split('=')[0] ?? '').replace(/^[ \t]+|[ \t]+$/g, ''));
        const others = header.split(';').filter((one) => !isOurs(one));
        const kept = withoutCookies(header, names);
        for (const one of (kept ?? '').split(';')) expect(isOurs(one)).toBe(false);
        if (others.length === header.split(';').length) expect(kept).toBe(header);
        else expect((kept ?? '').trim()).toBe(others.join(';').trim());
      }),
    );
  });

  it.each([
    ['latchgate=1', undefined],
    ['a=1; latchgate=1', 'a=1'],
    ['latchgate=1; a=1', 'a=1'],
    ['a=1;latchgate=1;  b=2', 'a=1;  b=2'],
    ['a=1', 'a=1'],
  ])('%s becomes %s', (header, expected) => {
    expect(withoutCookies(header, names)).toBe(expected);
  });

  it('finds the name that a browser would send back', () => {
    expect(['a=1; Path=/', ' A =1', '=b=1', ' = b = 1', 'c', ''].map(setCookieName)).toEqual([
      'a',
      'a',
      'b',
      'b',
      'c',
      '',
    ]);
  });
});

describe('texts in headers', () => {
  it('come back by one percent-decode, are visible ASCII and hold no comma', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (text) => {
        const encoded = encodeHeaderText(text);
        expect(encoded).toMatch(/^(?:[!-+\--~](?:[ -+\--~]*[!-+\--~])?)?$/);
        expect(decodeURIComponent(encoded)).toBe(text.replace(/\p{Cs}/gu, '\ufffd'));
      }),
    );
  });

  it('tell groups apart whatever their names hold', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1, maxLength: 10 }), { minLength: 1, maxLength: 10 }), (groups) => {
        const headers = identityHeaders({ userName: 'x', groups });
        const list = headers[headers.indexOf('X-Forwarded-Groups') + 1] ?? '';
        expect(list.split(',').map(decodeURIComponent)).toEqual(groups);
      }),
    );
  });

  it('leave plain names as they are', () => {
    expect(encodeHeaderText("o'brien@example.com")).toBe("o'brien@example.com");
    expect(encodeHeaderText('José, Jr. 100%')).toBe('Jos%C3%A9%2C Jr. 100%25');
  });
});

describe('trusted proxies', () => {
  it('are addresses and blocks of both families', () => {
    const isTrusted = createPeerList(['10.0.0.0/8', '192.0.2.7', 'fd00::/8', '2001:db8::1']);
    const asked = [
      '10.1.2.3',
      '11.0.0.1',
      '192.0.2.7',
      '192.0.2.8',
      'fd12::1',
      '2001:db8::1',
      '2001:db8::2',
      'unknown',
    ];
    expect(asked.map((address) => isTrusted(plainAddress(address)))).toEqual([
      true,
      false,
      true,
      false,
      true,
      true,
      false,
      false,
    ]);
    expect(isTrusted(plainAddress('::ffff:10.0.0.1'))).toBe(true);
  });

  it.each(['10.0.0.0/33', 'host.example', '10.0.0.0/', 'fd00::/129', ''])('do not take %j', (entry) => {
    expect(() => createPeerList([entry])).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });
});
