import { LatchgateError, toLatchgateError } from '../../model/errors.ts';
import type { Clock } from '../../ops/clock.ts';
import type { HttpClient } from '../../ops/http-client.ts';
import type { Log } from '../../ops/log.ts';
import { type IdpMetadata, parseIdpMetadata } from './metadata.ts';
import type { SamlLoginConfig } from './schema.ts';

/** Between two readings that somebody's unknown key asks for. */
const COOLDOWN_MS = 5_000;

export interface MetadataSourceOptions {
  readonly name: string;
  readonly config: Pick<SamlLoginConfig, 'metadata' | 'metadata_refresh' | 'idp_entity_id' | 'timeout'>;
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly log: Log;
}

/** Metadata of the provider: as the config has it, or from its address, read again now and then. */
export class MetadataSource {
  readonly #options: MetadataSourceOptions;
  readonly #fixed: IdpMetadata | undefined;
  #read: { readonly metadata: IdpMetadata; readonly at: number } | undefined;
  #triedAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<IdpMetadata> | undefined;

  /** Who the provider is: no reading of its address makes somebody else of it. */
  readonly entityId: string;

  /** Throws `provider_metadata_invalid` for XML that does not hold, `config_invalid` for an address without an entity id. */
  constructor(options: MetadataSourceOptions) {
    this.#options = options;
    const { metadata, idp_entity_id: named } = options.config;
    if (metadata.startsWith('<')) this.#fixed = this.#parsed(metadata);
    const entityId = this.#fixed?.entityId ?? named;
    if (entityId === undefined) {
      throw new LatchgateError('config_invalid', `login.${options.name} reads metadata without idp_entity_id`);
    }
    this.entityId = entityId;
  }

  /**
   * What is known; asked for first when there is nothing yet, or what there is has run out. What is old is renewed beside,
   * and serves meanwhile, and as long as the provider does not answer. Throws `provider_unavailable`,
   * `provider_metadata_invalid`.
   */
  async get(): Promise<IdpMetadata> {
    const known = this.#fixed ?? (await this.#current());
    if (this.#holds(known)) return known;
    throw this.#fault('the metadata of the provider has run out', { check: 'validUntil' });
  }

  /** For a key that nobody knows: true when there is something new by now. */
  async renew(): Promise<boolean> {
    if (this.#fixed !== undefined) return false;
    const before = JSON.stringify(this.#read?.metadata);
    if (this.#reading === undefined && this.#options.clock.now() - this.#triedAt < COOLDOWN_MS) return false;
    const metadata = await this.#again().catch(() => undefined);
    return metadata !== undefined && JSON.stringify(metadata) !== before;
  }

  async #current(): Promise<IdpMetadata> {
    const { clock, config } = this.#options;
    if (this.#read === undefined) return this.#again();
    const now = clock.now();
    const isRested = now - this.#triedAt >= COOLDOWN_MS;
    if (!this.#holds(this.#read.metadata)) {
      return isRested || this.#reading !== undefined ? this.#again() : this.#read.metadata;
    }
    if (now - this.#read.at >= config.metadata_refresh && isRested) {
      this.#again().catch(() => undefined);
    }
    return this.#read.metadata;
  }

  #holds({ validUntil = Number.POSITIVE_INFINITY }: IdpMetadata): boolean {
    return validUntil > this.#options.clock.now();
  }

  #again(): Promise<IdpMetadata> {
    this.#reading ??= this.#fetch().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #fetch(): Promise<IdpMetadata> {
    const { config, http, clock, log, name } = this.#options;
    this.#triedAt = clock.now();
    try {
      const url = new URL(config.metadata);
      const answer = await http.send({ method: 'GET', url, signal: AbortSignal.timeout(config.timeout) });
      if (answer.status !== 200) throw this.#fault('no metadata came', { status: answer.status });
      const metadata = this.#parsed(answer.text);
      this.#read = { metadata, at: clock.now() };
      return metadata;
    } catch (thrown) {
      const error = this.#asLoginError(toLatchgateError(thrown));
      log.warn('the metadata of the provider could not be read', { login: name, code: error.code, error });
      throw error;
    }
  }

  #asLoginError(error: LatchgateError): LatchgateError {
    const isOutgoing = error.code === 'target_unavailable' || error.code === 'target_answer_invalid';
    return isOutgoing ? this.#fault(error.message, {}, error.cause) : error;
  }

  #fault(message: string, detail: Readonly<Record<string, string | number>>, cause?: unknown): LatchgateError {
    const provider = this.#options.name;
    return new LatchgateError('provider_unavailable', message, { detail: { provider, ...detail }, cause });
  }

  #parsed(text: string): IdpMetadata {
    const { name, config } = this.#options;
    return parseIdpMetadata(text, name, config.idp_entity_id);
  }
}
