import fc from 'fast-check';
import { setCookieName, withoutCookies } from '../../src/proxy/cookies.ts';
import { createHeaderFilter, foldHeaderName, isReservedHeader } from '../../src/proxy/identity-headers.ts';
import { cookieValues } from '../../src/session/cookie.ts';
import { ask, closeAll, exchange, parseAnswer, startUpstream, startWorld } from './harness.ts';
import { HOST } from './raw-harness.ts';

afterEach(closeAll);

const RUNS = { numRuns: 2_000 };

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}$/);
const separator = fc.constantFrom(..."-_.!#$%&'*+^`|~");
const text = fc.stringMatching(/^[!-~]{0,12}$/);

/** A name as CGI would fold it, in any spelling. */
const spelled = (names: readonly string[]) =>
  fc
    .tuple(fc.constantFrom(...names), fc.array(separator, { minLength: 4, maxLength: 4 }), fc.nat(0xffff))
    .map(([name, separators, upper]) =>
      [...name]
        .map((letter, at) => {
          if (letter === '-') return separators[at % 4] as string;
          return (upper >> (at % 16)) % 2 === 1 ? letter.toUpperCase() : letter;
        })
        .join(''),
    );

const RESERVED = [
  ...[
    'x-forwarded-user',
    'x-forwarded-anything',
    'x-latchgate-assertion',
    'x-latchgate-x',
    'x-request-id',
    'x-real-ip',
  ],
  ...['forwarded', 'x-original-url', 'remote-user', 'script-name', 'transfer-encoding', 'te', 'upgrade', 'keep-alive'],
  ...['x-custom-user', 'x-gdc-auth-token', 'proxy-authorization', 'http2-settings'],
];
const FRAMING = ['host', 'cookie', 'content-length', 'content-type', 'authorization', 'origin'];

describe('headers', () => {
  const filter = createHeaderFilter({ drop: ['X-Custom-User', 'x-gdc-auth*'], dropCookies: ['latchgate'] });
  const isReserved = (name: string) =>
    isReservedHeader(name) ||
    ['x-custom-user'].includes(foldHeaderName(name)) ||
    foldHeaderName(name).startsWith('x-gdc-auth');
  const name = fc.oneof(
    token,
    spelled(RESERVED),
    spelled(FRAMING),
    fc.constantFrom('Connection', 'connection', 'X-Own', 'x-own'),
  );
  const line = name.chain((one) =>
    /^connection$/i.test(one)
      ? fc
          .array(fc.oneof(name, fc.constantFrom('close', 'keep-alive', '', ' ')), { maxLength: 4 })
          .map((all) => [one, all.join(', ')] as const)
      : text.map((value) => [one, value] as const),
  );

  it('keep none that folds to a reserved one, and every other byte by byte and in order', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 25 }), (lines) => {
        const { headers } = filter(lines.flat());
        const pairs = headers.flatMap((one, at) => (at % 2 === 0 ? [[one, headers[at + 1]] as const] : []));
        for (const [kept] of pairs) {
          expect([kept, isReserved(kept)]).toEqual([kept, false]);
          // Of the names that frame a request, only the right spelling.
          if (FRAMING.includes(foldHeaderName(kept))) expect(FRAMING).toContain(kept.toLowerCase());
          expect(['host', 'connection']).not.toContain(kept.toLowerCase());
        }
        const named = new Set(
          lines
            .filter(([one]) => /^connection$/i.test(one))
            .flatMap(([, value]) => value.split(',').map((part) => part.trim().toLowerCase()))
            .filter((part) => !FRAMING.includes(part)),
        );
        const isPlain = ([one]: readonly [string, string | undefined]) => {
          const folded = foldHeaderName(one);
          return (
            !isReserved(one) && !FRAMING.includes(folded) && folded !== 'connection' && !named.has(one.toLowerCase())
          );
        };
        expect(pairs.filter(isPlain)).toEqual(lines.filter(isPlain));
        expect(pairs.filter(([one]) => named.has(one.toLowerCase()))).toEqual([]);
        expect(pairs.filter(([one]) => one === 'Cookie').length).toBeLessThanOrEqual(1);
      }),
      RUNS,
    );
  });
});

describe('cookies', () => {
  const OWN = ['latchgate', '__Host-latchgate', '__Secure-latchgate', 'latchgate-login', '__Host-latchgate-login'];
  const own = new Set(OWN);
  // What one backend or another takes off a name: Python's `strip` among them, for which U+00A0 is a blank.
  const blank = fc
    .array(fc.constantFrom(' ', '\t', '\xa0', '\x85', '\x0b', '\x0c', '\x1c', '\x1f', '"', ',', '(', '\xff'), {
      maxLength: 3,
    })
    .map((bytes) => bytes.join(''));
  const ownPair = fc
    .tuple(blank, fc.constantFrom(...OWN, 'SPRING_SEC_X'), blank, text)
    .map(([a, n, b, v]) => `${a}${n}${b}=${v.replaceAll(';', '')}`);
  const anyByte = fc
    .array(fc.integer({ min: 1, max: 255 }), { maxLength: 10 })
    .map((codes) => String.fromCharCode(...codes));
  const otherPair = fc.oneof(
    fc.tuple(blank, token, fc.constantFrom('=', '', '=='), text).map((parts) => parts.join('')),
    anyByte,
    fc.constantFrom(
      '',
      ' ',
      '=',
      '=latchgate',
      ' LATCHGATE=1',
      'latchgate2=1',
      'xlatchgate=1',
      '"latchgate"=1',
      'a="x',
      'y"',
      '$Version=1',
    ),
    fc.constantFrom('latch gate=1', 'a=latchgate=1', 'a,latchgate=1', 'xa0latchgate=1'),
  );
  const header = fc.array(fc.oneof(otherPair, ownPair), { maxLength: 10 }).map((pairs) => pairs.join(';'));

  it('of ours never survive, and those of others arrive byte by byte and in order', () => {
    fc.assert(
      fc.property(header, (sent) => {
        const kept = withoutCookies(sent, own, ['SPRING_SEC_']);
        for (const name of own) expect(cookieValues(kept, name)).toEqual([]);
        // What is left is what was there, but for our pairs and blanks at the very beginning.
        const core = /[!#$%&'*+.^_`|~0-9A-Za-z-](?:.*[!#$%&'*+.^_`|~0-9A-Za-z-])?/s;
        const nameOf = (pair: string) => core.exec(pair.split('=', 1)[0] ?? '')?.[0] ?? '';
        const others = sent
          .split(';')
          .filter((pair) => !own.has(nameOf(pair)) && !nameOf(pair).startsWith('SPRING_SEC_'));
        if (others.length === sent.split(';').length) expect(kept).toBe(sent);
        else if (others.join(';').trim() === '') expect(kept).toBeUndefined();
        else expect([others.join(';'), others.join(';').replace(/^[ \t]+/, '')]).toContain(kept);
      }),
      RUNS,
    );
  });

  it('are split where the session is read: what counts as ours there is taken away here', () => {
    fc.assert(
      fc.property(header, fc.constantFrom(...OWN), (sent, name) => {
        const isRead = cookieValues(sent, name).length > 0;
        if (isRead) expect(withoutCookies(sent, own)).not.toBe(sent);
        expect(withoutCookies(withoutCookies(sent, own) ?? '', own) ?? '').toBe(withoutCookies(sent, own) ?? '');
      }),
      RUNS,
    );
  });

  it('of our names cannot be set by a backend, however a browser reads the line', () => {
    const attribute = fc.constantFrom('Path=/', 'HttpOnly', 'Domain=example.com', 'latchgate=x', ' Secure', '');
    const line = fc
      .tuple(
        fc.oneof(
          ownPair,
          otherPair,
          ownPair.map((pair) => `=${pair}`),
          ownPair.map((pair) => ` = ${pair}`),
        ),
        fc.array(attribute, { maxLength: 3 }),
      )
      .map(([pair, attributes]) => [pair, ...attributes].join(';'));
    fc.assert(
      fc.property(line, (set) => {
        if (OWN.some((name) => name.toLowerCase() === setCookieName(set))) return;
        const back = asBrowsersSendIt(set);
        for (const name of own) expect([set, cookieValues(back, name)]).toEqual([set, []]);
      }),
      RUNS,
    );
  });
});

/** RFC 6265bis §5.6 and §5.8.3: a cookie without a name comes back as its bare value. */
function asBrowsersSendIt(line: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: browsers refuse those
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(line)) return undefined;
  const [pair = ''] = line.split(';', 1);
  const at = pair.indexOf('=');
  const trim = (part: string) => part.replace(/^[ \t]+|[ \t]+$/g, '');
  const [name, value] = at === -1 ? ['', trim(pair)] : [trim(pair.slice(0, at)), trim(pair.slice(at + 1))];
  if (name === '' && value === '') return undefined;
  return name === '' ? value : `${name}=${value}`;
}

describe('whatever a client sends', () => {
  const lines = fc.array(
    fc.oneof(
      fc.tuple(
        fc.oneof(token, spelled(RESERVED)),
        text.map((value) => `forged${value}`),
      ),
      fc.tuple(
        fc.constantFrom('Connection'),
        fc.array(fc.oneof(spelled([...RESERVED, ...FRAMING]), token), { maxLength: 3 }).map((all) => all.join(', ')),
      ),
      fc.tuple(fc.constantFrom('X-Own'), text),
    ),
    { maxLength: 20 },
  );
  const body = fc.array(fc.nat(255), { maxLength: 200 }).map((bytes) => String.fromCharCode(...bytes));

  it('goes up as one request that is framed once, says who it is of once, and has the body that it had', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    await ask(port, 'GET /before');
    await fc.assert(
      fc.asyncProperty(lines, body, fc.boolean(), async (sent, content, isChunked) => {
        upstream.seen.length = 0;
        const own = [HOST, 'Cookie: latchgate=alice', ...sent.map(([name, value]) => `${name}: ${value}`)];
        const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${content.length}`;
        const head = ['POST /first HTTP/1.1', ...own, framing, 'Connection: close'].join('\r\n');
        const coded = content === '' ? '' : `${content.length.toString(16)}\r\n${content}\r\n`;
        const whole = `${head}\r\n\r\n${isChunked ? `${coded}0\r\n\r\n` : content}`;
        const { status } = parseAnswer(await exchange(port, Buffer.from(whole, 'latin1')));
        if (isRefused(sent)) {
          expect([status, upstream.seen]).toEqual([400, []]);
          return;
        }
        expect([status, upstream.seen.length]).toEqual([200, 1]);
        const [{ rawHeaders = [], body: received } = {}] = upstream.seen;
        const names = rawHeaders.filter((_, at) => at % 2 === 0).map(foldHeaderName);
        const count = (name: string) => names.filter((one) => one === name).length;
        for (const name of ['host', 'x-forwarded-user', 'x-forwarded-for', 'x-request-id', 'x-latchgate-assertion']) {
          expect([name, count(name)]).toEqual([name, 1]);
        }
        expect(count('content-length') + count('transfer-encoding')).toBe(1);
        expect(
          rawHeaders.filter((one, at) => at % 2 === 1 && /^forged/.test(one) && isReserved(rawHeaders[at - 1])),
        ).toEqual([]);
        expect(received).toBe(content);
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});

const isReserved = (name = '') => isReservedHeader(name);

/** A second framing header, or an upgrade that is no WebSocket. */
function isRefused(lines: readonly (readonly [string, string])[]): boolean {
  const names = lines.map(([name]) => name.toLowerCase());
  const wantsUpgrade = lines.some(([name, value]) => name === 'Connection' && /(?:^|, )upgrade(?:,|$)/i.test(value));
  return (
    ['transfer-encoding', 'content-length', 'host'].some((name) => names.includes(name)) ||
    (wantsUpgrade && names.includes('upgrade'))
  );
}
