/** Longest address (RFC 5321 §4.5.3.1.3: a path of 256 with its angle brackets). */
const MAX_EMAIL_CHARACTERS = 254;

// Control characters, halves of surrogate pairs and white space.
const NOT_IN_AN_ADDRESS = /[\p{Cc}\p{Cs}\s]/u;

const IS_ASCII = /^\p{ASCII}*$/u;
// Nothing that ends a host in an address or is decoded there.
const MAY_BE_ENCODED = /^(?:[a-z0-9._-]|\P{ASCII})+$/u;
const DOMAIN_PART = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** True for one plain address: one @ with something on both sides, no control character or white space, at most 254 long. */
export function isEmail(value: string): boolean {
  const [local, domain, ...more] = value.split('@');
  if (local === undefined || local === '' || domain === undefined || domain === '' || more.length > 0) return false;
  return value.length <= MAX_EMAIL_CHARACTERS && !NOT_IN_AN_ADDRESS.test(value);
}

/** True when the address is of one of these domains: exact but for case and for how a name outside ASCII is written. */
export function isOfDomain(email: string, domains: readonly string[]): boolean {
  const domain = canonicalDomain(email.slice(email.lastIndexOf('@') + 1));
  return domains.some((listed) => canonicalDomain(listed) === domain);
}

/**
 * A domain as browsers and the DNS write it: lower case, names outside ASCII as `xn--…` (UTS 46). A name that this would
 * make one of ASCII alone stays as it is: a look-alike is another domain's.
 */
export function canonicalDomain(domain: string): string {
  const lower = lowerAscii(domain);
  const address = `https://${lower}`;
  if (IS_ASCII.test(lower) || !MAY_BE_ENCODED.test(lower) || !URL.canParse(address)) return lower;
  const names = lower.split('.');
  const encoded = new URL(address).hostname.split('.');
  const isTheSame =
    encoded.length === names.length &&
    names.every((name, at) => (IS_ASCII.test(name) ? encoded[at] === name : encoded[at]?.startsWith('xn--')));
  return isTheSame ? encoded.join('.') : lower;
}

/** True for what an address can have behind its @: names of letters, digits, `-` and `_` with dots between them. */
export function isDomain(value: string): boolean {
  const domain = canonicalDomain(value);
  return domain.length <= 253 && domain.split('.').every((name) => DOMAIN_PART.test(name));
}

/** Compared without the case of A to Z, as every mail system in use does. Of no text nothing is the same. */
export function isSameEmail(one: unknown, other: unknown): boolean {
  return typeof one === 'string' && typeof other === 'string' && one !== '' && lowerAscii(one) === lowerAscii(other);
}

export function localPart(email: string): string {
  return email.slice(0, email.lastIndexOf('@'));
}

/** Unicode's own lower case would make the Kelvin sign a `k`, and so a foreign domain ours. */
function lowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
