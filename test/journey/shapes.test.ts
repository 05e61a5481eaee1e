import { type LyingProvider, startLyingProvider } from '../emulators/lying-oidc.ts';
import { refusalOn } from './browser.ts';
import { BOTH, CLIENT_ID, GROUPS, gooddataUser, supersetUser } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';

// A provider may send anything. What cannot be read is refused with its code, and changes nothing for anybody.
let journey: Journey;
let provider: LyingProvider;

beforeAll(async () => {
  provider = await startLyingProvider({ clientId: CLIENT_ID, withUserinfo: false });
  journey = await startJourney({ issuer: provider.issuer, sections: { ...BOTH, groups: '{ max: 20 }' } });
});
afterAll(async () => {
  await journey.close();
  await provider.close();
});

type Claims = Readonly<Record<string, unknown>>;

const sound = (sub: string): Claims => ({
  sub,
  given_name: 'Given',
  family_name: 'Family',
  email: `${sub}@acme.test`,
  email_verified: true,
  preferred_username: sub,
  groups: ['team-a', 'team-b'],
});

async function logIn(claims: Claims) {
  provider.lie({ claims });
  return journey.browser().visit(`${journey.url}/`);
}

const accountsOf = (name: string) => ({
  gooddata: gooddataUser(journey.gooddata.state, name),
  superset: supersetUser(journey.superset.state, name),
});

const SECRET = 'hush-hush';
const GROUP_SHAPES: readonly [string, string, Claims][] = [
  ['a number', 'groups_invalid', { groups: 7 }],
  ['true', 'groups_invalid', { groups: true }],
  ['null', 'groups_invalid', { groups: null }],
  ['an object', 'groups_invalid', { groups: { name: SECRET } }],
  ['a list in a list', 'groups_invalid', { groups: [['team-a']] }],
  ['a list with a number', 'groups_invalid', { groups: ['team-a', 7] }],
  ['a list with null', 'groups_invalid', { groups: ['team-a', null] }],
  ['a list of objects', 'groups_invalid', { groups: [{ id: SECRET }] }],
  ['a line break in a name', 'groups_invalid', { groups: [`${SECRET}\r\nX-Forwarded-User: admin`] }],
  ['a NUL in a name', 'groups_invalid', { groups: [`${SECRET}\u0000`] }],
  ['a C1 control character in a name', 'groups_invalid', { groups: [`${SECRET}\u0085`] }],
  ['half a surrogate pair', 'groups_invalid', { groups: [`${SECRET}\ud800`] }],
  ['a name of 257 characters', 'groups_invalid', { groups: ['g'.repeat(257)] }],
  ['one text that is too long', 'groups_invalid', { groups: 'g'.repeat(257) }],
  ['more than groups.max', 'groups_too_many', { groups: Array.from({ length: 21 }, (_, at) => `team-${at}`) }],
  ['left out by _claim_names', 'groups_overage', { groups: undefined, _claim_names: { groups: 'src1' } }],
  ['left out by hasgroups', 'groups_overage', { groups: undefined, hasgroups: true }],
  ['bad in the claim that comes first', 'groups_invalid', { [GROUPS]: 7 }],
];
const EMAIL_SHAPES: readonly [string, string, Claims][] = [
  ['not there', 'email_missing', { email: undefined }],
  ['empty', 'email_missing', { email: '' }],
  ['null', 'email_missing', { email: null }],
  ['a list', 'email_invalid', { email: ['a@acme.test'] }],
  ['an object', 'email_invalid', { email: { value: 'a@acme.test' } }],
  ['a number', 'email_invalid', { email: 7 }],
  ['without @', 'email_invalid', { email: SECRET }],
  ['with two @', 'email_invalid', { email: 'a@b@acme.test' }],
  ['with a line break', 'email_invalid', { email: `${SECRET}\r\n@acme.test` }],
  ['with white space', 'email_invalid', { email: `${SECRET} x@acme.test` }],
  ['with two addresses', 'email_invalid', { email: 'a@acme.test,b@acme.test' }],
  ['half a surrogate pair', 'email_invalid', { email: `${SECRET}\udc00@acme.test` }],
  ['longer than 254 characters', 'email_invalid', { email: `${'a'.repeat(245)}@acme.test` }],
];
const NAME_SHAPES: readonly [string, string, Claims][] = [
  ['given_name is an object', 'attribute_invalid', { given_name: { first: SECRET } }],
  ['given_name is a list', 'attribute_invalid', { given_name: [SECRET] }],
  ['family_name has a line break', 'attribute_invalid', { family_name: `${SECRET}\nX` }],
  ['preferred_username has a NUL', 'attribute_invalid', { preferred_username: `${SECRET}\u0000` }],
];

describe.each([
  ['groups', GROUP_SHAPES],
  ['e-mail', EMAIL_SHAPES],
  ['names', NAME_SHAPES],
] as const)('%s', (_what, shapes) => {
  const known = `known-${_what.replace(/\W/g, '')}`;

  it.each(shapes)('%s: %s for somebody new, and no account', async (name, code, claims) => {
    const sub = `new-${name.replace(/\W+/g, '-')}`;
    const page = await logIn({ ...sound(sub), ...claims });
    const refusal = refusalOn(page);
    expect(refusal).toMatchObject({ status: 403, code });
    expect(page.text).not.toContain(SECRET);
    expect(accountsOf(sub)).toEqual({ gooddata: undefined, superset: undefined });
    const { code: exit, out } = await journey.cli('why', refusal.requestId);
    expect({ exit, out }).toMatchObject({ exit: 0, out: expect.stringContaining(`deny (${code})`) });
    expect(out).not.toContain(SECRET);
  });

  it('none of these changes what somebody known has', async () => {
    expect((await logIn(sound(known))).status).toBe(200);
    await until('both targets', () => (accountsOf(known).superset && accountsOf(known).gooddata ? true : undefined));
    const before = structuredClone(accountsOf(known));
    for (const [, code, claims] of shapes) {
      expect(refusalOn(await logIn({ ...sound(known), ...claims }))).toMatchObject({ status: 403, code });
    }
    expect(accountsOf(known)).toEqual(before);
    expect((await logIn(sound(known))).status).toBe(200);
  });
});

describe('subjects', () => {
  it.each([
    ['empty', '', /subject_invalid|token_invalid/],
    ['longer than 255 characters', 's'.repeat(256), /^subject_invalid$/],
    ['with a control character', 'ann\u0007', /^subject_invalid$/],
    ['a number', 7, /subject_invalid|token_invalid/],
    ['half a surrogate pair', 'ann\ud800', /^subject_invalid$/],
  ])('%s: refused, and no account', async (_name, sub, code) => {
    const count = journey.gooddata.state.users.size;
    const refusal = refusalOn(await logIn({ ...sound('ann'), sub }));
    expect(refusal.status).toBe(403);
    expect(refusal.code).toMatch(code);
    expect(journey.gooddata.state.users.size).toBe(count);
  });

  it('that differ in case alone are two people', async () => {
    await logIn({ ...sound('cAsE'), email: 'case1@acme.test', preferred_username: 'case1' });
    await logIn({ ...sound('CaSe'), email: 'case2@acme.test', preferred_username: 'case2' });
    expect(gooddataUser(journey.gooddata.state, 'cAsE')?.email).toBe('case1@acme.test');
    expect(gooddataUser(journey.gooddata.state, 'CaSe')?.email).toBe('case2@acme.test');
  });
});

it('nothing that was said of anybody is in the log', () => {
  expect(journey.log.length).toBeGreaterThan(100);
  expect(journey.log.filter((line) => line.includes(SECRET) || line.includes('@acme.test'))).toEqual([]);
});
