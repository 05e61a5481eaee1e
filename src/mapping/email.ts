/** Longest address (RFC 5321 §4.5.3.1.3: a path of 256 with its angle brackets). */
const MAX_EMAIL_CHARACTERS = 254;

// Control characters, halves of surrogate pairs and white space.
const NOT_IN_AN_ADDRESS = /[\p{Cc}\p{Cs}\s]/u;

/** True for one plain address: one @ with something on both sides, no control character or white space, at most 254 long. */
export function isEmail(value: string): boolean {
  const [local, domain, ...more] = value.split('@');
  if (local === undefined || local === '' || domain === undefined || domain === '' || more.length > 0) return false;
  return value.length <= MAX_EMAIL_CHARACTERS && !NOT_IN_AN_ADDRESS.test(value);
}

/** True when the address is of one of these domains: exact but for the case of A to Z. */
export function isOfDomain(email: string, domains: readonly string[]): boolean {
  const domain = lowerAscii(email.slice(email.lastIndexOf('@') + 1));
  return domains.some((listed) => lowerAscii(listed) === domain);
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
