import { z } from 'zod';
import { flag, text } from '../../config/values.ts';
import type { BuiltInClaims } from '../../login/claims/schema.ts';
import { auth0ApiMembers } from '../../ops/auth0/schema.ts';
import { originMembers } from '../origin/schema.ts';

/** Members of a user of the Management API, and `roles`, the names of the roles. */
const AUTH0_CLAIMS = {
  preferred_username: 'username',
  groups: ['roles'],
} as const satisfies Partial<BuiltInClaims>;

export const auth0SourceSchema = z.strictObject({
  type: z.literal('auth0').describe('The kind of source: a tenant of Auth0, read through its Management API.'),
  ...auth0ApiMembers,
  connection: text.optional().meta({
    description: 'Only people with an identity of this connection. Default: everybody in the tenant.',
    examples: ['Username-Password-Authentication'],
  }),
  list: z
    .enum(['search', 'export'])
    .default('search')
    .describe(
      'How people are listed: `search` page by page, `export` by a job whose file is read, which takes fewer calls where there are very many people. Roles are read role by role either way.',
    ),
  events: flag
    .prefault(false)
    .describe(
      'Follow the event stream of the tenant: syncs from here run soon after a change. Roles have no events, so the schedule is needed as well.',
    ),
  ...originMembers(AUTH0_CLAIMS),
});

export type Auth0SourceConfig = z.output<typeof auth0SourceSchema>;
