/** Paths of ours that would begin or end a login again. */
const NEVER = /^\/\.latchgate\/(?:login|callback|saml|logout|backchannel-logout)(?:[/?#]|$)/i;
const CONTROL_OR_SPACE = /[\p{Cc}\p{Zs}\p{Zl}\p{Zp}\u{FEFF}]/u;
/** Behind `?` and `#` an encoded blank is ordinary text of a deep link, and no browser looks for a host there. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\u{FEFF}]/u;
/** More would not fit into any request line that the browser could come back with. */
const LONGEST = 8_192;

/** A path of ours that no normalising changes and nobody reads in two ways: most of them. No segment begins with a dot. */
const PLAIN = /^\/(?:[\w~-][\w.~-]*(?:\/|(?=\?)|$))*(?:\?[\w.~=&/-]+)?$/;

export interface ReturnRule {
  /** The origin that was asked. */
  readonly publicUrl: string;
  /** Origins besides it to which people may be sent, as `https://host[:port]`. */
  readonly origins: readonly string[];
}

/**
 * Where a person may be sent after a login or logout: a path on our own origin, or an absolute URL of a listed origin.
 * Anything else becomes `/`. What comes out is normalised (WHATWG URL) and goes through again unchanged.
 */
export function safeReturnTo(raw: unknown, rule: ReturnRule): string {
  if (typeof raw !== 'string' || raw.length > LONGEST) return '/';
  if (PLAIN.test(raw)) return raw;
  if (isUnclean(raw)) return '/';
  const own = new URL(rule.publicUrl).origin;
  if (raw.startsWith('/'))
    return leavesPath(raw) || leavesPath(decodeOnce(raw)) ? '/' : ownPath(new URL(raw, own), own);
  if (!/^https?:\/\/[^/\\]/i.test(raw) || !URL.canParse(raw)) return '/';
  const url = new URL(raw);
  if (url.username !== '' || url.password !== '') return '/';
  if (url.origin === own) return ownPath(url, own);
  const isListed = rule.origins.some((origin) => new URL(origin).origin === url.origin);
  return isListed && !isNever(`${url.pathname}${url.search}${url.hash}`) ? url.href : '/';
}

function ownPath(url: URL, own: string): string {
  const path = `${url.pathname}${url.search}${url.hash}`;
  // `/..//host` and the like: harmless as a whole URL, another origin as a path.
  const isOff = isNever(path) || [path, decodeOnce(path)].some(leavesPath);
  return url.origin !== own || isOff ? '/' : path;
}

function isNever(path: string): boolean {
  return NEVER.test(path) || NEVER.test(decodeOnce(path));
}

/** Browsers read `//host`, `/\host` as another origin. */
function leavesPath(path: string): boolean {
  return /^\/[/\\]/.test(path);
}

function isUnclean(raw: string): boolean {
  if (CONTROL_OR_SPACE.test(raw) || /\p{Cs}/u.test(raw)) return true;
  const path = raw.split(/[?#]/, 1)[0] as string;
  return CONTROL_OR_SPACE.test(decodeOnce(path)) || CONTROL.test(decodeOnce(raw.slice(path.length)));
}

/** One percent-decode that never fails: what is not UTF-8 becomes U+FFFD. */
function decodeOnce(raw: string): string {
  return raw.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'));
}
