import { constants, createCipheriv, generateKeyPairSync, publicEncrypt, randomBytes, sign } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { type EncryptOptions, encrypt } from 'xml-encryption';
import { ownKeyOf } from '../../../src/login/saml/own-key.ts';
import {
  ASSERTION,
  assertionXml,
  escapeXml,
  type Facts,
  instant,
  newId,
  PROTOCOL,
  RSA_SHA256,
  responseXml,
  type SigningKey,
  type SignOptions,
  signXml,
} from './messages.ts';

export function newKey(): SigningKey {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  return ownKeyOf(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 'a test');
}

/** What the provider gets wrong. Nothing set: it is an honest one. */
export interface SamlLies extends Partial<Facts> {
  /** Default true. */
  readonly signResponse?: boolean;
  /** Default true. */
  readonly signAssertion?: boolean;
  readonly signing?: SignOptions;
  /** Key in place of its own. */
  readonly key?: SigningKey;
  /** Before anything is signed. */
  readonly assertion?: (xml: string) => string;
  /** Before the response is signed, the assertion being signed already. */
  readonly response?: (xml: string) => string;
  /** At last. */
  readonly message?: (xml: string) => string;
  /** Certificate for which the assertion is encrypted. */
  readonly encryptFor?: string;
  /** How. Default AES-256-GCM. */
  readonly encryption?: EncryptOptions['encryptionAlgorithm'];
  /** How its key is wrapped. Default RSA-OAEP with SHA-1 throughout. */
  readonly transport?: Transport;
}

/** As XML Encryption 1.1 §5.5.2 writes it. */
export interface Transport {
  readonly algorithm: string;
  /** None: not said. */
  readonly digest?: string;
  readonly mask?: string;
  /** By which it is wrapped in truth. */
  readonly hash: string;
}

export interface SamlIdpOptions {
  readonly entityId?: string;
  /** Where it would be. Default loopback. */
  readonly address?: string;
  readonly bindings?: readonly ('redirect' | 'post')[];
}

/** A SAML identity provider that says whatever it is told to say, signed or not. */
export class SamlIdp {
  readonly entityId: string;
  readonly address: string;
  key = newKey();
  /** Published beside the key that signs. */
  readonly otherCertificates: string[] = [];
  readonly #bindings: readonly ('redirect' | 'post')[];

  constructor({
    entityId = 'https://idp.example.com/saml',
    address = 'http://127.0.0.1:2',
    bindings,
  }: SamlIdpOptions = {}) {
    this.entityId = entityId;
    this.address = address;
    this.#bindings = bindings ?? ['redirect', 'post'];
  }

  rotate(): void {
    this.key = newKey();
  }

  metadata(): string {
    const keys = [...this.otherCertificates, this.key.certificate].map((certificate) => {
      const bare = certificate.replace(/-----[^-]+-----/g, '').replace(/\s/g, '');
      return `<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>${bare}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`;
    });
    const service = (name: string, path: string) =>
      this.#bindings.map((binding) => {
        const kind = binding === 'post' ? 'HTTP-POST' : 'HTTP-Redirect';
        return `<md:${name} Binding="urn:oasis:names:tc:SAML:2.0:bindings:${kind}" Location="${this.address}${path}"/>`;
      });
    return [
      `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${escapeXml(this.entityId)}">`,
      `<md:IDPSSODescriptor protocolSupportEnumeration="${PROTOCOL}" WantAuthnRequestsSigned="true">`,
      ...keys,
      ...service('SingleLogoutService', '/slo'),
      ...service('SingleSignOnService', '/sso'),
      '</md:IDPSSODescriptor></md:EntityDescriptor>',
    ].join('');
  }

  /** An answer to a service provider, base64 as it stands in the form. */
  async respond(about: Pick<Facts, 'audience' | 'recipient' | 'inResponseTo'>, lies: SamlLies = {}): Promise<string> {
    return Buffer.from(await this.responseText(about, lies)).toString('base64');
  }

  async responseText(
    about: Pick<Facts, 'audience' | 'recipient' | 'inResponseTo'>,
    { assertion: changeAssertion, response: changeResponse, message: changeMessage, ...lies }: SamlLies = {},
  ): Promise<string> {
    const facts: Facts = {
      issuer: this.entityId,
      subject: 'alice',
      format: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
      attributes: { email: ['alice@example.com'], groups: ['eng', 'admin'] },
      destination: about.recipient,
      sessionIndex: 'session-1',
      assertionId: newId(),
      responseId: newId(),
      now: Date.now(),
      status: 'Success',
      ...about,
      ...lies,
    };
    const { key = this.key, signResponse = true, signAssertion = true, signing = {}, encryptFor, encryption } = lies;
    const plain = assertionXml(facts);
    let assertion = changeAssertion?.(plain) ?? plain;
    if (signAssertion) assertion = signXml(assertion, facts.assertionId, key, signing);
    if (encryptFor !== undefined && lies.transport !== undefined) {
      assertion = sealed(assertion, encryptFor, lies.transport);
    } else if (encryptFor !== undefined) assertion = await encrypted(assertion, encryptFor, encryption);
    const whole = responseXml(facts, assertion);
    let response = changeResponse?.(whole) ?? whole;
    if (signResponse) response = signXml(response, facts.responseId, key, signing);
    return changeMessage?.(response) ?? response;
  }

  /** A request to end logins, as it stands. */
  logoutText(destination: string, lies: LogoutLies = {}): string {
    const {
      subject = 'alice',
      sessionIndexes = ['session-1'],
      id = newId(),
      at = Date.now(),
      issuer = this.entityId,
    } = lies;
    const indexes = sessionIndexes.map((index) => `<samlp:SessionIndex>${index}</samlp:SessionIndex>`).join('');
    return [
      `<samlp:LogoutRequest xmlns:samlp="${PROTOCOL}" xmlns:saml="${ASSERTION}" ID="${id}" Version="2.0" IssueInstant="${instant(at)}" Destination="${lies.destination ?? destination}">`,
      `<saml:Issuer>${escapeXml(issuer)}</saml:Issuer><saml:NameID>${escapeXml(subject)}</saml:NameID>${indexes}</samlp:LogoutRequest>`,
    ].join('');
  }

  /** The same signed, base64 for a form. */
  logoutForm(destination: string, lies: LogoutLies = {}): string {
    const text = this.logoutText(destination, { id: '_logout', ...lies });
    const signed =
      lies.unsigned === true ? text : signXml(text, lies.id ?? '_logout', lies.key ?? this.key, lies.signing);
    return Buffer.from(lies.message?.(signed) ?? signed).toString('base64');
  }

  /** The query of a redirect with it (SAML bindings §3.4.4.1). */
  logoutQuery(destination: string, lies: LogoutLies = {}): string {
    const packed = deflateRawSync(this.logoutText(destination, lies)).toString('base64');
    const algorithm = lies.signing?.algorithm ?? RSA_SHA256;
    const query = new URLSearchParams({ SAMLRequest: packed, RelayState: 'r', SigAlg: algorithm }).toString();
    if (lies.unsigned === true) return new URLSearchParams({ SAMLRequest: packed }).toString();
    const signature = sign(
      algorithm === RSA_SHA256 ? 'sha256' : 'sha1',
      Buffer.from(query),
      (lies.key ?? this.key).key,
    );
    return `${query}&${new URLSearchParams({ Signature: signature.toString('base64') })}`;
  }
}

export interface LogoutLies {
  readonly subject?: string;
  readonly sessionIndexes?: readonly string[];
  readonly id?: string;
  readonly at?: number;
  readonly issuer?: string;
  readonly destination?: string;
  readonly unsigned?: boolean;
  readonly key?: SigningKey;
  readonly signing?: SignOptions;
  readonly message?: (xml: string) => string;
}

function encrypted(
  xml: string,
  certificate: string,
  encryptionAlgorithm: EncryptOptions['encryptionAlgorithm'] = 'http://www.w3.org/2009/xmlenc11#aes256-gcm',
): Promise<string> {
  return new Promise((resolve, reject) => {
    encrypt(
      xml,
      {
        rsa_pub: certificate,
        pem: certificate,
        encryptionAlgorithm,
        keyEncryptionAlgorithm: 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p',
      },
      (error, result) =>
        error
          ? reject(error)
          : resolve(`<saml:EncryptedAssertion xmlns:saml="${ASSERTION}">${result}</saml:EncryptedAssertion>`),
    );
  });
}

/** As Apache Santuario, which Keycloak uses, lays it out. */
function sealed(xml: string, certificate: string, { algorithm, digest, mask, hash }: Transport): string {
  const [secret, iv] = [randomBytes(32), randomBytes(12)];
  const cipher = createCipheriv('aes-256-gcm', secret, iv);
  const content = Buffer.concat([iv, cipher.update(xml, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  const wrapped = publicEncrypt(
    { key: certificate, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash },
    secret,
  );
  const value = (bytes: Buffer) =>
    `<xenc:CipherData><xenc:CipherValue>${bytes.toString('base64')}</xenc:CipherValue></xenc:CipherData>`;
  const DSIG = 'http://www.w3.org/2000/09/xmldsig#';
  const said = [
    digest === undefined ? '' : `<ds:DigestMethod xmlns:ds="${DSIG}" Algorithm="${digest}"/>`,
    mask === undefined ? '' : `<xenc11:MGF xmlns:xenc11="http://www.w3.org/2009/xmlenc11#" Algorithm="${mask}"/>`,
  ].join('');
  return [
    `<saml:EncryptedAssertion xmlns:saml="${ASSERTION}"><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Element">`,
    '<xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes256-gcm"/>',
    `<ds:KeyInfo xmlns:ds="${DSIG}"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="${algorithm}">${said}</xenc:EncryptionMethod>`,
    `${value(wrapped)}</xenc:EncryptedKey></ds:KeyInfo>${value(content)}</xenc:EncryptedData></saml:EncryptedAssertion>`,
  ].join('');
}
