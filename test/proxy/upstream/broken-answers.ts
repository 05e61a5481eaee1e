import { OK } from './answers.ts';

const whole = (head: string, body = ''): string => `HTTP/1.1 200 OK\r\n${head}\r\n\r\n${body}`;
const chunked = (body: string): string => whole('Transfer-Encoding: chunked', body);

const statusLines = [
  ...['HTTP/1.1 200', 'HTTP/1.1  200 OK', 'HTTP/1.1 200OK', 'HTTP/1.1 20 OK', 'HTTP/1.1 2000 OK', 'HTTP/1.1 2x0 OK'],
  ...[
    'HTTP/1.1\t200 OK',
    'HTTP/1.1 200\tOK',
    'HTTP/1.1 +20 OK',
    'HTTP/1.1 -20 OK',
    'HTTP/1.1 099 OK',
    'HTTP/1.1 600 OK',
  ],
  ...[
    'HTTP/1.1 000 OK',
    'HTTP/1.1 999 OK',
    'HTTP/1.1 \xb2\xb0\xb0 OK',
    'HTTP/1.2 200 OK',
    'HTTP/2 200 OK',
    'HTTP/2.0 200 OK',
  ],
  ...['HTTP/0.9 200 OK', 'HTTP/1 200 OK', 'HTTP/1.10 200 OK', 'HTTP/01.1 200 OK', 'HTTP/1,1 200 OK', 'http/1.1 200 OK'],
  ...['HTTP /1.1 200 OK', ' HTTP/1.1 200 OK', '\tHTTP/1.1 200 OK', 'ICY 200 OK', 'HTTPS/1.1 200 OK', 'RTSP/1.0 200 OK'],
  ...['HTTP/1.1 200 O\0K', 'HTTP/1.1 200 O\x7fK', 'HTTP/1.1 200 O\rK', 'HTTP/1.1 200 O\x0bK', '200 OK', ''],
];

const lengths = [
  ...[
    '+2',
    '-2',
    '2 2',
    '2,2',
    '2, 2',
    '0x2',
    '2.0',
    '2e0',
    '',
    'two',
    '02',
    '00',
    '2;',
    '"2"',
    '\x0b2',
    '2\x0c',
    '\xb2',
  ],
  ...['9007199254740993', '18446744073709551618', '1'.repeat(400)],
];

const codings = [
  ...['identity', 'gzip', 'gzip, chunked', 'chunked, gzip', 'chunked, chunked', 'chunked,', ',chunked', 'xchunked'],
  ...[
    'chunkedx',
    'chunk ed',
    'chunked;q=1',
    '"chunked"',
    '\x0bchunked',
    'chunked\x0c',
    '',
    'chunked identity',
    'ch\u00fcnked',
  ],
];

const lines = [
  ...[
    'X-A : b',
    'X-A\t: b',
    ' X-A: b',
    '\tX-A: b',
    ': b',
    'X A: b',
    'X-A',
    'X-A;b: c',
    'X-(A): b',
    'X-\0A: b',
    'X-A: \0',
  ],
  ...[
    'X-A: a\0b',
    'X-A: a\x01b',
    'X-A: a\x7fb',
    'X-A: a\x0bb',
    'X-A: a\rb',
    'X-A: a\r',
    'X-A: b\r\n c',
    'X-A: b\r\n\tc',
    'X-\xe9: b',
  ],
  ...[
    '"X-A": b',
    'X-A: b\nX-B: c',
    '\rX-A: b',
    'X-A\r: b',
    '[X]: b',
    'X@A: b',
    'X,A: b',
    'X=A: b',
    'X/A: b',
    '{X}: b',
    '\x7f: b',
  ],
  ...['Content-Length : 2', 'Transfer-Encoding : chunked', 'Transfer-Encoding\x0b: chunked'],
];

const sizes = [
  ...[
    '',
    'x',
    '0x2',
    '+2',
    '-2',
    ' 2',
    '2 ',
    '2\t',
    '2 ;a',
    '2; a',
    '2;',
    '2;a=',
    '2;a b',
    '2;=b',
    '2;a="b',
    '2;a=b"',
    '2,',
  ],
  ...[
    '2\0',
    '\xb2',
    'g',
    '2.',
    '2;a=\x01',
    '2;a="\x01"',
    '1234567890123',
    'fffffffffffffffff',
    '2\r',
    `2;${'a'.repeat(2_000)}`,
  ],
];

/** Each has to be refused, however it is cut into pieces. */
export const BROKEN: readonly (readonly [name: string, bytes: string])[] = [
  ...statusLines.map(
    (line) => [`status line ${JSON.stringify(line)}`, `${line}\r\nContent-Length: 2\r\n\r\nok`] as const,
  ),
  ...lengths.map(
    (length) =>
      [`Content-Length: ${JSON.stringify(length.slice(0, 40))}`, whole(`Content-Length: ${length}`, 'ok')] as const,
  ),
  ...codings.map(
    (coding) =>
      [
        `Transfer-Encoding: ${JSON.stringify(coding)}`,
        whole(`Transfer-Encoding: ${coding}`, '2\r\nok\r\n0\r\n\r\n'),
      ] as const,
  ),
  ...lines.map((line) => [`line ${JSON.stringify(line)}`, whole(`Content-Length: 2\r\n${line}`, 'ok')] as const),
  ...lines.map((line) => [`first line ${JSON.stringify(line)}`, whole(`${line}\r\nContent-Length: 2`, 'ok')] as const),
  ...sizes.map(
    (size) => [`chunk size ${JSON.stringify(size.slice(0, 40))}`, chunked(`${size}\r\nok\r\n0\r\n\r\n`)] as const,
  ),
  ['two lengths that differ', whole('Content-Length: 2\r\nContent-Length: 3', 'okk')],
  ['two lengths that agree', whole('Content-Length: 2\r\nContent-Length: 2', 'ok')],
  ['two lengths, one in another case', whole('Content-Length: 2\r\ncontent-length: 2', 'ok')],
  ['two Transfer-Encodings', whole('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', '0\r\n\r\n')],
  ['Content-Length with chunks', whole('Content-Length: 2\r\nTransfer-Encoding: chunked', '2\r\nok\r\n0\r\n\r\n')],
  ['chunks with Content-Length', whole('Transfer-Encoding: chunked\r\nContent-Length: 2', '2\r\nok\r\n0\r\n\r\n')],
  ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
  ['bare LF everywhere', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
  ['bare LF behind the status', 'HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok'],
  ['bare LF behind a header', 'HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nok'],
  ['bare LF at the end of the head', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok'],
  ['bare CR everywhere', 'HTTP/1.1 200 OK\rContent-Length: 2\r\rok\n'],
  ['an empty line first', `\r\n${OK}`],
  ['chunks with bare LF', chunked('2\nok\n0\n\n')],
  ['bare LF behind the data of a chunk', chunked('2\r\nok\n0\r\n\r\n')],
  ['a chunk longer than it says', chunked('2\r\nokk\r\n0\r\n\r\n')],
  ['a chunk shorter than it says', chunked('3\r\nok\r\n0\r\n\r\n')],
  ['no line end behind a chunk', chunked('2\r\nok0\r\n\r\n')],
  ['a trailer without a colon', chunked('2\r\nok\r\n0\r\nX-A\r\n\r\n')],
  ['a trailer with a blank in its name', chunked('2\r\nok\r\n0\r\nX A: b\r\n\r\n')],
  ['a folded trailer', chunked('2\r\nok\r\n0\r\nX-A: b\r\n c\r\n\r\n')],
  ['a trailer with a control character', chunked('2\r\nok\r\n0\r\nX-A: \x01\r\n\r\n')],
  ['a length as trailer', chunked('2\r\nok\r\n0\r\nContent-Length: 2\r\n\r\n')],
  ['a coding as trailer', chunked('2\r\nok\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n')],
  ['endless trailers', chunked(`2\r\nok\r\n0\r\n${'X-A: aaaaaaaaaaaaaaaaaaaaaaaaaa\r\n'.repeat(700)}\r\n`)],
  ['endless chunk extensions', chunked(`${`1;${'a'.repeat(1_000)}\r\na\r\n`.repeat(20)}0\r\n\r\n`)],
  ['a chunk line without an end', chunked('a'.repeat(3_000))],
  ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['no lines at all', 'a'.repeat(100)],
  ['an endless status line', `HTTP/1.1 200 ${'a'.repeat(70_000)}`],
  ['an endless header', `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(70_000)}`],
  ['an endless head', `HTTP/1.1 200 OK\r\n${'X-A: aaaaaaaaaaaaaaaa\r\n'.repeat(3_200)}`],
  ['endless interim answers', `${'HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n'.repeat(20)}${OK}`],
  ['an interim answer with a length', `HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\nok${OK}`],
  ['an interim answer in chunks', `HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${OK}`],
  ['chunks in a 204', 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  [
    'a switch that nobody asked for',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  ],
];
