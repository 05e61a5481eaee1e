import { type IncomingHttpHeaders, request } from 'node:http';
import { decodeJwt } from 'jose';
import { SUPERSET, supersetUser } from '../journey/company.ts';
import { type Journey, startJourney, until } from '../journey/harness.ts';
import { keycloakPassword, type RunningKeycloak, startKeycloak } from '../services/keycloak.ts';

// API clients with access tokens as a real Keycloak makes them: of a service account, and of a person.

const AUDIENCE = 'latchgate-api';
const SECRET = 'a secret that only tests know';

let keycloak: RunningKeycloak;
let journey: Journey;

beforeAll(async () => {
  keycloak = await startKeycloak({ gatewayUrl: 'http://127.0.0.1:9', loginName: 'acme' });
  await addClient('robot', [audienceMapper()]);
  await addClient('stranger', []);
  const { id, secret } = keycloak.client;
  journey = await startJourney({
    issuer: keycloak.issuer,
    sections: {
      ...SUPERSET,
      identity: '{ require: [] }',
      login: `
  acme:
    issuer: "\${ISSUER}"
    client_id: ${id}
    client_secret: ${secret}
    claims: { groups: groups }
    bearer: { audience: [${AUDIENCE}] }`,
    },
  });
});
afterAll(async () => {
  await journey?.close();
  await keycloak?.stop();
});

function audienceMapper(): object {
  return {
    name: 'audience',
    protocol: 'openid-connect',
    protocolMapper: 'oidc-audience-mapper',
    config: { 'included.custom.audience': AUDIENCE, 'access.token.claim': 'true', 'id.token.claim': 'false' },
  };
}

async function addClient(clientId: string, protocolMappers: readonly object[]): Promise<void> {
  const answer = await fetch(`${keycloak.adminUrl}/clients`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await keycloak.admin.token()}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      clientId,
      secret: SECRET,
      publicClient: false,
      serviceAccountsEnabled: true,
      directAccessGrantsEnabled: true,
      standardFlowEnabled: false,
      protocolMappers,
    }),
  });
  if (answer.status !== 201) throw new Error(`keycloak: client ${clientId}: ${answer.status} ${await answer.text()}`);
}

async function tokens(clientId: string, grant: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const answer = await fetch(`${keycloak.issuer}/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: clientId, client_secret: SECRET, ...grant }),
  });
  if (!answer.ok) throw new Error(`keycloak: no token: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Record<string, string>;
}

const ofPerson = (username: string) =>
  tokens('robot', { grant_type: 'password', scope: 'openid', username, password: keycloakPassword(username) });

function call(token = ''): Promise<{ readonly status: number; readonly headers: IncomingHttpHeaders; text: string }> {
  return new Promise((resolve, reject) => {
    const url = new URL('/superset/welcome/', journey.url);
    const req = request(url, { headers: { authorization: `Bearer ${token}` } }, (res) => {
      let text = '';
      res.on('data', (chunk) => {
        text += chunk;
      });
      res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, text }));
    });
    req.on('error', reject);
    req.end();
  });
}

it('a person gets in by an access token, with the account of that person', async () => {
  const { access_token: token } = await ofPerson('alice');
  expect(decodeJwt(token ?? '')).toMatchObject({ typ: 'Bearer', aud: expect.arrayContaining([AUDIENCE]) });
  expect((await call(token)).status).toBe(200);
  expect(supersetUser(journey.superset.state, 'alice')).toMatchObject({ active: true });
});

it('neither the ID token nor the refresh token of the same answer is one', async () => {
  const { id_token: idToken, refresh_token: refreshToken } = await ofPerson('alice');
  for (const token of [idToken, refreshToken]) {
    const answer = await call(token);
    expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, 'Bearer error="invalid_token"']);
  }
});

it('a token for another audience is none', async () => {
  const { access_token: token } = await tokens('stranger', { grant_type: 'client_credentials' });
  expect((await call(token)).status).toBe(401);
});

it('a service account, which has no e-mail, is told that its profile is not enough for Superset', async () => {
  const { access_token: token } = await tokens('robot', { grant_type: 'client_credentials' });
  const answer = await call(token);
  expect([answer.status, JSON.parse(answer.text).error]).toEqual([403, 'profile_incomplete']);
});

it('a token that was ended stays so; a new one gets in', async () => {
  const { access_token: token } = await ofPerson('bob');
  expect((await call(token)).status).toBe(200);
  await journey.cli('sessions', 'end', '--user', 'bob');
  await until('the end', async () => (await call(token)).status === 401 || undefined);
  const { access_token: fresh } = await ofPerson('bob');
  expect((await call(fresh)).status).toBe(200);
});
