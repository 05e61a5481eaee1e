import type { ServerResponse } from 'node:http';
import { type Lies, type LyingProvider, startLyingProvider } from '../emulators/lying-oidc.ts';
import { freePort } from '../services/child.ts';
import { type Page, refusalOn } from './browser.ts';
import { CLIENT_ID, CLIENT_SECRET, GOODDATA, gooddataPeople, gooddataUser, person } from './company.ts';
import { type Journey, startIdpAt, startJourney, until } from './harness.ts';

const readiness = async (journey: Journey) => {
  const answer = await fetch(`${journey.admin()}/readyz`);
  return { status: answer.status, ...((await answer.json()) as { checks: Record<string, unknown> }) };
};

async function explained(journey: Journey, page: Page, outcome: string): Promise<void> {
  const { code, out } = await journey.cli('why', refusalOn(page).requestId);
  expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining(outcome) });
}

describe('an issuer that is down at the start', () => {
  let journey: Journey;
  let port: number;
  beforeAll(async () => {
    port = await freePort();
    journey = await startJourney({ issuer: `http://127.0.0.1:${port}` });
  });
  afterAll(() => journey.close());

  it('keeps the gateway from being ready, which says why, and not from starting', async () => {
    const { status, checks } = await readiness(journey);
    expect(status).toBe(503);
    expect(checks['login:acme']).toMatchObject({ ok: false, code: 'provider_unavailable' });
    expect(checks['state']).toEqual({ ok: true });
    expect(checks['target:gooddata']).toEqual({ ok: true });
    expect((await fetch(`${journey.admin()}/healthz`)).status).toBe(200);
  });

  it('makes the login a page that says try again, with code and request id', async () => {
    const page = await journey.browser().visit(`${journey.url}/`);
    expect(refusalOn(page)).toMatchObject({ status: 503, code: 'provider_unavailable' });
    expect(page.headers['retry-after']).toBeDefined();
    expect(page.headers['x-request-id']).toBe(refusalOn(page).requestId);
    expect(page.text).toContain('Try again');
  });

  it('is found without a restart once it is there, and ends no session when it goes again', async () => {
    const idp = await startIdpAt(journey, port, [person('ann')]);
    const browser = journey.browser();
    const page = await until('the first login', async () => {
      const answer = await browser.logIn(`${journey.url}/`, 'ann');
      return answer.status === 200 ? answer : undefined;
    });
    expect(page.text).toContain('Ann Adams');
    await until('readiness', async () => (await readiness(journey)).status === 200 || undefined);
    await idp.close();
    expect((await browser.visit(`${journey.url}/`)).text).toContain('Ann Adams');
  });
});

describe('a client that the provider refuses', () => {
  it('wrong client secret: a page that says whom it concerns, and no account', async () => {
    const login = `
  acme: { issuer: "\${ISSUER}", client_id: ${CLIENT_ID}, client_secret: not the one that was registered }`;
    const journey = await startJourney({ people: [person('ann')], sections: { ...GOODDATA, login } });
    try {
      const page = await journey.logIn('ann');
      expect(refusalOn(page)).toMatchObject({ status: 502, code: 'provider_misconfigured' });
      await explained(journey, page, 'deny (provider_misconfigured)');
      expect(gooddataPeople(journey.gooddata.state)).toEqual([]);
      expect(journey.log.join('\n')).not.toMatch(/not the one that was registered/);
      expect(journey.log.join('\n')).not.toContain(CLIENT_SECRET);
    } finally {
      await journey.close();
    }
  });

  it('somebody who cancels: a page with a way back, and no account', async () => {
    const journey = await startJourney({ people: [person('ann')] });
    try {
      const browser = journey.browser();
      const choice = await browser.visit(`${journey.url}/`);
      const page = await browser.visit(choice.url, { method: 'POST', form: { cancel: 'yes' } });
      expect(refusalOn(page)).toMatchObject({ status: 403, code: 'provider_refused' });
      expect(page.text).toContain('/.latchgate/login?');
      expect(page.text).not.toContain('nobody wanted to log in');
      await explained(journey, page, 'deny (provider_refused)');
      expect(gooddataPeople(journey.gooddata.state)).toEqual([]);
    } finally {
      await journey.close();
    }
  });
});

describe('a provider whose tokens do not hold', () => {
  let provider: LyingProvider;
  let journey: Journey;
  let people = 0;
  beforeAll(async () => {
    provider = await startLyingProvider({ clientId: CLIENT_ID, withUserinfo: false });
    journey = await startJourney({ issuer: provider.issuer });
  });
  afterAll(async () => {
    await journey.close();
    await provider.close();
  });

  const cases: readonly (readonly [string, number, string, Lies])[] = [
    ['a kid that is not published', 403, 'token_key_unknown', { header: { kid: 'unknown' } }],
    ['a signature by another key', 403, 'token_invalid', { signature: 'wrong-key' }],
    ['no signature', 403, 'token_invalid', { signature: 'none' }],
    ['another audience', 403, 'token_invalid', { claims: { aud: 'somebody-else' } }],
    ['another issuer', 403, 'token_invalid', { claims: { iss: 'https://evil.test' } }],
    ['another nonce', 403, 'token_invalid', { claims: { nonce: 'of another login' } }],
    ['a token that has expired', 403, 'token_invalid', { claims: { exp: 1_700_000_000, iat: 1_699_999_000 } }],
    ['a token answer that is HTML', 503, 'provider_unavailable', html('token')],
    ['a key set that is HTML', 503, 'provider_unavailable', html('jwks')],
    ['a token endpoint that answers 500', 503, 'provider_unavailable', failing('token')],
    ['a state that is not ours', 400, 'login_state_invalid', { callback: (query) => query.set('state', 'x') }],
    ['another iss', 400, 'login_state_invalid', { callback: (query) => query.set('iss', 'https://evil.test') }],
    ['an unknown error', 502, 'provider_misconfigured', { callback: refuses('<script>alert(1)</script>') }],
  ];

  it.each(cases)('%s: %i %s, explained, and no account', async (_name, status, code, lies) => {
    people += 1;
    const sub = `alice-${people}`;
    const claims = { sub, email: `${sub}@acme.test` };
    // Otherwise the keys are known already, and nobody asks for them.
    if (lies.answer?.jwks !== undefined) await provider.rotate();
    provider.lie({ ...lies, claims: { ...claims, ...(lies.claims as object) } });
    const page = await journey.browser().visit(`${journey.url}/`);
    expect(refusalOn(page)).toMatchObject({ status, code });
    expect(page.text).not.toContain('<script>');
    await explained(journey, page, `(${code})`);
    expect(gooddataUser(journey.gooddata.state, sub)).toBeUndefined();
    provider.lie({ claims });
    expect((await journey.browser().visit(`${journey.url}/`)).status).toBe(200);
    expect(gooddataUser(journey.gooddata.state, sub)).toMatchObject({ email: `${sub}@acme.test` });
  });

  it('a new key that is published counts at once', async () => {
    provider.lie({ claims: { email: 'alice@acme.test' } });
    await provider.rotate();
    expect((await journey.browser().visit(`${journey.url}/`)).status).toBe(200);
  });
});

function html(endpoint: 'token' | 'jwks'): Lies {
  const answer = (_req: unknown, res: ServerResponse) =>
    void res.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Be right back</h1>');
  return { answer: { [endpoint]: answer } };
}

function failing(endpoint: 'token'): Lies {
  const answer = (_req: unknown, res: ServerResponse) => void res.writeHead(500).end();
  return { answer: { [endpoint]: answer } };
}

function refuses(error: string) {
  return (query: URLSearchParams) => {
    query.delete('code');
    query.set('error', error);
    query.set('error_description', error);
  };
}
