import { withoutCookies } from './cookies.ts';

/** Flat list: name, value, name, value, … */
export type FlatHeaders = string[];

/** The headers of one request after everything that a client may not say was taken out. */
export interface FilteredHeaders {
  readonly headers: FlatHeaders;
  /** The Cookie header as it came, gateway's cookies included; several lines joined. */
  readonly cookie: string | undefined;
  /** X-Forwarded-For as it came, for trusted peers. */
  readonly forwardedFor: string | undefined;
}

export interface HeaderPolicy {
  /** Further headers that never come from a client (sign-in headers of targets), in any spelling. `*` at the end: any rest. */
  readonly drop: readonly string[];
  /** Cookies that never reach the upstream: the gateway's, and a backend session that is kept on our side. `*` as above. */
  readonly dropCookies: readonly string[];
}

/** Beyond these, a client's headers never reach an upstream. Compared after folding. */
const DROPPED = new Set([
  // Hop by hop (RFC 9110 §7.6.1), and what asks for another protocol.
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer'],
  ...['trailers', 'transfer-encoding', 'upgrade', 'http2-settings', 'expect', 'proxy'],
  // Who is there, and from where.
  ...['forwarded', 'x-forwarded', 'x-request-id', 'x-real-ip', 'x-client-ip', 'x-cluster-client-ip', 'true-client-ip'],
  ...['cf-connecting-ip', 'fastly-client-ip', 'client-ip', 'x-originating-ip', 'x-proxyuser-ip', 'proxy-client-ip'],
  ...['wl-proxy-client-ip', 'x-azure-clientip', 'x-appengine-user-ip', 'x-envoy-external-address'],
  ...['remote-user', 'remote-email', 'remote-groups', 'remote-name', 'remote-addr', 'remote-host'],
  // What another path, host or method is made of.
  ...[
    'x-rewrite-url',
    'x-envoy-original-path',
    'x-host',
    'x-http-host-override',
    'x-http-method-override',
    'x-http-method',
    'x-method-override',
  ],
  // gunicorn takes SCRIPT_NAME from a header and cuts it off the path: routes would have seen another path than it serves.
  ...['script-name', 'path-info', 'x-script-name', 'x-scheme', 'x-url-scheme', 'front-end-https'],
]);

const DROPPED_PREFIX =
  /^(?:x-forwarded-|x-latchgate-|x-original-|x-rewrite-|x-remote-|x-auth-request-|x-webauth-|x-authenticated-|ssl-client-|x-ssl-)/;

/** Never taken away because `Connection` names them. */
const NOT_HOP_BY_HOP = new Set(['host', 'cookie', 'content-length', 'content-type', 'authorization', 'origin']);

/** Names whose other spellings a CGI-like server would read as the real one. */
const NO_ALIAS = new Set(['host', 'cookie', 'content-length', 'content-type', 'authorization', 'origin']);

type Action = 'keep' | 'drop' | 'cookie' | 'host' | 'connection' | 'forwarded-for';

const MEMO_LIMIT = 2_000;
/** Real names are shorter; longer ones would let anybody fill the memory with them. */
const MEMO_NAME = 64;

/** As CGI and WSGI fold a name: without case, and any byte that is no letter or digit is the same as `-`. */
export function foldHeaderName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-');
}

/** Whether a header of this name, in any spelling, can say who somebody is or where a request comes from. */
export function isReservedHeader(name: string): boolean {
  const folded = foldHeaderName(name);
  return DROPPED.has(folded) || DROPPED_PREFIX.test(folded);
}

/**
 * Takes one pass over the raw headers of a request. What comes out has no hop-by-hop header, no Host, no cookie of ours,
 * and nothing that the gateway itself says, in any spelling; everything else is there byte by byte and in order.
 */
export function createHeaderFilter(policy: HeaderPolicy): (rawHeaders: readonly string[]) => FilteredHeaders {
  const dropped = namesOf(policy.drop);
  const droppedNames = new Set(dropped.names.map(foldHeaderName));
  const droppedPrefixes = dropped.prefixes.map(foldHeaderName);
  const cookies = namesOf(policy.dropCookies);
  const cookieNames = new Set(cookies.names);
  const memo = new Map<string, Action>();
  const actionFor = (name: string): Action => {
    let action = memo.get(name);
    if (action === undefined) {
      action = decide(name, droppedNames, droppedPrefixes);
      if (memo.size < MEMO_LIMIT && name.length <= MEMO_NAME) memo.set(name, action);
    }
    return action;
  };

  return (rawHeaders) => {
    const headers: FlatHeaders = [];
    let cookie: string | undefined;
    let forwardedFor: string | undefined;
    let connection: string | undefined;
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      const name = rawHeaders[at] as string;
      const value = rawHeaders[at + 1] as string;
      const action = actionFor(name);
      if (action === 'keep') headers.push(name, value);
      else if (action === 'cookie') cookie = cookie === undefined ? value : `${cookie}; ${value}`;
      else if (action === 'connection') connection = connection === undefined ? value : `${connection},${value}`;
      else if (action === 'forwarded-for')
        forwardedFor = forwardedFor === undefined ? value : `${forwardedFor}, ${value}`;
    }
    const kept = cookie === undefined ? undefined : withoutCookies(cookie, cookieNames, cookies.prefixes);
    if (kept !== undefined) headers.push('Cookie', kept);
    return { headers: withoutNamed(headers, connection), cookie, forwardedFor };
  };
}

/** Exact names, and beginnings of names: those that are written with a `*` at the end. */
export function namesOf(patterns: readonly string[]): { readonly names: string[]; readonly prefixes: string[] } {
  return {
    names: patterns.filter((pattern) => !pattern.endsWith('*')),
    prefixes: patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1)),
  };
}

function decide(name: string, dropped: ReadonlySet<string>, prefixes: readonly string[]): Action {
  const lower = name.toLowerCase();
  if (lower === 'connection') return 'connection';
  if (lower === 'host') return 'host';
  if (lower === 'x-forwarded-for') return 'forwarded-for';
  if (lower === 'cookie') return 'cookie';
  const folded = foldHeaderName(name);
  if (DROPPED.has(folded) || DROPPED_PREFIX.test(folded) || dropped.has(folded)) return 'drop';
  if (prefixes.some((prefix) => folded.startsWith(prefix))) return 'drop';
  return folded !== lower && NO_ALIAS.has(folded) ? 'drop' : 'keep';
}

function withoutNamed(headers: FlatHeaders, connection: string | undefined): FlatHeaders {
  if (connection === undefined || /^(?:keep-alive|close|upgrade)$/i.test(connection)) return headers;
  const named = new Set(connection.split(',').map((token) => token.trim().toLowerCase()));
  for (const name of named) if (NOT_HOP_BY_HOP.has(name)) named.delete(name);
  return headers.filter((_, at) => !named.has((headers[at - (at % 2)] as string).toLowerCase()));
}

/** Header lists longer than this are left out: servers limit one header field to 8 KB. */
const MAX_GROUPS_BYTES = 4_096;

/** What an upstream is told about a person. */
export interface ForwardedPerson {
  /** The account's user name in the target. */
  readonly userName: string;
  readonly email?: string;
  readonly preferredUsername?: string;
  readonly groups: readonly string[];
}

/** Whether the groups are too many to be told, in a header or in the assertion. */
export function areGroupsTooLong(groups: readonly string[]): boolean {
  if (groups.length === 0) return false;
  return groupsValue(groups).length > MAX_GROUPS_BYTES || Buffer.byteLength(JSON.stringify(groups)) > MAX_GROUPS_BYTES;
}

/** One line each. Groups that are too long are left out. */
export function identityHeaders(person: ForwardedPerson): FlatHeaders {
  const headers = ['X-Forwarded-User', encodeHeaderText(person.userName)];
  if (person.email !== undefined) headers.push('X-Forwarded-Email', encodeHeaderText(person.email));
  if (person.preferredUsername !== undefined) {
    headers.push('X-Forwarded-Preferred-Username', encodeHeaderText(person.preferredUsername));
  }
  if (!areGroupsTooLong(person.groups)) headers.push('X-Forwarded-Groups', groupsValue(person.groups));
  return headers;
}

function groupsValue(groups: readonly string[]): string {
  return groups.map(encodeHeaderText).join(',');
}

/**
 * Percent-encodes (UTF-8) whatever would mislead in a header: everything but visible ASCII and inner blanks, the comma,
 * and the percent sign itself. Decoding gives the text back.
 */
export function encodeHeaderText(text: string): string {
  if (/^[!-$&-+\--~]*$/.test(text)) return text;
  return text
    .replace(/\p{Cs}/gu, '\ufffd')
    .replace(/[^ !-$&-+\--~]+/gu, (run) => [...Buffer.from(run, 'utf8')].map(percent).join(''))
    .replace(/^ | $/g, '%20');
}

function percent(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** By which of our hosts a request came, as told to the upstream. */
export function placeHeaders(place: {
  readonly proto: string;
  readonly host: string;
  readonly port: string;
}): FlatHeaders {
  return ['X-Forwarded-Proto', place.proto, 'X-Forwarded-Host', place.host, 'X-Forwarded-Port', place.port];
}

/** From where a request came: X-Forwarded-For. Nothing of it is taken from an untrusted peer. */
export function forwardedFor(peer: string, trustedForwardedFor: string | undefined): string {
  const isUsable = trustedForwardedFor !== undefined && /^[\w.:[\], -]{1,1024}$/.test(trustedForwardedFor);
  return isUsable ? `${trustedForwardedFor}, ${peer}` : peer;
}
