import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { claimsOf, person, roleId, SUPERSET, supersetRow } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';

// Beside a Superset that people use as it is: what we would do, and not one write.
const PEOPLE = ['ann', 'bob', 'cid', 'dan', 'eve'];
let journey: Journey;
let untouched: string;

beforeAll(async () => {
  journey = await startJourney({
    people: [...PEOPLE.map((sub) => person(sub)), person('sue', { groups: ['suspended'] })],
    supersetSignIn: 'header',
    sections: {
      ...SUPERSET,
      mode: 'shadow',
      rules: `
  suspended: { when: { groups: suspended }, deny: Your access is suspended. }
  everybody: { grant: { superset: { roles: [Gamma] } } }`,
      targets: '{ superset: { type: superset, url: "${SUPERSET_URL}", sign_in: header, service_password: service } }',
      safety: '{ never_touch: [admin] }',
    },
  });
  const { state } = journey.superset;
  for (const [at, sub] of ['ann', 'bob', 'cid', 'sue'].entries()) {
    const claims = claimsOf(sub);
    const id = 100 + at;
    const names = {
      first_name: String(claims['given_name']),
      last_name: String(claims['family_name']),
      email: String(claims['email']),
    };
    state.users.set(id, {
      id,
      username: sub,
      ...names,
      active: true,
      password: 'x',
      roles: [roleId(state, 'Gamma')],
      groups: [],
      login_count: 1,
      owns: 0,
    });
  }
  supersetRow(state, 'bob').roles.push(roleId(state, 'Alpha'));
  supersetRow(state, 'cid').last_name = 'Other';
  untouched = JSON.stringify([...state.users]);
});
afterAll(() => journey.close());

interface Row {
  readonly kind: string;
  readonly account?: string;
}

async function differences(): Promise<string[]> {
  const { out, err } = await journey.cli('drift', '--json');
  if (out === '') throw new Error(err);
  return (JSON.parse(out) as { rows: Row[] }).rows.map(({ kind, account }) => `${kind} ${account}`).sort();
}

it('passes requests on as they are: who is signed in is the backend’s to say', async () => {
  const before = journey.superset.requests.length;
  const answer = await fetch(`${journey.url}/api/v1/me/`, {
    headers: { Cookie: 'session=of-the-backend', 'X-Forwarded-User': 'admin' },
  });
  expect(answer.status).toBe(401);
  expect(
    journey.superset.requests.slice(before).flatMap(({ path, user }) => (path === '/api/v1/me/' ? [[path, user]] : [])),
  ).toEqual([['/api/v1/me/', undefined]]);
});

it('hears of people by logins at the gateway and by claims that were recorded, whatever the rules say of them', async () => {
  // The backend answers both: 401, as it has its own login.
  for (const sub of ['ann', 'sue']) {
    const page = await journey.logIn(sub, '/.latchgate/login?rd=/api/v1/me/');
    expect([page.status, new URL(String(page.url)).pathname]).toEqual([401, '/api/v1/me/']);
  }
  const { out: sessions } = await journey.cli('sessions', 'list');
  expect(sessions).toContain('ann');
  expect(sessions).not.toContain('sue');
  expect((await journey.logIn('sue', '/.latchgate/login?rd=/.latchgate/me')).status).toBe(403);
  const file = join(journey.folder, 'claims.ndjson');
  writeFileSync(file, ['bob', 'cid', 'dan'].map((sub) => `${JSON.stringify({ sub, ...claimsOf(sub) })}\n`).join(''));
  const fed = await journey.cli('shadow', 'feed', '--origin', 'acme', '--claims', file);
  expect([fed.code, fed.out]).toEqual([0, expect.stringMatching(/^3 taken, 0 not/)]);
  expect(await journey.cli('users', 'list')).toMatchObject({ out: expect.stringContaining('dan@acme.test') });
});

it('says exactly what differs', async () => {
  expect(await differences()).toEqual([
    'account_not_made dan',
    'account_shut_out sue',
    'entitlement_by_hand bob',
    'profile_changed cid',
  ]);
  const { code, out } = await journey.cli('drift');
  expect(code).toBe(10);
  expect(out).not.toContain('latchgate drift repair');
});

it('says at each login what would be done: in the log, and as a metric', async () => {
  const line = await until('the log', () => journey.log.find((one) => one.includes('this would be done')));
  expect(line).not.toContain('acme.test');
  expect(await (await fetch(`${journey.admin()}/metrics`)).text()).toContain(
    '# TYPE latchgate_shadow_changes_total counter',
  );
});

it('refuses what would write or claim something: adopt, drift repair, apply', async () => {
  for (const args of [
    ['adopt', '--apply'],
    ['drift', 'repair', '--all'],
    ['drift', 'adopt', '--all'],
  ]) {
    expect(await journey.cli(...args)).toMatchObject({ code: 1, err: expect.stringMatching(/^shadow_mode: /) });
  }
});

it('has written nothing to the target, and holds nothing for its own', async () => {
  expect((await journey.cli('users', 'disable', 'ann@acme.test')).code).toBe(0);
  expect(JSON.stringify([...journey.superset.state.users])).toBe(untouched);
  const writes = journey.superset.requests.filter(
    ({ method, path }) => method !== 'GET' && !path.endsWith('/security/login'),
  );
  expect(writes).toEqual([]);
  const { out } = await journey.cli('users', 'show', 'bob@acme.test', '--json');
  expect(JSON.parse(out)).toMatchObject({ accounts: [], grants: [] });
});
