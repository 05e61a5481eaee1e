import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import { createFailureLimit, type FailureLimit } from '../ops/failure-limit.ts';
import { sha256 } from '../ops/hash.ts';
import type { ScimClient } from './client.ts';
import type { Tokens } from './store/tokens.ts';

/** Keeps one address from trying what fails over and over. */
export interface FailedAttempts {
  /** Counts a request that is refused. `too_many_requests`, to refuse it with: there were too many of its address before. */
  count(req: IncomingMessage): LatchgateError | undefined;
}

export interface AuthenticationDeps {
  readonly clients: ReadonlyMap<string, ScimClient>;
  readonly tokens: Tokens;
  readonly clock: Clock;
  readonly failedAttempts: FailedAttempts;
  /** The address that a request came from. */
  readonly peerOf: (req: IncomingMessage) => string;
  /** Whether an address is in a list of addresses and networks. */
  readonly listOf: (networks: readonly string[]) => (address: string) => boolean;
}

/** So long a token of the store that was good is taken for good: whoever revokes one waits for a second. */
const REMEMBERED_MS = 1_000;
const USED_EVERY_MS = 60_000;
const BEARER = /^bearer +([\x21-\x7e]+) *$/i;

/** Who a request is from. The token alone says it; nothing in the address or the body does. */
export class Authentication {
  readonly #deps: AuthenticationDeps;
  readonly #configured: readonly { readonly hash: Buffer; readonly client: ScimClient }[];
  readonly #allowed = new Map<string, (address: string) => boolean>();
  readonly #limits = new Map<string, FailureLimit>();
  readonly #remembered = new Map<string, { readonly client: ScimClient; readonly until: number }>();
  readonly #noted = new Map<string, number>();

  constructor(deps: AuthenticationDeps) {
    this.#deps = deps;
    const clients = [...deps.clients.values()];
    this.#configured = clients.flatMap((client) =>
      client.config.tokens.map((token) => ({ hash: Buffer.from(sha256(token)), client })),
    );
    for (const { name, config } of clients) {
      if (config.allow_from.length > 0) this.#allowed.set(name, deps.listOf(config.allow_from));
      this.#limits.set(name, createFailureLimit({ perMinute: config.requests_per_minute, clock: deps.clock }));
    }
  }

  /** Throws `scim_unauthorized`, `scim_not_allowed_from`, `scim_rate_limited`, `too_many_requests`. */
  async client(req: IncomingMessage): Promise<ScimClient> {
    const [, token] = BEARER.exec(req.headers.authorization ?? '') ?? [];
    const client = token === undefined ? undefined : await this.#byToken(token);
    if (client === undefined) {
      const refusal = new LatchgateError('scim_unauthorized', 'no bearer token, or one that is of no client');
      throw this.#deps.failedAttempts.count(req) ?? refusal;
    }
    this.#refuseElsewhere(req, client);
    this.#refuseTooMany(client);
    return client;
  }

  async #byToken(token: string): Promise<ScimClient | undefined> {
    const hash = sha256(token);
    const bytes = Buffer.from(hash);
    let found: ScimClient | undefined;
    // All of them, so that the time says nothing of which.
    for (const one of this.#configured) if (timingSafeEqual(one.hash, bytes)) found = one.client;
    return found ?? this.#stored(hash);
  }

  async #stored(hash: string): Promise<ScimClient | undefined> {
    const { tokens, clients, clock } = this.#deps;
    const now = clock.now();
    const known = this.#remembered.get(hash);
    if (known !== undefined && known.until > now) return known.client;
    this.#remembered.delete(hash);
    const stored = await tokens.byHash(hash);
    const client = stored && clients.get(stored.client);
    if (stored === undefined || client === undefined) return undefined;
    this.#remembered.set(hash, {
      client,
      until: Math.min(now + REMEMBERED_MS, stored.expiresAt?.getTime() ?? Infinity),
    });
    if (now - (this.#noted.get(stored.id) ?? 0) >= USED_EVERY_MS) {
      this.#noted.set(stored.id, now);
      await tokens.used(stored.id, new Date(now));
    }
    return client;
  }

  #refuseElsewhere(req: IncomingMessage, { name, config }: ScimClient): void {
    const isAllowed = this.#allowed.get(name)?.(this.#deps.peerOf(req)) ?? true;
    if (!isAllowed) throw new LatchgateError('scim_not_allowed_from', 'the address is not in allow_from');
    if (config.client_certificates.length === 0) return;
    const shown = fingerprintOf(req);
    if (shown !== undefined && config.client_certificates.includes(shown)) return;
    throw new LatchgateError('scim_not_allowed_from', 'no certificate of client_certificates was shown');
  }

  #refuseTooMany({ name }: ScimClient): void {
    const limit = this.#limits.get(name);
    const retryAfterSeconds = limit?.wait(name) ?? 0;
    if (retryAfterSeconds > 0) {
      throw new LatchgateError('scim_rate_limited', 'more than requests_per_minute', { retryAfterSeconds });
    }
    limit?.failed(name);
  }
}

/** SHA-256 of the certificate that the peer has shown, whose key it has: the handshake proves that. */
function fingerprintOf({ socket }: IncomingMessage): string | undefined {
  const certificate = (socket as Partial<TLSSocket>).getPeerCertificate?.();
  return certificate?.fingerprint256?.replaceAll(':', '').toLowerCase();
}

/** Throws `scim_token_missing` for a client that nobody can be. */
export async function assertTokens(clients: Iterable<ScimClient>, tokens: Tokens, clock: Clock): Promise<void> {
  for (const { name, config } of clients) {
    if (config.tokens.length > 0) continue;
    const stored = await tokens.list(name);
    if (stored.some(({ expiresAt }) => expiresAt === undefined || expiresAt.getTime() > clock.now())) continue;
    throw new LatchgateError('scim_token_missing', `scim.clients.${name} has no token`, { detail: { client: name } });
  }
}
