import { loginSchema } from '../../src/login/schema.ts';
import { mappingConfigOf } from '../../src/mapping/config.ts';
import { compileMapping } from '../../src/mapping/mapping.ts';
import { scimSchema } from '../../src/scim/schema.ts';
import { sourcesSchema } from '../../src/sources/schema.ts';
import { assertionOf, configOf } from './config-of.ts';

type Claims = Readonly<Record<string, unknown>>;

const email = 'ceo@acme.test';
const DENIED = { email, email_verified: false };

/** A login, a source that lists its people and a SCIM client that pushes them, each with further keys of the config. */
function mappingWith(keys: { readonly login?: object; readonly source?: object; readonly client?: object } = {}) {
  const {
    identity,
    groups,
    rules,
    default: otherwise,
    targets,
  } = configOf({ rules: { all: { grant: { superset: {} } } } });
  return compileMapping(
    mappingConfigOf({
      login: loginSchema.parse({ staff: { issuer: 'https://id.example.com', client_id: 'x', ...keys.login } }),
      sources: sourcesSchema.parse({ hr: { type: 'file', path: 'p.csv', login: 'staff', ...keys.source } }),
      scim: scimSchema.parse({ clients: { okta: { login: 'staff', ...keys.client } } }),
      identity,
      groups,
      rules,
      default: otherwise,
      targets,
      safety: { privileged: [] },
    }),
  );
}

/** Whether an account that was there may be found by the address. */
function isTrusted(mapping: ReturnType<typeof mappingWith>, said: Readonly<Record<string, Claims>>): boolean {
  const assertions = Object.entries(said).map(([origin, claims]) => assertionOf(claims, { origin }));
  const decision = mapping.map({ person: 'p_1', assertions, current: assertions[0]?.origin ?? '' });
  return decision.accounts.get('superset')?.emailTrusted ?? false;
}

describe('an address that a source lists is vouched for', () => {
  it.each<[string, Claims, object, boolean]>([
    ['nothing said of it', { email }, {}, true],
    ['an empty cell', { email, email_verified: null }, {}, true],
    ['verified', { email, email_verified: true }, {}, true],
    ['not verified', DENIED, {}, false],
    ['the text "false"', { email, email_verified: 'false' }, {}, false],
    ['the text "TRUE"', { email, email_verified: 'TRUE' }, {}, true],
    ['the text "1", as XML writes it', { email, email_verified: '1' }, {}, true],
    ['a list of one yes', { email, email_verified: ['true'] }, {}, true],
    ['a list of two', { email, email_verified: ['true', 'false'] }, {}, false],
    ['no word for a yes', { email, email_verified: 'pending' }, {}, false],
    ['0', { email, email_verified: 0 }, {}, false],
    ['not verified, by the key for it', DENIED, { trust_unverified_email: true }, true],
    ['that key without trust', DENIED, { trust_email: false, trust_unverified_email: true }, false],
    ['another domain', { email }, { email_domains: ['other.test'] }, false],
    ['its domain', { email }, { email_domains: ['acme.test'] }, true],
    ['its domain, not verified', DENIED, { email_domains: ['acme.test'] }, false],
    ['without trust', { email }, { trust_email: false, email_domains: ['acme.test'] }, false],
    [
      'without trust, verified',
      { email, email_verified: true },
      { trust_email: false, email_domains: ['acme.test'] },
      true,
    ],
    ['without trust or domains, verified', { email, email_verified: true }, { trust_email: false }, false],
  ])('%s', (_what, claims, source, trusted) => {
    const mapping = mappingWith({ source });
    expect(isTrusted(mapping, { hr: claims })).toBe(trusted);
    expect(mapping.trustedEmail(assertionOf(claims, { origin: 'hr' }))).toBe(trusted ? email : undefined);
  });
});

it.each<[string, Claims, boolean]>([
  ['nothing said of it', { email }, true],
  ['not verified', DENIED, true],
])('logins and SCIM clients that are trusted: %s', (_what, claims, trusted) => {
  const trust = { trust_email: true, email_domains: ['acme.test'] };
  expect(isTrusted(mappingWith({ login: trust }), { staff: claims })).toBe(trusted);
  expect(isTrusted(mappingWith({ client: trust }), { okta: claims })).toBe(trusted);
  expect(isTrusted(mappingWith({ client: { trust_email: true } }), { okta: claims })).toBe(trusted);
  const less = { ...trust, trust_unverified_email: false };
  expect(isTrusted(mappingWith({ login: less }), { staff: claims })).toBe(claims !== DENIED);
  expect(isTrusted(mappingWith({ client: less }), { okta: claims })).toBe(claims !== DENIED);
});

describe('with a login beside the source', () => {
  it('nobody is vouched for by both who is by neither', () => {
    const mapping = mappingWith();
    expect(isTrusted(mapping, { staff: DENIED })).toBe(false);
    expect(isTrusted(mapping, { staff: DENIED, hr: DENIED })).toBe(false);
    expect(isTrusted(mapping, { hr: DENIED, staff: DENIED })).toBe(false);
  });

  it('the word of the one that vouches is enough, and is for its own address alone', () => {
    const mapping = mappingWith({ login: { email_domains: ['acme.test'] } });
    const verified = { email, email_verified: true };
    expect(isTrusted(mapping, { staff: verified, hr: DENIED })).toBe(true);
    expect(isTrusted(mapping, { staff: { ...verified, email: 'me@acme.test' }, hr: DENIED })).toBe(false);
  });
});

it('the trace says why an address that a source lists is not vouched for', () => {
  const said = assertionOf(DENIED, { origin: 'hr' });
  const { notes } = mappingWith().map({ person: 'p_1', assertions: [said], current: 'hr' }).trace;
  expect(notes).toContain('email: not vouched for, because email_verified says that it is not verified');
});
