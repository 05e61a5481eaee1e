import { z } from 'zod';
import { httpUrl, text } from '../../config/values.ts';

export const goodDataTargetSchema = z.strictObject({
  type: z.literal('gooddata').describe('The kind of backend.'),
  url: httpUrl.meta({ description: 'Where GoodData is.', examples: ['https://acme.cloud.gooddata.com'] }),
  token: text.meta({
    description: 'API token of a GoodData organisation administrator, by which accounts and groups are managed.',
    examples: ['${file:/run/secrets/gooddata}'],
  }),
  sign_in: z
    .enum(['jwt', 'none'])
    .default('jwt')
    .describe(
      'How people are signed in there: `jwt`, each request carries a short-lived token signed by the gateway; `none`, not at all.',
    ),
});
