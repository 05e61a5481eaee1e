import { COOKIE, char, HOST, head } from './raw-harness.ts';

const CHUNKED_BODY = '5\r\nabcde\r\n0\r\n\r\n';
const CONTROLS = [...Array.from({ length: 32 }, (_, code) => code), 127].filter((code) => ![9, 10, 13].includes(code));

const withLength = (value: string) => `${head('POST /first HTTP/1.1', `Content-Length: ${value}`)}abcde`;
const withCoding = (value: string) => head('POST /first HTTP/1.1', `Transfer-Encoding: ${value}`) + CHUNKED_BODY;
const withLine = (line: string) => head('POST /first HTTP/1.1', line) + CHUNKED_BODY;
const withTarget = (target: string) => head(`GET ${target} HTTP/1.1`);

const bodyless = (first: string) => `${first}\r\n${HOST}\r\n${COOKIE}\r\n\r\n`;

/** Requests that are broken, or that two servers could read differently: each ends with 400 and a closed connection. */
export const SPELLINGS: Readonly<Record<string, readonly string[]>> = {
  'an odd Content-Length': [
    ...['05', '0000000005', '00', '+5', '-5', '-0', '0x5', '0b101', '0o5', '5.0', '5.', '.5', '5e0', '5E0', '5_0'],
    ...['5 5', '5\t5', '1 000', '1,000', '5,', ',5', '5, 5', '5,5', '5;', '5; x=1', '"5"', "'5'", '5h', 'five', 'NaN'],
    ...['', ' ', '\t', 'Infinity', 'null', '\xb2', '5\xa0', '\xa05', '5\x0b', '\x0b5', '5\x0c', '5\x00', '\x005'],
    ...['9007199254740993', '4503599627370496000', '18446744073709551616', '18446744073709551621', '9'.repeat(400)],
  ].map(withLength),
  'more than one Content-Length': [
    ...['5\r\nContent-Length: 5', '5\r\nContent-Length: 6', '0\r\nContent-Length: 5', '5\r\ncontent-length: 0'],
    ...['5\r\nX: y\r\nCONTENT-LENGTH: 5', '5\r\nContent-Length:', '\r\nContent-Length: 5'],
  ].map(withLength),
  'Content-Length and Transfer-Encoding': [
    ...['chunked', 'CHUNKED', '\tchunked', 'identity', 'x', '', 'gzip, chunked'].flatMap((coding) => [
      withCoding(`${coding}\r\nContent-Length: 5`),
      withCoding(`${coding}\r\nContent-Length: 0`),
      withCoding(`${coding}\r\ncontent-length:`),
      `${head('POST /first HTTP/1.1', 'Content-Length: 5', `Transfer-Encoding: ${coding}`)}${CHUNKED_BODY}`,
      `${head('GET /first HTTP/1.1', 'content-length: 0', 'X: y', `TRANSFER-encoding: ${coding}`)}${CHUNKED_BODY}`,
    ]),
  ],
  'an odd Transfer-Encoding': [
    ...[
      'xchunked',
      'chunkedx',
      'chunke',
      'chunked;x',
      'chunked;q=1',
      'chunked ;x',
      'chunked; q="1"',
      'chunked chunked',
    ],
    ...['chunked, identity', 'identity, chunked', 'identity', 'gzip', 'gzip, chunked', 'chunked, gzip', 'deflate'],
    ...[
      'chunked, chunked',
      'chunked,',
      ',chunked',
      ', chunked',
      'chunked,,',
      'x, chunked',
      'trailers, chunked',
      'none',
    ],
    ...['"chunked"', "'chunked'", '(chunked)', 'chun\tked', 'c hunked', 'chunked\t', 'chunked\t,', 'chunked ,'],
    ...['', ' ', '\t', '\x0bchunked', 'chunked\x0b', 'chunked\x0c', 'chunked\x00', '\x00chunked', '\x08chunked'],
    ...['\xa0chunked', 'chunked\xa0', '\xffchunked', 'chun\xadked', 'cow', '1', 'chunked=1', 'chunked/1.0', 'chunked:'],
  ].map(withCoding),
  'more than one Transfer-Encoding': [
    ...['chunked\r\nTransfer-Encoding: chunked', 'identity\r\nTransfer-Encoding: chunked'],
    ...['chunked\r\nTransfer-Encoding: identity', 'chunked\r\ntransfer-encoding:', '\r\nTransfer-Encoding: chunked'],
    ...['gzip\r\nX: y\r\nTransfer-Encoding: chunked', 'chunked\r\nTRANSFER-ENCODING: cow'],
  ].map(withCoding),
  'chunks in HTTP/1.0': ['', 'Connection: keep-alive', 'TE: trailers'].map(
    (line) =>
      `POST /first HTTP/1.0\r\n${HOST}\r\n${COOKIE}\r\n${line === '' ? '' : `${line}\r\n`}Transfer-Encoding: chunked\r\n\r\n${CHUNKED_BODY}`,
  ),
  'a folded header': [
    ...[
      'X-A: b\r\n c',
      'X-A: b\r\n\tc',
      'X-A:\r\n b',
      'X-A:\r\n\t',
      'X-A: b\r\n  \r\n c',
      'Transfer-Encoding:\r\n chunked',
    ],
    ...[
      'Transfer-Encoding:\r\n\tchunked',
      'Transfer-Encoding: x\r\n chunked',
      'Content-Length:\r\n 5',
      'Content-Length: 5\r\n 0',
    ],
    ...['Cookie: a=1;\r\n latchgate=bob', 'X:\r\n\tTransfer-Encoding: chunked'],
  ].map(withLine),
  'a bare LF or CR': [
    `GET /first HTTP/1.1\n${HOST}\r\n${COOKIE}\r\n\r\n`,
    `GET /first HTTP/1.1\r${HOST}\r\n${COOKIE}\r\n\r\n`,
    `GET /first HTTP/1.1\r\r\n${HOST}\r\n${COOKIE}\r\n\r\n`,
    `GET /first HTTP/1.1\n\r${HOST}\r\n${COOKIE}\r\n\r\n`,
    `GET /first HTTP/1.1\r\n${HOST}\n${COOKIE}\r\n\r\n`,
    `GET /first HTTP/1.1\r\n${HOST}\r${COOKIE}\r\n\r\n`,
    `GET /first HTTP/1.1\r\n${HOST}\r\n${COOKIE}\n\r\n`,
    `GET /first HTTP/1.1\r\n${HOST}\r\n${COOKIE}\n\n`,
    `GET /first HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\n\n`,
    `GET /first HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\n\r`,
    `GET /first HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\r\n\r\n`,
    `GET /first HTTP/1.1\n${HOST}\n${COOKIE}\n\n`,
    `GET /first HTTP/1.1\r${HOST}\r${COOKIE}\r\r`,
    ...[
      'X: y\nTransfer-Encoding: chunked',
      'X: y\rTransfer-Encoding: chunked',
      'X: y\r\n\rTransfer-Encoding: chunked',
    ].map(withLine),
    ...[
      'X: y\n\nGET /smuggled HTTP/1.1',
      'X: y\r\rGET /smuggled HTTP/1.1',
      'X: \ny',
      'X: \ry',
      'X:\r',
      'X\r: y',
      'X\n: y',
    ].map(withLine),
  ],
  'a blank before the colon or the name': [
    ...['Transfer-Encoding', 'Content-Length', 'X-Forwarded-User', 'Cookie', 'X'].flatMap((name) =>
      [
        `${name} : 5`,
        `${name}\t: 5`,
        `${name}  : 5`,
        ` ${name}: 5`,
        `\t${name}: 5`,
        `${name}\x0b: 5`,
        `${name}\xa0: 5`,
      ].map(withLine),
    ),
    `GET /first HTTP/1.1\r\n ${HOST}\r\n${COOKIE}\r\n\r\n`,
    `GET /first HTTP/1.1\r\n\t${HOST}\r\n${COOKIE}\r\n\r\n`,
    `GET /first HTTP/1.1\r\n \r\n${HOST}\r\n${COOKIE}\r\n\r\n`,
    `GET /first HTTP/1.1\r\nHost : bi.example.com\r\n${COOKIE}\r\n\r\n`,
  ],
  'a name that is none': [
    ...[
      '',
      ' ',
      'X Y',
      'X(',
      'X)',
      'X<',
      'X>',
      'X@',
      'X,',
      'X;',
      'X\\',
      'X"',
      'X/',
      'X[',
      'X]',
      'X?',
      'X=',
      'X{',
      'X}',
    ],
    ...['\xe9', 'X\xff', 'X\x80', 'X-\xc3\xa9'],
    ...CONTROLS.map((code) => `X${char(code)}Y`),
  ]
    .map((name) => withLine(`${name}: y`))
    .concat(['Transfer-Encoding', 'Content-Length 5', 'no colon at all', '=', '"X": y'].map(withLine)),
  'a control character in a value': CONTROLS.flatMap((code) => [
    withLine(`X-A: a${char(code)}b`),
    withLine(`X-A: ${char(code)}`),
    withLine(`Cookie: a=1${char(code)}; latchgate=bob`),
  ]),
  'no Host, or more than one': [
    `GET /first HTTP/1.1\r\n${COOKIE}\r\n\r\n`,
    `GET http://bi.example.com/first HTTP/1.1\r\n${COOKIE}\r\n\r\n`,
    ...[
      'Host: bi.example.com',
      'Host: evil.example',
      'host: bi.example.com',
      'HOST:',
      'X: y\r\nHost: bi.example.com',
    ].map((line) => head('GET /first HTTP/1.1', line)),
    `GET /first HTTP/1.0\r\n${HOST}\r\nHost: evil.example\r\n${COOKIE}\r\n\r\n`,
  ],
  'a request line that is none': [
    ...['GET /first', 'GET', '', 'GET /first HTTP/1.1 HTTP/1.1', 'GET /fi rst HTTP/1.1', 'GET /first HTTP /1.1'],
    ...[
      'GET\t/first HTTP/1.1',
      'GET /first\tHTTP/1.1',
      ' GET /first HTTP/1.1',
      '\tGET /first HTTP/1.1',
      'get /first HTTP/1.1',
    ],
    ...[
      'Get /first HTTP/1.1',
      'G ET /first HTTP/1.1',
      'FOO /first HTTP/1.1',
      'GET\x00 /first HTTP/1.1',
      '\x00GET /first HTTP/1.1',
    ],
    ...[
      'GET /first http/1.1',
      'GET /first HTTPS/1.1',
      'GET /first HTTP/1',
      'GET /first HTTP/1,1',
      'GET /first HTTP/1.1;x',
    ],
    ...[
      'GET /first HTTP/0.9',
      'GET /first HTTP/1.2',
      'GET /first HTTP/1.10',
      'GET /first HTTP/01.1',
      'GET /first HTTP/1.01',
    ],
    ...[
      'GET /first HTTP/2.0',
      'GET /first HTTP/3.0',
      'GET /first HTTP/1.-1',
      'GET /first HTTP/1.1\x0b',
      'GET /first XTTP/1.1',
    ],
    ...[...CONTROLS, 0xe9].map((code) => `GET /fi${char(code)}rst HTTP/1.1`),
    ...[...CONTROLS, 0xa0].map((code) => `GET${char(code)}/first HTTP/1.1`),
  ]
    .filter((line) => line !== '')
    .map(bodyless),
  'a target of somebody else': [
    ...[
      'http://evil.example/',
      'https://evil.example/',
      'http://bi.example.com@evil.example/',
      'http://evil@bi.example.com/',
    ],
    ...[
      'http://evil.example@bi.example.com/',
      'http://bi.example.com:81/',
      'http://bi.example.com:080/',
      'http://bi.example.com:/',
    ],
    ...[
      'http://bi.example.com./',
      'http://bi.example.com.evil.example/',
      'http://xbi.example.com/',
      'http://BI.example.com.evil/',
    ],
    ...[
      'http:/bi.example.com/',
      'http:bi.example.com',
      'http:///first',
      'http://',
      'http:',
      'ws://bi.example.com/',
      'ftp://bi.example.com/',
    ],
    ...[
      '//bi.example.com/',
      '//evil.example/',
      '///',
      'bi.example.com',
      'bi.example.com:80',
      'bi.example.com/first',
      'evil.example/first',
    ],
    ...[
      'http://bi.example.com\\/',
      'http://bi.example.com\\@evil.example/',
      'http://bi.example.com%2fevil/',
      'http://bi.example.com%00/',
    ],
    ...[
      'http://bi.example.com#x',
      'http://[::1]/',
      'http://127.0.0.1/',
      '*',
      '\\',
      '\\\\evil.example',
      '?x',
      './first',
      '../first',
    ],
    ...[
      '%2ffirst',
      '/%2ffirst',
      '/\\first',
      '/first#x',
      '/first?a#b',
      'data:x',
      'javascript:alert(1)',
      'file:///etc/passwd',
    ],
  ].map(withTarget),
  'another protocol': [
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00d',
    'PRI * HTTP/1.1\r\n\r\n',
    'PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'SSH-2.0-OpenSSH_9.2\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1111 80\r\n',
    '\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c',
    'EHLO evil.example\r\n',
    '*1\r\n$4\r\nPING\r\n',
    '{"method":"GET"}\r\n\r\n',
  ],
};
