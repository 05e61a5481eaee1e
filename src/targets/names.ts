import { createHash } from 'node:crypto';
import type { GrantedEntitlement } from '../model/entitlement.ts';
import { LatchgateError } from '../model/errors.ts';

/*
 * Ids in a target, derived from texts that an identity provider chose. Case is kept and counts: `Sales` and `sales` are
 * two ids. The hash is of the raw text, so that texts which clean to the same letters stay apart.
 */

const MAX_LENGTH = 255;
const HASH_DIGITS = 8;
const VALID = /^(?!\.)[.A-Za-z0-9_-]{1,255}$/;
const AUTH0_PREFIX = 'auth0|';

/** Whether the text can be an id as it stands: 1 to 255 of letters, digits, `.`, `_`, `-`, and no leading dot. */
export function isValidId(text: string): boolean {
  return VALID.test(text);
}

/** The text itself when it is a valid id, else its letters and digits, `-` and 8 hex digits of its SHA-256. */
export function deriveId(raw: string): string {
  return isValidId(raw) ? raw : withHash(clean(raw), raw);
}

/**
 * Ids for a new account, best first: of the key without a leading `auth0|`, and the same with the hash added, for when
 * the first one is another account's. The last one tells people of several origins with the same key apart.
 */
export function userIdCandidates(key: string, externalId: string): readonly string[] {
  const text = key.startsWith(AUTH0_PREFIX) ? key.slice(AUTH0_PREFIX.length) : key;
  const first = isValidId(text) ? text : withHash(clean(text), key);
  return [...new Set([first, withHash(first, key), withHash(first, externalId)])];
}

/**
 * The same entitlements with ids as names and the raw text as `label`. Applied to its own result, it changes nothing.
 * Throws `entitlement_conflict` when two different texts have the same id.
 */
export function withDerivedIds(entitlements: readonly GrantedEntitlement[]): readonly GrantedEntitlement[] {
  const rawById = new Map<string, string>();
  return entitlements.map((entitlement) => {
    const { label, ...rest } = entitlement;
    const raw = label ?? entitlement.name;
    const id = deriveId(raw);
    const other = rawById.get(id);
    if (other !== undefined && other !== raw) {
      throw new LatchgateError('entitlement_conflict', `two ${entitlement.kind}s have the same id in the target`, {
        detail: { kind: entitlement.kind },
      });
    }
    rawById.set(id, raw);
    return raw === id ? { ...rest, name: id } : { ...rest, name: id, label: raw };
  });
}

/** At most `max` UTF-16 units, never cutting a character in two. */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const end = /[\uD800-\uDBFF]/.test(text.charAt(max - 1)) ? max - 1 : max;
  return text.slice(0, end);
}

function clean(text: string): string {
  const cleaned = text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/[^.A-Za-z0-9_-]+/g, '-')
    .replace(/^[.-]+|-+$/g, '');
  return cleaned === '' ? 'id' : cleaned;
}

function withHash(id: string, raw: string): string {
  const hash = createHash('sha256').update(raw, 'utf8').digest('hex').slice(0, HASH_DIGITS);
  return `${id.slice(0, MAX_LENGTH - HASH_DIGITS - 1)}-${hash}`;
}
