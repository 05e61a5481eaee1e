import { randomBytes } from 'node:crypto';
import { SignedXml } from 'xml-crypto';

/** A key that signs, with the certificate that says so. */
export interface SigningKey {
  readonly key: string;
  readonly certificate: string;
}

/** What an assertion says. Times are milliseconds since the epoch. */
export interface Facts {
  readonly issuer: string;
  readonly subject: string;
  readonly format: string;
  readonly attributes: Readonly<Record<string, readonly string[]>>;
  readonly audience: string;
  readonly recipient: string;
  readonly destination: string;
  readonly inResponseTo: string | undefined;
  readonly sessionIndex: string;
  readonly assertionId: string;
  readonly responseId: string;
  readonly now: number;
  readonly status: string;
}

export const PROTOCOL = 'urn:oasis:names:tc:SAML:2.0:protocol';
export const ASSERTION = 'urn:oasis:names:tc:SAML:2.0:assertion';
export const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256';
const SHA256 = 'http://www.w3.org/2001/04/xmlenc#sha256';
const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const ENVELOPED = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature';

export function newId(): string {
  return `_${randomBytes(16).toString('hex')}`;
}

export function instant(ms: number): string {
  return new Date(ms).toISOString();
}

export function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (found) => `&#${found.charCodeAt(0)};`);
}

export function assertionXml(facts: Facts): string {
  const { now } = facts;
  const answer = facts.inResponseTo === undefined ? '' : ` InResponseTo="${facts.inResponseTo}"`;
  const attributes = Object.entries(facts.attributes).map(
    ([name, values]) =>
      `<saml:Attribute Name="${escapeXml(name)}">${values.map((value) => `<saml:AttributeValue>${escapeXml(value)}</saml:AttributeValue>`).join('')}</saml:Attribute>`,
  );
  return [
    `<saml:Assertion xmlns:saml="${ASSERTION}" ID="${facts.assertionId}" Version="2.0" IssueInstant="${instant(now)}">`,
    `<saml:Issuer>${escapeXml(facts.issuer)}</saml:Issuer>`,
    `<saml:Subject><saml:NameID Format="${facts.format}">${escapeXml(facts.subject)}</saml:NameID>`,
    '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">',
    `<saml:SubjectConfirmationData${answer} NotOnOrAfter="${instant(now + 60_000)}" Recipient="${facts.recipient}"/>`,
    '</saml:SubjectConfirmation></saml:Subject>',
    `<saml:Conditions NotBefore="${instant(now - 1_000)}" NotOnOrAfter="${instant(now + 60_000)}">`,
    `<saml:AudienceRestriction><saml:Audience>${escapeXml(facts.audience)}</saml:Audience></saml:AudienceRestriction></saml:Conditions>`,
    `<saml:AuthnStatement AuthnInstant="${instant(now)}" SessionIndex="${facts.sessionIndex}" SessionNotOnOrAfter="${instant(now + 3_600_000)}">`,
    '<saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified</saml:AuthnContextClassRef></saml:AuthnContext>',
    '</saml:AuthnStatement>',
    attributes.length === 0 ? '' : `<saml:AttributeStatement>${attributes.join('')}</saml:AttributeStatement>`,
    '</saml:Assertion>',
  ].join('');
}

export function responseXml(facts: Facts, assertion: string): string {
  const answer = facts.inResponseTo === undefined ? '' : ` InResponseTo="${facts.inResponseTo}"`;
  return [
    `<samlp:Response xmlns:samlp="${PROTOCOL}" ID="${facts.responseId}" Version="2.0" IssueInstant="${instant(facts.now)}" Destination="${facts.destination}"${answer}>`,
    `<saml:Issuer xmlns:saml="${ASSERTION}">${escapeXml(facts.issuer)}</saml:Issuer>`,
    `<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:${facts.status}"/></samlp:Status>`,
    assertion,
    '</samlp:Response>',
  ].join('');
}

export interface SignOptions {
  readonly algorithm?: string;
  readonly digest?: string;
  /** Default exclusive. */
  readonly canonicalization?: string;
  /** For HMAC: what is taken for the secret. */
  readonly secret?: string;
}

/** Signs the element of this id, with the signature behind its Issuer. */
export function signXml(xml: string, id: string, { key, certificate }: SigningKey, options: SignOptions = {}): string {
  const { algorithm = RSA_SHA256, digest = SHA256, canonicalization = EXCLUSIVE, secret } = options;
  const signer = new SignedXml({
    privateKey: secret ?? key,
    publicCert: certificate,
    signatureAlgorithm: algorithm,
    canonicalizationAlgorithm: canonicalization,
  });
  if (secret !== undefined) {
    signer.enableHMAC();
  }
  const xpath = `//*[@ID='${id}']`;
  signer.addReference({
    xpath,
    transforms: [ENVELOPED, canonicalization],
    digestAlgorithm: digest,
  });
  signer.computeSignature(xml, { location: { reference: `${xpath}/*[local-name(.)='Issuer']`, action: 'after' } });
  return signer.getSignedXml();
}
