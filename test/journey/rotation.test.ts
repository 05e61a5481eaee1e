import { createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { SERVICE_ROLE } from '../emulators/superset/state.ts';
import { type Balancer, startBalancer } from './balancer.ts';
import { type Browser, refusalOn } from './browser.ts';
import { BOTH, CLIENT_SECRET, gooddataUser, person, roleId, supersetUser } from './company.ts';
import { type Instance, type Journey, startJourney, until } from './harness.ts';
import { SCIM_TOKEN, scimClient } from './scim-client.ts';

// What docs/operations.md says of secrets that others know too, as it says it: two instances, restarted one after the other
// while people are at work and log in.
const EARLY = ['ann', 'bob', 'cy'];
const FRONT = 'what only the web server and the gateway know';
const HOOK = 'what only the receiver and the gateway know';
const next = (secret: string): string => `next: ${secret}`;

interface Delivery {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}
const deliveries: Delivery[] = [];
const hook = createServer(async (req, res) => {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk);
  deliveries.push({ headers: req.headers, body: Buffer.concat(chunks).toString() });
  res.end();
});

let journey: Journey;
let balancer: Balancer;
let late = 0;
const serving: Instance[] = [];
const browsers = new Map<string, Browser>();

beforeAll(async () => {
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(hook.address() as AddressInfo).port}`;
  journey = await startJourney({
    people: [...EARLY, 'visitor', ...Array.from({ length: 9 }, (_, at) => `late${at}`)].map((sub) =>
      person(sub, { groups: ['team-a'] }),
    ),
    supersetSignIn: 'header',
    sections: {
      ...BOTH,
      targets: `${BOTH['targets']}
    sign_in: header
    service_account: latchgate
    service_password: service`,
      login: `
  acme: { issuer: "\${ISSUER}", client_id: latchgate-journey, client_secret: ${CLIENT_SECRET}, refresh: 1s }`,
      trusted_proxies: '[127.0.0.1]',
      forward_auth: `{ secrets: ["${FRONT}"] }`,
      scim: `{ clients: { okta: { tokens: ["${SCIM_TOKEN}"] } } }`,
      audit: JSON.stringify({
        checkpoint: { every: '0s' },
        deliver: { hook: { type: 'webhook', url, secrets: [HOOK] } },
      }),
    },
    start: false,
  });
  for (const _ of [1, 2]) serving.push(await journey.start({ GATEWAY_LISTEN: '127.0.0.1:0' }));
  balancer = await startBalancer(Number(new URL(journey.url).port), serving);
  for (const sub of EARLY) browsers.set(sub, await logIn(sub));
});
afterAll(async () => {
  await balancer?.close();
  await journey.close();
  hook.closeAllConnections();
  hook.close();
});

async function logIn(sub: string): Promise<Browser> {
  const browser = journey.browser();
  const page = await browser.logIn(`${journey.url}/`, sub);
  const { status } = page;
  if (status !== 200) throw new Error(`${sub} could not log in: ${status} ${refusalOn(page).code}`);
  return browser;
}

/** Somebody who was never here: written to both targets. */
async function logInSomebodyNew(): Promise<void> {
  const sub = `late${late}`;
  late += 1;
  const browser = await logIn(sub);
  expect((await browser.visit(`${journey.url}/superset/welcome/`)).status).toBe(200);
  expect(gooddataUser(journey.gooddata.state, sub)).toMatchObject({ groups: ['team-a'] });
  expect(supersetUser(journey.superset.state, sub)).toMatchObject({ roles: ['Gamma'], groups: ['team-a'] });
}

/** People at work in a backend and in Superset, and one who logs in again and again. Returns what went wrong. */
function busy(): () => Promise<readonly unknown[]> {
  let isOver = false;
  const wrong: unknown[] = [];
  const again = async (work: () => Promise<unknown>) => {
    while (!isOver) {
      const failed = await work().catch(String);
      if (failed !== undefined) wrong.push(failed);
      await sleep(10);
    }
  };
  const working = [...browsers].map(([sub, browser]) =>
    again(async () => {
      for (const path of ['/api/v1/profile', '/superset/welcome/']) {
        const { status, text } = await browser.call(`${journey.url}${path}`);
        if (status !== 200 || !text.includes(sub)) return { sub, path, status, text: text.slice(0, 100) };
      }
      return undefined;
    }),
  );
  working.push(again(async () => void (await (await logIn('visitor')).close())));
  return async () => {
    isOver = true;
    await Promise.all(working);
    return wrong;
  };
}

/** The config that the next start reads: `from` stands in it once. */
function change(from: string, to: string): void {
  const text = readFileSync(journey.configFile, 'utf8');
  expect(text.split(from)).toHaveLength(2);
  writeFileSync(
    journey.configFile,
    text.replace(from, () => to),
  );
}

/** One instance after the other, the other one serving. */
async function restartAll(): Promise<void> {
  for (const instance of [...serving]) {
    serving.splice(serving.indexOf(instance), 1);
    await instance.stop();
    serving.push(await journey.start({ GATEWAY_LISTEN: '127.0.0.1:0' }));
  }
}

async function unnoticed(work: () => Promise<void>): Promise<void> {
  const stop = busy();
  let wrong: readonly unknown[];
  try {
    await work();
    await logInSomebodyNew();
  } finally {
    wrong = await stop();
  }
  expect(wrong).toEqual([]);
}

it('client_secret of a provider that takes two: nobody notices, and the former one is taken out there', async () => {
  await unnoticed(async () => {
    journey.idp.setSecrets(CLIENT_SECRET, next(CLIENT_SECRET));
    change(`client_secret: ${CLIENT_SECRET}`, `client_secret: "${next(CLIENT_SECRET)}"`);
    await restartAll();
    journey.idp.setSecrets(next(CLIENT_SECRET));
  });
}, 60_000);

it('client_secret of a provider that takes one: logins fail until the restart, sessions go on through it', async () => {
  journey.idp.setSecrets('the third');
  const { status, text } = await journey.logIn('visitor');
  expect([status, text]).toEqual([502, expect.stringContaining('provider_misconfigured')]);
  change(`client_secret: "${next(CLIENT_SECRET)}"`, 'client_secret: the third');
  await restartAll();
  for (const [sub, browser] of browsers) {
    const answer = await browser.call(`${journey.url}/.latchgate/userinfo`);
    expect([answer.status, JSON.parse(answer.text).user]).toEqual([200, expect.stringContaining(sub)]);
  }
  await logInSomebodyNew();
}, 60_000);

it('the token of GoodData: a second one until every instance has it', async () => {
  const tokens = journey.gooddata.state.apiTokens.get('admin');
  const [former = ''] = tokens?.keys() ?? [];
  await unnoticed(async () => {
    tokens?.set('second', { id: 'second', attributes: { bearerToken: 'second-token' }, relationships: {} });
    change('${GOODDATA_TOKEN}', 'second-token');
    await restartAll();
    tokens?.delete(former);
  });
  expect([...(tokens?.keys() ?? [])]).toEqual(['second']);
}, 60_000);

it('the password of Superset: a second service account until every instance signs in by it', async () => {
  const { users } = journey.superset.state;
  await unnoticed(async () => {
    const names = { username: 'latchgate_b', first_name: 'Second', last_name: 'Account', email: 'b@superset.invalid' };
    const roles = [roleId(journey.superset.state, SERVICE_ROLE)];
    const rest = { active: true, password: 'another', groups: [], login_count: null, owns: 0 };
    users.set(900, { id: 900, ...names, ...rest, roles });
    change('service_account: latchgate', 'service_account: latchgate_b');
    change('service_password: service', 'service_password: another');
    await restartAll();
    const former = [...users.values()].find(({ username }) => username === 'latchgate');
    users.delete(former?.id ?? -1);
  });
  expect([...users.values()].map(({ username }) => username)).not.toContain('latchgate');
}, 60_000);

it('a SCIM token of the config: both hold until the client has the second', async () => {
  const second = 'okta-token-that-only-tests-know-too-012345678';
  const status = async (token: string) => (await scimClient(journey.url, token).call('GET', '/Users')).status;
  const statuses: number[] = [];
  let isOver = false;
  let held = SCIM_TOKEN;
  const client = (async () => {
    for (; !isOver; await sleep(10)) statuses.push(await status(held));
  })();
  await unnoticed(async () => {
    change(`"${SCIM_TOKEN}"`, `"${SCIM_TOKEN}", "${second}"`);
    await restartAll();
    held = second;
    await sleep(50);
    change(`"${SCIM_TOKEN}", "${second}"`, `"${second}"`);
    await restartAll();
  });
  isOver = true;
  await client;
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(await status(SCIM_TOKEN)).toBe(401);
}, 60_000);

it('forward_auth.secrets: both are believed until the web server has the second', async () => {
  const cookie = `latchgate=${browsers.get('ann')?.cookie(journey.url, 'latchgate')}`;
  const asserted = async (secret: string) => {
    const { url } = serving[0] as Instance;
    const original = { 'x-original-method': 'GET', 'x-original-uri': '/api/v1/profile' };
    const answer = await fetch(`${url}/.latchgate/auth`, {
      headers: { cookie, 'x-latchgate-secret': secret, ...original },
    });
    // What signs in at GoodData is told with the secret alone.
    return [answer.status, answer.headers.get('authorization')?.startsWith('Bearer ')];
  };
  const before = await asserted(FRONT);
  expect(before).toEqual([202, true]);
  await unnoticed(async () => {
    change(`"${FRONT}"`, `"${FRONT}", "${next(FRONT)}"`);
    await restartAll();
    for (const secret of [FRONT, next(FRONT)]) expect(await asserted(secret)).toEqual(before);
    change(`"${FRONT}", "${next(FRONT)}"`, `"${next(FRONT)}"`);
    await restartAll();
  });
  expect(await asserted(next(FRONT))).toEqual(before);
  expect(await asserted(FRONT)).toEqual([202, false]);
}, 60_000);

it('audit.deliver.NAME.secrets: both sign until the receiver has the second, and every record arrives once signed', async () => {
  const holds = ({ headers, body }: Delivery, secret: string) => {
    const text = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    return String(headers['webhook-signature']).includes(createHmac('sha256', secret).update(text).digest('base64'));
  };
  const delivered = (secrets: readonly string[]) =>
    until(
      `a delivery signed by ${secrets.length}`,
      () => deliveries.slice(-1).some((one) => secrets.every((secret) => holds(one, secret))) || undefined,
    );
  await unnoticed(async () => {
    await delivered([HOOK]);
    change(`"${HOOK}"`, `"${HOOK}", "${next(HOOK)}"`);
    await restartAll();
    await delivered([HOOK, next(HOOK)]);
    change(`"${HOOK}", "${next(HOOK)}"`, `"${next(HOOK)}"`);
    await restartAll();
    await delivered([next(HOOK)]);
  });
  expect(deliveries.every((one) => holds(one, HOOK) || holds(one, next(HOOK)))).toBe(true);
  const seen = deliveries.flatMap(({ body }) =>
    (JSON.parse(body) as { data: { seq: number } }[]).map(({ data }) => data.seq),
  );
  const most = Math.max(...seen);
  expect(new Set(seen).size).toBe(most);
}, 60_000);
