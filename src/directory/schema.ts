import { z } from 'zod';

export const stateSchema = z.strictObject({
  database: z
    .string()
    .regex(/^(sqlite:.+|postgres(ql)?:\/\/.+)$/, 'must be sqlite:FILE or postgres://…')
    .default('sqlite:./data/latchgate.db'),
});

export type StateConfig = z.output<typeof stateSchema>;
