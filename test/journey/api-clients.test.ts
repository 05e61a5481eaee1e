import { type IncomingHttpHeaders, request } from 'node:http';
import { startTokenIssuer, type TokenIssuer } from '../emulators/token-issuer.ts';
import { BOTH, CLIENT_ID, GOODDATA, gooddataPeople, gooddataUser, supersetPeople, supersetUser } from './company.ts';
import { type Instance, type Journey, startJourney, until } from './harness.ts';
import { openAll, startOpenBackend } from './open-work.ts';

const PROFILE = { given_name: 'Report', family_name: 'Robot', email: 'robot@acme.test', email_verified: true };

interface Called {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

describe('an API client with access tokens of the provider', () => {
  let issuer: TokenIssuer;
  let journey: Journey;
  let second: Instance;

  beforeAll(async () => {
    issuer = await startTokenIssuer();
    journey = await startJourney({
      issuer: issuer.issuer,
      sections: {
        ...BOTH,
        login: `
  acme:
    issuer: "\${ISSUER}"
    client_id: ${CLIENT_ID}
    client_secret: a secret that only tests know
    groups_absent: empty
    bearer: { audience: [latchgate-api], scopes: [bi.read] }`,
        rules: `
  suspended:
    when: { groups: suspended }
    deny: Ask somebody.
${BOTH['rules']?.replace(/^\n/, '')}`,
      },
    });
    second = await journey.start({ GATEWAY_LISTEN: '127.0.0.1:0' });
  });
  afterAll(async () => {
    await journey.close();
    await issuer.close();
  });

  /** As a program calls: no browser's headers, and one connection each. `at`: the instance, under the public host. */
  function call(token: string | undefined, path = '/superset/welcome/', at = journey.url, method = 'GET') {
    const { port } = new URL(at);
    const { host } = new URL(journey.url);
    const headers = { host, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
    return new Promise<Called>((resolve, reject) => {
      const req = request({ port, host: '127.0.0.1', path, method, headers }, (res) => {
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

  it('gets an account in each target at its first call, as a person would', async () => {
    const answer = await call(issuer.token({ sub: 'robot', ...PROFILE, groups: ['team-a'] }));
    expect(answer.status).toBe(200);
    expect(answer.headers['set-cookie'] ?? []).not.toContainEqual(expect.stringContaining('latchgate'));
    expect(supersetPeople(journey.superset.state)).toEqual(['robot@acme.test']);
    expect(supersetUser(journey.superset.state, 'robot@acme.test')).toMatchObject({
      first_name: 'Report',
      groups: ['team-a'],
      roles: ['Gamma'],
    });
    await until('GoodData', () => gooddataPeople(journey.gooddata.state).length === 1 || undefined);
    expect(gooddataUser(journey.gooddata.state, 'robot')).toMatchObject({ groups: ['team-a'] });
  });

  it('keeps what an access token does not speak of, and changes what it does', async () => {
    expect((await call(issuer.token({ sub: 'robot' }))).status).toBe(200);
    expect(supersetUser(journey.superset.state, 'robot@acme.test')?.groups).toEqual(['team-a']);
    expect((await call(issuer.token({ sub: 'robot', groups: ['team-b'] }))).status).toBe(200);
    expect(supersetUser(journey.superset.state, 'robot@acme.test')?.groups).toEqual(['team-b']);
  });

  it('that is no person and has no e-mail is refused, as the config asks for one', async () => {
    const answer = await call(issuer.token({ sub: 'service-account-1', preferred_username: 'service-account-1' }));
    expect([answer.status, JSON.parse(answer.text).error]).toEqual([403, 'email_missing']);
    const why = await journey.cli('why', JSON.parse(answer.text).request_id);
    expect(why.out).toContain('email_missing');
    expect(supersetPeople(journey.superset.state)).toEqual(['robot@acme.test']);
  });

  it('that a rule shuts out, or without the scope, is refused', async () => {
    const suspended = await call(
      issuer.token({ sub: 'sue', ...PROFILE, email: 'sue@acme.test', groups: ['suspended'] }),
    );
    expect([suspended.status, JSON.parse(suspended.text).error]).toEqual([403, 'denied_by_rule']);
    const narrow = await call(issuer.token({ sub: 'robot', scope: 'openid' }));
    expect([narrow.status, narrow.headers['www-authenticate']]).toEqual([
      403,
      'Bearer error="insufficient_scope", scope="bi.read"',
    ]);
    const bad = await call(issuer.token({ sub: 'robot' }, {}, 'wrong-key'));
    expect([bad.status, bad.headers['www-authenticate']]).toEqual([401, 'Bearer error="invalid_token"']);
    const idToken = await call(issuer.token({ sub: 'robot', aud: CLIENT_ID, nonce: 'n' }, { typ: 'JWT' }));
    expect(idToken.status).toBe(401);
    expect((await call(undefined)).headers['www-authenticate']).toBe('Bearer');
  });

  it('is listed among the sessions, and ends with them on every instance, for good', async () => {
    const token = issuer.token({ sub: 'robot' });
    expect((await call(token)).status).toBe(200);
    expect((await call(token, '/superset/welcome/', second.url)).status).toBe(200);
    expect((await journey.cli('sessions', 'list')).out).toContain('acme');
    await journey.cli('sessions', 'end', '--user', 'robot@acme.test');
    for (const at of [journey.url, second.url]) {
      await until('the end', async () => (await call(token, '/superset/welcome/', at)).status === 401 || undefined);
      expect((await call(token, '/superset/welcome/', at)).headers['www-authenticate']).toBe(
        'Bearer error="invalid_token"',
      );
    }
    const third = await journey.start({ GATEWAY_LISTEN: '127.0.0.1:0' });
    expect((await call(token, '/superset/welcome/', third.url)).status).toBe(401);
    await third.stop();
    expect((await call(issuer.token({ sub: 'robot' }))).status).toBe(200);
  });

  it('may write where pages of other origins may not', async () => {
    const token = issuer.token({ sub: 'robot' });
    const answer = await call(token, '/api/v1/entities/workspaces', journey.url, 'POST');
    expect(answer.text).not.toContain('origin_not_allowed');
    expect(answer.status).not.toBe(403);
  });

  it('that was disabled is out, with every token that it has or gets', async () => {
    const token = issuer.token({ sub: 'robot' });
    expect((await call(token)).status).toBe(200);
    await journey.cli('users', 'disable', 'robot@acme.test');
    await until('the end', async () => (await call(token)).status === 401 || undefined);
    const fresh = await call(issuer.token({ sub: 'robot' }));
    expect([fresh.status, JSON.parse(fresh.text).error]).toEqual([403, 'person_disabled']);
    expect(supersetUser(journey.superset.state, 'robot@acme.test')?.active).toBe(false);
  });

  it('leaves no token in a log at any level', () => {
    const lines = journey.log.join('\n');
    expect(lines).toContain('API client');
    // The beginning of every JWT.
    expect(lines).not.toMatch(/eyJ[\w-]{10,}\.[\w-]+/);
  });
});

it('what an API client has open ends with its token, and what another one has does not', async () => {
  const issuer = await startTokenIssuer();
  const journey = await startJourney({
    issuer: issuer.issuer,
    sections: {
      ...GOODDATA,
      login: `
  acme:
    issuer: "\${ISSUER}"
    client_id: ${CLIENT_ID}
    client_secret: a secret that only tests know
    groups_absent: empty
    bearer: { audience: [latchgate-api] }`,
    },
    start: false,
  });
  const backend = await startOpenBackend(journey.gooddata.url);
  try {
    await journey.start({ GOODDATA_URL: backend.url });
    const open = (sub: string, seconds: number) => {
      const exp = Math.floor(Date.now() / 1_000) + seconds;
      const token = issuer.token({ sub, ...PROFILE, email: `${sub}@acme.test`, groups: ['team-a'], exp });
      return openAll([journey.url], journey.url, { authorization: `Bearer ${token}` });
    };
    const others = await open('other', 300);
    const work = await open('robot', 4);
    expect(work.filter(({ isOver }) => isOver)).toEqual([]);
    await until('all is cut off', () => work.every(({ isOver }) => isOver) || undefined);
    expect(others.filter(({ isOver }) => isOver)).toEqual([]);
  } finally {
    await journey.cli('sessions', 'end', '--all');
    await journey.close();
    await backend.close();
    await issuer.close();
  }
});
