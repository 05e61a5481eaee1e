import { z } from 'zod';
import { entryName, text } from '../config/values.ts';
import { originMembers } from './origin/schema.ts';

/**
 * One option for each type of source. The option is the type's own `<type>/schema.ts`: a strict object with `type` and
 * `...originMembers({ … })`.
 */
const sourceSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('scim').describe('Kind of source.'),
    url: text.describe('Base address of the SCIM 2.0 service.'),
    token: text.describe('Bearer token.'),
    ...originMembers(),
  }),
]);

export const sourcesSchema = z.record(entryName, sourceSchema);

export type SourceConfig = z.output<typeof sourceSchema>;
export type SourcesConfig = z.output<typeof sourcesSchema>;
