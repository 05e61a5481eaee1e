import { z } from 'zod';
import { durationMs, textList } from '../config/values.ts';

export const sessionSchema = z.strictObject({
  store: z.enum(['embedded']).default('embedded').describe('Where sessions are kept: `embedded`, in this process.'),
  secrets: textList
    .refine((secrets) => secrets.length > 0, 'must have at least one secret')
    .refine(
      (secrets) => secrets.every((secret) => secret.length >= 32),
      'must have at least 32 characters in each secret',
    )
    .meta({
      description:
        'Secrets of at least 32 characters. The first signs and encrypts, all verify: rotation logs nobody out.',
      examples: [['${file:/run/secrets/session}']],
    }),
  idle: durationMs.prefault('1h').describe('A session that is not used ends after this.'),
  absolute: durationMs.prefault('12h').describe('Every session ends after this.'),
});

export type SessionConfig = z.output<typeof sessionSchema>;
