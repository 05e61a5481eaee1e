import { compileMapping } from '../../src/mapping/mapping.ts';
import type { Decision } from '../../src/model/desired.ts';
import { assertionOf, configOf, type WrittenConfig } from './config-of.ts';

const ORIGINS = { okta: {}, hr: {}, acme: { email_domains: ['acme.test'] } };
const RULES = { everybody: { grant: { superset: {} } } };

type Claims = Readonly<Record<string, unknown>>;

/** What every origin says, in each order of their assertions and with each of them as the one that speaks now. */
function everyWay(said: Readonly<Record<string, Claims>>, written: WrittenConfig = {}): readonly Decision[] {
  const mapping = compileMapping(configOf({ origins: ORIGINS, rules: RULES, ...written }));
  const names = Object.keys(said);
  return permutations(names).flatMap((order) =>
    names.map((current) => {
      const assertions = order.map((origin, at) =>
        assertionOf({ sub: 'ann', ...said[origin] }, { origin, at: new Date(at * 1000) }),
      );
      return mapping.map({ person: 'p_1', assertions, current });
    }),
  );
}

function permutations(names: readonly string[]): readonly (readonly string[])[] {
  if (names.length < 2) return [names];
  return names.flatMap((first) => permutations(names.filter((name) => name !== first)).map((rest) => [first, ...rest]));
}

/** The one value of all these decisions. */
function same<T>(decisions: readonly Decision[], look: (decision: Decision) => T): T {
  const texts = new Set(decisions.map((decision) => JSON.stringify(look(decision))));
  expect([...texts]).toHaveLength(1);
  return JSON.parse([...texts][0] ?? '');
}

const accountIn = (decision: Decision) => decision.accounts.get('superset');
const giverOf = (name: string) => (decision: Decision) =>
  decision.trace.authority?.find((one) => one.name === name)?.origin;

const THREE = {
  okta: { email: 'ann@acme.test', given_name: 'Anna', family_name: 'Lee' },
  hr: { email: 'ann.lee@acme.test', given_name: 'Ann', family_name: 'Lee-Smith' },
  acme: { email: 'ann@acme.test', email_verified: true, name: 'Anne Lee', given_name: 'Anne' },
};

describe('of an attribute that several origins send', () => {
  it('the one counts that stands first in the config, whoever spoke last', () => {
    const account = same(everyWay(THREE), accountIn);
    expect(account?.profile).toMatchObject({ givenName: 'Anna', familyName: 'Lee', email: 'ann@acme.test' });
  });

  it('the owner comes before all others, and a line of the attribute before the owner', () => {
    const ranks = ['hr', 'okta', 'acme'];
    const mapping = compileMapping({ ...configOf({ origins: ORIGINS, rules: RULES }), ranks });
    const assertions = Object.entries(THREE).map(([origin, claims]) => assertionOf({ ...claims }, { origin }));
    const decision = mapping.map({ person: 'p_1', assertions, current: 'acme' });
    expect(accountIn(decision)?.profile).toMatchObject({ givenName: 'Ann', email: 'ann.lee@acme.test' });
    const authority = { email: ['acme'], default: 'hr' };
    const named = everyWay(THREE, { identity: { authority } });
    expect(same(named, accountIn)?.profile).toMatchObject({ givenName: 'Ann', email: 'ann@acme.test' });
    expect([same(named, giverOf('email')), same(named, giverOf('given_name'))]).toEqual(['acme', 'hr']);
  });

  it('what the first does not send is taken from the next, and what it sends empty is empty', () => {
    const said = {
      okta: { email: 'a@acme.test', title: undefined },
      hr: { title: 'Analyst' },
      acme: { title: 'Chief' },
    };
    const claims = { title: 'title' };
    const origins = Object.fromEntries(Object.keys(ORIGINS).map((name) => [name, { claims }]));
    const sent = Object.fromEntries(
      Object.entries(said).map(([name, { title, ...rest }]) => [name, title === undefined ? rest : { ...rest, title }]),
    );
    const written = { origins, identity: { require: [] } };
    expect(same(everyWay(sent, written), accountIn)?.profile).toMatchObject({ title: 'Analyst', email: 'a@acme.test' });
    const cleared = { ...sent, okta: { email: 'a@acme.test', title: '' } };
    expect(same(everyWay(cleared, written), accountIn)?.profile).toMatchObject({ title: null });
  });

  it('an origin that says the person is out gives none', () => {
    const mapping = compileMapping(configOf({ origins: ORIGINS, rules: RULES }));
    const assertions = Object.entries(THREE).map(([origin, claims]) =>
      assertionOf({ ...claims }, { origin, active: origin !== 'okta' }),
    );
    expect(accountIn(mapping.map({ person: 'p_1', assertions, current: 'acme' }))?.profile.givenName).toBe('Ann');
  });

  it('both halves of a name of one origin are the whole, against that of one that counts less', () => {
    const account = same(everyWay(THREE), accountIn);
    expect(account?.profile.displayName).toBe('Anna Lee');
    const named = same(everyWay(THREE, { identity: { authority: { name: 'acme' } } }), accountIn);
    expect(named?.profile.displayName).toBe('Anne Lee');
  });
});

describe('an address', () => {
  it('is trusted when somebody vouches for the same one, whoever gives it', () => {
    const decisions = everyWay(THREE);
    expect(same(decisions, (decision) => accountIn(decision)?.emailTrusted)).toBe(true);
    expect(same(decisions, ({ attributes }) => attributes['email_verified'])).toBe(true);
  });

  it('is not trusted because of what somebody vouches for another one', () => {
    const decisions = everyWay(THREE, { identity: { authority: { email: 'hr' } } });
    expect(same(decisions, (decision) => accountIn(decision)?.emailTrusted)).toBe(false);
    expect(same(decisions, ({ attributes }) => attributes['email_verified'] ?? false)).toBe(false);
  });
});

describe('rules', () => {
  const rules = {
    chiefs: { when: { groups: 'staff', title: 'Chief' }, grant: { superset: { roles: ['Admin'] } } },
    everybody: { grant: { superset: {} } },
  };
  const origins = Object.fromEntries(Object.keys(ORIGINS).map((name) => [name, { claims: { title: 'title' } }]));
  const given = (decision: Decision) => accountIn(decision)?.entitlements.map(({ name, origin }) => [name, origin]);

  it('see each origin by itself, as long as nobody was given the say', () => {
    const said = {
      hr: { title: 'Intern', email: 'a@b.c' },
      acme: { title: 'Chief', email: 'a@b.c', groups: ['staff'] },
    };
    expect(same(everyWay(said, { origins, rules }), given)).toEqual([['Admin', 'acme']]);
  });

  it('see an attribute that has a line as the line says, whoever sends the groups', () => {
    const identity = { authority: { title: 'hr' } };
    const said = {
      hr: { title: 'Intern', email: 'a@b.c' },
      acme: { title: 'Chief', email: 'a@b.c', groups: ['staff'] },
    };
    expect(same(everyWay(said, { origins, rules, identity }), given)).toEqual([]);
    const promoted = { ...said, hr: { ...said.hr, title: 'Chief' }, acme: { ...said.acme, title: 'Intern' } };
    expect(same(everyWay(promoted, { origins, rules, identity }), given)).toEqual([['Admin', 'acme']]);
  });
});
