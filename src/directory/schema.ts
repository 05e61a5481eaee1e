import { z } from 'zod';
import { durationMs, textList } from '../config/values.ts';

const DAY_MS = 86_400_000;

const claimsSchema = z.strictObject({
  keep: z
    .enum(['all', 'used'])
    .default('all')
    .describe(
      'What is stored of the claims that an origin sends: `all`, or only those that its `claims` read. A claim that is read for the first time is then known from the next login or sync on.',
    ),
  hash: textList
    .prefault([])
    .describe(
      'Claims of which a keyed hash is stored in place of the value: by name, or as a path. None that an origin’s `claims` read.',
    ),
  retention: durationMs
    .refine((ms) => ms >= DAY_MS, 'must be at least 1d')
    .optional()
    .meta({
      description:
        'Claims that are older are emptied, of whom a list says is out and of whom nothing but logins that long ago speaks. What they have stays. Default: they are kept for good.',
      examples: ['400d'],
    }),
});

export const stateSchema = z.strictObject({
  database: z
    .string()
    .regex(/^(sqlite:.+|postgres(ql)?:\/\/.+)$/, 'must be sqlite:FILE or postgres://USER:PASSWORD@HOST/DATABASE')
    .default('sqlite:./data/latchgate.db')
    .describe('`sqlite:FILE` (relative to the config file) or `postgres://…`.'),
  claims: claimsSchema.prefault({}).describe('What is recorded of the claims that origins send.'),
});
