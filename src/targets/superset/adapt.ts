import { createHash } from 'node:crypto';
import type { DesiredAccount } from '../../model/desired.ts';
import type { GrantedEntitlement } from '../../model/entitlement.ts';
import { LatchgateError } from '../../model/errors.ts';
import type { Profile } from '../../model/person.ts';
import {
  foldCase,
  MAX_EMAIL,
  MAX_ENTITLEMENT,
  MAX_NAME,
  MAX_USER_NAME,
  PROFILE_MEMBERS,
  type RoleOrGroup,
} from './documents.ts';

const HASH_DIGITS = 16;
/** What Python's `str.isprintable` refuses: Superset's side of the assertion takes no such user name. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;
/** A header carries no more; WSGI reads it as Latin-1. */
const LATIN_1 = /^[\u0020-\u007e\u00a0-\u00ff]*$/;

/**
 * A desired account in Superset's terms: user names without capitals (Superset looks them up without case, and lets
 * nobody in when two differ in nothing else), names cut to what its columns hold, roles and groups with names that fit.
 * User names that cannot sign in are left out. Throws `profile_invalid`.
 */
export function adaptAccount(desired: DesiredAccount, signIn: 'assertion' | 'header'): DesiredAccount {
  return {
    ...desired,
    userNames: [...new Set(desired.userNames.map(foldCase).filter((name) => canSignIn(name, signIn)))],
    profile: adaptProfile(desired.profile),
    profileIfNew: adaptProfile(desired.profileIfNew),
    entitlements: desired.entitlements.flatMap((entitlement) =>
      entitlement.kind === 'permission' ? [] : [withFittingName(entitlement, entitlement.kind)],
    ),
  };
}

function canSignIn(name: string, signIn: 'assertion' | 'header'): boolean {
  if (name === '' || name !== name.trim() || lengthOf(name) > MAX_USER_NAME || UNPRINTABLE.test(name)) return false;
  return signIn === 'assertion' || LATIN_1.test(name);
}

function adaptProfile(profile: Profile): Profile {
  const kept: Record<string, string | null> = {};
  for (const member of PROFILE_MEMBERS) {
    const value = profile[member];
    if (value === undefined) continue;
    if (member === 'email') refuseLong(value ?? '');
    kept[member] = value === null || value === '' ? null : cutTo(value, member === 'email' ? MAX_EMAIL : MAX_NAME);
  }
  return kept;
}

function refuseLong(email: string): void {
  if (lengthOf(email) <= MAX_EMAIL) return;
  throw new LatchgateError('profile_invalid', `Superset takes at most ${MAX_EMAIL} characters in email`, {
    detail: { field: 'email', characters: lengthOf(email) },
  });
}

/** A name that is too long is cut and gets digits of the hash of the whole, so that two long names stay apart. */
function withFittingName(entitlement: GrantedEntitlement, kind: RoleOrGroup): GrantedEntitlement {
  const max = MAX_ENTITLEMENT[kind];
  if (lengthOf(entitlement.name) <= max) return entitlement;
  const hash = createHash('sha256').update(entitlement.name, 'utf8').digest('hex').slice(0, HASH_DIGITS);
  const name = `${cutTo(entitlement.name, max - HASH_DIGITS - 1)}-${hash}`;
  return { ...entitlement, name, label: entitlement.label ?? entitlement.name };
}

function lengthOf(text: string): number {
  return [...text].length;
}

function cutTo(text: string, max: number): string {
  return lengthOf(text) <= max ? text : [...text].slice(0, max).join('');
}
