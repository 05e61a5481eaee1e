import { z } from 'zod';
import { entryName } from '../config/values.ts';
import { auth0SourceSchema } from './auth0/schema.ts';
import { fileSourceSchema } from './file/schema.ts';
import { keycloakSourceSchema } from './keycloak/schema.ts';
import { scimSourceSchema } from './scim/schema.ts';
import { sqlSourceSchema } from './sql/schema.ts';

/**
 * One option for each type of source. The option is the type's own `<type>/schema.ts`: a strict object with `type` and
 * `...originMembers({ … })`.
 */
const sourceSchema = z.discriminatedUnion('type', [
  auth0SourceSchema,
  fileSourceSchema,
  keycloakSourceSchema,
  scimSourceSchema,
  sqlSourceSchema,
]);

export const sourcesSchema = z.record(entryName, sourceSchema);

export type SourceConfig = z.output<typeof sourceSchema>;
