import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { readXml } from '../../src/login/saml/xml.ts';
import { SamlIdp } from '../emulators/saml/idp.ts';
import { startTokenIssuer, type TokenIssuer } from '../emulators/token-issuer.ts';
import { type Page, refusalOn } from './browser.ts';
import { CLIENT_ID, CLIENT_SECRET, GOODDATA, gooddataPeople, person } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';
import { patchOf, SCIM_TOKEN, scimClient, scimOf, scimUser } from './scim-client.ts';

/*
 * A company with a door of each kind, none of which says whose people the others' are: a login by OpenID Connect and one by
 * SAML, access tokens, two SCIM clients and a list of people. An address is all that they have in common.
 */

const PARTNER_TOKEN = 'partner-token-that-only-tests-know-0123456789';

class Company {
  readonly journey: Journey;
  readonly #saml: SamlIdp;
  readonly #tokens: TokenIssuer;

  constructor(journey: Journey, saml: SamlIdp, tokens: TokenIssuer) {
    this.journey = journey;
    this.#saml = saml;
    this.#tokens = tokens;
  }

  static async start(identity: string): Promise<Company> {
    const saml = new SamlIdp();
    const tokens = await startTokenIssuer();
    const vouching = 'trust_email: true, email_domains: [acme.test]';
    const journey = await startJourney({
      people: ['ann', 'ben', 'cat'].map((sub) => person(sub)),
      sections: {
        ...GOODDATA,
        identity,
        safety: '{ leaver: delete }',
        login: `
  acme: { issuer: "\${ISSUER}", client_id: ${CLIENT_ID}, client_secret: ${CLIENT_SECRET}, email_domains: [acme.test] }
  partners: { type: saml, metadata: '${saml.metadata()}', ${vouching} }
  api: { issuer: "${tokens.issuer}", client_id: x, ${vouching}, bearer: { audience: [latchgate-api] } }`,
        scim: `{ clients: {
          okta: { tokens: ["${SCIM_TOKEN}"], login: acme, ${vouching} },
          other: { tokens: ["${PARTNER_TOKEN}"], ${vouching} } } }`.replaceAll('\n', ' '),
        sources: `{
          hr: { type: file, path: people.csv, key: id },
          staff: { type: file, path: staff.csv, key: id, login: acme } }`.replaceAll('\n', ' '),
        sync: '{ hr-to-gooddata: { from: hr, to: gooddata }, staff-to-gooddata: { from: staff, to: gooddata } }',
      },
    });
    return new Company(journey, saml, tokens);
  }

  byOidc(name: string): Promise<Page> {
    return this.journey.browser().logIn(`${this.journey.url}/.latchgate/login?login=acme&rd=/`, name);
  }

  async bySaml(name: string): Promise<Page> {
    const { url } = this.journey;
    const browser = this.journey.browser();
    const base = `${url}/.latchgate/saml/partners`;
    const start = await browser.visit(`${url}/.latchgate/login?login=partners&rd=/`, { follow: false });
    const { searchParams } = new URL(String(start.headers['location']));
    const asked = readXml(inflateRawSync(Buffer.from(searchParams.get('SAMLRequest') ?? '', 'base64')).toString());
    const inResponseTo = asked.getAttribute('ID') ?? '';
    const about = { audience: `${base}/metadata`, recipient: `${base}/acs`, inResponseTo };
    const attributes = { mail: [`${name}@acme.test`], givenName: ['By'], sn: ['Saml'] };
    const SAMLResponse = await this.#saml.respond(about, { subject: `saml-${name}`, attributes });
    const form = { SAMLResponse, RelayState: searchParams.get('RelayState') ?? '' };
    return browser.visit(`${base}/acs`, { method: 'POST', form, headers: { origin: this.#saml.address } });
  }

  /** What a program gets, with its reason when it is refused. */
  byToken(name: string): Promise<string> {
    const token = this.#tokens.token({ sub: `api-${name}`, email: `${name}@acme.test`, name: 'By Token' });
    const { hostname, port } = new URL(this.journey.url);
    const headers = { authorization: `Bearer ${token}` };
    return new Promise((resolve, reject) => {
      const req = request({ hostname, port, path: '/', headers }, (res) => {
        let text = '';
        res.on('data', (chunk) => {
          text += chunk;
        });
        const reason = () => (res.statusCode === 200 ? '' : ` ${JSON.parse(text).error}`);
        res.on('end', () => resolve(`${res.statusCode}${reason()}`));
      });
      req.on('error', reject);
      req.end();
    });
  }

  async byScim(name: string): Promise<number> {
    const user = { ...scimUser(name), externalId: `scim-${name}` };
    return (await scimClient(this.journey.url, PARTNER_TOKEN).call('POST', '/Users', user)).status;
  }

  list(...names: readonly string[]): void {
    const rows = names.map((name) => `hr-${name},By,List,${name}@acme.test,\n`).join('');
    writeFileSync(join(this.journey.folder, 'people.csv'), `id,given_name,family_name,email,groups\n${rows}`);
  }

  sync(): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
    return this.journey.cli('apply', 'hr-to-gooddata');
  }

  async people(): Promise<readonly { readonly id: string; readonly email: string }[]> {
    const { out } = await this.journey.cli('users', 'list', '--json');
    return out.split('\n').map((line) => JSON.parse(line));
  }

  async subjects(name: string): Promise<readonly string[]> {
    const { out } = await this.journey.cli('users', 'show', `${name}@acme.test`, '--json');
    return JSON.parse(out).subjects.map(({ origin }: { origin: string }) => origin);
  }

  accounts(): readonly string[] {
    return gooddataPeople(this.journey.gooddata.state);
  }

  async close(): Promise<void> {
    await this.journey.close();
    await this.#tokens.close();
  }
}

describe('with identity.join: verified_email', () => {
  let company: Company;
  beforeAll(async () => {
    company = await Company.start('{ join: verified_email }');
  });
  afterAll(() => company.close());

  it('whoever comes by further doors with an address that each of them vouches for is the one who came first', async () => {
    company.list('ann');
    expect((await company.byOidc('ann')).status).toBe(200);
    expect((await company.bySaml('ann')).status).toBe(200);
    expect(await company.byToken('ann')).toBe('200');
    expect(await company.byScim('ann')).toBe(201);
    expect(await company.sync()).toMatchObject({ code: 0 });
    expect(await company.people()).toHaveLength(1);
    expect(new Set(await company.subjects('ann'))).toEqual(new Set(['acme', 'partners', 'api', 'other', 'hr']));
    expect(company.accounts()).toEqual(['ann']);
    const { out } = await company.journey.cli('audit', 'list', '--json');
    const joined = out.split('\n').filter((line) => line.includes('"person.joined"'));
    expect(joined.map((line) => JSON.parse(line).origin).sort()).toEqual(['api', 'hr', 'other', 'partners']);
    expect((await company.journey.cli('plan', 'hr-to-gooddata', '--detailed-exitcode')).code).toBe(0);
  });

  it('a door that is somebody else’s is taken from them again, and each has what is theirs', async () => {
    const { journey } = company;
    const browser = journey.browser();
    const page = await browser.logIn(`${journey.url}/.latchgate/login?login=acme&rd=/`, 'ann');
    expect(page.status).toBe(200);
    expect((await journey.cli('users', 'unlink', 'ann@acme.test', 'nobody')).err).toContain('saml-ann (partners)');
    const { code, out } = await journey.cli('users', 'unlink', 'ann@acme.test', 'saml-ann', '--json');
    expect(code).toBe(0);
    const { id, unlinked } = JSON.parse(out);
    await until('the end of the session', async () => {
      return (await browser.call(`${journey.url}/`)).status === 401 || undefined;
    });
    expect(await company.subjects('ann')).not.toContain('partners');
    // The account with the address is Ann's, and stays hers.
    expect(refusalOn(await company.bySaml('ann'))).toMatchObject({ status: 409, code: 'account_taken' });
    expect((await company.byOidc('ann')).status).toBe(200);
    const audit = (await journey.cli('audit', 'list', '--json')).out.split('\n').map((line) => JSON.parse(line));
    expect(audit.find(({ event }) => event === 'person.unlinked')).toMatchObject({
      actor: 'operator',
      person: id,
      after: { person: unlinked, subject: 'saml-ann' },
    });
    expect((await journey.cli('users', 'unlink', unlinked, 'saml-ann')).err).toContain('nothing would be left');
    await journey.cli('users', 'disable', unlinked);
    expect((await journey.cli('users', 'link', id, unlinked)).err).toContain('is out, and by this would be let in');
    await journey.cli('users', 'enable', unlinked);
    expect((await journey.cli('users', 'link', id, unlinked)).code).toBe(0);
    expect((await company.bySaml('ann')).status).toBe(200);
  });

  it('who is gone at the owner is out by every one of them', async () => {
    const scim = scimClient(company.journey.url, PARTNER_TOKEN);
    const [user] = (await scim.call('GET', '/Users')).body.Resources;
    await scim.call('PATCH', `/Users/${user.id}`, patchOf({ op: 'replace', path: 'active', value: false }));
    expect(refusalOn(await company.byOidc('ann'))).toMatchObject({ status: 403, code: 'person_left' });
    expect(refusalOn(await company.bySaml('ann'))).toMatchObject({ status: 403, code: 'person_left' });
    expect(await company.byToken('ann')).toMatch(/^40[13] /);
    const unlinked = await company.journey.cli('users', 'unlink', 'ann@acme.test', 'saml-ann');
    expect(unlinked.code).toBe(64);
    expect(unlinked.err).toContain('latchgate users enable p_');
    expect(refusalOn(await company.bySaml('ann'))).toMatchObject({ status: 403, code: 'person_left' });
    company.list('ann', 'zoe');
    await company.sync();
    await until('the account to go', () => !company.accounts().includes('ann') || undefined);
    expect(await company.people()).toHaveLength(2);
  });

  it('an address that two people have says of nobody who they are', async () => {
    company.list('ben');
    expect((await company.byOidc('ben')).status).toBe(200);
    const { status } = await scimOf(company.journey).call('POST', '/Users', scimUser('ben', { externalId: 'x' }));
    expect(status).toBe(409);
    expect(await company.subjects('ben')).toEqual(['acme', 'acme']);
  });
});

describe('without it', () => {
  let company: Company;
  beforeAll(async () => {
    company = await Company.start('{ join: never }');
    const scim = scimOf(company.journey);
    const { body } = await scim.call('POST', '/Users', scimUser('ann'));
    expect((await company.byOidc('ann')).status).toBe(200);
    // This door meets them before they leave, and so knows somebody of their address from then on.
    expect(refusalOn(await company.bySaml('ann'))).toMatchObject({ status: 409, code: 'account_taken' });
    expect((await scim.call('DELETE', `/Users/${body.id}`)).status).toBe(204);
    await until('the account to go', () => company.accounts().length === 0 || undefined);
  });
  afterAll(() => company.close());

  it('whom the owner has let go no door brings back as somebody new', async () => {
    expect(refusalOn(await company.byOidc('ann'))).toMatchObject({ status: 403, code: 'person_left' });
    expect(refusalOn(await company.bySaml('ann'))).toMatchObject({ status: 409, code: 'account_taken' });
    expect(await company.byToken('ann')).toBe('409 account_taken');
    expect(await company.byScim('ann')).toBe(409);
    company.list('ann');
    const synced = await company.sync();
    expect(synced.out + synced.err).toContain('account_taken');
    expect(company.accounts()).toEqual([]);
  });

  it('whom a list names who had logged in before it was there leaves with the list', async () => {
    const list = (id: string) => {
      const text = `id,given_name,family_name,email,groups\n${id},By,Staff,${id}@acme.test,\n`;
      writeFileSync(join(company.journey.folder, 'staff.csv'), text);
    };
    expect((await company.byOidc('ben')).status).toBe(200);
    list('ben');
    expect((await company.journey.cli('apply', 'staff-to-gooddata')).code).toBe(0);
    list('zoe');
    expect((await company.journey.cli('apply', 'staff-to-gooddata')).code).toBe(0);
    expect(refusalOn(await company.byOidc('ben'))).toMatchObject({ status: 403, code: 'person_left' });
    expect(company.accounts()).toEqual(['zoe']);
  });

  it('and the page of whoever is taken for another, with the request on it, leads to the commands that settle it', async () => {
    const page = await company.bySaml('ann');
    expect(page.text).toContain('they can join the two');
    const { requestId } = refusalOn(page);
    const { out } = await company.journey.cli('why', requestId);
    const [, link = ''] = /latchgate (users link p_\w+ p_\w+)/.exec(out) ?? [];
    const [, release = ''] = /latchgate (users release p_\w+)/.exec(out) ?? [];
    const audit = (await company.journey.cli('audit', 'list')).out.split('\n').find((line) => line.includes(requestId));
    expect(audit).toContain(release.split(' ').at(-1));

    // Both are one human: out by this door too, until the owner or an operator says else.
    const [, , owner = ''] = link.split(' ');
    expect((await company.journey.cli(...link.split(' '))).code).toBe(0);
    expect(refusalOn(await company.bySaml('ann'))).toMatchObject({ status: 403, code: 'person_left' });
    expect((await company.journey.cli('users', 'enable', owner)).code).toBe(0);
    expect((await company.bySaml('ann')).status).toBe(200);
  });

  it('an address that was given to another human is theirs once the one before has let go of it', async () => {
    expect((await company.byOidc('cat')).status).toBe(200);
    expect((await company.journey.cli('users', 'disable', 'cat@acme.test')).code).toBe(0);
    const { requestId, code } = refusalOn(await company.bySaml('cat'));
    expect(code).toBe('account_taken');
    const { out } = await company.journey.cli('why', requestId);
    const [, release = ''] = /latchgate (users release p_\w+)/.exec(out) ?? [];
    expect((await company.journey.cli(...release.split(' '))).code).toBe(0);
    expect((await company.bySaml('cat')).status).toBe(200);
    expect(refusalOn(await company.byOidc('cat'))).toMatchObject({ status: 403, code: 'person_disabled' });
  });
});
