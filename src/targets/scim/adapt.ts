import type { DesiredAccount } from '../../model/desired.ts';
import type { Profile } from '../../model/person.ts';
import { PROFILE_MEMBERS } from './documents.ts';

/** A desired account in SCIM's terms: empty is absent (RFC 7643 §2.5), and of entitlements there are groups. */
export function adaptAccount(desired: DesiredAccount): DesiredAccount {
  return {
    ...desired,
    userNames: [...new Set(desired.userNames.filter((name) => name.trim() !== ''))],
    profile: adaptProfile(desired.profile),
    profileIfNew: adaptProfile(desired.profileIfNew),
    entitlements: desired.entitlements.filter(({ kind }) => kind === 'group'),
  };
}

function adaptProfile(profile: Profile): Profile {
  const kept: Record<string, string | null> = {};
  for (const member of PROFILE_MEMBERS) {
    const value = profile[member];
    if (value !== undefined) kept[member] = value === '' ? null : value;
  }
  return kept;
}
