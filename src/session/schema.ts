import { z } from 'zod';
import { durationMs, text, textList } from '../config/values.ts';

export const sessionSchema = z.strictObject({
  store: z.string().default('embedded').describe('embedded, or redis:// for more than one instance'),
  secrets: z
    .union([z.array(text), textList])
    .refine((secrets) => secrets.length > 0, 'at least one secret is needed')
    .refine((secrets) => secrets.every((secret) => secret.length >= 32), 'a secret has at least 32 characters')
    .describe('the first signs, all verify'),
  idle: durationMs.prefault('1h'),
  absolute: durationMs.prefault('12h'),
  cookie_domain: text.optional().describe('only when routes use several host names'),
});

export type SessionConfig = z.output<typeof sessionSchema>;
