import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Leases } from '../directory/directory.ts';
import type { Clock } from '../ops/clock.ts';
import { sha256 } from '../ops/hash.ts';
import { randomText } from '../ops/random.ts';
import { cookieValues, deriveKey } from '../session/cookie.ts';
import { HiddenTexts } from './hidden-texts.ts';
import type { Transaction } from './provider.ts';

/** How long a person may take at the provider. */
export const LOGIN_LIMIT_MS = 600_000;
const PURPOSE = 'login-state';
/** Request lines of 4,096 bytes are a common limit of providers; the rest of the address needs its part. */
const LONGEST_TICKET = 2_660;
const SECRET_BYTES = 32;
/** Of the 86 characters of an HMAC-SHA-512 in base64url. */
const HALF = 43;

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
  /** Began less than ten minutes ago, in whatever browser. */
  readonly inTime: boolean;
  /** Began in this browser, less than ten minutes ago. */
  readonly live: boolean;
  /** True the first time ever, over all instances. */
  use(): Promise<boolean>;
}

/**
 * Logins under way, kept by nobody: everything is in `state`. A ticket says where a login leads, encrypted; behind it stand
 * random bytes and the hash of a random cookie, by which it is bound to the browser, and an HMAC over all of it. Only used
 * states are remembered, until they would have run out.
 */
export interface LoginStates {
  readonly cookieName: string;
  start(input: StartInput): StartedLogin;
  /** Undefined: not sealed by us. */
  open(state: string, cookieHeader: string | undefined): OpenedState | undefined;
}

/** With short names: all of it travels in an address. */
interface Ticket {
  /** Provider. */
  readonly p: string;
  /** Where to return to. */
  readonly r: string;
  /** Start, in seconds since the epoch. */
  readonly t: number;
  /** Restarts. */
  readonly n: number;
}

/** Both out of one secret. */
interface Keys {
  readonly tickets: HiddenTexts;
  readonly mac: Buffer;
}

export function createLoginStates({ publicUrl, secrets, leases, clock }: LoginStatesOptions): LoginStates {
  const secure = new URL(publicUrl).protocol === 'https:';
  const cookieName = secure ? '__Host-latchgate-login' : 'latchgate-login';
  const attributes = `Path=/; Max-Age=${LOGIN_LIMIT_MS / 1_000}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
  const keys = secrets.map((secret) => ({
    tickets: new HiddenTexts(deriveKey(secret, `${PURPOSE} ticket`)),
    mac: deriveKey(secret, `${PURPOSE} mac`),
  }));
  const own = keys[0] as Keys;
  const bindingOf = (header: string | undefined): string | undefined => {
    const [value, ...more] = cookieValues(header, cookieName);
    return value !== undefined && more.length === 0 && /^[\w-]{43}$/.test(value) ? value : undefined;
  };

  return {
    cookieName,
    start: ({ provider, returnTo, restarts, cookieHeader }) => {
      const binding = bindingOf(cookieHeader) ?? randomText(SECRET_BYTES);
      const content = { p: provider, t: Math.floor(clock.now() / 1_000), n: restarts };
      const { ticket, hidden } = hideToFit(content, returnTo, own.tickets);
      const said = `${hidden}.${randomText(SECRET_BYTES)}.${sha256(binding)}`;
      const { tag, codeVerifier } = authenticate(said, own.mac);
      const transaction = transactionOf(ticket, codeVerifier);
      return { state: `${said}.${tag}`, transaction, cookie: `${cookieName}=${binding}; ${attributes}` };
    },
    open: (state, cookieHeader) => {
      const opened = openState(state, keys);
      if (opened === undefined) return undefined;
      const { ticket, browser, codeVerifier } = opened;
      const endsAt = ticket.t * 1_000 + LOGIN_LIMIT_MS;
      const binding = bindingOf(cookieHeader);
      const inTime = clock.now() < endsAt;
      return {
        transaction: transactionOf(ticket, codeVerifier),
        restarts: ticket.n,
        inTime,
        live: binding !== undefined && isEqual(sha256(binding), browser) && inTime,
        use: () => leases.once(PURPOSE, sha256(state), new Date(endsAt)),
      };
    },
  };
}

/** A deep link that is too long loses its query rather than the login. */
function hideToFit(content: Omit<Ticket, 'r'>, returnTo: string, tickets: HiddenTexts) {
  for (const target of [returnTo, returnTo.split(/[?#]/, 1)[0] as string]) {
    const ticket = { ...content, r: target };
    const hidden = tickets.hide(JSON.stringify(ticket));
    if (hidden.length <= LONGEST_TICKET) return { ticket, hidden };
  }
  const ticket = { ...content, r: '/' };
  return { ticket, hidden: tickets.hide(JSON.stringify(ticket)) };
}

/**
 * One HMAC gives two texts that say nothing of each other (256 and 254 bits of it): the tag that everybody sees, and the
 * code verifier (RFC 7636 §4.1) that nobody does.
 */
function authenticate(own: string, key: Buffer): { readonly tag: string; readonly codeVerifier: string } {
  const text = createHmac('sha512', key).update(own).digest('base64url');
  return { tag: text.slice(0, HALF), codeVerifier: text.slice(HALF) };
}

function transactionOf({ p: provider, r: returnTo, t: startedAt }: Ticket, codeVerifier: string): Transaction {
  return { provider, nonce: sha256(`nonce ${codeVerifier}`), codeVerifier, returnTo, startedAt };
}

/** Undefined also for what another version has made: the login begins anew. */
function openState(state: string, keys: readonly Keys[]) {
  if (state.length > 2 * LONGEST_TICKET) return undefined;
  const [hidden, secret, browser, tag, ...more] = state.split('.');
  if (hidden === undefined || secret === undefined || browser === undefined || tag === undefined) return undefined;
  if (more.length > 0) return undefined;
  for (const { tickets, mac } of keys) {
    const expected = authenticate(`${hidden}.${secret}.${browser}`, mac);
    const text = isEqual(expected.tag, tag) ? tickets.open(hidden) : undefined;
    if (text !== undefined) {
      return { ticket: JSON.parse(text) as Ticket, browser, codeVerifier: expected.codeVerifier };
    }
  }
  return undefined;
}

function isEqual(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
