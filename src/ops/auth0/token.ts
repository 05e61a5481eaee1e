import { z } from 'zod';
import { LatchgateError } from '../../model/errors.ts';
import type { Clock } from '../clock.ts';
import type { HttpClient, RetryPolicy } from '../http-client.ts';
import { type Auth0Role, asFailureOf, failure } from './failure.ts';

/** Calls of the Management API are signed in with this. */
export interface Auth0Token {
  /** A token that lives for at least another minute. Made once for all who ask at the same time. */
  get(signal: AbortSignal): Promise<string>;
  /** Auth0 answered 401 to this one: the next call makes it anew. */
  renew(token: string): void;
  /** What the token lets us do. Undefined: Auth0 did not say. */
  scopes(signal: AbortSignal): Promise<ReadonlySet<string> | undefined>;
}

export interface Auth0TokenOptions {
  /** `https://acme.eu.auth0.com`, without a trailing slash: the tenant's own domain, never a custom one. */
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly role: Auth0Role;
}

const MARGIN_MS = 60_000;
const DEFAULT_LIFETIME_S = 86_400;

const tokenAnswer = z.object({
  access_token: z.string().min(1),
  expires_in: z.number().positive().optional(),
  scope: z.string().optional(),
});

interface Kept {
  readonly token: string;
  readonly scopes: ReadonlySet<string> | undefined;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** By client credentials (RFC 6749 §4.4) with the Management API as audience, whose trailing slash Auth0 demands. */
export function createAuth0Token(options: Auth0TokenOptions): Auth0Token {
  const { clock } = options;
  let kept: Kept | undefined;
  let making: Promise<Kept> | undefined;

  const current = async (signal: AbortSignal): Promise<Kept> => {
    if (kept !== undefined && kept.until > clock.now()) return kept;
    making ??= fetchToken(options).finally(() => {
      making = undefined;
    });
    kept = await sharedWait(making, signal, options.role);
    return kept;
  };

  return {
    get: async (signal) => (await current(signal)).token,
    scopes: async (signal) => (await current(signal)).scopes,
    renew: (token) => {
      if (kept?.token === token) kept = undefined;
    },
  };
}

/** When one of several callers gives up, the others still wait for the same token. */
async function sharedWait<T>(work: Promise<T>, signal: AbortSignal, role: Auth0Role): Promise<T> {
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      const options = { cause: signal.reason as unknown };
      reject(new LatchgateError(`${role}_unavailable`, 'the wait for a token of Auth0 was given up', options));
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function fetchToken({ url, clientId, clientSecret, timeoutMs, retry, http, clock, role }: Auth0TokenOptions) {
  const response = await asFailureOf(role, () =>
    http.send({
      method: 'POST',
      url: new URL(`${url}/oauth/token`),
      headers: { accept: 'application/json' },
      json: {
        grant_type: 'client_credentials',
        client_id: clientId,
        client_secret: clientSecret,
        audience: `${url}/api/v2/`,
      },
      // Not the signal of one call: others wait for the same token.
      signal: new AbortController().signal,
      timeoutMs,
      retry,
      bucket: 'token',
      reads: true,
    }),
  );
  const { status } = response;
  const call = 'POST /oauth/token';
  if (status === 200) {
    const parsed = tokenAnswer.safeParse(await asFailureOf(role, async () => response.json()));
    if (parsed.success) {
      const { access_token: token, expires_in: seconds = DEFAULT_LIFETIME_S, scope } = parsed.data;
      const scopes = scope === undefined ? undefined : new Set(scope.split(' '));
      return { token, scopes, until: clock.now() + Math.max(0, seconds * 1_000 - MARGIN_MS) };
    }
    throw new LatchgateError(`${role}_answer_invalid`, 'Auth0 gave no token', { detail: { status, call } });
  }
  if (status === 400 || status === 401 || status === 403) {
    const message = 'Auth0 does not take our client: client_id, client_secret, or its grant for the Management API';
    throw new LatchgateError(`${role}_refused`, message, { detail: { status, call } });
  }
  throw failure(role, response, call);
}
