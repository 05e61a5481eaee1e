import type { DesiredAccount } from '../model/desired.ts';
import type { Profile } from '../model/person.ts';
import type { Goal } from '../provisioning/outcome.ts';
import type { KnownTarget } from './stand-in.ts';

/**
 * Fields of an account that stays which the new config would write anew: those of which it says something else than the old
 * one. Of what the old one says nothing, the account is taken to have what a new account gets. Empty unless both want the account.
 */
export function rewritten(known: KnownTarget, was: Goal | undefined, is: Goal | undefined): readonly string[] {
  if (was === undefined || is === undefined || !('desired' in was) || !('desired' in is)) return [];
  const before = known.adapt(was.desired);
  const after = known.adapt(is.desired);
  const required: readonly (keyof Profile)[] = known.can.requiredProfile;
  return known.can.profile.filter((field) => {
    const said = after.profile[field];
    if (said === undefined) return false;
    const had = written(before, field);
    if (isEmpty(said) && (isEmpty(had) || required.includes(field))) return false;
    return said !== had;
  });
}

function written({ profile, profileIfNew }: DesiredAccount, field: keyof Profile): string | null | undefined {
  return profile[field] === undefined ? profileIfNew[field] : profile[field];
}

function isEmpty(value: string | null | undefined): boolean {
  return value === undefined || value === null || value === '';
}
