import { z } from 'zod';
import { httpUrl, text } from '../../config/values.ts';

export const supersetTargetSchema = z.strictObject({
  type: z.literal('superset').describe('The kind of backend.'),
  url: httpUrl.meta({
    description: 'Where Superset is, as the gateway reaches it.',
    examples: ['http://superset:8088'],
  }),
  sign_in: z
    .enum(['assertion', 'header'])
    .default('assertion')
    .describe(
      '`assertion`: a signed statement, checked by the security manager in integrations/superset; `header`: remote user.',
    ),
  sign_in_header: text
    .regex(/^[A-Za-z0-9-]+$/, 'must be the name of a header: letters, digits and -')
    .default('X-Forwarded-User')
    .describe('The header that Superset takes the user name from. For `sign_in: header`.'),
  service_account: text
    .default('latchgate')
    .describe(
      'User name of the Superset account by which accounts, groups and roles are managed; its role is in integrations/superset.',
    ),
  service_password: text
    .optional()
    .describe(
      'Its password. Needed for `sign_in: header`; with `assertion` the gateway signs in by its own statement.',
    ),
});
