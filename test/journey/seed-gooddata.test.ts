import { refusalOn } from './browser.ts';
import { claimsOf, GROUPS, gooddataPeople, gooddataUser, person } from './company.ts';
import { type Journey, startJourney } from './harness.ts';

// GoodData's own just-in-time provisioning, row by row, and what the gateway does better.
let journey: Journey;

beforeAll(async () => {
  journey = await startJourney({ people: [person('auth0|first')], gooddata: { groups: [{ id: 'byhand' }] } });
});
afterAll(() => journey.close());

const says = (sub: string, claims: Record<string, unknown> = {}) => journey.idp.setClaims(sub, claimsOf(sub, claims));
const user = (id: string) => gooddataUser(journey.gooddata.state, id);
const logIn = async (sub: string) => {
  const page = await journey.logIn(sub);
  expect(page.status).toBe(200);
  return page;
};
/** Calls of the gateway to the API since `from`, without keys. */
const apiCalls = (from: number) =>
  journey.gooddata.requests
    .slice(from)
    .filter(({ path, caller }) => path.startsWith('/api/') && caller?.via === 'token' && !path.includes('/jwks'))
    .map(({ method, path }) => `${method} ${path.split('?')[0]}`);

describe('claims and the account in GoodData', () => {
  it('creates the user on demand from sub, given_name, family_name, email, urn.gooddata.user_groups', async () => {
    says('auth0|ann', { [GROUPS]: ['sales', 'Team EU'] });
    const page = await logIn('auth0|ann');
    expect(user('ann')).toEqual({
      id: 'ann',
      authenticationId: 'auth0|ann',
      firstname: 'Ann',
      lastname: 'Adams',
      email: 'ann@acme.test',
      groups: [expect.stringMatching(/^Team-EU-[0-9a-f]{8}$/), 'sales'],
    });
    expect(page.text).toContain('<h1>Ann Adams</h1>');
    expect(page.text).toContain('<code data-user>ann</code>');
  });

  it('updates what a claim that is there says', async () => {
    says('ben', { [GROUPS]: [] });
    await logIn('ben');
    says('ben', { [GROUPS]: [], given_name: 'Benjamin', family_name: 'Brown', email: 'benjamin@acme.test' });
    await logIn('ben');
    expect(user('ben')).toMatchObject({ firstname: 'Benjamin', lastname: 'Brown', email: 'benjamin@acme.test' });
  });

  it('leaves alone what a claim that is not there would say', async () => {
    says('cleo', { [GROUPS]: ['sales'] });
    await logIn('cleo');
    const before = user('cleo');
    says('cleo', { given_name: undefined, family_name: undefined, preferred_username: undefined });
    await logIn('cleo');
    expect(user('cleo')).toEqual(before);
  });

  it('changes one name alone when one alone is sent', async () => {
    says('dora', { [GROUPS]: [] });
    await logIn('dora');
    says('dora', { family_name: 'Doyle', given_name: undefined, name: undefined });
    await logIn('dora');
    expect(user('dora')).toMatchObject({ firstname: 'Dora', lastname: 'Doyle', email: 'dora@acme.test' });
  });

  it('clears what is sent empty', async () => {
    says('edda', { [GROUPS]: [] });
    await logIn('edda');
    says('edda', { [GROUPS]: [], family_name: '' });
    await logIn('edda');
    expect(user('edda')?.lastname || null).toBeNull();
    expect(user('edda')).toMatchObject({ firstname: 'Edda', email: 'edda@acme.test' });
  });

  it('makes the names of a new user from what there is when they are missing', async () => {
    says('finn', { given_name: undefined, family_name: undefined, name: 'Finn Ole Fischer' });
    await logIn('finn');
    expect(user('finn')).toMatchObject({ firstname: 'Finn Ole', lastname: 'Fischer' });
  });

  it('makes no half-made user when the mandatory e-mail is missing', async () => {
    says('gail', { email: undefined, [GROUPS]: ['only-gails'] });
    const page = await journey.logIn('gail');
    expect(refusalOn(page)).toMatchObject({ status: 403, code: 'email_missing' });
    expect(user('gail')).toBeUndefined();
    expect(journey.gooddata.state.userGroups.has('only-gails')).toBe(false);
  });

  it('never changes the user id, whatever else changes', async () => {
    says('hugo', { [GROUPS]: [] });
    await logIn('hugo');
    says('hugo', { given_name: 'Ugo', email: 'ugo@acme.test', preferred_username: 'ugo' });
    await logIn('hugo');
    expect(user('hugo')).toMatchObject({ id: 'hugo', authenticationId: 'hugo', firstname: 'Ugo' });
    expect(gooddataPeople(journey.gooddata.state)).not.toContain('ugo');
  });

  it('finds the user that was there before by authenticationId, and keeps its id and groups', async () => {
    journey.gooddata.state.users.set('u-4711', {
      id: 'u-4711',
      attributes: { authenticationId: 'auth0|iris', firstname: 'I.', email: 'iris@acme.test' },
      relationships: { userGroups: [{ id: 'byhand', type: 'userGroup' }] },
    });
    says('auth0|iris', { [GROUPS]: ['sales'] });
    await logIn('auth0|iris');
    expect(user('u-4711')).toMatchObject({ firstname: 'Iris', lastname: 'Adams', groups: ['byhand', 'sales'] });
    expect(user('iris')).toBeUndefined();
  });

  it('gives people whose ids clean to the same letters users of their own', async () => {
    says('team:jo', { email: 'jo@acme.test' });
    says('team jo', { email: 'jo.two@acme.test' });
    await logIn('team:jo');
    await logIn('team jo');
    const ids = gooddataPeople(journey.gooddata.state).filter((id) => id.startsWith('team-jo'));
    expect(ids).toHaveLength(2);
    expect(ids.map((id) => user(id)?.authenticationId).sort()).toEqual(['team jo', 'team:jo']);
  });
});

describe('groups in GoodData', () => {
  it('creates a group that does not exist, empty but for the one who brought it', async () => {
    says('kim', { [GROUPS]: ['brand-new'] });
    await logIn('kim');
    const group = journey.gooddata.state.userGroups.get('brand-new');
    expect(group).toMatchObject({ id: 'brand-new', relationships: {} });
    const permissions = [...journey.gooddata.state.workspaces.values()].flatMap((one) => one.permissions);
    expect(permissions).toEqual([]);
    expect(user('kim')?.groups).toEqual(['brand-new']);
  });

  it('never deletes a group that nobody is in any more', async () => {
    says('lena', { [GROUPS]: ['emptied'] });
    await logIn('lena');
    says('lena', { [GROUPS]: [] });
    await logIn('lena');
    expect(user('lena')?.groups).toEqual([]);
    expect(journey.gooddata.state.userGroups.has('emptied')).toBe(true);
  });

  it('moves a person from one group to another', async () => {
    says('mia', { [GROUPS]: ['sales', 'old'] });
    await logIn('mia');
    says('mia', { [GROUPS]: ['sales', 'new'] });
    await logIn('mia');
    expect(user('mia')?.groups).toEqual(['new', 'sales']);
  });

  it('keeps a membership that was given by hand', async () => {
    says('nils', { [GROUPS]: ['sales'] });
    await logIn('nils');
    journey.gooddata.state.users.get('nils')?.relationships['userGroups']?.push({ id: 'byhand', type: 'userGroup' });
    says('nils', { [GROUPS]: ['finance'] });
    await logIn('nils');
    expect(user('nils')?.groups).toEqual(['byhand', 'finance']);
  });

  it('keeps a membership that was there before us when the claim names it and then does not', async () => {
    journey.gooddata.state.users.set('olga', {
      id: 'olga',
      attributes: { authenticationId: 'olga' },
      relationships: { userGroups: [{ id: 'byhand', type: 'userGroup' }] },
    });
    says('olga', { [GROUPS]: ['byhand', 'sales'] });
    await logIn('olga');
    says('olga', { [GROUPS]: [] });
    await logIn('olga');
    expect(user('olga')?.groups).toEqual(['byhand']);
  });

  it('takes a claim of [] as member of none, and removes managed ones only', async () => {
    says('paul', { [GROUPS]: ['sales', 'finance'] });
    await logIn('paul');
    journey.gooddata.state.users.get('paul')?.relationships['userGroups']?.push({ id: 'byhand', type: 'userGroup' });
    says('paul', { [GROUPS]: [] });
    await logIn('paul');
    expect(user('paul')?.groups).toEqual(['byhand']);
  });

  it('leaves memberships as they are when the claim is absent', async () => {
    says('rosa', { [GROUPS]: ['sales'] });
    await logIn('rosa');
    says('rosa', { given_name: 'Rosalie' });
    await logIn('rosa');
    expect(user('rosa')).toMatchObject({ firstname: 'Rosalie', groups: ['sales'] });
  });

  it('takes one text as one group, without splitting it', async () => {
    says('sven', { [GROUPS]: 'sales,finance' });
    await logIn('sven');
    expect(user('sven')?.groups).toEqual([expect.stringMatching(/^sales-finance-[0-9a-f]{8}$/)]);
  });

  it('makes a group that vanished in the backend again', async () => {
    says('tina', { [GROUPS]: ['fleeting'] });
    await logIn('tina');
    journey.gooddata.state.userGroups.delete('fleeting');
    journey.gooddata.state.users.get('tina')?.relationships['userGroups']?.splice(0);
    await logIn('tina');
    expect(user('tina')?.groups).toEqual(['fleeting']);
    expect(journey.gooddata.state.userGroups.has('fleeting')).toBe(true);
  });
});

describe('calls to GoodData', () => {
  it('asks once and writes nothing when nothing changed', async () => {
    says('ute', { [GROUPS]: ['sales'] });
    await logIn('ute');
    const from = journey.gooddata.requests.length;
    await logIn('ute');
    expect(apiCalls(from)).toEqual(['GET /api/v1/entities/users/ute']);
  });

  it('writes one PATCH with what changed, and nothing else', async () => {
    says('vera', { [GROUPS]: ['sales'] });
    await logIn('vera');
    const from = journey.gooddata.requests.length;
    says('vera', { [GROUPS]: ['sales'], family_name: 'Vogel' });
    await logIn('vera');
    // Read three times: to see whether anything changed, as something did once more when nobody else can write, and to see
    // who has the id.
    const read = 'GET /api/v1/entities/users/vera';
    expect(apiCalls(from)).toEqual([read, read, read, 'PATCH /api/v1/entities/users/vera']);
    const patch = journey.gooddata.requests.slice(from).find(({ method }) => method === 'PATCH');
    expect(patch?.body).toEqual({ data: { id: 'vera', type: 'user', attributes: { lastname: 'Vogel' } } });
  });
});
