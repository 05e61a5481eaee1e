import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import type { Clock } from '../ops/clock.ts';
import { BoundedMap } from './cache.ts';
import type { SessionConfig } from './schema.ts';
import { sessionHandle } from './seal.ts';
import type { Session, SessionStore } from './store.ts';

/** Verified cookies that are remembered, so that the hot path does neither HMAC nor hash. */
const REMEMBERED = 2_000;

const BARE_NAMES = [
  'latchgate',
  'latchgate-login',
  'latchgate-last-login',
  'latchgate-console',
  'latchgate-console-login',
];

/** Every cookie name that is ours on some deployment: never forwarded to an upstream, never taken from one. */
const RESERVED_NAMES = BARE_NAMES.flatMap((name) => [name, `__Host-${name}`, `__Secure-${name}`]);

export interface SessionCookiesOptions {
  readonly publicUrl: string;
  /** The first signs, all verify. */
  readonly secrets: readonly string[];
  readonly store: SessionStore;
  readonly config: Pick<SessionConfig, 'idle' | 'cookie_domain'>;
  readonly clock: Clock;
}

export interface LiveSession {
  readonly id: string;
  readonly handle: string;
  readonly session: Session;
}

/** What a cookie says that we signed. */
interface Verified {
  readonly id: string;
  readonly handle: string;
}

export interface SessionCookies {
  /** `__Host-latchgate`; `__Secure-latchgate` when several hosts share it; `latchgate` over http. */
  readonly name: string;
  /** All cookie names of the gateway, for stripping. */
  readonly names: readonly string[];
  readonly attributes: CookieAttributes;
  /** Keys for express-session: derived for this one purpose, so that no other signed text passes for a session. */
  readonly signingKeys: readonly string[];
  /** The verified session id in a raw Cookie header. Undefined: none, forged, or more than one cookie of our name. */
  read(header: string | undefined): string | undefined;
  /** The cookie pair by which this id travels, as express-session writes it. */
  pair(id: string): string;
  clear(res: ServerResponse): void;
  /** Takes every cookie of our name away when the browser sent more than one: they would never be a session again. */
  clearStrays(header: string | undefined, res: ServerResponse): void;
  /**
   * Verified, loaded and its idle limit put off; at once, when the store has not to be asked. Throws
   * `session_store_unavailable`.
   */
  sessionFromCookie(header: string | undefined): LiveSession | undefined | Promise<LiveSession | undefined>;
}

export interface CookieAttributes {
  readonly httpOnly: true;
  readonly secure: boolean;
  readonly sameSite: 'lax';
  readonly path: '/';
  /** Absent: of this host alone. */
  readonly domain?: string;
}

export function createSessionCookies(options: SessionCookiesOptions): SessionCookies {
  const { store, config, clock } = options;
  const { protocol, hostname } = new URL(options.publicUrl);
  const secure = protocol === 'https:';
  const domain = config.cookie_domain;
  const prefix = secure ? (domain === undefined ? '__Host-' : '__Secure-') : '';
  const name = `${prefix}latchgate`;
  const signingKeys = options.secrets.map((secret) => deriveKey(secret, 'session cookie').toString('hex'));
  const remembered = new BoundedMap<Verified>(REMEMBERED);

  const verify = (header: string | undefined): Verified | undefined => {
    const value = onlyCookieValue(header, name);
    if (value === undefined) return undefined;
    const known = remembered.get(value);
    if (known !== undefined) return known;
    const id = openSigned(value, signingKeys);
    if (id === undefined) return undefined;
    const verified = { id: unsliced(id), handle: sessionHandle(id) };
    remembered.set(unsliced(value), verified);
    return verified;
  };
  const load = async ({ id, handle }: Verified): Promise<LiveSession | undefined> => {
    const session = await store.load(id);
    const now = clock.now();
    if (session === undefined || session.endsAt <= now) return undefined;
    await store.touch(id, idleLimit(session, config, now));
    return { id, handle, session };
  };

  const clear = (res: ServerResponse, of: string | undefined): void => {
    const attributes = `Path=/; Max-Age=0; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
    appendCookie(res, `${name}=; ${of === undefined ? '' : `Domain=${of}; `}${attributes}`);
  };

  return {
    name,
    names: RESERVED_NAMES,
    attributes: { httpOnly: true, secure, sameSite: 'lax', path: '/', ...(domain === undefined ? {} : { domain }) },
    signingKeys,
    read: (header) => verify(header)?.id,
    pair: (id) => `${name}=${encodeURIComponent(sign(id, signingKeys[0] as string))}`,
    clear: (res) => clear(res, domain),
    clearStrays: (header, res) => {
      if (cookieValues(header, name).length < 2) return;
      // One of another domain stays from before `cookie_domain` changed, or was put there by a neighbouring host.
      for (const one of [undefined, ...domainsOf(hostname)]) clear(res, one);
    },
    sessionFromCookie: (header) => {
      const verified = verify(header);
      if (verified === undefined) return undefined;
      const { id, handle } = verified;
      const session = store.peek?.(handle, config.idle);
      return session === undefined ? load(verified) : { id, handle, session };
    },
  };
}

/** Every domain whose cookies this host gets, itself first; single labels have none. */
function domainsOf(hostname: string): string[] {
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return [];
  const labels = hostname.split('.');
  return labels.slice(0, -1).map((_, at) => labels.slice(at).join('.'));
}

/** The idle limit from now on; never past the end of the session. */
export function idleLimit(session: Session, config: Pick<SessionConfig, 'idle'>, now: number): number {
  return Math.max(0, Math.min(config.idle, session.endsAt - now));
}

/** Every value of one cookie name in a Cookie header, in order, as they stand (RFC 6265 §5.4; names are case-sensitive). */
export function cookieValues(header: string | undefined, name: string): string[] {
  if (header === undefined || !header.includes(name)) return [];
  const values: string[] = [];
  for (let start = 0; start < header.length; ) {
    const semicolon = header.indexOf(';', start);
    const end = semicolon === -1 ? header.length : semicolon;
    const at = header.indexOf('=', start);
    if (at === -1) break;
    if (at < end && trimBlanks(header.slice(start, at)) === name) values.push(trimBlanks(header.slice(at + 1, end)));
    start = end + 1;
  }
  return values;
}

/** Undefined when there is none, or more than one: which of them is ours is not to be guessed. */
function onlyCookieValue(header: string | undefined, name: string): string | undefined {
  const values = cookieValues(header, name);
  return values.length === 1 ? values[0] : undefined;
}

/** A key for one purpose out of one secret (HKDF-SHA-256, RFC 5869). */
export function deriveKey(secret: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, 'latchgate', purpose, 32));
}

export function appendCookie(res: ServerResponse, cookie: string): void {
  const before = res.getHeader('Set-Cookie');
  const list = before === undefined ? [] : Array.isArray(before) ? before : [String(before)];
  res.setHeader('Set-Cookie', [...list, cookie]);
}

/** The format of express-session (cookie-signature): `s:` id `.` HMAC-SHA-256 in base64 without padding. */
function sign(id: string, key: string): string {
  return `s:${id}.${createHmac('sha256', key).update(id).digest('base64').replace(/=+$/, '')}`;
}

function openSigned(value: string, keys: readonly string[]): string | undefined {
  if (value.length > 200) return undefined;
  const match = /^s(?::|%3A)([\w-]{43})\.((?:[A-Za-z0-9+/]|%2B|%2F){43})$/.exec(value);
  if (match === null) return undefined;
  const id = match[1] as string;
  const given = Buffer.from(`s:${id}.${decodeURIComponent(match[2] as string)}`);
  const fits = keys.filter((key) => {
    const expected = Buffer.from(sign(id, key));
    return expected.length === given.length && timingSafeEqual(expected, given);
  });
  return fits.length > 0 ? id : undefined;
}

/** A part of a text keeps the whole of it in memory: here the Cookie header that it came in. */
function unsliced(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** Blank and tab only: `trim` would also take characters that a browser counts to the name. */
function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && (text[start] === ' ' || text[start] === '\t')) start += 1;
  while (end > start && (text[end - 1] === ' ' || text[end - 1] === '\t')) end -= 1;
  return text.slice(start, end);
}
