import type { DesiredAccount } from '../../model/desired.ts';
import { LatchgateError } from '../../model/errors.ts';
import type { Profile } from '../../model/person.ts';
import { cut } from '../names.ts';
import { lowerAscii, MAX_DISPLAY_NAME, MAX_NAME, PROFILE_MEMBERS } from './documents.ts';

/**
 * A desired account in Auth0's terms: the user name is the e-mail, in lower case; names are cut to what Auth0 takes; of
 * entitlements there are roles. Throws `profile_invalid`.
 */
export function adaptAccount(desired: DesiredAccount): DesiredAccount {
  const profile = adaptProfile(desired.profile);
  const profileIfNew = adaptProfile(desired.profileIfNew);
  const email = profileIfNew.email ?? profile.email;
  return {
    ...desired,
    userNames: email ? [email] : [],
    profile,
    profileIfNew,
    entitlements: desired.entitlements.filter(({ kind }) => kind === 'role'),
  };
}

function adaptProfile(profile: Profile): Profile {
  const kept: Record<string, string | null> = {};
  const email = profile.email ? foldEmail(profile.email) : profile.email;
  for (const member of PROFILE_MEMBERS) {
    const value = member === 'email' ? email : profile[member];
    if (value === undefined) continue;
    // Which is what Auth0 itself calls those who have no name.
    if (member === 'displayName' && value !== null && email && lowerAscii(value) === email) continue;
    kept[member] = value === null || value === '' ? null : cut(value, maxOf(member));
  }
  return kept;
}

function maxOf(member: (typeof PROFILE_MEMBERS)[number]): number {
  if (member === 'email') return Number.POSITIVE_INFINITY;
  return member === 'displayName' ? MAX_DISPLAY_NAME : MAX_NAME;
}

/** Auth0 puts addresses into lower case, by Unicode's rules: some foreign letters would come out as ASCII ones. */
function foldEmail(email: string): string {
  const folded = email.toLowerCase();
  if (asciiIn(folded) === asciiIn(lowerAscii(email))) return folded;
  throw new LatchgateError('profile_invalid', 'in lower case the e-mail would be another one', {
    detail: { field: 'email' },
  });
}

function asciiIn(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '');
}
