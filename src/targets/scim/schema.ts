import { z } from 'zod';
import { httpUrl, text } from '../../config/values.ts';

export const scimTargetSchema = z.strictObject({
  type: z.literal('scim').describe('The kind of backend.'),
  url: httpUrl.meta({
    description: 'Base address of any SCIM 2.0 service, to which /Users is added.',
    examples: ['https://app.example.com/scim/v2'],
  }),
  token: text.meta({
    description: 'Bearer token of the service.',
    examples: ['${file:/run/secrets/hub}'],
  }),
});
