/** The address of a request, as routes see it and as it is forwarded. */
export interface RequestTarget {
  /** Decoded once, free of dot-segments: the only thing that routes and the gateway's own paths are compared with. */
  readonly path: string;
  /** What goes upstream: path and query byte by byte as they came, but for dot-segments, which are resolved. */
  readonly forward: string;
}

/** Visible ASCII but for `#` and `\`: a server behind us may read a backslash as a slash. */
const RAW_PATH = /^[!-"$-[\]-~]+$/;
const RAW_QUERY = /^[!-"$-~\u0080-\u00ff]*$/;
const BAD_PERCENT = /%(?![0-9A-Fa-f]{2})/;
const PERCENT_BYTE = /%[0-9A-Fa-f]{2}/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it looks for
const UNCLEAN_SEGMENT = /[/\\;\u0000-\u001f\u007f-\u009f]/;
const ABSOLUTE = /^https?:\/\/([^/?#]*)([/?#].*)?$/i;
const CLEAN = /^\/(?:[\w~!$&'()*+,=:@-][\w.~!$&'()*+,=:@-]*(?:\/|$))*$/;

/**
 * Reads a request target (RFC 9112 §3.2, origin-form and absolute-form of one of `authorities`, as `host[:port]` in
 * lower case). Undefined for everything that two servers could read differently: what changes under a second
 * decoding, encoded `/`, `\`, `;` or control characters, `;` at all, empty segments, invalid UTF-8.
 */
export function parseRequestTarget(raw: string, authorities: readonly string[]): RequestTarget | undefined {
  const origin = raw.startsWith('/') ? raw : originForm(raw, authorities);
  if (origin === undefined) return undefined;
  const at = origin.indexOf('?');
  const rawPath = at === -1 ? origin : origin.slice(0, at);
  const query = at === -1 ? '' : origin.slice(at);
  if (query !== '' && !RAW_QUERY.test(query)) return undefined;
  if (CLEAN.test(rawPath)) return { path: rawPath, forward: origin };
  if (!RAW_PATH.test(rawPath)) return undefined;
  return resolve(rawPath, query);
}

/** Whether `path` is `prefix` or below it, on whole segments. */
export function isAtOrBelow(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/');
}

function originForm(raw: string, authorities: readonly string[]): string | undefined {
  const match = ABSOLUTE.exec(raw);
  const authority = match?.[1]?.toLowerCase();
  if (authority === undefined || !authorities.includes(authority)) return undefined;
  const rest = match?.[2] ?? '/';
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function resolve(rawPath: string, query: string): RequestTarget | undefined {
  const segments = rawPath.slice(1).split('/');
  const raw: string[] = [];
  const decoded: string[] = [];
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    const clear = decodeSegment(segment);
    if (clear === undefined || (segment === '' && !isLast)) return undefined;
    if (clear === '..') {
      raw.pop();
      decoded.pop();
    }
    const isDots = clear === '.' || clear === '..';
    // `/a/.` and `/a/..` end in a slash (RFC 3986 §5.2.4).
    if (!isDots || isLast) {
      raw.push(isDots ? '' : segment);
      decoded.push(isDots ? '' : clear);
    }
  }
  return { path: `/${decoded.join('/')}`, forward: `/${raw.join('/')}${query}` };
}

/** One percent-decode; undefined when the result is not the last word. */
function decodeSegment(segment: string): string | undefined {
  if (BAD_PERCENT.test(segment)) return undefined;
  let clear = segment;
  if (segment.includes('%')) {
    try {
      clear = decodeURIComponent(segment);
    } catch {
      return undefined;
    }
  }
  return UNCLEAN_SEGMENT.test(clear) || PERCENT_BYTE.test(clear) ? undefined : clear;
}
