import { z } from 'zod';

export const stateSchema = z.strictObject({
  database: z
    .string()
    .regex(/^(sqlite:.+|postgres(ql)?:\/\/.+)$/, 'must be sqlite:FILE or postgres://USER:PASSWORD@HOST/DATABASE')
    .default('sqlite:./data/latchgate.db')
    .describe('`sqlite:FILE` (relative to the config file) or `postgres://…`.'),
});
