import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseIdpMetadata } from '../../src/login/saml/metadata.ts';
import { NS, readXml } from '../../src/login/saml/xml.ts';
import { newKey, SamlIdp } from '../emulators/saml/idp.ts';
import { refusal, SIGNAL } from './oidc-harness.ts';
import { SamlHarness } from './saml-harness.ts';

describe('metadata of the provider', () => {
  it('may have several certificates, of which one does not parse', async () => {
    const idp = new SamlIdp();
    idp.otherCertificates.push('AAAA', newKey().certificate);
    const harness = await SamlHarness.open({}, idp);
    expect(await refusal(harness.logIn())).toBe('accepted');
    await harness.close();
  });

  it('may describe several providers, of which the config names one', () => {
    const [one, two] = [new SamlIdp(), new SamlIdp({ entityId: 'https://two.example.com' })];
    const all = `<!-- all --><md:EntitiesDescriptor xmlns:md="${NS.metadata}">${one.metadata()}${two.metadata()}</md:EntitiesDescriptor>`;
    expect(parseIdpMetadata(all, 'p', two.entityId).entityId).toBe(two.entityId);
    expect(() => parseIdpMetadata(all, 'p')).toThrow(/several identity providers/);
    expect(() => parseIdpMetadata(all, 'p', 'https://three')).toThrow(/no provider of that entity id/);
  });

  it('may have comments, of which each has to end', () => {
    const idp = new SamlIdp();
    const commented = idp.metadata().replaceAll('><', '><!-- <x> --><!----><');
    expect(parseIdpMetadata(commented, 'p').entityId).toBe(idp.entityId);
    expect(() => parseIdpMetadata(`${idp.metadata()}${'<!--'.repeat(250_000)}`, 'p')).toThrow('comment');
    expect(() => parseIdpMetadata(idp.metadata().replace('<md:IDP', '<!-<!-- -->- --><md:IDP'), 'p')).toThrow(
      'comment',
    );
  });

  it('may be ten times as large as a message', () => {
    const idp = new SamlIdp();
    const more = `<md:Extensions>${'<md:x a="b"/>\n'.repeat(15_000)}</md:Extensions><md:IDPSSODescriptor`;
    const large = idp.metadata().replace('<md:IDPSSODescriptor', more);
    expect(parseIdpMetadata(large, 'p').entityId).toBe(idp.entityId);
    expect(() => readXml(large)).toThrow('elements');
  });

  it.each([
    ['a DOCTYPE', (xml: string) => `<!DOCTYPE x>${xml}`, 'doctype'],
    [
      'no certificate',
      (xml: string) => xml.replace(/<md:KeyDescriptor.*<\/md:KeyDescriptor>/, ''),
      'no signing certificate',
    ],
    [
      'addresses without TLS',
      (xml: string) => xml.replaceAll('http://127.0.0.1:2', 'http://idp.example.com'),
      'Service',
    ],
    [
      'a name of ours',
      (xml: string) => xml.replace(/entityID="[^"]*"/, 'entityID="latchgate:external:staff"'),
      'entityID',
    ],
    ['a script for an address', (xml: string) => xml.replaceAll('http://127.0.0.1:2', 'javascript:'), 'Service'],
    ['nothing to log in at', (xml: string) => xml.replace(/<md:SingleSignOnService[^>]*>/g, ''), 'SingleSignOnService'],
  ])('with %s are refused', (_name, change, check) => {
    expect(() => parseIdpMetadata(change(new SamlIdp().metadata()), 'p')).toThrow(check);
  });

  it('that have run out serve nobody', async () => {
    const idp = new SamlIdp();
    const metadata = idp.metadata().replace('entityID=', 'validUntil="2020-01-01T00:00:00Z" entityID=');
    const harness = await SamlHarness.open({ metadata }, idp);
    expect(await refusal(harness.logIn())).toBe('provider_unavailable: validUntil');
    await harness.close();
  });

  it.each([0, 1, 2, 3])('end with the first of what they are in that ends, group %i or the provider itself', (ends) => {
    const time = (at: number) => `validUntil="${at === ends ? '2030-01-01T00:00:00Z' : '2031-01-01T00:00:00Z'}"`;
    const entity = new SamlIdp().metadata().replace('entityID=', `${time(3)} entityID=`);
    const other = new SamlIdp({ entityId: 'https://two.example.com' }).metadata();
    const groups = [2, 1, 0].reduce(
      (inner, at) => `<md:EntitiesDescriptor xmlns:md="${NS.metadata}" ${time(at)}>${inner}</md:EntitiesDescriptor>`,
      entity,
    );
    const beside = `<md:EntitiesDescriptor validUntil="2020-01-01T00:00:00Z">${other}</md:EntitiesDescriptor>`;
    const all = groups.replace(/<\/md:EntitiesDescriptor>$/, `${beside}$&`);
    const { validUntil } = parseIdpMetadata(all, 'p', new SamlIdp().entityId);
    expect(validUntil).toBe(Date.UTC(2030, 0, 1));
  });

  it('from an address are read again for a key that nobody knows, and go on while it does not answer', async () => {
    const idp = new SamlIdp();
    const { published, harness, close } = await publish(idp);
    expect(await refusal(harness.logIn())).toBe('accepted');
    idp.rotate();
    harness.clock.ahead += 6_000;
    expect(await refusal(harness.logIn())).toBe('accepted');
    expect(published.reads).toBe(2);
    published.isDown = true;
    harness.clock.ahead += 6_000;
    expect(await refusal(harness.logIn({ key: newKey() }))).toBe('saml_signature_invalid: signature');
    expect(await refusal(harness.logIn())).toBe('accepted');
    await close();
  });

  it('from an address that have run out are read again before the next login, every five seconds at most', async () => {
    const idp = new SamlIdp();
    const { published, harness, close } = await publish(idp);
    const valid = (ms: number) => `validUntil="${new Date(harness.clock.now() + ms).toISOString()}" entityID=`;
    published.text = () => idp.metadata().replace('entityID=', valid(10_000));
    expect(await refusal(harness.logIn())).toBe('accepted');
    harness.clock.ahead += 11_000;
    expect(await refusal(harness.logIn())).toBe('accepted');
    expect(published.reads).toBe(2);
    published.isDown = true;
    harness.clock.ahead += 11_000;
    expect(await refusal(harness.logIn())).toBe('provider_unavailable');
    expect(await refusal(harness.logIn())).toBe('provider_unavailable: validUntil');
    expect(published.reads).toBe(3);
    published.isDown = false;
    harness.clock.ahead += 6_000;
    expect(await refusal(harness.logIn())).toBe('accepted');
    await close();
  });

  it('from an address that has become another provider’s are not taken, and need a name of the provider', async () => {
    const idp = new SamlIdp();
    const staff = new SamlIdp({ entityId: 'https://staff.example.com' });
    const { published, harness, close, metadata } = await publish(idp);
    expect(await refusal(harness.logIn())).toBe('accepted');
    published.text = () => staff.metadata();
    harness.clock.ahead += 6_000;
    const lies = { issuer: staff.entityId, key: staff.key };
    expect(await refusal(harness.logIn(lies))).toBe('saml_issuer_unknown: Issuer of the response');
    expect(await refusal(harness.logIn({ ...lies, issuer: idp.entityId }))).toBe('saml_signature_invalid: signature');
    expect(await refusal(SamlHarness.open({ metadata }, idp))).toBe('config_invalid');
    await close();
  });

  it('that were never read make the login unavailable', async () => {
    const idp = new SamlIdp();
    const unread = { metadata: 'http://127.0.0.1:1/metadata', idp_entity_id: idp.entityId, timeout: '2s' };
    const harness = await SamlHarness.open(unread, idp);
    expect(await refusal(harness.logIn())).toBe('provider_unavailable');
    expect(await refusal(harness.provider.probe(SIGNAL))).toBe('provider_unavailable');
    await harness.close();
  });
});

/** A provider that serves its metadata, and a login of ours that reads them. */
async function publish(idp: SamlIdp) {
  const published = { text: () => idp.metadata(), isDown: false, reads: 0 };
  const server = createServer((_req, res) => {
    published.reads += 1;
    res.statusCode = published.isDown ? 404 : 200;
    res.end(published.text());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const metadata = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metadata`;
  const harness = await SamlHarness.open({ metadata, idp_entity_id: idp.entityId }, idp);
  const close = async () => {
    server.close();
    await harness.close();
  };
  return { published, harness, close, metadata };
}
