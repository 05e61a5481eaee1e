import { decodeJwt } from 'jose';
import { z } from 'zod';
import { LatchgateError } from '../../model/errors.ts';
import type { Clock } from '../../ops/clock.ts';
import type { HttpClient } from '../../ops/http-client.ts';
import type { Signer } from '../../ops/keys.ts';
import { waitFor } from '../shared-work.ts';
import { isLoginRedirect } from './answers.ts';

/** How our own calls say who we are. */
export interface Credentials {
  /** Headers that hold for this call at least. */
  headers(signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** Superset did not take them: the next call makes new ones. */
  renew(): void;
}

export interface AssertionCredentialsOptions {
  /** ES256. */
  readonly signer: Signer;
  readonly issuer: string;
  /** Name of the target. */
  readonly audience: string;
  readonly userName: string;
  readonly clock: Clock;
}

export interface PasswordCredentialsOptions {
  /** Of Superset, without a trailing slash. */
  readonly url: string;
  readonly userName: string;
  readonly password: string;
  readonly timeoutMs: number;
  readonly http: HttpClient;
  readonly clock: Clock;
}

const ASSERTION_LIFETIME_S = 60;
/** Superset's own default for an access token (JWT_ACCESS_TOKEN_EXPIRES), for one that does not say. */
const TOKEN_LIFETIME_S = 900;
/** A token this near its end may be too old when it arrives. */
const MARGIN_MS = 30_000;

type Headers = Readonly<Record<string, string>>;

interface Made {
  readonly headers: Headers;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** The gateway's own statement with the service account as its subject: no password and no token of Superset's. */
export function assertionCredentials(options: AssertionCredentialsOptions): Credentials {
  const { signer, issuer, audience, userName, clock } = options;
  return keeping(clock, async () => {
    const until = clock.now() + (ASSERTION_LIFETIME_S * 1_000) / 2;
    const assertion = await signer.sign({ iss: issuer, aud: audience, sub: userName }, ASSERTION_LIFETIME_S);
    return { headers: { 'x-latchgate-assertion': assertion }, until };
  });
}

/**
 * A token of Superset's for the service account and its password. There is no refresh token: logging in again every
 * quarter of an hour costs little and leaves one secret fewer to keep.
 */
export function passwordCredentials(options: PasswordCredentialsOptions): Credentials {
  const { clock } = options;
  return keeping(clock, async () => {
    const token = await logIn(options);
    return { headers: { authorization: `Bearer ${token}` }, until: expiryOf(token, clock) - MARGIN_MS };
  });
}

/** Made once for all calls that come together, and again when they run out. */
function keeping(clock: Clock, make: () => Promise<Made>): Credentials {
  let kept: Made | undefined;
  let making: Promise<Made> | undefined;
  return {
    headers: async (signal) => {
      if (kept !== undefined && kept.until > clock.now()) return kept.headers;
      making ??= make().finally(() => {
        making = undefined;
      });
      kept = await waitFor(making, signal);
      return kept.headers;
    },
    renew: () => {
      kept = undefined;
    },
  };
}

const loginAnswer = z.object({ access_token: z.string().min(1) });

async function logIn({ url, userName, password, timeoutMs, http }: PasswordCredentialsOptions): Promise<string> {
  const response = await http.send({
    method: 'POST',
    url: new URL(`${url}/api/v1/security/login`),
    headers: { accept: 'application/json' },
    json: { username: userName, password, provider: 'db', refresh: false },
    // Not the signal of one call: others wait for the same token.
    signal: AbortSignal.timeout(timeoutMs),
    timeoutMs,
    retries: 2,
    // Plans need it too.
    reads: true,
  });
  const { status } = response;
  const detail = { status, call: 'POST login' };
  if (status === 200) {
    const parsed = loginAnswer.safeParse(response.json());
    if (parsed.success) return parsed.data.access_token;
    throw new LatchgateError('target_answer_invalid', 'Superset gave no token for our login', { detail });
  }
  if (status === 400) {
    const message = 'Superset takes no password login: AUTH_API_LOGIN_ALLOW_MULTIPLE_PROVIDERS is off';
    throw new LatchgateError('target_refused', message, { detail });
  }
  if (status === 401 || status === 403 || isLoginRedirect(response)) {
    throw new LatchgateError('target_refused', 'Superset does not take the password of our service account', {
      detail,
    });
  }
  if (status === 429 || status >= 500) {
    throw new LatchgateError('target_unavailable', `Superset answered ${status} to our login`, { detail });
  }
  throw new LatchgateError('target_answer_invalid', `Superset answered ${status} to our login`, { detail });
}

function expiryOf(token: string, clock: Clock): number {
  try {
    return (decodeJwt(token).exp ?? 0) * 1_000 || clock.now() + TOKEN_LIFETIME_S * 1_000;
  } catch {
    return clock.now() + TOKEN_LIFETIME_S * 1_000;
  }
}
