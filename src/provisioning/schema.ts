import { z } from 'zod';
import { textList } from '../config/values.ts';

const PRIVILEGED = /^[^:\s]+:(group|role|permission):.+$/;

/** `superset:role:Admin`: target, kind, name. */
const privilegedList = textList.refine(
  (list) => list.every((entry) => PRIVILEGED.test(entry)),
  'must hold entries of the form target:kind:name, such as superset:role:Admin',
);

export const safetySchema = z.strictObject({
  manage: z.enum(['ours']).default('ours').describe('`ours`: only what the gateway itself granted is ever taken away.'),
  privileged: privilegedList
    .prefault([])
    .describe(
      'Entitlements (`target:kind:name`) that only a rule with exact group names gives: never a pattern, a capture or `default`.',
    ),
  never_touch: textList
    .prefault([])
    .describe(
      'User names or e-mails of accounts that are never changed: exact, `*` glob or `~` regular expression. Service accounts are safe without this.',
    ),
  leaver: z
    .enum(['disable', 'delete'])
    .default('disable')
    .describe('What becomes of the accounts of a person who left.'),
});

export type SafetyConfig = z.output<typeof safetySchema>;
