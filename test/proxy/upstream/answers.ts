/*
 * Answers as upstreams write them, byte by byte (latin1).
 */

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

export interface Whole {
  readonly name: string;
  readonly bytes: string;
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
  /** Default: GET. */
  readonly method?: string;
  /** The upstream closes behind it. */
  readonly closes?: boolean;
}

const big = Array.from({ length: 40_000 }, (_, at) => String.fromCharCode((at * 7_919) % 256)).join('');

/** Each has to be taken, however it is cut into pieces. */
export const WHOLE: readonly Whole[] = [
  { name: 'a length', bytes: OK, status: 200, headers: ['Content-Length', '2'], body: 'ok' },
  {
    name: 'no reason',
    bytes: 'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n',
    status: 200,
    headers: ['Content-Length', '0'],
    body: '',
  },
  {
    name: 'a long reason',
    bytes: 'HTTP/1.1 299 A reason, \t\xe9 and more\r\nContent-Length: 0\r\n\r\n',
    status: 299,
    headers: ['Content-Length', '0'],
    body: '',
  },
  {
    name: 'odd but plain headers',
    bytes:
      'HTTP/1.1 200 OK\r\nx-A:b\r\nX-A: \t c, d \t\r\nX-Empty:\r\nX-Blank:  \r\n!#$%&\'*+-.^_`|~9: "a" \xe9\r\ncontent-LENGTH:\t2 \r\n\r\nok',
    status: 200,
    headers: [
      'x-A',
      'b',
      'X-A',
      'c, d',
      'X-Empty',
      '',
      'X-Blank',
      '',
      "!#$%&'*+-.^_`|~9",
      '"a" \xe9',
      'content-LENGTH',
      '2',
    ],
    body: 'ok',
  },
  {
    name: 'chunks',
    bytes:
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\no\r\n01;a=b;c;d="e f"\r\nk\r\nA\r\n0123456789\r\n0;end\r\nX-Trailer: dropped\r\nX-Empty:\r\n\r\n',
    status: 200,
    headers: ['Transfer-Encoding', 'Chunked'],
    body: 'ok0123456789',
  },
  {
    name: 'no chunk but the last',
    bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n000\r\n\r\n',
    status: 200,
    headers: ['Transfer-Encoding', 'chunked'],
    body: '',
  },
  {
    name: 'a large body',
    bytes: `HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n${big}`,
    status: 200,
    headers: ['Content-Length', '40000'],
    body: big,
  },
  {
    name: 'large chunks',
    bytes: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9c40\r\n${big}\r\n9C40\r\n${big}\r\n0\r\n\r\n`,
    status: 200,
    headers: ['Transfer-Encoding', 'chunked'],
    body: big + big,
  },
  {
    name: 'until the end',
    bytes: 'HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nwhatever comes',
    status: 200,
    headers: ['X-A', 'b'],
    body: 'whatever comes',
    closes: true,
  },
  {
    name: 'HTTP/1.0 until the end',
    bytes: 'HTTP/1.0 200 OK\r\n\r\nold',
    status: 200,
    headers: [],
    body: 'old',
    closes: true,
  },
  {
    name: 'HTTP/1.0 with a length',
    bytes: 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nold',
    status: 200,
    headers: ['Connection', 'keep-alive', 'Content-Length', '3'],
    body: 'old',
  },
  {
    name: 'HEAD with a length',
    bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n',
    status: 200,
    headers: ['Content-Length', '5000'],
    body: '',
    method: 'HEAD',
  },
  {
    name: 'HEAD in chunks',
    bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    status: 200,
    headers: ['Transfer-Encoding', 'chunked'],
    body: '',
    method: 'HEAD',
  },
  { name: '204', bytes: 'HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n', status: 204, headers: ['X-A', 'b'], body: '' },
  {
    name: '304 with a length',
    bytes: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 20\r\n\r\n',
    status: 304,
    headers: ['Content-Length', '20'],
    body: '',
  },
  {
    name: '205 with a length of nothing',
    bytes: 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n',
    status: 205,
    headers: ['Content-Length', '0'],
    body: '',
  },
  {
    name: 'hints ahead',
    bytes: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${OK}`,
    status: 200,
    headers: ['Content-Length', '2'],
    body: 'ok',
  },
  {
    name: 'a head of almost 64 KiB',
    bytes: `HTTP/1.1 200 OK\r\n${`X-A: ${'a'.repeat(1_000)}\r\n`.repeat(64)}Content-Length: 2\r\n\r\nok`,
    status: 200,
    headers: [...Array.from({ length: 64 }, () => ['X-A', 'a'.repeat(1_000)]).flat(), 'Content-Length', '2'],
    body: 'ok',
  },
];
