import type { DesiredAccount } from '../../model/desired.ts';
import { LatchgateError } from '../../model/errors.ts';
import type { Profile } from '../../model/person.ts';
import { userIdCandidates, withDerivedIds } from '../names.ts';
import { MAX_TEXT, PROFILE_MEMBERS } from './documents.ts';
import { permissionsIn } from './permissions.ts';

/**
 * A desired account in GoodData's terms: user names are ids that it takes, groups go by their ids with the raw text as
 * label, permissions by their own names, the profile has what a user of it has. Throws `profile_invalid`, `entitlement_conflict`.
 */
export function adaptAccount(desired: DesiredAccount): DesiredAccount {
  refuseLong('externalId', desired.externalId);
  return {
    ...desired,
    userNames: userIdCandidates(desired.key, desired.externalId),
    profile: adaptProfile(desired.profile),
    profileIfNew: adaptProfile(desired.profileIfNew),
    entitlements: [
      ...withDerivedIds(desired.entitlements.filter(({ kind }) => kind === 'group')),
      ...permissionsIn(desired.entitlements),
    ],
  };
}

function adaptProfile(profile: Profile): Profile {
  const kept: Record<string, string | null> = {};
  for (const member of PROFILE_MEMBERS) {
    const value = profile[member];
    if (value === undefined) continue;
    refuseLong(member, value ?? '');
    kept[member] = value === '' ? null : value;
  }
  return kept;
}

function refuseLong(field: string, value: string): void {
  if (value.length <= MAX_TEXT) return;
  throw new LatchgateError('profile_invalid', `GoodData takes at most ${MAX_TEXT} characters in ${field}`, {
    detail: { field, characters: value.length },
  });
}
