import { X509Certificate } from 'node:crypto';
import { LatchgateError } from '../../model/errors.ts';
import { isLoopback } from '../../model/loopback.ts';
import { OWN_ISSUERS } from '../../model/origin.ts';
import { allElements, attributeOf, childrenOf, isElement, NS, readXml, XmlRefused } from './xml.ts';

export const BINDINGS = {
  redirect: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect',
  post: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST',
} as const;

export type Binding = keyof typeof BINDINGS;

export interface Endpoint {
  readonly location: string;
  /** Where answers go: the same by default. */
  readonly responses: string;
}

export type Endpoints = Partial<Readonly<Record<Binding, Endpoint>>>;

/** What a provider says of itself (SAML metadata §2.4.3). */
export interface IdpMetadata {
  readonly entityId: string;
  /** Those that sign, as PEM. At least one. */
  readonly certificates: readonly string[];
  readonly signOn: Endpoints;
  readonly logout: Endpoints;
  /** Milliseconds since the epoch. */
  readonly validUntil?: number;
}

/**
 * The identity provider that a metadata document describes: the one of this entity id, or the only one. Throws
 * `provider_metadata_invalid` with the failed check.
 */
export function parseIdpMetadata(text: string, provider: string, entityId?: string): IdpMetadata {
  const invalid = (check: string) =>
    new LatchgateError('provider_metadata_invalid', `the SAML metadata does not hold: ${check}`, {
      detail: { provider, check },
    });
  try {
    return read(text, entityId, invalid);
  } catch (thrown) {
    if (thrown instanceof XmlRefused) throw invalid(thrown.check);
    throw thrown;
  }
}

type Invalid = (check: string) => LatchgateError;

function read(text: string, entityId: string | undefined, invalid: Invalid): IdpMetadata {
  const root = readXml(text, { metadata: true });
  const candidates = allElements(root).filter(
    (element) =>
      isElement(element, NS.metadata, 'EntityDescriptor') &&
      childrenOf(element, NS.metadata, 'IDPSSODescriptor').length > 0 &&
      (entityId === undefined || attributeOf(element, 'entityID') === entityId),
  );
  const [entity, ...more] = candidates;
  if (entity === undefined)
    throw invalid(entityId === undefined ? 'no identity provider' : 'no provider of that entity id');
  if (more.length > 0) throw invalid('several identity providers; name one by idp_entity_id');
  const [role, ...otherRoles] = childrenOf(entity, NS.metadata, 'IDPSSODescriptor').filter((one) =>
    (attributeOf(one, 'protocolSupportEnumeration') ?? '').split(/\s+/).includes(NS.protocol),
  );
  if (role === undefined || otherRoles.length > 0) throw invalid('IDPSSODescriptor');
  const found = attributeOf(entity, 'entityID');
  if (found === undefined || found === '' || found.length > 1_024 || found.startsWith(OWN_ISSUERS)) {
    throw invalid('entityID');
  }
  const certificates = signingCertificates(role);
  if (certificates.length === 0) throw invalid('no signing certificate');
  const signOn = endpointsOf(role, 'SingleSignOnService', invalid);
  if (signOn.redirect === undefined && signOn.post === undefined) throw invalid('SingleSignOnService');
  const until = [role, ...withAncestors(entity)]
    .flatMap((one) => attributeOf(one, 'validUntil') ?? [])
    .map((one) => Date.parse(one));
  if (until.some(Number.isNaN)) throw invalid('validUntil');
  return {
    entityId: found,
    certificates,
    signOn,
    logout: endpointsOf(role, 'SingleLogoutService', invalid),
    ...(until.length === 0 ? {} : { validUntil: Math.min(...until) }),
  };
}

/** Of groups within groups each may end before what it is in (SAML metadata §2.3.1). */
function withAncestors(element: Element): readonly Element[] {
  const parent = element.parentNode;
  return parent?.nodeType === 1 ? [element, ...withAncestors(parent as Element)] : [element];
}

/** RSA keys alone: others could not have signed. One that cannot be read does not stand in the way of the next. */
function signingCertificates(role: Element): readonly string[] {
  const keys = childrenOf(role, NS.metadata, 'KeyDescriptor').filter(
    (key) => (attributeOf(key, 'use') ?? 'signing') === 'signing',
  );
  const texts = keys
    .flatMap((key) => Array.from(key.getElementsByTagNameNS(NS.signature, 'X509Certificate')))
    .map((element) => (element.textContent ?? '').replace(/\s+/g, ''));
  return [...new Set(texts)].flatMap((text) => {
    try {
      const certificate = new X509Certificate(Buffer.from(text, 'base64'));
      return certificate.publicKey.asymmetricKeyType === 'rsa' ? [certificate.toString()] : [];
    } catch {
      return [];
    }
  });
}

/** The first of each binding. */
function endpointsOf(role: Element, name: string, invalid: Invalid): Endpoints {
  const services = childrenOf(role, NS.metadata, name);
  const of = (binding: Binding): Endpoint | undefined => {
    const service = services.find((one) => attributeOf(one, 'Binding') === BINDINGS[binding]);
    if (service === undefined) return undefined;
    const location = address(attributeOf(service, 'Location'), () => invalid(name));
    const responses = attributeOf(service, 'ResponseLocation');
    return { location, responses: responses === undefined ? location : address(responses, () => invalid(name)) };
  };
  const [redirect, post] = [of('redirect'), of('post')];
  return { ...(redirect && { redirect }), ...(post && { post }) };
}

function address(value: string | undefined, invalid: () => LatchgateError): string {
  const url = value !== undefined && URL.canParse(value) ? new URL(value) : undefined;
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
  if (url === undefined || !isSafe || url.hash !== '') throw invalid();
  return url.href;
}
