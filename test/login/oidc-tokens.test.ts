import { type Lies, type LyingProvider, startLyingProvider } from '../emulators/lying-oidc.ts';
import type { SignatureLie } from '../emulators/lying-tokens.ts';
import { type Harness, harnessFor, logIn, refusal, SIGNAL } from './oidc-harness.ts';

let liar: LyingProvider;
let harness: Harness;
/** Of an honest login, to be renewed. */
let before: {
  readonly issuer: string;
  readonly subject: string;
  readonly refreshToken: string;
  readonly idToken: string;
};

beforeAll(async () => {
  liar = await startLyingProvider({ clientId: 'gateway' });
  harness = harnessFor(liar.issuer);
  const { assertion, tokens } = await logIn(harness.provider);
  const { refreshToken = '', idToken = '' } = tokens;
  before = { issuer: assertion.issuer, subject: assertion.subject, refreshToken, idToken };
});
beforeEach(() => liar.lie({}));
afterAll(async () => {
  await harness.http.close();
  await liar.close();
});

const now = () => Math.floor(Date.now() / 1_000);
const signature = (...lies: readonly SignatureLie[]): Lies[] => lies.map((lie) => ({ signature: lie }));
const header = (name: string, values: readonly unknown[], more = {}): Lies[] =>
  values.map((value) => ({ header: { [name]: value, ...more } }));
const claim = (name: string, values: readonly unknown[]): Lies[] =>
  values.map((value) => ({ claims: { [name]: value } }));

/** What is refused, whether a code was exchanged for it or a refresh token; and as what. */
const REFUSED: readonly (readonly [what: string, lies: () => readonly Lies[], expected: RegExp])[] = [
  [
    'a signature that is none, cut off, of somebody else or of other bytes',
    () => [
      ...signature(
        'none',
        'stripped',
        'wrong-key',
        'wrong-key-without-kid',
        'tampered',
        'tampered-header',
        'truncated',
      ),
      ...signature('bit-flipped', 'padded', 'zeros', 'der-encoded'),
    ],
    /^token_invalid$/,
  ],
  ['a part too few or too many', () => signature('empty-parts', 'doubled'), /^(?:token_invalid|provider_unavailable)/],
  [
    'a shared secret that everybody knows',
    () => signature('hmac-with-public-key', 'hmac-with-public-pem', 'hmac-with-empty-key'),
    /^token_invalid$/,
  ],
  [
    'a key that it brings or names itself',
    () => signature('embedded-key', 'embedded-chain', 'key-by-address'),
    /^token_invalid$/,
  ],
  [
    'another algorithm than the one that is published and registered',
    () =>
      header('alg', [
        'none',
        'None',
        'NONE',
        'nOnE',
        '',
        'ES384',
        'RS256',
        'PS256',
        'HS256',
        'hs256',
        'es256',
        'ES256 ',
      ]).concat(header('alg', ['Ed25519', null, 7, ['ES256'], undefined])),
    /^token_(?:invalid|key_unknown)/,
  ],
  [
    'another type',
    () =>
      header('typ', [
        'at+jwt',
        'application/at+jwt',
        'logout+jwt',
        'secevent+jwt',
        'JOSE',
        'x',
        '',
        ' ',
        'JWT ',
        'JWT;x',
      ]).concat(header('typ', [null, 7, ['JWT'], {}, true])),
    /^token_invalid: typ$/,
  ],
  [
    'a key id that is not published',
    () =>
      header('kid', ['nobody', '', 'K1', 'k1 ', '__proto__', 'constructor', '../k1', "k1' or '1", null, 7, {}, ['k1']]),
    /^token_(?:key_unknown|invalid)/,
  ],
  [
    'a critical member',
    () => header('crit', [['b64'], ['exp'], ['x'], [], 'x', [7]], { b64: false, x: 1 }),
    /^token_invalid/,
  ],
  [
    'another issuer',
    () => {
      const own = liar.issuer;
      const spelled = [
        `${own}/`,
        `${own}//`,
        own.toUpperCase(),
        ` ${own}`,
        `${own} `,
        `${own}#`,
        `${own}?`,
        `${own}/x`,
      ];
      const other = [
        'https://other.example',
        own.replace('http:', 'https:'),
        own.replace('127.0.0.1', 'localhost'),
        '',
        [own],
      ];
      return claim('iss', [...spelled, ...other, null, 7, {}, undefined]);
    },
    /^token_invalid$/,
  ],
  [
    'another audience, or one more',
    () => [
      ...claim('aud', [
        'other',
        'Gateway',
        'gateway ',
        'gateway,other',
        '',
        null,
        7,
        {},
        { 0: 'gateway', length: 1 },
        undefined,
      ]),
      ...claim('aud', [[], ['other'], ['gateway', 'other'], [['gateway']], [7], ['gateway', 7], ['gateway', null]]),
    ],
    /^token_invalid(?:: aud)?$/,
  ],
  [
    'another party',
    () => claim('azp', ['other', 'Gateway', '', null, 7, ['gateway'], {}, true]),
    /^token_invalid(?:: azp)?$/,
  ],
  [
    'an end that is over or none',
    () =>
      claim('exp', [
        now() - 31,
        now() - 3_600,
        0,
        -1,
        String(now() + 300),
        '',
        null,
        {},
        [now() + 300],
        true,
        undefined,
      ]),
    /^token_invalid/,
  ],
  [
    'an age that is too great, below zero or none',
    () => [
      ...claim('iat', [now() - 605, now() - 86_400, 0, -1, -1e300, now() + 60, now() + 86_400, 1e300]),
      ...claim('iat', [String(now()), '', null, {}, [now()], true, undefined]),
    ],
    /^token_invalid/,
  ],
  [
    'a beginning that is to come or none',
    () => claim('nbf', [now() + 60, now() + 86_400, 'x', '', null, {}, true]),
    /^token_invalid$/,
  ],
  ['another nonce', () => claim('nonce', ['x', '', 'null', 7, [], {}, true]), /^token_invalid(?:: nonce)?$/],
  [
    'the hash of another access token',
    () => claim('at_hash', ['AAAAAAAAAAAAAAAAAAAAAA', '', null, 7, {}, [], true]),
    /^token_invalid(?:: at_hash)?$/,
  ],
  [
    'a subject that is nobody',
    () => [
      ...claim('sub', [
        '',
        'a'.repeat(256),
        'alice\n',
        'alice\r\nX: y',
        'alice\u0000',
        'alice\u007f',
        'alice\u0085',
        '\ud800',
        'a\udc00b',
      ]),
      ...claim('sub', [7, null, {}, [], ['alice'], true, undefined]),
    ],
    /^(?:subject_invalid|token_invalid(?:: sub)?)$/,
  ],
];

/** Texts, and what is no text at all, in the place of a whole token. */
const NO_TOKENS = [
  ...[
    '',
    '.',
    '..',
    '...',
    'a.b.c',
    'e30.e30.',
    'e30.e30.e30',
    'e30..',
    ' ',
    'null',
    '{"payload":"e30","signatures":[]}',
  ],
  ...['eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0....', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.', 'x'.repeat(200_000)],
  ...[7, null, {}, [], true, ['a.b.c']],
];

async function ends(all: readonly Lies[]): Promise<string[]> {
  const found: string[] = [];
  for (const lies of all) {
    liar.lie(lies);
    const code = await refusal(logIn(harness.provider));
    const refresh = await refusal(harness.provider.refresh(before, SIGNAL));
    found.push(...[code, refresh].map((end) => `${end} < ${JSON.stringify(lies)}`));
  }
  return found;
}

describe('an ID token, new or renewed, is refused for', () => {
  it.each(REFUSED)('%s', async (_what, lies, expected) => {
    const found = await ends(lies());
    expect(found.filter((end) => !expected.test(end.split(' < ')[0] ?? ''))).toEqual([]);
  });

  it('being none', async () => {
    const found = await ends(NO_TOKENS.map((idToken) => ({ idToken })));
    expect(found.filter((end) => !/^(?:token_invalid|provider_unavailable)/.test(end))).toEqual([]);
  });
});

it('needs its nonce at a login, and may leave it out when it is renewed (OIDC Core §12.2)', async () => {
  const [code, refresh] = await ends(claim('nonce', [undefined]));
  expect([code, refresh].map((end) => end?.split(' < ')[0])).toEqual(['token_invalid', 'accepted']);
});

it('is renewed for the same subject and the same time of login only', async () => {
  const since = now();
  liar.lie({ claims: { auth_time: since } });
  const { tokens } = await logIn(harness.provider);
  const own = { ...before, idToken: tokens.idToken as string, refreshToken: tokens.refreshToken as string };
  const renewed = async (claims: Record<string, unknown>) => {
    liar.lie({ claims });
    return refusal(harness.provider.refresh(own, SIGNAL));
  };
  for (const sub of ['bob', 'Alice', 'alice ', 'al\u0131ce']) expect(await renewed({ sub })).toBe('token_invalid: sub');
  for (const auth_time of [since - 1, since + 1, 0, String(since)]) {
    expect(await renewed({ auth_time })).toMatch(/^token_invalid/);
  }
  expect(await renewed({ auth_time: since })).toBe('accepted');
});

it.each(['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA'] as const)(
  'is taken from a provider that signs by %s',
  async (alg) => {
    const honest = await startLyingProvider({ clientId: 'gateway', alg });
    const own = harnessFor(honest.issuer);
    expect((await logIn(own.provider)).assertion.subject).toBe('alice');
    honest.lie({ signature: 'wrong-key' });
    expect(await refusal(logIn(own.provider))).toBe('token_invalid');
    await own.http.close();
    await honest.close();
  },
);

it('is not taken by another algorithm after a rotation that the registration does not know', async () => {
  const honest = await startLyingProvider({ clientId: 'gateway', alg: 'ES256' });
  const own = harnessFor(honest.issuer);
  await logIn(own.provider);
  await honest.rotate({ alg: 'RS256' });
  expect(await refusal(logIn(own.provider))).toBe('token_invalid');
  await own.http.close();
  await honest.close();
});

describe('of one provider', () => {
  it('is nothing to another, whose client has the same name and whose keys have the same ids', async () => {
    const other = await startLyingProvider({ clientId: 'gateway' });
    const theirs = harnessFor(other.issuer);
    const token = await other.sign({ nonce: 'x' });
    expect(await refusal(theirs.provider.verify(token, SIGNAL))).toBe('accepted');
    expect(await refusal(harness.provider.verify(token, SIGNAL))).toMatch(/^token_/);
    // Even one that says that it is of ours.
    expect(await refusal(harness.provider.verify(await other.sign({ iss: liar.issuer }), SIGNAL))).toMatch(/^token_/);
    liar.lie({ idToken: token });
    expect(await refusal(logIn(harness.provider))).toMatch(/^token_/);
    const ofTheirs = { ...before, issuer: other.issuer };
    expect(await refusal(harness.provider.refresh(ofTheirs, SIGNAL))).toBe('token_invalid: iss');
    await theirs.http.close();
    await other.close();
  });

  it('is not asked for by the answer of another (RFC 9207)', async () => {
    const other = await startLyingProvider({ clientId: 'gateway' });
    const asked = { ...liar.asked };
    const answers: readonly ((parameters: URLSearchParams) => void)[] = [
      (parameters) => parameters.set('iss', other.issuer),
      (parameters) => parameters.set('iss', `${liar.issuer}/`),
      (parameters) => parameters.set('iss', liar.issuer.toUpperCase()),
      (parameters) => parameters.set('iss', ''),
      (parameters) => parameters.set('iss', `${liar.issuer} `),
      (parameters) => parameters.append('iss', liar.issuer),
      (parameters) => parameters.append('iss', other.issuer),
      (parameters) => parameters.delete('iss'),
    ];
    for (const callback of answers) {
      liar.lie({ callback });
      expect(await refusal(logIn(harness.provider))).toMatch(/^login_state_invalid: (?:iss|duplicate)$/);
    }
    expect(liar.asked.token).toBe(asked.token);
    await other.close();
  });
});
