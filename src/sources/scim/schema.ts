import { z } from 'zod';
import { count, httpUrl, text } from '../../config/values.ts';
import type { BuiltInClaims } from '../../login/claims/schema.ts';
import { originMembers } from '../origin/schema.ts';

/** Attributes of RFC 7643 §4.1; `email` is the value of the primary address, `groups` the names of the groups. */
const SCIM_CLAIMS = {
  given_name: 'name.givenName',
  family_name: 'name.familyName',
  name: ['displayName', 'name.formatted'],
  preferred_username: 'userName',
  groups: ['groups'],
} as const satisfies Partial<BuiltInClaims>;

export const scimSourceSchema = z.strictObject({
  type: z.literal('scim').describe('The kind of source: a service that lists Users and Groups by SCIM 2.0 (RFC 7644).'),
  url: httpUrl.meta({
    description: 'The base address, to which /Users is added.',
    examples: ['https://app.example.com/scim/v2'],
  }),
  token: text.describe('Bearer token.'),
  key: z
    .enum(['id', 'externalId', 'userName'])
    .default('id')
    .describe(
      'The attribute that tells people apart: the service’s own `id`, or `externalId` where that is the id that `login` knows.',
    ),
  memberships: z
    .enum(['auto', 'users', 'none'])
    .default('auto')
    .describe(
      'Where groups come from. `auto`: the members of /Groups, and what users say of themselves where the service says in /ResourceTypes that it has no groups. `users`: only what users say of themselves. A service where neither is to be had is refused unless this is `none`.',
    ),
  page_size: count
    .refine((number) => number > 1 && number <= 1_000, 'must be from 2 to 1000')
    .prefault(100)
    .describe('Resources asked for at once (`count`); the service may give fewer.'),
  ...originMembers(SCIM_CLAIMS),
});

export type ScimSourceConfig = z.output<typeof scimSourceSchema>;
