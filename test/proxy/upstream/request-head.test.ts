import type { IncomingMessage } from 'node:http';
import fc from 'fast-check';
import type { UpstreamRequest } from '../../../src/proxy/forward.ts';
import { RequestBody } from '../../../src/proxy/request-body.ts';
import { headerLines, headersOf, writeRequestHead } from '../../../src/proxy/upstream/request-head.ts';

const plain: UpstreamRequest = { method: 'GET', path: '/a?b=c', host: 'bi.example.com', headers: [], body: null };
const body = new RequestBody({ on: () => {} } as unknown as IncomingMessage);
const write = (over: Partial<UpstreamRequest>) => writeRequestHead({ ...plain, ...over });
const refusal = expect.objectContaining({ code: 'request_invalid' });

describe('the head of a request', () => {
  it('says what it was given, in order', () => {
    const headers = ['X-A', '1', 'x-a', '2', 'Cookie', 'a=b; c="d"', 'X-Empty', '', 'X-Latin', '\xe9\t'];
    expect(write({ headers })).toEqual({
      text: 'GET /a?b=c HTTP/1.1\r\nHost: bi.example.com\r\nX-A: 1\r\nx-a: 2\r\nCookie: a=b; c="d"\r\nX-Empty: \r\nX-Latin: \xe9\t\r\n\r\n',
      bodyLength: 0,
    });
  });

  it('takes lines that were written before', () => {
    const own = ['X-B', '\xe9', 'X-Long', 'y'.repeat(100), 'X-Colon', 'a: b', 'X-Empty', ''];
    const lines = headerLines(own);
    expect(headersOf(lines)).toEqual(own);
    expect(headersOf('')).toEqual([]);
    expect(write({ headers: ['X-A', '1'], lines }).text).toBe(
      `GET /a?b=c HTTP/1.1\r\nHost: bi.example.com\r\nX-A: 1\r\nX-B: \xe9\r\nX-Long: ${'y'.repeat(100)}\r\nX-Colon: a: b\r\nX-Empty: \r\n\r\n`,
    );
    for (const bad of [
      ['X-A', 'a\r\nb'],
      ['X A', 'b'],
      ['Host', 'x'],
      ['Content-Length', '1'],
      ['X-A', '\u0100'],
    ]) {
      expect(() => headerLines(bad)).toThrow(refusal);
    }
  });

  it('frames its body once', () => {
    expect(write({ method: 'POST' }).text).toMatch(/\r\nContent-Length: 0\r\n\r\n$/);
    expect(write({ method: 'POST', body })).toMatchObject({ bodyLength: -1 });
    expect(write({ method: 'POST', body }).text).toMatch(/\r\nTransfer-Encoding: chunked\r\n\r\n$/);
    const counted = write({ method: 'POST', body, headers: ['content-length', '12'] });
    expect(counted.bodyLength).toBe(12);
    expect(counted.text).not.toMatch(/transfer-encoding/i);
  });

  it('asks for a WebSocket only when it is told to', () => {
    expect(write({ upgrade: 'websocket' }).text).toMatch(/\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n$/);
    expect(write({}).text).not.toMatch(/upgrade/i);
  });

  const odd = ['\r\n', '\n', '\r', '\0', '\x01', '\x1f', '\x7f', '\u0100', '\u2028', '\ud800', '\u010d\u010a'];

  it.each([
    ...odd.map((text) => ['a value', { headers: ['X-A', `a${text}b`] }] as const),
    ...[...odd, ' ', ':', '(', '"', '\t', '\xe9', '/'].map(
      (text) => ['a name', { headers: [`X${text}A`, 'b'] }] as const,
    ),
    ...[...odd, ' ', '\t'].map((text) => ['a path', { path: `/a${text}b` }] as const),
    ...[...odd, ' ', '/', '\t', ':'].map((text) => ['a method', { method: `GE${text}T` }] as const),
    ...[...odd, ' ', '\t'].map((text) => ['a host', { host: `a${text}b` }] as const),
    ['an empty name', { headers: ['', 'b'] }],
    ['an empty method', { method: '' }],
    ['an empty host', { host: '' }],
    ['an empty path', { path: '' }],
    ['an absolute path', { path: 'http://a/' }],
    ['an asterisk', { path: '*' }],
    ...['Host', 'host', 'Connection', 'TRANSFER-ENCODING', 'Upgrade', 'Keep-Alive', 'TE'].map(
      (name) => ['a header that is ours', { headers: [name, 'x'] }] as const,
    ),
    ['two lengths', { headers: ['Content-Length', '1', 'content-length', '1'], body }],
    ['a length that is none', { headers: ['Content-Length', '+1'], body }],
    ['a length beyond counting', { headers: ['Content-Length', '9'.repeat(16)], body }],
    ['a length without a body', { headers: ['Content-Length', '1'] }],
  ] as readonly (readonly [string, Partial<UpstreamRequest>])[])('does not come from %s: %j', (_name, over) => {
    expect(() => write(over)).toThrow(refusal);
  });

  it('is exactly one, whatever it is made of', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.constantFrom('a\r\nb: c', '\r\n\r\n', 'a: b'),
    );
    const headers = fc.array(fc.tuple(fc.oneof(text, fc.constantFrom('X-A', 'Cookie')), text), { maxLength: 4 });
    fc.assert(
      fc.property(text, text, text, headers, (method, path, host, list) => {
        let made: string;
        try {
          made = write({ method, path: `/${path}`, host, headers: list.flat() }).text;
        } catch (error) {
          expect(error).toEqual(refusal);
          return;
        }
        const lines = made.split('\r\n');
        expect(Buffer.from(made, 'latin1').toString('latin1')).toBe(made);
        const isOwnLength = ['POST', 'PUT', 'PATCH'].includes(method) ? 1 : 0;
        expect(lines).toHaveLength(list.length + 4 + isOwnLength);
        expect(made.replaceAll('\r\n', '')).not.toMatch(/[\r\n\0]/);
      }),
      { numRuns: 5_000 },
    );
  });
});
