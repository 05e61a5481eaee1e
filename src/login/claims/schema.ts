import { z } from 'zod';
import { oneOrMore } from '../../config/values.ts';

/** Attributes that every login has; others are made by naming a claim for them. */
export const BUILT_IN_CLAIMS = {
  given_name: 'given_name',
  family_name: 'family_name',
  name: 'name',
  email: 'email',
  email_verified: 'email_verified',
  preferred_username: 'preferred_username',
  groups: ['urn.gooddata.user_groups', 'groups'],
  external_id: 'sub',
} as const;

/** Claims that stand for the built-in attributes where the config names none. */
export type BuiltInClaims = Readonly<Record<keyof typeof BUILT_IN_CLAIMS, string | readonly string[]>>;

/** One claim, or the first that is there of several. A name is tried as it stands, then as a path. */
export function claimsFrom(defaults: BuiltInClaims) {
  const claim = (name: keyof BuiltInClaims) => {
    const names = defaults[name];
    return oneOrMore.prefault(typeof names === 'string' ? names : [...names]);
  };
  return z
    .looseObject({
      given_name: claim('given_name').describe('Claim with the given name.'),
      family_name: claim('family_name').describe('Claim with the family name.'),
      name: claim('name').describe('Claim with the whole name, split where the two above are not sent.'),
      email: claim('email').describe('Claim with the e-mail address.'),
      email_verified: claim('email_verified').describe('Claim that says whether the e-mail address is verified.'),
      preferred_username: claim('preferred_username').describe(
        'Claim with the name that the person likes to be known by.',
      ),
      groups: claim('groups').describe('Claim with the groups.'),
      external_id: claim('external_id').describe(
        'Claim with the id by which a target knows the person (Entra ID: `oid`, because its `sub` differs for each application).',
      ),
    })
    .catchall(oneOrMore.describe('Claim of a further attribute, for rules: `department: dept`.'));
}
