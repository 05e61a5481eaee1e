import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createCredentials } from '../../src/login/oidc-client.ts';
import { type OidcEmulator, startOidcProvider } from '../emulators/oidc/provider.ts';
import { freePort } from '../services/child.ts';
import { type Balancer, startBalancer } from './balancer.ts';
import type { Browser } from './browser.ts';
import { CLIENT_ID, GOODDATA, person } from './company.ts';
import { type Instance, type Journey, startJourney, until } from './harness.ts';

// What docs/operations.md says of the key of private_key_jwt: the provider knows two while instances are restarted.
function newPem(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}
const [former, next] = [newPem(), newPem()];
const publicKeysOf = async (...pems: readonly string[]) =>
  (await Promise.all(pems.map((private_key) => createCredentials('acme', { private_key }).publicKeys()))).flat();

/** Public keys that were registered at the provider. */
let registered = [former, next];
const keys = createServer(async (_req, res) => {
  res.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'max-age=0' });
  res.end(JSON.stringify({ keys: await publicKeysOf(...registered) }));
});

let idp: OidcEmulator;
let journey: Journey;
let balancer: Balancer;
const serving: Instance[] = [];

beforeAll(async () => {
  await new Promise<void>((resolve) => keys.listen(0, '127.0.0.1', resolve));
  const port = await freePort();
  journey = await startJourney({
    issuer: `http://127.0.0.1:${port}`,
    sections: {
      ...GOODDATA,
      login: `
  acme: { issuer: "\${ISSUER}", client_id: ${CLIENT_ID}, private_key: ${JSON.stringify(former)}, refresh: 1s }`,
    },
    start: false,
  });
  const jwksUri = `http://127.0.0.1:${(keys.address() as AddressInfo).port}/keys`;
  const redirectUris = [`${journey.url}/.latchgate/callback/acme`];
  idp = await startOidcProvider({
    port,
    people: ['ann', 'bob'].map((sub) => person(sub, { groups: ['team-a'] })),
    clients: [{ id: CLIENT_ID, jwksUri, redirectUris }],
  });
  for (const _ of [1, 2]) serving.push(await journey.start({ GATEWAY_LISTEN: '127.0.0.1:0' }));
  balancer = await startBalancer(Number(new URL(journey.url).port), serving);
});
afterAll(async () => {
  await balancer?.close();
  await journey.close();
  await idp?.close();
  keys.closeAllConnections();
  keys.close();
});

async function logIn(): Promise<Browser> {
  const browser = journey.browser();
  expect((await browser.logIn(`${journey.url}/`, 'bob')).status).toBe(200);
  return browser;
}

it('private_key: registered beside the former one, then changed at one instance after the other', async () => {
  const here = [await logIn()];
  const text = readFileSync(journey.configFile, 'utf8');
  const changed = text.replace(JSON.stringify(former), () => JSON.stringify(next));
  expect(changed).not.toBe(text);
  writeFileSync(journey.configFile, changed);
  for (const instance of [...serving]) {
    serving.splice(serving.indexOf(instance), 1);
    await instance.stop();
    serving.push(await journey.start({ GATEWAY_LISTEN: '127.0.0.1:0' }));
    // One at each instance.
    here.push(await logIn(), await logIn());
  }
  registered = [next];
  const refreshes = idp.refreshes;
  here.push(await logIn());
  for (const browser of here) expect((await browser.call(`${journey.url}/api/v1/profile`)).status).toBe(200);
  // A session from before is checked by the new key.
  await until('a check', async () => {
    expect((await here[0]?.call(`${journey.url}/api/v1/profile`))?.status).toBe(200);
    return idp.refreshes > refreshes || undefined;
  });
  const failed = journey.log.filter((line) => /"level":"(?:warn|error)"/.test(line) && line.includes('provider_'));
  expect(failed).toEqual([]);
}, 60_000);
