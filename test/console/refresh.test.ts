import { setTimeout as sleep } from 'node:timers/promises';
import { CLIENT_ID, CLIENT_SECRET, claimsOf } from '../journey/company.ts';
import { freePort } from '../services/child.ts';
import { type ConsoleStage, reasonOn, Seat, startConsoleStage, tokenOn } from './stage.ts';

/** Longer than the interval. */
const DUE_MS = 1_100;

let stage: ConsoleStage;
let other: string;
beforeAll(async () => {
  const login = `
  acme: { issuer: "\${ISSUER}", client_id: ${CLIENT_ID}, client_secret: ${CLIENT_SECRET}, refresh: 1s }`;
  const second = await freePort();
  other = `127.0.0.1:${second}`;
  stage = await startConsoleStage({ sections: { login, admin_listen: '"${ADMIN_LISTEN}"' }, start: false });
  await stage.journey.start({ ADMIN_LISTEN: new URL(stage.admin).host });
  await stage.journey.start({ ADMIN_LISTEN: other, GATEWAY_LISTEN: '127.0.0.1:0' });
});
afterAll(() => stage.close());

it('takes a role that the provider does not give any more: the very next request finds it gone', async () => {
  const olga = await Seat.of(stage, 'olga');
  const token = tokenOn(await olga.visit('/'));
  stage.journey.idp.setClaims('olga', claimsOf('olga', { groups: ['bi-viewers'] }));
  await sleep(DUE_MS);
  const act = await olga.send('/sessions/end', { token });
  expect([act.status, reasonOn(act)]).toEqual([403, 'operator_viewer']);
  stage.journey.idp.setClaims('olga', claimsOf('olga', { groups: ['team-a'] }));
  await sleep(DUE_MS);
  const gone = await olga.browser.visit(`${stage.admin}/people`, { follow: false });
  expect([gone.status, reasonOn(gone)]).toEqual([403, 'operator_only']);
  const back = await olga.visit('/people');
  expect([back.status, reasonOn(back), back.url.origin]).toEqual([403, 'operator_only', stage.journey.url]);
});

it('goes on at another instance, with the same cookie and the same forms', async () => {
  const vera = await Seat.of(stage, 'vera');
  const token = tokenOn(await vera.visit('/'));
  const cookie = `latchgate-console=${vera.browser.cookie(stage.admin, 'latchgate-console')}`;
  const headers = { cookie, host: new URL(stage.admin).host };
  const elsewhere = stage.journey.browser();
  const page = await elsewhere.visit(`http://${other}/people`, { headers, follow: false });
  expect([page.status, tokenOn(page)]).toEqual([200, token]);
  await elsewhere.visit(`http://${other}/logout`, {
    method: 'POST',
    form: { token },
    headers: { ...headers, origin: stage.admin, 'sec-fetch-site': 'same-origin' },
    follow: false,
  });
  const { status } = await vera.browser.visit(`${stage.admin}/people`, { follow: false });
  expect(status).toBe(302);
});
