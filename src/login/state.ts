import { createHmac, timingSafeEqual } from 'node:crypto';
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
const LONGEST_TICKET = 2_660;
/** Of a place to return to whose ticket is kept for a second. */
const LONGEST_KEPT = 256;
const MOST_TICKETS = 256;
const SECRET_BYTES = 32;
/** Of the 86 characters of an HMAC-SHA-512 in base64url. */
const HALF = 43;
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
 * Logins under way, kept by nobody: everything is in `state`, which is made of two parts. A ticket says where a login
 * leads; it is sealed (RFC 7516, A256GCM), and all who set out for the same place in the same second share one. Behind it
 * stands what is of one login alone: random bytes and the hash of a random cookie, by which it is bound to the browser,
 * under an HMAC over all of it. Only used states are remembered, until they would have run out.
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
  readonly seal: Buffer;
  readonly mac: Buffer;
}

export function createLoginStates({ publicUrl, secrets, leases, clock }: LoginStatesOptions): LoginStates {
  const secure = new URL(publicUrl).protocol === 'https:';
  const cookieName = secure ? '__Host-latchgate-login' : 'latchgate-login';
  const attributes = `Path=/; Max-Age=${LOGIN_LIMIT_MS / 1_000}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
  const keys = secrets.map((secret) => ({
    seal: deriveKey(secret, PURPOSE),
    mac: deriveKey(secret, `${PURPOSE} mac`),
  }));
  const tickets = new SealedTickets((keys[0] as Keys).seal);
  const bindingOf = (header: string | undefined): string | undefined => {
    const [value, ...more] = cookieValues(header, cookieName);
    return value !== undefined && more.length === 0 && /^[\w-]{43}$/.test(value) ? value : undefined;
  };

  return {
    cookieName,
    start: ({ provider, returnTo, restarts, cookieHeader }) => {
      const binding = bindingOf(cookieHeader) ?? randomText(SECRET_BYTES);
      const { ticket, sealed } = tickets.for(provider, returnTo, restarts, Math.floor(clock.now() / 1_000));
      const own = `${sealed}.${randomText(SECRET_BYTES)}.${sha256(binding)}`;
      const { tag, codeVerifier } = authenticate(own, (keys[0] as Keys).mac);
      const transaction = transactionOf(ticket, codeVerifier);
      return { state: `${own}.${tag}`, transaction, cookie: `${cookieName}=${binding}; ${attributes}` };
    },
    open: (state, cookieHeader) => {
      const opened = openState(state, keys);
      if (opened === undefined) return undefined;
      const { ticket, browser, codeVerifier } = opened;
      const endsAt = ticket.t * 1_000 + LOGIN_LIMIT_MS;
      const binding = bindingOf(cookieHeader);
      return {
        transaction: transactionOf(ticket, codeVerifier),
        restarts: ticket.n,
        live: binding !== undefined && isEqual(sha256(binding), browser) && clock.now() < endsAt,
        use: () => leases.once(PURPOSE, sha256(state), new Date(endsAt)),
      };
    },
  };
}

/** Tickets of the current second, for who comes next to set out for the same place. */
class SealedTickets {
  readonly #key: Buffer;
  readonly #known = new Map<string, { readonly ticket: Ticket; readonly sealed: string }>();
  #second = 0;

  constructor(key: Buffer) {
    this.#key = key;
  }

  for(provider: string, returnTo: string, restarts: number, second: number) {
    if (second !== this.#second || this.#known.size >= MOST_TICKETS) this.#known.clear();
    this.#second = second;
    const name = `${provider} ${restarts} ${returnTo}`;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const made = sealToFit({ p: provider, t: second, n: restarts }, returnTo, this.#key);
    if (returnTo.length <= LONGEST_KEPT) this.#known.set(name, made);
    return made;
  }
}

/** A deep link that is too long loses its query rather than the login. */
function sealToFit(content: Omit<Ticket, 'r'>, returnTo: string, key: Buffer) {
  for (const target of [returnTo, returnTo.split(/[?#]/, 1)[0] as string]) {
    const ticket = { ...content, r: target };
    const sealed = texts.seal(JSON.stringify(ticket), key);
    if (sealed.length <= LONGEST_TICKET) return { ticket, sealed };
  }
  const ticket = { ...content, r: '/' };
  return { ticket, sealed: texts.seal(JSON.stringify(ticket), key) };
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

/** Undefined also for what another version has sealed: the login begins anew. */
function openState(state: string, keys: readonly Keys[]) {
  if (state.length > 2 * LONGEST_TICKET) return undefined;
  const [tag, browser, secret, ...ticketParts] = state.split('.').reverse();
  if (tag === undefined || browser === undefined || secret === undefined) return undefined;
  const sealed = ticketParts.reverse().join('.');
  for (const { seal, mac } of keys) {
    const expected = authenticate(`${sealed}.${secret}.${browser}`, mac);
    const text = isEqual(expected.tag, tag) ? texts.open(sealed, seal) : undefined;
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
