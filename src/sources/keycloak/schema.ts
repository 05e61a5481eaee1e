import { z } from 'zod';
import { count, httpUrl, text } from '../../config/values.ts';
import type { BuiltInClaims } from '../../login/claims/schema.ts';
import { originMembers } from '../origin/schema.ts';

/** Members of Keycloak's UserRepresentation, and the two lists that are put together from groups and roles. */
const KEYCLOAK_CLAIMS = {
  given_name: 'firstName',
  family_name: 'lastName',
  name: 'attributes.name',
  email_verified: 'emailVerified',
  preferred_username: 'username',
  groups: ['groups'],
} as const satisfies Partial<BuiltInClaims>;

export const keycloakSourceSchema = z.strictObject({
  type: z.literal('keycloak').describe('The kind of source: a realm of Keycloak, read through its Admin API.'),
  url: httpUrl
    .refine((url) => /\/realms\/[^/]+$/.test(url), 'must end in /realms/NAME')
    .meta({
      description: 'The realm, as in its issuer.',
      examples: ['https://id.example.com/realms/staff'],
    }),
  client_id: text.describe(
    'A confidential client with a service account that has the roles view-users and query-groups of `realm-management`, and view-realm for `roles`.',
  ),
  client_secret: text.describe('Its secret.'),
  page_size: count
    .refine((number) => number > 1 && number <= 1_000, 'must be from 2 to 1000')
    .prefault(500)
    .describe('People asked for at once.'),
  ...originMembers(KEYCLOAK_CLAIMS),
});

export type KeycloakSourceConfig = z.output<typeof keycloakSourceSchema>;
