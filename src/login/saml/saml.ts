import { createHash } from 'node:crypto';
import { LatchgateError } from '../../model/errors.ts';
import type { Overage } from '../overage/overage.ts';
import type {
  AcceptInput,
  AnswersByPost,
  AskedLogout,
  BeginInput,
  Completed,
  Journey,
  LoginProvider,
  LogoutInput,
  ProviderLogout,
} from '../provider.ts';
import { type NameId, type ReadAssertion, readAssertion } from './assertion.ts';
import { decodeMessage, type Envelope, openEnvelope, StatusRefused, type Wanted } from './envelope.ts';
import { LOGOUT_LIFE_MS, type LogoutMessage, readLogoutRequest } from './logout-request.ts';
import type { IdpMetadata } from './metadata.ts';
import { MetadataSource, type MetadataSourceOptions } from './metadata-source.ts';
import { ownKeyOf } from './own-key.ts';
import { type Refuse, refusalsOf } from './refusals.ts';
import { type SamlParts, SamlRequests } from './requests.ts';
import type { SamlLoginConfig } from './schema.ts';
import { verifiedAssertion } from './verified-assertion.ts';

const PURPOSE = 'saml assertion';

export interface SamlProviderOptions extends Omit<MetadataSourceOptions, 'config'> {
  readonly config: SamlLoginConfig;
  readonly publicUrl: string;
  /** By which an assertion counts once over all instances. */
  readonly once: (purpose: string, key: string, expiresAt: Date) => Promise<boolean>;
  /** Present when `overage` is configured. */
  readonly overage?: Overage;
}

export interface SamlProvider extends LoginProvider, AnswersByPost {
  readonly type: 'saml';
  /** Entity id: the same for as long as the config is. */
  readonly issuer: string;
}

/**
 * Service provider of the Web Browser SSO and Single Logout profiles (SAML profiles §4.1, §4.4). Throws
 * `provider_metadata_invalid` for metadata of the config that does not hold, `config_invalid` for an address without
 * `idp_entity_id`, and for a certificate that is of another key than the one it stands behind.
 */
export function createSamlProvider(options: SamlProviderOptions): SamlProvider {
  return new SamlLogin(options);
}

class SamlLogin implements SamlProvider {
  readonly type = 'saml';
  readonly name: string;
  readonly label: string;
  readonly issuer: string;
  readonly emailDomains: readonly string[];
  readonly #options: SamlProviderOptions;
  readonly #parts: SamlParts;
  readonly #source: MetadataSource;
  readonly #requests: SamlRequests;
  readonly #refuse: Refuse;

  constructor(options: SamlProviderOptions) {
    const { name, config, publicUrl } = options;
    this.#options = options;
    this.name = name;
    this.label = config.label ?? name;
    this.emailDomains = config.email_domains;
    const base = `${publicUrl}/.latchgate/saml/${name}`;
    const { signing_key: signing, decryption_key: first, other_decryption_key: other } = config;
    const opens = { decryption_key: first, other_decryption_key: other };
    this.#parts = {
      entityId: config.entity_id ?? `${base}/metadata`,
      acs: `${base}/acs`,
      slo: `${base}/slo`,
      ...(signing === undefined ? {} : { signing: ownKeyOf(signing, `login.${name}.signing_key`) }),
      decryption: Object.entries(opens).flatMap(([key, pem]) =>
        pem === undefined ? [] : [ownKeyOf(pem, `login.${name}.${key}`)],
      ),
    };
    this.#source = new MetadataSource(options);
    this.issuer = this.#source.entityId;
    this.#requests = new SamlRequests(this.#parts, config);
    this.#refuse = refusalsOf(name);
  }

  async begin({ state, transaction }: BeginInput): Promise<Journey> {
    return this.#requests.login(await this.#source.get(), { id: requestId(transaction.nonce), relayState: state });
  }

  async metadata(): Promise<string> {
    return this.#requests.metadata();
  }

  async accept(input: AcceptInput, signal: AbortSignal): Promise<Completed> {
    const completed = await this.#verified(input);
    const { overage } = this.#options;
    if (overage === undefined) return completed;
    const { assertion } = completed;
    return { ...completed, assertion: { ...assertion, claims: await overage.fill(assertion.claims, signal) } };
  }

  async #verified(input: AcceptInput): Promise<Completed> {
    const { config } = this.#options;
    if (input.transaction === undefined && !config.idp_initiated) throw this.#refuse('saml_unsolicited', 'RelayState');
    const text = decodeMessage(input.response, this.#refuse);
    const idp = await this.#source.get();
    try {
      return await this.#accepted(text, input, idp);
    } catch (thrown) {
      // The provider may sign with a new key since we last looked.
      if (!isByUnknownKey(thrown) || !(await this.#source.renew())) throw thrown;
      return this.#accepted(text, input, await this.#source.get());
    }
  }

  async verifyLogoutRequest(message: LogoutMessage): Promise<AskedLogout> {
    const attempt = async (idp: IdpMetadata) => {
      const { clock, config } = this.#options;
      const expected = { issuer: idp.entityId, address: this.#parts.slo, certificates: idp.certificates };
      const times = { now: clock.now(), skewMs: config.clock_skew };
      const request = await readLogoutRequest(message, { ...expected, ...times }, this.#refuse);
      const answer = () => this.#requests.logoutAnswer(idp, request, 'query' in message ? 'redirect' : 'post');
      return { logouts: logoutsOf(request, idp, config.clock_skew), answer };
    };
    try {
      return await attempt(await this.#source.get());
    } catch (thrown) {
      const isUnknownKey = thrown instanceof LatchgateError && thrown.detail['check'] === 'signature';
      if (!isUnknownKey || !(await this.#source.renew())) throw thrown;
      return attempt(await this.#source.get());
    }
  }

  async logoutJourney({ nameId }: LogoutInput): Promise<Journey | undefined> {
    if (nameId === undefined) return undefined;
    return this.#requests.logout(await this.#source.get(), JSON.parse(nameId) as KnownLogin);
  }

  async probe(): Promise<void> {
    await this.#source.get();
  }

  async #accepted(text: string, { transaction }: AcceptInput, idp: IdpMetadata): Promise<Completed> {
    const { config, clock } = this.#options;
    const wanted: Wanted = {
      issuer: idp.entityId,
      address: this.#parts.acs,
      responseSigned: config.want_response_signed,
      assertionSigned: config.want_assertion_signed,
    };
    const envelope = this.#opened(text, wanted);
    const keys = { certificates: idp.certificates, decryption: this.#parts.decryption };
    const assertion = verifiedAssertion(envelope, keys, wanted, this.#refuse);
    const asked = transaction === undefined ? undefined : requestId(transaction.nonce);
    const read = readAssertion(
      assertion,
      {
        issuer: idp.entityId,
        audience: this.#parts.entityId,
        recipient: this.#parts.acs,
        inResponseTo: asked,
        nameIdFormat: config.name_id_format,
        lists: new Set(config.claims.groups),
        now: clock.now(),
        skewMs: config.clock_skew,
      },
      this.#refuse,
    );
    if (envelope.inResponseTo !== asked) {
      const code = asked === undefined ? 'saml_unsolicited' : 'saml_message_invalid';
      throw this.#refuse(code, 'InResponseTo of the response');
    }
    const key = hash([idp.entityId, read.id]);
    const isFirst = await this.#options.once(PURPOSE, key, new Date(read.expiresAt));
    if (!isFirst) throw this.#refuse('saml_replayed', 'assertion id');
    return this.#completed(read, idp);
  }

  #opened(text: string, wanted: Wanted): Envelope {
    try {
      return openEnvelope(text, wanted, this.#refuse);
    } catch (thrown) {
      if (!(thrown instanceof StatusRefused)) throw thrown;
      const { isFault, status } = thrown;
      const [code, message] = isFault
        ? (['provider_misconfigured', 'the identity provider refuses our request'] as const)
        : (['provider_refused', 'the identity provider refused the login'] as const);
      throw new LatchgateError(code, message, { detail: { provider: this.name, error: status } });
    }
  }

  #completed(read: ReadAssertion, idp: IdpMetadata): Completed {
    const { nameId, sessionIndex, claims, issuedAt, sessionEndsAt: endsAt } = read;
    const at = new Date(this.#options.clock.now());
    const who = { issuer: idp.entityId, subject: nameId.value };
    const known: KnownLogin = { nameId, ...(sessionIndex === undefined ? {} : { sessionIndex }) };
    return {
      assertion: { origin: this.name, ...who, active: true, claims, at },
      ...(sessionIndex === undefined ? {} : { providerSession: sessionOf(nameId.value, sessionIndex) }),
      issuedAt,
      ...(endsAt === undefined ? {} : { endsAt }),
      tokens: { nameId: JSON.stringify(known) },
    };
  }
}

function isByUnknownKey(thrown: unknown): boolean {
  const isRefusal = thrown instanceof LatchgateError && thrown.code === 'saml_signature_invalid';
  return isRefusal && ['signature', 'encrypted assertion'].includes(String(thrown.detail['check']));
}

/** By what the provider is told which login is over. */
export interface KnownLogin {
  readonly nameId: NameId;
  readonly sessionIndex?: string;
}

/** An XML id has to begin with a letter or `_`. The nonce is of this one login, and only this browser has its state. */
function requestId(nonce: string): string {
  return `_${nonce}`;
}

/** SAML core §2.7.2: an index may be small and stand for sessions of several people. */
function sessionOf(subject: string, sessionIndex: string): string {
  return hash([subject, sessionIndex]);
}

function hash(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}

function logoutsOf(
  { id, subject, sessionIndexes, at }: Awaited<ReturnType<typeof readLogoutRequest>>,
  { entityId: issuer }: IdpMetadata,
  skewMs: number,
): readonly ProviderLogout[] {
  const said = { issuer, subject, at: new Date(at), expiresAt: new Date(at + LOGOUT_LIFE_MS + 2 * skewMs) };
  if (sessionIndexes.length === 0) return [{ ...said, id }];
  const named = [...new Set(sessionIndexes)];
  return named.map((index) => ({ ...said, id: `${id} ${index}`, providerSession: sessionOf(subject, index) }));
}
