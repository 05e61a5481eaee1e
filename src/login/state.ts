import { timingSafeEqual } from 'node:crypto';
import type { Leases } from '../directory/directory.ts';
import type { Clock } from '../ops/clock.ts';
import { sha256 } from '../ops/hash.ts';
import { randomText } from '../ops/random.ts';
import { cookieValues, deriveKey } from '../session/cookie.ts';
import type { Transaction } from './provider.ts';
import { SealedTexts } from './sealed-state.ts';

/** How long a person may take at the provider. */
export const LOGIN_LIMIT_MS = 600_000;
const PURPOSE = 'login-state';
/** Request lines of 4,096 bytes are a common limit of providers; the rest of the address needs its part. */
const LONGEST_STATE = 2_800;
const SECRET_BYTES = 32;
const texts = new SealedTexts(PURPOSE);

export interface LoginStatesOptions {
  readonly publicUrl: string;
  /** The first seals, all open. */
  readonly secrets: readonly string[];
  readonly leases: Pick<Leases, 'once'>;
  readonly clock: Clock;
}

export interface StartInput {
  readonly provider: string;
  /** Checked already. */
  readonly returnTo: string;
  /** How many logins in a row came back without their state; 0 when a person asked. */
  readonly restarts: number;
  /** The Cookie header: a binding cookie that is there is used again, so that parallel tabs share it. */
  readonly cookieHeader: string | undefined;
}

export interface StartedLogin {
  readonly state: string;
  readonly transaction: Transaction;
  /** Set-Cookie line with the binding of this browser. */
  readonly cookie: string;
}

export interface OpenedState {
  readonly transaction: Transaction;
  readonly restarts: number;
  /** Began in this browser, less than ten minutes ago. */
  readonly live: boolean;
  /** True the first time ever, over all instances. */
  use(): Promise<boolean>;
}

/**
 * Logins under way, kept by nobody: everything is sealed (RFC 7516, A256GCM) into `state` and bound to the browser by
 * the hash of a random cookie. Only used states are remembered, until they would have run out.
 */
export interface LoginStates {
  readonly cookieName: string;
  start(input: StartInput): StartedLogin;
  /** Undefined: not sealed by us. */
  open(state: string, cookieHeader: string | undefined): OpenedState | undefined;
}

interface SealedState {
  readonly transaction: Transaction;
  readonly restarts: number;
  /** SHA-256 of the binding cookie. */
  readonly browser: string;
  readonly id: string;
}

export function createLoginStates({ publicUrl, secrets, leases, clock }: LoginStatesOptions): LoginStates {
  const secure = new URL(publicUrl).protocol === 'https:';
  const cookieName = secure ? '__Host-latchgate-login' : 'latchgate-login';
  const keys = secrets.map((secret) => deriveKey(secret, PURPOSE));
  const bindingOf = (header: string | undefined): string | undefined => {
    const [value, ...more] = cookieValues(header, cookieName);
    return value !== undefined && more.length === 0 && /^[\w-]{43}$/.test(value) ? value : undefined;
  };

  return {
    cookieName,
    start: ({ provider, returnTo, restarts, cookieHeader }) => {
      const binding = bindingOf(cookieHeader) ?? randomText(SECRET_BYTES);
      const transaction = {
        provider,
        nonce: randomText(SECRET_BYTES),
        codeVerifier: randomText(SECRET_BYTES),
        returnTo,
        startedAt: Math.floor(clock.now() / 1_000),
      };
      const sealed = { transaction, restarts, browser: sha256(binding), id: randomText(SECRET_BYTES) };
      const attributes = `Path=/; Max-Age=${LOGIN_LIMIT_MS / 1_000}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
      const cookie = `${cookieName}=${binding}; ${attributes}`;
      return { ...sealToFit(sealed, keys[0] as Buffer), cookie };
    },
    open: (state, cookieHeader) => {
      const sealed = unseal(state, keys);
      if (sealed === undefined) return undefined;
      const { transaction, restarts, browser, id } = sealed;
      const endsAt = transaction.startedAt * 1_000 + LOGIN_LIMIT_MS;
      const binding = bindingOf(cookieHeader);
      return {
        transaction,
        restarts,
        live: binding !== undefined && isEqual(sha256(binding), browser) && clock.now() < endsAt,
        use: () => leases.once(PURPOSE, id, new Date(endsAt)),
      };
    },
  };
}

/** A deep link that is too long loses its query rather than the login. */
function sealToFit(content: SealedState, key: Buffer): Pick<StartedLogin, 'state' | 'transaction'> {
  const { returnTo } = content.transaction;
  for (const target of [returnTo, returnTo.split(/[?#]/, 1)[0] as string]) {
    const transaction = { ...content.transaction, returnTo: target };
    const state = texts.seal(JSON.stringify({ ...content, transaction }), key);
    if (state.length <= LONGEST_STATE) return { state, transaction };
  }
  const transaction = { ...content.transaction, returnTo: '/' };
  return { state: texts.seal(JSON.stringify({ ...content, transaction }), key), transaction };
}

function unseal(state: string, keys: readonly Buffer[]): SealedState | undefined {
  if (state.length > 2 * LONGEST_STATE) return undefined;
  for (const key of keys) {
    const text = texts.open(state, key);
    if (text !== undefined) return JSON.parse(text) as SealedState;
  }
  return undefined;
}

function isEqual(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
