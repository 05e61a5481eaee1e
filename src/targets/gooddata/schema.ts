import { z } from 'zod';
import { httpUrl, text } from '../../config/values.ts';

export const goodDataTargetSchema = z.strictObject({
  type: z.literal('gooddata'),
  url: httpUrl,
  token: text,
  sign_in: z.enum(['jwt', 'none']).default('jwt'),
});

export type GoodDataConfig = z.output<typeof goodDataTargetSchema>;
