import { z } from 'zod';
import { durationMs, emailDomains, entryName, flag, text } from '../../config/values.ts';
import { BUILT_IN_CLAIMS, type BuiltInClaims, claimsFrom } from '../../login/claims/schema.ts';

/**
 * Members that every source has: how what it lists is read. `claims` are the names by which this type of source calls
 * the built-in attributes where they differ from those of a login; in them `sub` is the subject that the source lists.
 */
export function originMembers(claims: Partial<BuiltInClaims> = {}) {
  return {
    login: entryName
      .optional()
      .describe(
        'The login whose people these are: the source lists by the id that is its `external_id`. Without it they are people of their own.',
      ),
    claims: claimsFrom({ ...BUILT_IN_CLAIMS, ...claims })
      .prefault({})
      .describe('Our attribute ← what the source calls it, as in `login.NAME.claims`.'),
    trust_email: flag
      .prefault(true)
      .describe(
        'Whether the addresses that it lists count as verified where it does not say whether they are. `false`: only those of which it says so, in `email_domains`.',
      ),
    email_domains: emailDomains
      .prefault([])
      .describe(
        'Accounts that were there are found by addresses in these domains only. Empty: with `trust_email` any, else none.',
      ),
    trust_unverified_email: flag
      .prefault(false)
      .describe(
        'With `trust_email`: also addresses of which it says itself that they are not verified (`email_verified: false`). Whoever may write any address into their own profile then has the account of that address.',
      ),
    groups_absent: z
      .enum(['keep', 'empty'])
      .default('empty')
      .describe(
        'What it means when somebody is listed without groups: `empty` is a member of none, `keep` leaves what groups gave as it is.',
      ),
    groups_separator: text
      .optional()
      .describe('Where one text is cut into several groups. Without it one text is one group.'),
    timeout: durationMs.prefault('30s').describe('For one answer of the source.'),
  };
}
