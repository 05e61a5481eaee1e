/**
 * A Cookie header without the named cookies and those whose name begins with one of `prefixes` (names are
 * case-sensitive, RFC 6265 §5.4); every other byte stays as it was. Undefined when nothing is left.
 */
export function withoutCookies(
  header: string,
  names: ReadonlySet<string>,
  prefixes: readonly string[] = [],
): string | undefined {
  const pairs = header.split(';');
  const kept = pairs.filter((pair) => {
    const name = cookieName(pair);
    return !names.has(name) && !prefixes.some((prefix) => name.startsWith(prefix));
  });
  if (kept.length === pairs.length) return header;
  const rest = kept.join(';');
  // The first pair that stays may have stood behind a blank.
  const trimmed = kept[0] === pairs[0] ? rest : rest.replace(/^[ \t]+/, '');
  return trimmed.trim() === '' ? undefined : trimmed;
}

/**
 * The name that a Set-Cookie line sets, in lower case. A line without a name is read by browsers so that its value can
 * pass for a pair of name and value on the way back: what stands first in it counts as the name.
 */
export function setCookieName(line: string): string {
  const pair = line.split(';', 1)[0] ?? '';
  return cookieName(pair.replace(/^[\s=]+/, '')).toLowerCase();
}

/** `name=value` of a Set-Cookie line. */
export function setCookiePair(line: string): string {
  return (line.split(';', 1)[0] ?? '').trim();
}

/** No byte of a token (RFC 9110 §5.6.2): backends trim more than blanks off a name, each its own kinds. */
const AROUND_NAME = /^[^\w!#$%&'*+.^`|~-]+|[^\w!#$%&'*+.^`|~-]+$/g;

function cookieName(pair: string): string {
  const at = pair.indexOf('=');
  return (at === -1 ? pair : pair.slice(0, at)).replace(AROUND_NAME, '');
}
