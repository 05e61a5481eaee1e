import { refusalOn } from './browser.ts';
import { claimsOf, person, roleId, SUPERSET, supersetPeople, supersetRow, supersetUser } from './company.ts';
import { type Journey, startJourney } from './harness.ts';

// The same rows in front of Superset, where user names, mandatory fields and unique e-mails make them harder.
let journey: Journey;

beforeAll(async () => {
  journey = await startJourney({ people: [person('first')], sections: SUPERSET });
});
afterAll(() => journey.close());

const says = (sub: string, claims: Record<string, unknown> = {}) => journey.idp.setClaims(sub, claimsOf(sub, claims));
const user = (name: string) => supersetUser(journey.superset.state, name);
const row = (name: string) => supersetRow(journey.superset.state, name);
const role = (name: string) => roleId(journey.superset.state, name);
const logIn = async (sub: string) => {
  const page = await journey.logIn(sub, '/superset/welcome/');
  expect({ status: page.status, code: refusalOn(page).code }).toEqual({ status: 200, code: '' });
  return page;
};
const apiCalls = (from: number) =>
  journey.superset.requests
    .slice(from)
    .filter(({ path }) => path.startsWith('/api/v1/security/'))
    .map(({ method, path }) => `${method} ${path.split('?')[0]}`);

describe('claims and the account in Superset', () => {
  it('creates the user on demand with names, e-mail, roles and groups', async () => {
    says('s-1', {
      preferred_username: 'Ann',
      given_name: 'Ann',
      email: 'ann@acme.test',
      groups: ['analysts', 'team-a'],
    });
    const page = await logIn('s-1');
    expect(user('ann')).toMatchObject({
      first_name: 'Ann',
      last_name: 'Adams',
      email: 'ann@acme.test',
      active: true,
      roles: ['Alpha', 'Gamma'],
      groups: ['team-a'],
    });
    expect(page.text).toContain('Welcome, Ann Adams');
  });

  it('updates what a claim that is there says', async () => {
    says('ben');
    await logIn('ben');
    says('ben', { given_name: 'Benjamin', family_name: 'Brown', email: 'benjamin@acme.test' });
    await logIn('ben');
    expect(user('ben')).toMatchObject({ first_name: 'Benjamin', last_name: 'Brown', email: 'benjamin@acme.test' });
  });

  it('leaves alone what a claim that is not there would say', async () => {
    says('cleo', { groups: ['analysts', 'team-a'] });
    await logIn('cleo');
    const before = user('cleo');
    says('cleo', { given_name: undefined, family_name: undefined, preferred_username: undefined });
    await logIn('cleo');
    expect(user('cleo')).toEqual(before);
  });

  it('does not clear a name that is sent empty, because Superset demands one', async () => {
    says('dora');
    await logIn('dora');
    says('dora', { family_name: '' });
    await logIn('dora');
    expect(user('dora')).toMatchObject({ first_name: 'Dora', last_name: 'Adams' });
  });

  it('makes the names of a new user from what there is when they are missing', async () => {
    says('finn', { given_name: undefined, family_name: undefined });
    await logIn('finn');
    expect(user('finn')).toMatchObject({ first_name: 'finn', last_name: 'finn' });
  });

  it('never changes user name and id, whatever else changes', async () => {
    says('hugo');
    await logIn('hugo');
    const { id } = row('hugo');
    says('hugo', { given_name: 'Ugo', email: 'ugo@acme.test', preferred_username: 'ugo' });
    await logIn('hugo');
    expect(user('hugo')).toMatchObject({ id, first_name: 'Ugo', email: 'ugo@acme.test' });
    expect(supersetPeople(journey.superset.state)).not.toContain('ugo');
  });

  it('gives a second person of the same user name the next candidate', async () => {
    says('jo-1', { preferred_username: 'jo', email: 'jo@acme.test' });
    says('jo-2', { preferred_username: 'JO', email: 'jo.two@acme.test' });
    await logIn('jo-1');
    await logIn('jo-2');
    expect(user('jo')?.email).toBe('jo@acme.test');
    expect(user('jo.two@acme.test')).toMatchObject({ active: true });
  });

  it('links an account that was there by verified e-mail of a listed domain, and keeps its roles', async () => {
    const id = 50;
    const texts = { username: 'iris.old', first_name: 'I.', last_name: 'A.', email: 'iris@acme.test', password: 'x' };
    const rest = { id, active: true, roles: [role('sql_lab')], groups: [], login_count: 3, owns: 1 };
    journey.superset.state.users.set(id, { ...texts, ...rest });
    says('iris', { groups: [] });
    await logIn('iris');
    expect(user('iris.old')).toMatchObject({ id, first_name: 'Iris', roles: ['Gamma', 'sql_lab'] });
    expect(user('iris')).toBeUndefined();
  });

  it('does not take over an account by an e-mail that nobody verified', async () => {
    says('iris-2', { email: 'iris@acme.test', email_verified: false });
    const page = await journey.logIn('iris-2', '/superset/welcome/');
    expect(refusalOn(page)).toMatchObject({ status: 409, code: 'account_taken' });
    expect(user('iris-2')).toBeUndefined();
  });
});

describe('roles and groups in Superset', () => {
  it('creates a group that does not exist, empty', async () => {
    says('kim', { groups: ['team-new'] });
    await logIn('kim');
    const group = [...journey.superset.state.groups.values()].find(({ name }) => name === 'team-new');
    expect(group).toMatchObject({ roles: [] });
    expect(user('kim')?.groups).toEqual(['team-new']);
  });

  it('moves a person from one group to another and takes a role of ours away', async () => {
    says('mia', { groups: ['analysts', 'team-old'] });
    await logIn('mia');
    says('mia', { groups: ['team-new'] });
    await logIn('mia');
    expect(user('mia')).toMatchObject({ roles: ['Gamma'], groups: ['team-new'] });
  });

  it('keeps a role that was given by hand', async () => {
    says('nils', { groups: ['analysts'] });
    await logIn('nils');
    row('nils').roles.push(role('sql_lab'));
    says('nils', { groups: [] });
    await logIn('nils');
    expect(user('nils')?.roles).toEqual(['Gamma', 'sql_lab']);
  });

  it('takes a claim of [] as member of none, and removes managed ones only', async () => {
    says('paul', { groups: ['analysts', 'team-a', 'team-b'] });
    await logIn('paul');
    says('paul', { groups: [] });
    await logIn('paul');
    expect(user('paul')).toMatchObject({ roles: ['Gamma'], groups: [] });
  });

  it('leaves roles and groups as they are when the claim is absent', async () => {
    says('rosa', { groups: ['analysts', 'team-a'] });
    await logIn('rosa');
    says('rosa', { given_name: 'Rosalie' });
    await logIn('rosa');
    expect(user('rosa')).toMatchObject({ first_name: 'Rosalie', roles: ['Alpha', 'Gamma'], groups: ['team-a'] });
  });

  it('lets nobody in whom somebody switched off in Superset by hand', async () => {
    says('sven');
    await logIn('sven');
    row('sven').active = false;
    const page = await journey.logIn('sven', '/superset/welcome/');
    expect(refusalOn(page)).toMatchObject({ status: 403, code: 'account_disabled' });
    expect(user('sven')?.active).toBe(false);
  });
});

describe('calls to Superset', () => {
  it('writes nothing when nothing changed', async () => {
    says('ute', { groups: ['team-a'] });
    await logIn('ute');
    const from = journey.superset.requests.length;
    await logIn('ute');
    expect(apiCalls(from).filter((call) => !call.startsWith('GET '))).toEqual([]);
    expect(apiCalls(from).filter((call) => !call.includes('/users/'))).toEqual([]);
  });
});

describe('with sign_in: header', () => {
  it('signs the person in with Superset’s own cookie, which the browser never sees', async () => {
    const header = `
  superset: { type: superset, url: "\${SUPERSET_URL}", sign_in: header, service_password: service, timeout: 5s }`;
    const other = await startJourney({
      people: [person('ann', { groups: ['analysts'] })],
      sections: { ...SUPERSET, targets: header },
      supersetSignIn: 'header',
    });
    try {
      const browser = other.browser();
      const page = await browser.logIn(`${other.url}/superset/welcome/`, 'ann');
      expect(page.text).toContain('Welcome, Ann Adams');
      expect(browser.cookie(other.url, 'session')).toBeUndefined();
      expect(supersetUser(other.superset.state, 'ann')).toMatchObject({ roles: ['Alpha', 'Gamma'] });
    } finally {
      await other.close();
    }
  });
});
