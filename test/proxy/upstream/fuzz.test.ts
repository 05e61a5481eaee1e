import fc from 'fast-check';
import { LatchgateError } from '../../../src/model/errors.ts';
import { WHOLE } from './answers.ts';
import { BROKEN } from './broken-answers.ts';
import { readByNode } from './node-client.ts';
import { endOfAnswer, type ReadAnswer, readAnswer } from './read.ts';

const latin1 = (most: number) =>
  fc.uint8Array({ maxLength: most }).map((bytes) => Buffer.from(bytes).toString('latin1'));

/** What two servers like to disagree about. */
const morsels = fc.constantFrom(
  ...[
    '\r\n',
    '\n',
    '\r',
    '\r\n\r\n',
    ' ',
    '\t',
    ':',
    ';',
    ',',
    '=',
    '"',
    '\0',
    '\x0b',
    '\x7f',
    '\xff',
    '0',
    '1',
    'a',
    'A',
  ],
  ...['0\r\n\r\n', '2\r\nok\r\n', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.0 200 OK\r\n', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ...['HTTP/1.1 204 No Content\r\n\r\n', 'HTTP/1.1 304 Not Modified\r\n', 'HTTP/1.1 101 Switching Protocols\r\n'],
  ...[
    'Content-Length: 2\r\n',
    'Content-Length: 0\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Transfer-Encoding: gzip\r\n',
  ],
  ...['Connection: close\r\n', 'Connection: keep-alive\r\n', 'Connection: Upgrade\r\n', 'Upgrade: websocket\r\n'],
  ...[
    'Trailer: X-A\r\n',
    'X-A: b\r\n',
    'Keep-Alive: timeout=5\r\n',
    'Set-Cookie: a=b\r\n',
    'chunked',
    'Content-Length',
    ';a=b',
  ],
);

const seeds = fc.oneof(
  fc.constantFrom(...WHOLE.map(({ bytes }) => bytes).filter((bytes) => bytes.length < 2_000)),
  fc.constantFrom(...BROKEN.map(([, bytes]) => bytes).filter((bytes) => bytes.length < 2_000)),
);

const edits = fc.array(
  fc.record({
    at: fc.nat(10_000),
    cut: fc.oneof(fc.constant(0), fc.nat(12)),
    put: fc.oneof(fc.constant(''), morsels, latin1(4)),
  }),
  { maxLength: 4 },
);

const mutated = fc.tuple(seeds, edits).map(([seed, list]) =>
  list.reduce((bytes, { at, cut, put }) => {
    const place = at % (bytes.length + 1);
    return bytes.slice(0, place) + put + bytes.slice(place + cut);
  }, seed),
);

const composed = fc
  .array(morsels, { minLength: 1, maxLength: 12 })
  .map((parts) => `HTTP/1.1 200 OK\r\n${parts.join('')}`);
const anything = fc.oneof(
  { weight: 6, arbitrary: mutated },
  { weight: 3, arbitrary: composed },
  { weight: 1, arbitrary: latin1(300) },
);
const methods = fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST');
const cuts = fc.array(fc.nat(3_000), { maxLength: 12 }).map((list) => list.sort((a, b) => a - b));

describe('answers at random', () => {
  it('are read or refused, and by nothing but the one failure', () => {
    fc.assert(
      fc.property(anything, cuts, methods, (bytes, places, method) => {
        readAnswer(bytes, places, method);
      }),
      { numRuns: 5_000 },
    );
  });

  it('mean the same however they are cut into pieces', () => {
    fc.assert(
      fc.property(anything, cuts, methods, (bytes, places, method) => {
        const [whole, pieces] = [readAnswer(bytes, [], method), readAnswer(bytes, places, method)];
        expect(pieces instanceof LatchgateError).toBe(whole instanceof LatchgateError);
        if (!(whole instanceof LatchgateError)) expect(pieces).toEqual(whole);
      }),
      { numRuns: 5_000 },
    );
  });

  it("are read as Node's own strict client reads them, when they are taken at all", async () => {
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(anything, methods, async (bytes, method) => {
        const read = readAnswer(bytes, [], method);
        if (read instanceof LatchgateError || !read.isComplete) return;
        taken += 1;
        const { status, headers, body, isSurplus } = read;
        // What stands behind the answer costs us the connection, and Node the answer too.
        const alone = isSurplus ? bytes.slice(0, endOfAnswer(bytes, method)) : bytes;
        expect(await readByNode(alone, method)).toEqual({ status, headers, body });
      }),
      { numRuns: 5_000 },
    );
    expect(taken).toBeGreaterThan(300);
  }, 60_000);

  it.each(WHOLE)('so are plain ones: $name', async ({ bytes, method = 'GET' }) => {
    const { status, headers, body } = readAnswer(bytes, [], method) as ReadAnswer;
    expect(await readByNode(bytes, method)).toEqual({ status, headers, body });
  });
});
