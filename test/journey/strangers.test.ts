import { request } from 'undici';
import { CLIENT_ID, CLIENT_SECRET, GOODDATA, person } from './company.ts';
import { type Journey, startJourney } from './harness.ts';

/*
 * Hundreds of callbacks with made-up answers, such as any page can make browsers send (`<img>`), from the address that
 * everybody else comes from too: a company's, or that of a proxy in front.
 */

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const login = `
  acme: { issuer: "\${ISSUER}", client_id: ${CLIENT_ID}, client_secret: ${CLIENT_SECRET} }`;
const FROM_A_PAGE = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' };

let journey: Journey;

beforeAll(async () => {
  const people = ['alice', 'bob'].map((sub) => person(sub, { groups: ['team-a'] }));
  journey = await startJourney({ people, sections: { ...GOODDATA, login } });
});
afterAll(() => journey.close());

async function statusOf(path: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const answer = await request(journey.url + path, { headers: { accept: 'application/json', ...headers } });
  await answer.body.dump();
  return answer.statusCode;
}

/** As the provider tells it. */
async function logout(about: object): Promise<number> {
  const iat = Math.floor(Date.now() / 1_000);
  const usual = { iss: journey.idp.issuer, aud: CLIENT_ID, iat, exp: iat + 120, jti: `of ${JSON.stringify(about)}` };
  const token = await journey.idp.sign({ ...usual, events: { [EVENT]: {} }, ...about }, { typ: 'logout+jwt' });
  const answer = await request(`${journey.url}/.latchgate/backchannel-logout/acme`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ logout_token: token }).toString(),
  });
  await answer.body.dump();
  return answer.statusCode;
}

it('keep neither a logout of the provider nor a login of anybody out', async () => {
  const alice = journey.browser();
  expect((await alice.logIn(`${journey.url}/`, 'alice')).status).toBe(200);
  const cookie = `latchgate=${alice.cookie(journey.url, 'latchgate')}`;
  expect(await statusOf('/api/v1/profile', { cookie })).toBe(200);
  let status = 0;
  for (let n = 0; n < 2_000 && status !== 429; n += 1) {
    status = await statusOf(`/.latchgate/callback/acme?state=${n}`, FROM_A_PAGE);
  }
  expect(status).toBe(429);
  expect(await logout({ sub: 'alice' })).toBe(200);
  expect(await statusOf('/api/v1/profile', { cookie })).toBe(401);
  expect((await journey.browser().logIn(`${journey.url}/`, 'bob')).status).toBe(200);
});
