import { inflateRawSync } from 'node:zlib';
import { readXml } from '../../src/login/saml/xml.ts';
import { LatchgateError } from '../../src/model/errors.ts';
import { newKey, SamlIdp, type SamlLies } from '../emulators/saml/idp.ts';
import { type Answer, ask, Browser, type Site, startSite } from './site.ts';

let site: Site;
const idp = new SamlIdp();
const other = new SamlIdp({ entityId: 'https://other.example.com', address: 'http://127.0.0.1:3' });

beforeAll(async () => {
  const { key } = newKey();
  site = await startSite({
    origins: ['http://reports.example.com'],
    saml: {
      partners: { metadata: idp.metadata(), signing_key: key },
      others: { metadata: other.metadata(), idp_initiated: true },
      posted: { metadata: new SamlIdp({ bindings: ['post'] }).metadata() },
    },
  });
});
beforeEach(() => {
  site.refuseWith = undefined;
  site.clockAhead = 0;
  site.asserted.length = 0;
  site.outcomes.length = 0;
});
afterAll(() => site.close());

const at = (name: string, page: string) => `/.latchgate/saml/${name}/${page}`;

/** What the provider has the browser post, with the state that came along. */
async function begin(browser: Browser, query = '', lies: SamlLies = {}) {
  const { location } = await browser.send(`/.latchgate/login?login=partners&${query}`);
  const { searchParams } = new URL(location as string);
  const request = inflateRawSync(Buffer.from(searchParams.get('SAMLRequest') ?? '', 'base64')).toString();
  const inResponseTo = readXml(request).getAttribute('ID') ?? undefined;
  return { SAMLResponse: await answer(inResponseTo, lies), RelayState: searchParams.get('RelayState') ?? '' };
}

function answer(inResponseTo: string | undefined, lies: SamlLies = {}, name = 'partners', from = idp): Promise<string> {
  const about = { audience: site.url + at(name, 'metadata'), recipient: site.url + at(name, 'acs'), inResponseTo };
  return from.respond(about, lies);
}

/** From the provider's own site: no cookie of ours comes along. */
function post(form: Readonly<Record<string, string>>, page = at('partners', 'acs')): Promise<Answer> {
  return ask(site.url, page, {
    method: 'POST',
    form,
    headers: { origin: idp.address, 'sec-fetch-site': 'cross-site' },
  });
}

async function logIn(browser: Browser, query = '', lies: SamlLies = {}): Promise<Answer> {
  const { status, location } = await post(await begin(browser, query, lies));
  expect(status).toBe(303);
  return browser.send(location as string);
}

const codeOf = ({ text }: Answer) => /<dt>Reason<\/dt><dd>(\w+)/.exec(text)?.[1];

describe('a login', () => {
  it('ends where it was to go, as who logged in, though the answer came without a cookie', async () => {
    const browser = new Browser(site);
    expect(await logIn(browser, 'rd=/superset/dashboard/7?x=1')).toMatchObject({
      status: 302,
      location: '/superset/dashboard/7?x=1',
    });
    expect(await browser.who()).toBe('alice');
    expect(site.asserted).toMatchObject([{ assertion: { origin: 'partners', subject: 'alice' }, target: 'superset' }]);
    expect(site.outcomes).toMatchObject([{ login: 'partners', code: 'ok' }]);
  });

  it('leaves nothing of the answer in the log', async () => {
    site.logged.length = 0;
    await logIn(new Browser(site));
    await post({ SAMLResponse: await answer('_x', { key: newKey() }), RelayState: 'x' });
    const log = site.logged.join('\n');
    expect(log).toContain('login refused');
    for (const secret of ['alice@example.com', 'SAMLResponse', 'PHNhbWxw', 'eng']) expect(log).not.toContain(secret);
  });

  it('of another browser begins anew in this one, and nobody is logged in', async () => {
    const [attacker, victim] = [new Browser(site), new Browser(site)];
    const { location } = await post(await begin(attacker));
    const taken = await victim.send(location as string);
    expect(taken.status).toBe(302);
    expect(taken.location).toMatch(/^http:\/\/127\.0\.0\.1:2\/sso\?SAMLRequest=/);
    expect(await victim.who()).toBe('401');
    // Nor does it help whoever began it any more.
    await attacker.send(location as string);
    expect(await attacker.who()).toBe('401');
    expect(site.asserted).toEqual([]);
  });

  it('whose answer is fetched twice is over by then', async () => {
    const browser = new Browser(site);
    const { location } = await post(await begin(browser));
    await browser.send(location as string);
    expect(await browser.send(location as string)).toMatchObject({ status: 302, location: '/' });
    expect(await new Browser(site).send(location as string)).toMatchObject({ status: 400 });
    expect(site.asserted).toHaveLength(1);
  });

  it('lasts no longer than the provider says, but for what clocks may differ', async () => {
    const browser = new Browser(site);
    const until = new Date(Date.now() + 120_000).toISOString();
    const assertion = (xml: string) => xml.replace(/SessionNotOnOrAfter="[^"]*"/, `SessionNotOnOrAfter="${until}"`);
    await logIn(browser, '', { assertion });
    site.clockAhead = 150_000;
    expect(await browser.who()).toBe('alice');
    site.clockAhead = 181_000;
    expect(await browser.who()).toBe('401');
  });

  it('that took too long begins anew', async () => {
    const browser = new Browser(site);
    const form = await begin(browser, '', { now: Date.now() + 660_000 });
    site.clockAhead = 660_000;
    const { status, location } = await post(form);
    expect([status, location]).toEqual([303, '/.latchgate/login?rd=%2F&login=partners']);
    expect((await browser.send(location as string)).location).toMatch(/\/sso\?SAMLRequest=/);
    expect(site.asserted).toEqual([]);
    // Nobody has looked at it.
    const other = await post({ ...form, SAMLResponse: 'x' });
    expect([other.status, other.location]).toEqual([303, location]);
  });

  it('goes by a form to a provider that takes nothing else, with one script and a button', async () => {
    const { status, text, headers } = await new Browser(site).send('/.latchgate/login?login=posted');
    expect(status).toBe(200);
    expect(text).toContain('<form class="actions" method="post" action="http://127.0.0.1:2/sso">');
    expect(text).toMatch(/<input type="hidden" name="SAMLRequest" value="[\w+/=]+">/);
    expect(text).toContain('<button class="button" type="submit">Continue</button>');
    expect(headers['content-security-policy']).toMatch(
      /default-src 'none'; .*script-src 'sha256-[\w+/=]{44}'; base-uri 'none'/,
    );
    expect(headers['set-cookie']).toHaveLength(1);
  });

  it('that the provider refused says so, and lets nobody in', async () => {
    const refused = await post(await begin(new Browser(site), '', { status: 'AuthnFailed' }));
    expect([refused.status, codeOf(refused)]).toEqual([403, 'provider_refused']);
    expect(site.asserted).toEqual([]);
  });

  it('that begins at the provider goes where it says, on our own addresses', async () => {
    const where = [
      ['/superset/welcome', '/superset/welcome'],
      ['http://reports.example.com/r/1', 'http://reports.example.com/r/1'],
      ['//evil.example', '/'],
      ['https://evil.example/', '/'],
    ] as const;
    for (const [relayState, expected] of where) {
      const form = { SAMLResponse: await answer(undefined, {}, 'others', other), RelayState: relayState };
      const { location } = await post(form, at('others', 'acs'));
      expect((await new Browser(site).send(location as string)).location).toBe(expected);
    }
  });
});

describe('an answer that does not hold is refused with its code, and provisions nobody:', () => {
  const stranger = newKey();
  it.each([
    ['a key of a stranger', async () => begin(new Browser(site), '', { key: stranger }), 403, 'saml_signature_invalid'],
    ['another audience', async () => begin(new Browser(site), '', { audience: 'https://x' }), 403, 'saml_not_for_us'],
    ['too old', async () => begin(new Browser(site), '', { now: Date.now() - 600_000 }), 403, 'saml_expired'],
    ['unsolicited', async () => ({ SAMLResponse: await answer(undefined) }), 403, 'saml_unsolicited'],
    [
      'a state of nobody',
      async () => ({ SAMLResponse: await answer('_x'), RelayState: 'x.y.z.w' }),
      403,
      'saml_unsolicited',
    ],
    ['no answer at all', async () => ({ RelayState: 'x' }), 403, 'saml_message_invalid'],
    ['ten megabytes', async () => ({ SAMLResponse: 'A'.repeat(10_000_000) }), 400, 'request_invalid'],
  ])('%s', async (_name, form, status, code) => {
    const refused = await post((await form()) as unknown as Record<string, string>);
    expect([refused.status, codeOf(refused)]).toEqual([status, code]);
    expect(refused.headers['set-cookie']).toBeUndefined();
    expect(site.asserted).toEqual([]);
    expect(site.outcomes).toMatchObject([{ login: 'partners', code, beforeProvisioning: true }]);
  });

  it('one that was used before', async () => {
    const form = await begin(new Browser(site));
    expect((await post(form)).status).toBe(303);
    const again = await post(form);
    expect([again.status, codeOf(again)]).toEqual([403, 'saml_replayed']);
  });

  it('one with the state of a login at another provider', async () => {
    const { location } = await new Browser(site).send('/.latchgate/login?login=others');
    const state = new URL(location as string).searchParams.get('RelayState') ?? '';
    const refused = await post({ SAMLResponse: await answer('_x'), RelayState: state });
    expect([refused.status, codeOf(refused)]).toEqual([403, 'saml_unsolicited']);
  });
});

it('addresses of SAML are none of a login by OpenID Connect, and the other way round', async () => {
  expect((await ask(site.url, at('staff', 'metadata'))).status).toBe(404);
  expect((await post({ SAMLResponse: 'x' }, at('staff', 'acs'))).status).toBe(404);
  expect((await ask(site.url, '/.latchgate/callback/partners?code=x&state=y')).status).toBe(404);
  const { status, headers, text } = await ask(site.url, at('partners', 'metadata'));
  expect([status, headers['content-type']]).toEqual([200, 'application/samlmetadata+xml; charset=utf-8']);
  expect(readXml(text).getAttribute('entityID')).toBe(`${site.url}${at('partners', 'metadata')}`);
});

describe('a logout', () => {
  const slo = () => site.url + at('partners', 'slo');

  it('that begins here ends the session here and goes on to the provider, who knows which one', async () => {
    const browser = new Browser(site);
    await logIn(browser);
    const { status, location } = await browser.send('/.latchgate/logout', {
      method: 'POST',
      headers: { origin: site.url },
    });
    expect(status).toBe(303);
    const address = new URL(location as string);
    expect(address.origin + address.pathname).toBe('http://127.0.0.1:2/slo');
    expect(address.searchParams.has('Signature')).toBe(true);
    const text = inflateRawSync(Buffer.from(address.searchParams.get('SAMLRequest') ?? '', 'base64')).toString();
    expect(text).toMatch(/<saml:NameID [^>]*>alice<.*SessionIndex[^>]*>session-1</);
    expect(await browser.who()).toBe('401');
    const back = await browser.send(`${at('partners', 'slo')}?SAMLResponse=anything`);
    expect(back).toMatchObject({ status: 303, location: '/.latchgate/logout' });
    expect((await browser.send('/.latchgate/logout')).text).toContain('You are not logged in');
  });

  it('that the provider answers ends no session by itself', async () => {
    const browser = new Browser(site);
    await logIn(browser);
    await browser.send(`${at('partners', 'slo')}?SAMLResponse=anything`);
    expect(await browser.who()).toBe('alice');
  });

  it('of the provider, by redirect or post, ends the session that it names and no other', async () => {
    const [one, two, three] = [new Browser(site), new Browser(site), new Browser(site)];
    await logIn(one, '', { sessionIndex: 's1' });
    await logIn(two, '', { sessionIndex: 's2' });
    await logIn(three, '', { sessionIndex: 's1', subject: 'bob' });
    const answered = await ask(
      site.url,
      `${at('partners', 'slo')}?${idp.logoutQuery(slo(), { sessionIndexes: ['s1'] })}`,
    );
    expect(answered.status).toBe(303);
    const { searchParams } = new URL(answered.location as string);
    expect([searchParams.get('RelayState'), searchParams.has('SAMLResponse'), searchParams.has('Signature')]).toEqual([
      'r',
      true,
      true,
    ]);
    expect([await one.who(), await two.who(), await three.who()]).toEqual(['401', 'alice', 'bob']);
    const posted = await post(
      { SAMLRequest: idp.logoutForm(slo(), { sessionIndexes: ['s1', 's2'] }) },
      at('partners', 'slo'),
    );
    expect(posted.status).toBe(200);
    expect(posted.text).toMatch(/<input type="hidden" name="SAMLResponse" value="[\w+/=]+">/);
    expect([await two.who(), await three.who()]).toEqual(['401', 'bob']);
    expect(site.ended.at(-1)).toMatchObject({ login: 'partners', code: 'backchannel_logout', sessions: 1 });
  });

  it('of the provider that names several sessions, one of them twice, may come again for those that are left', async () => {
    const [one, two] = [new Browser(site), new Browser(site)];
    await logIn(one, '', { sessionIndex: 's6' });
    await logIn(two, '', { sessionIndex: 's7' });
    const form = { SAMLRequest: idp.logoutForm(slo(), { id: '_part', sessionIndexes: ['s6', 's6', 's7'] }) };
    const { destroyFor } = site.store;
    const told: unknown[] = [];
    site.store.destroyFor = async (selector) => {
      told.push(selector);
      // Two of each: the session, and those of the person that are of none.
      if (told.length > 2) throw new LatchgateError('session_store_unavailable', 'down');
      return destroyFor.call(site.store, selector);
    };
    const failed = await post(form, at('partners', 'slo'));
    site.store.destroyFor = destroyFor;
    expect([failed.status, await one.who(), await two.who()]).toEqual([503, '401', 'alice']);
    expect((await post(form, at('partners', 'slo'))).status).toBe(200);
    expect(await two.who()).toBe('401');
    expect((await post(form, at('partners', 'slo'))).status).toBe(403);
  });

  it('of the provider without a session ends every login of the person', async () => {
    const [one, two] = [new Browser(site), new Browser(site)];
    await logIn(one, '', { sessionIndex: 's3' });
    await logIn(two, '', { sessionIndex: 's4' });
    await post({ SAMLRequest: idp.logoutForm(slo(), { sessionIndexes: [], id: '_all' }) }, at('partners', 'slo'));
    expect([await one.who(), await two.who()]).toEqual(['401', '401']);
  });

  it.each([
    ['unsigned, by redirect', () => idp.logoutQuery(slo(), { unsigned: true }), undefined, 'saml_signature_invalid'],
    [
      'by a stranger, by redirect',
      () => idp.logoutQuery(slo(), { key: newKey() }),
      undefined,
      'saml_signature_invalid',
    ],
    [
      'by SHA-1, by redirect',
      () => idp.logoutQuery(slo(), { signing: { algorithm: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1' } }),
      undefined,
      'saml_signature_invalid',
    ],
    ['changed, by redirect', () => `${idp.logoutQuery(slo())}&RelayState=x`, undefined, 'saml_message_invalid'],
    ['unsigned, by post', undefined, () => idp.logoutForm(slo(), { unsigned: true }), 'saml_signature_invalid'],
    ['by a stranger, by post', undefined, () => idp.logoutForm(slo(), { key: newKey() }), 'saml_signature_invalid'],
    [
      'changed, by post',
      undefined,
      () => idp.logoutForm(slo(), { subject: 'bob', message: (xml) => xml.replace('bob', 'alice') }),
      'saml_signature_invalid',
    ],
    [
      'for another destination',
      undefined,
      () => idp.logoutForm(slo(), { destination: 'https://x' }),
      'saml_not_for_us',
    ],
    ['of another issuer', undefined, () => idp.logoutForm(slo(), { issuer: 'https://x' }), 'saml_issuer_unknown'],
    ['too old', undefined, () => idp.logoutForm(slo(), { at: Date.now() - 600_000 }), 'saml_expired'],
    [
      'with a DOCTYPE',
      undefined,
      () => idp.logoutForm(slo(), { message: (xml) => `<!DOCTYPE x>${xml}` }),
      'saml_message_invalid',
    ],
  ])('of the provider %s ends nothing', async (_name, query, form, code) => {
    const browser = new Browser(site);
    await logIn(browser);
    const refused =
      query === undefined
        ? await post({ SAMLRequest: form?.() ?? '' }, at('partners', 'slo'))
        : await ask(site.url, `${at('partners', 'slo')}?${query()}`);
    expect([refused.status, codeOf(refused)]).toEqual([403, code]);
    expect(await browser.who()).toBe('alice');
  });

  it('of the provider that was heard before is not heard again', async () => {
    const form = { SAMLRequest: idp.logoutForm(slo(), { id: '_once', subject: 'carol', sessionIndexes: [] }) };
    expect((await post(form, at('partners', 'slo'))).status).toBe(200);
    const browser = new Browser(site);
    await logIn(browser, '', { subject: 'carol', sessionIndex: 's5', now: Date.now() + 1_000 });
    expect((await post(form, at('partners', 'slo'))).status).toBe(403);
    expect(await browser.who()).toBe('carol');
  });
});

describe('an address that failed too often', () => {
  const MOST = 300;
  let began = Date.now();
  // By a clock that stands still, for the limit gives one more every 200 ms. Later each time: all come from this address.
  beforeEach(() => {
    began += 600_000;
    site.stoppedAt = began;
  });
  afterAll(() => {
    site.stoppedAt = undefined;
  });
  const failing = async (send: () => Promise<Answer>) => {
    const answers = await Promise.all(Array.from({ length: MOST }, send));
    return new Set(answers.map((answered) => `${answered.status} ${codeOf(answered)}`));
  };

  it('is refused before its answer is looked at, also for a status that nobody has signed', async () => {
    const unsigned = { status: 'Requester', signResponse: false, signAssertion: false };
    const form = { SAMLResponse: await answer(undefined, unsigned, 'others', other) };
    expect(await failing(() => post(form, at('others', 'acs')))).toEqual(new Set(['502 provider_misconfigured']));
    const honest = { SAMLResponse: await answer(undefined, { now: began }, 'others', other), RelayState: '/' };
    for (const form of [honest, { SAMLResponse: 'A'.repeat(10_000_000) }]) {
      expect((await post(form, at('others', 'acs'))).status).toBe(429);
    }
    site.stoppedAt = began + 61_000;
    expect((await post(honest, at('others', 'acs'))).status).toBe(303);
  });

  it('ends no session by a logout that would hold, until a minute is over', async () => {
    const browser = new Browser(site);
    await logIn(browser, '', { subject: 'dave', sessionIndex: 's6', now: began });
    const unsigned = { SAMLRequest: idp.logoutForm(site.url + at('partners', 'slo'), { unsigned: true }) };
    const slo = at('partners', 'slo');
    expect(await failing(() => post(unsigned, slo))).toEqual(new Set(['403 saml_signature_invalid']));
    const holds = idp.logoutForm(site.url + slo, { id: '_dave', subject: 'dave', sessionIndexes: ['s6'], at: began });
    expect((await post({ SAMLRequest: holds }, slo)).status).toBe(429);
    expect(await browser.who()).toBe('dave');
    site.stoppedAt = began + 61_000;
    expect((await post({ SAMLRequest: holds }, slo)).status).toBe(200);
    expect(await browser.who()).toBe('401');
  });
});
