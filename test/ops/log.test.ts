import { Writable } from 'node:stream';
import { LatchgateError } from '../../src/model/errors.ts';
import { createLogger, type Log, type LogLevel } from '../../src/ops/log.ts';

function logger(
  level: LogLevel = 'debug',
  secrets: string[] = [],
): { log: Log; lines: () => Record<string, unknown>[]; raw: () => string } {
  let written = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written += chunk.toString();
      done();
    },
  });
  const lines = () =>
    written
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log: createLogger({ level, stream, secrets }), lines, raw: () => written };
}

const JWT = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLXBsYW50ZWQ';
const PEM = '-----BEGIN PRIVATE KEY-----\nUExBTlRFRA==\n-----END PRIVATE KEY-----';

/** Each plant holds PLANTED or a part of JWT or PEM that must not come out. */
const plants: readonly (readonly [name: string, message: string, fields?: Record<string, unknown>])[] = [
  ['a JWT in the message', `got ${JWT}`],
  ['a JWT as a value', 'x', { anything: JWT }],
  ['a JWT in a list', 'x', { list: ['a', JWT] }],
  ['a JWT as a key', 'x', { [JWT]: 1 }],
  ['bearer', 'header Bearer PLANTED'],
  ['basic', 'x', { header: 'Basic UExBTlRFRA==' }],
  ['a PEM', 'x', { pem: PEM }],
  ['our cookie', 'x', { header: '__Host-latchgate=PLANTED; a=b' }],
  ['our cookie over http', 'latchgate=PLANTED'],
  ['a cookie header in a text', 'cookie: a=PLANTED; b=PLANTED'],
  ['an address with code and state', 'at /.latchgate/callback/staff?code=PLANTED&state=PLANTED'],
  ['an address with a password', 'x', { url: 'postgres://user:PLANTED@db/x' }],
  ['a URL object', 'x', { url: new URL('https://u:PLANTED@h/p?token=PLANTED') }],
  ['form fields in a text', 'body was client_secret=PLANTED&refresh_token=PLANTED'],
  ['JSON in a text', 'answer {"id_token":"PLANTED","access_token": "PLANTED"}'],
  ...(
    'authorization Authorization cookie set-cookie Set-Cookie token idToken id_token refresh_token client_secret password code state ' +
    'assertion claims nonce code_verifier SAMLResponse private_key privateJwk_signature apiKey subject email groups givenName profile X-Latchgate-Assertion'
  )
    .split(' ')
    .map((key) => [`the key ${key}`, 'x', { [key]: 'PLANTED', deep: { [key]: { inner: 'PLANTED' } } }] as const),
  ['a claim set', 'x', { claims: { sub: 'PLANTED', groups: ['PLANTED'] } }],
  [
    'an error whose cause holds tokens',
    'x',
    {
      error: new LatchgateError('token_invalid', 'no', {
        cause: Object.assign(new Error('bad'), {
          cause: { body: 'PLANTED' },
          response: { id_token: 'PLANTED' },
          parameters: 'PLANTED',
        }),
      }),
    },
  ],
  ['an error message with a token', 'x', { error: new Error(`failed with ${JWT}`) }],
  ['a JSON parser that quotes', 'x', { error: parseFailure('PLANTED') }],
  ['a Map', 'x', { map: new Map([['token', 'PLANTED']]) }],
  ['a Buffer', 'x', { bytes: Buffer.from('PLANTED') }],
  ['a secret of the config', 'said hunter2-PLANTED aloud', { x: 'hunter2-PLANTED' }],
];

function parseFailure(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    return thrown;
  }
}

describe('the log', () => {
  it.each(plants.map(([name, message, fields = {}]) => ({ name, message, fields })))(
    'hides $name at every level',
    ({ message, fields }) => {
      const { log, raw, lines } = logger('debug', ['hunter2-PLANTED']);
      for (const level of ['error', 'warn', 'info', 'debug'] as const) log[level](message, fields);
      expect(lines()).toHaveLength(4);
      expect(raw()).not.toMatch(/PLANTED|UExBTlRFRA|c2lnbmF0dXJl|eyJzdWIi/);
    },
  );

  it('keeps what an operator needs: codes, details, names of configured things, causes by class, code and message', () => {
    const { log, lines } = logger();
    const cause = Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED' });
    const error = new LatchgateError('target_unavailable', 'no connection', {
      detail: { target: 'superset', status: 503 },
      cause,
    });
    log.warn('reconcile failed', { error, requestId: '0123', code: 'target_unavailable', groups_omitted: true });
    expect(lines()[0]).toMatchObject({
      level: 'warn',
      message: 'reconcile failed',
      requestId: '0123',
      code: 'target_unavailable',
      groups_omitted: true,
      error: {
        class: 'LatchgateError',
        code: 'target_unavailable',
        message: 'no connection',
        detail: { target: 'superset', status: 503 },
        cause: { class: 'Error', code: 'ECONNREFUSED', message: 'connect refused' },
      },
    });
  });

  it('writes the ready line as it is promised', () => {
    const { log, lines } = logger('info');
    log.info('ready', { public: 'http://127.0.0.1:4180', admin: 'http://127.0.0.1:4181' });
    log.debug('not shown');
    const [line, ...rest] = lines();
    expect(rest).toEqual([]);
    expect(Object.keys(line ?? {}).slice(0, 2)).toEqual(['level', 'message']);
    const { timestamp, ...others } = line ?? {};
    expect(others).toEqual({
      level: 'info',
      message: 'ready',
      public: 'http://127.0.0.1:4180',
      admin: 'http://127.0.0.1:4181',
    });
    expect(new Date(String(timestamp)).toISOString()).toBe(timestamp);
  });

  it('is one line and never fails, whatever it is given', () => {
    const { log, lines, raw } = logger();
    const cyclic: Record<string, unknown> = { a: 1n, date: new Date(Number.NaN), call: () => 1, text: 'two\nlines' };
    cyclic['self'] = cyclic;
    log.info('odd\nmessage', { cyclic, level: 'x', message: 'y', nothing: null });
    expect(raw().trim().split('\n')).toHaveLength(1);
    expect(lines()[0]).toMatchObject({ level: 'info', message: 'odd\nmessage', cyclic: { a: '1', self: '[again]' } });
  });
});
