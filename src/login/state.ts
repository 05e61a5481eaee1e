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

/** With short names: all of it travels in an address. */
interface SealedState {
  /** Provider. */
  readonly p: string;
  /** Where to return to. */
  readonly r: string;
  /** Start, in seconds since the epoch. */
  readonly t: number;
  /** Restarts. */
  readonly n: number;
  /** SHA-256 of the binding cookie: the browser. */
  readonly b: string;
  /** 32 random bytes that nonce, code verifier and the id of this state are derived from. */
  readonly s: string;
}

export function createLoginStates({ publicUrl, secrets, leases, clock }: LoginStatesOptions): LoginStates {
  const secure = new URL(publicUrl).protocol === 'https:';
  const cookieName = secure ? '__Host-latchgate-login' : 'latchgate-login';
  const attributes = `Path=/; Max-Age=${LOGIN_LIMIT_MS / 1_000}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
  const keys = secrets.map((secret) => deriveKey(secret, PURPOSE));
  const bindingOf = (header: string | undefined): string | undefined => {
    const [value, ...more] = cookieValues(header, cookieName);
    return value !== undefined && more.length === 0 && /^[\w-]{43}$/.test(value) ? value : undefined;
  };

  return {
    cookieName,
    start: ({ provider, returnTo, restarts, cookieHeader }) => {
      const binding = bindingOf(cookieHeader) ?? randomText(SECRET_BYTES);
      const startedAt = Math.floor(clock.now() / 1_000);
      const content = { p: provider, t: startedAt, n: restarts, b: sha256(binding), s: randomText(SECRET_BYTES) };
      return { ...sealToFit(content, returnTo, keys[0] as Buffer), cookie: `${cookieName}=${binding}; ${attributes}` };
    },
    open: (state, cookieHeader) => {
      const content = unseal(state, keys);
      if (content === undefined) return undefined;
      const endsAt = content.t * 1_000 + LOGIN_LIMIT_MS;
      const binding = bindingOf(cookieHeader);
      return {
        transaction: transactionOf(content),
        restarts: content.n,
        live: binding !== undefined && isEqual(sha256(binding), content.b) && clock.now() < endsAt,
        use: () => leases.once(PURPOSE, sha256(`id ${content.s}`), new Date(endsAt)),
      };
    },
  };
}

/** Each of the three tells nothing of the others, nor of what they are made of. */
function transactionOf({ p: provider, r: returnTo, t: startedAt, s: secret }: SealedState): Transaction {
  const [nonce, codeVerifier] = [sha256(`nonce ${secret}`), sha256(`code verifier ${secret}`)];
  return { provider, nonce, codeVerifier, returnTo, startedAt };
}

/** A deep link that is too long loses its query rather than the login. */
function sealToFit(
  content: Omit<SealedState, 'r'>,
  returnTo: string,
  key: Buffer,
): Pick<StartedLogin, 'state' | 'transaction'> {
  for (const target of [returnTo, returnTo.split(/[?#]/, 1)[0] as string]) {
    const whole = { ...content, r: target };
    const state = texts.seal(JSON.stringify(whole), key);
    if (state.length <= LONGEST_STATE) return { state, transaction: transactionOf(whole) };
  }
  const whole = { ...content, r: '/' };
  return { state: texts.seal(JSON.stringify(whole), key), transaction: transactionOf(whole) };
}

/** Undefined also for what another version has sealed: the login begins anew. */
function unseal(state: string, keys: readonly Buffer[]): SealedState | undefined {
  if (state.length > 2 * LONGEST_STATE) return undefined;
  for (const key of keys) {
    const text = texts.open(state, key);
    if (text === undefined) continue;
    const content = JSON.parse(text) as SealedState;
    return typeof content.s === 'string' ? content : undefined;
  }
  return undefined;
}

function isEqual(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
