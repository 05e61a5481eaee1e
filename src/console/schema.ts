import { z } from 'zod';
import { durationMs } from '../config/values.ts';
import { type Condition, conditionSchema } from '../mapping/schema.ts';

const namesSomebody = (condition: Condition): boolean => Object.keys(condition).some((line) => line !== 'not');

const roleSchema = z.strictObject({
  when: conditionSchema
    .refine(namesSomebody, 'must have a line beside `not`: without one everybody would fit')
    .describe('Who has the role, in the language of rules: groups and attributes of the login that they are here by.'),
});

export const operatorsSchema = z
  .strictObject({
    viewer: roleSchema.optional().describe('Who sees everything and changes nothing. Default: nobody.'),
    operator: roleSchema.optional().describe('Who also acts. Default: nobody.'),
    idle: durationMs.prefault('15m').describe('How long a session there lives without a request.'),
    absolute: durationMs
      .prefault('8h')
      .describe('How long it lives at most. It also ends with the session at `public_url` that it came from.'),
  })
  .refine(({ viewer, operator }) => viewer !== undefined || operator !== undefined, {
    message: 'must have viewer, operator or both',
  });

export type OperatorsConfig = z.output<typeof operatorsSchema>;
