import { SAML, type SamlConfig, ValidateInResponseTo } from '@node-saml/node-saml';
import type { Journey } from '../provider.ts';
import type { NameId } from './assertion.ts';
import { BINDINGS, type Binding, type Endpoints, type IdpMetadata } from './metadata.ts';
import type { OwnKey } from './own-key.ts';
import type { SamlLoginConfig } from './schema.ts';
import { signed } from './signatures.ts';

/** Our side of one login: names, addresses, keys. */
export interface SamlParts {
  readonly entityId: string;
  readonly acs: string;
  readonly slo: string;
  readonly signing?: OwnKey;
  /** The first is in our metadata; all of them open. Empty: encrypted assertions are refused. */
  readonly decryption: readonly OwnKey[];
}

/** What we bind and what counts once is ours to remember, and stands in the database. */
const NOTHING_KEPT = {
  saveAsync: async () => null,
  getAsync: async () => null,
  removeAsync: async () => null,
};

function settings(parts: SamlParts, certificates: readonly string[], more: Partial<SamlConfig> = {}): SamlConfig {
  const { signing } = parts;
  const [decryption] = parts.decryption;
  return {
    issuer: parts.entityId,
    callbackUrl: parts.acs,
    logoutCallbackUrl: parts.slo,
    idpCert: [...certificates],
    identifierFormat: null,
    disableRequestedAuthnContext: true,
    signatureAlgorithm: 'sha256',
    digestAlgorithm: 'sha256',
    validateInResponseTo: ValidateInResponseTo.never,
    cacheProvider: NOTHING_KEPT,
    ...(signing === undefined ? {} : { privateKey: signing.key, publicCert: signing.certificate }),
    ...(decryption === undefined ? {} : { decryptionPvk: decryption.key }),
    ...more,
  };
}

/** Messages of ours, by the binding that the provider takes: signed when there is a key. */
export class SamlRequests {
  readonly #parts: SamlParts;
  readonly #config: Pick<SamlLoginConfig, 'request_binding' | 'name_id_format' | 'want_assertion_signed'>;

  constructor(parts: SamlParts, config: SamlLoginConfig) {
    this.#parts = parts;
    this.#config = config;
  }

  /** Of an AuthnRequest (SAML core §3.4.1). */
  async login(
    idp: IdpMetadata,
    { id, relayState }: { readonly id: string; readonly relayState: string },
  ): Promise<Journey> {
    const { binding, location } = chosen(idp.signOn, this.#config.request_binding ?? 'redirect');
    const saml = this.#saml(idp, location, id, binding);
    if (binding === 'redirect') return saml.getAuthorizeUrlAsync(relayState, undefined, {});
    const fields = await saml.getAuthorizeMessageAsync(relayState);
    return { action: location, fields: { SAMLRequest: String(fields['SAMLRequest']), RelayState: relayState } };
  }

  /** Of a LogoutRequest (SAML core §3.7.1); undefined: the provider takes none. */
  async logout(
    idp: IdpMetadata,
    { nameId, sessionIndex }: { readonly nameId: NameId; readonly sessionIndex?: string },
  ): Promise<Journey | undefined> {
    const found = chosenIfAny(idp.logout, 'redirect');
    if (found === undefined) return undefined;
    const { binding, location } = found;
    const saml = this.#saml(idp, location, undefined, binding);
    const profile = {
      issuer: idp.entityId,
      nameID: nameId.value,
      nameIDFormat: nameId.format ?? 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified',
      ...(nameId.nameQualifier === undefined ? {} : { nameQualifier: nameId.nameQualifier }),
      ...(nameId.spNameQualifier === undefined ? {} : { spNameQualifier: nameId.spNameQualifier }),
      ...(sessionIndex === undefined ? {} : { sessionIndex }),
    };
    if (binding === 'redirect') return saml.getLogoutUrlAsync(profile, '', {});
    return { action: location, fields: { SAMLRequest: this.#packed(await saml._generateLogoutRequest(profile)) } };
  }

  /** Of the answer to a LogoutRequest, preferably the way it came. */
  async logoutAnswer(
    idp: IdpMetadata,
    { id, relayState }: { readonly id: string; readonly relayState?: string },
    came: Binding,
  ): Promise<Journey | undefined> {
    const found = chosenIfAny(idp.logout, came);
    if (found === undefined) return undefined;
    const { binding, responses } = found;
    const saml = this.#saml(idp, responses, undefined, binding);
    const request = { issuer: idp.entityId, nameID: '', nameIDFormat: '', ID: id };
    if (binding === 'redirect') return saml.getLogoutResponseUrlAsync(request, relayState ?? '', {}, true);
    const fields = { SAMLResponse: this.#packed(saml._generateLogoutResponse(request, true)) };
    return {
      action: responses,
      fields: { ...fields, ...(relayState === undefined ? {} : { RelayState: relayState }) },
    };
  }

  metadata(): string {
    const { signing } = this.#parts;
    const [decryption] = this.#parts.decryption;
    const { want_assertion_signed: wantAssertionsSigned } = this.#config;
    const more = {
      wantAssertionsSigned,
      generateUniqueId: () => '_latchgate',
      identifierFormat: this.#config.name_id_format ?? null,
    };
    // No key of the provider is asked for here, but the library wants one.
    const saml = new SAML(settings(this.#parts, ['none'], more));
    return saml.generateServiceProviderMetadata(decryption?.certificate ?? null, signing?.certificate ?? null);
  }

  #saml(idp: IdpMetadata, address: string, id: string | undefined, binding: Binding): SAML {
    return new SAML(
      settings(this.#parts, idp.certificates, {
        entryPoint: address,
        logoutUrl: address,
        authnRequestBinding: BINDINGS[binding],
        identifierFormat: this.#config.name_id_format ?? null,
        skipRequestCompression: binding === 'post',
        ...(id === undefined ? {} : { generateUniqueId: () => id }),
      }),
    );
  }

  #packed(text: string): string {
    const { signing } = this.#parts;
    return Buffer.from(signing === undefined ? text : signed(text, signing)).toString('base64');
  }
}

function chosen(endpoints: Endpoints, wanted: Binding) {
  const found = chosenIfAny(endpoints, wanted);
  if (found === undefined) throw new TypeError('metadata without an endpoint');
  return found;
}

function chosenIfAny(endpoints: Endpoints, wanted: Binding) {
  const order: readonly Binding[] = wanted === 'redirect' ? ['redirect', 'post'] : ['post', 'redirect'];
  for (const binding of order) {
    const endpoint = endpoints[binding];
    if (endpoint !== undefined) return { binding, ...endpoint };
  }
  return undefined;
}
