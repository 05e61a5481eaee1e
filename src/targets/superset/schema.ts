import { z } from 'zod';
import { httpUrl, text } from '../../config/values.ts';

export const supersetTargetSchema = z.strictObject({
  type: z.literal('superset'),
  url: httpUrl,
  sign_in: z.enum(['assertion', 'header']).default('assertion'),
  sign_in_header: text.default('X-Forwarded-User').describe('for sign_in: header'),
  service_account: text.optional().describe('its user name, used with the gateway assertion or with a password'),
  service_password: text.optional().describe('needed for sign_in: header'),
});

export type SupersetConfig = z.output<typeof supersetTargetSchema>;
