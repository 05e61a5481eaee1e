import { z } from 'zod';
import { accountPatterns, count, durationMs, textList } from '../config/values.ts';

const PRIVILEGED = /^[^:\s]+:(group|role|permission):.+$/;

/** `superset:role:Admin`: target, kind, name. */
const privilegedList = textList.refine(
  (list) => list.every((entry) => PRIVILEGED.test(entry)),
  'must hold entries of the form target:kind:name, such as superset:role:Admin',
);

const THRESHOLD = 'must be per cent, such as "10%", a number of people, or a list of the two';

/** `10%`, `25`, or both: what is exceeded first counts. */
const removals = z
  .union([z.number(), z.string(), z.array(z.union([z.number(), z.string()], THRESHOLD))], THRESHOLD)
  .transform((given, context): { readonly percent?: number; readonly people?: number } => {
    const parts = Array.isArray(given) ? given.map(String) : String(given).split(',');
    const limits = parts.map((part) => limitOf(part.trim()));
    const [first, second] = limits;
    const isOne = limits.length === 1 && first !== undefined;
    const areBoth = limits.length === 2 && first !== undefined && second !== undefined;
    if (isOne || (areBoth && 'percent' in first !== 'percent' in second)) return { ...first, ...second };
    context.addIssue(THRESHOLD);
    return z.NEVER;
  })
  .meta({ title: 'per cent or number, or both', examples: ['10%', 25] });

function limitOf(part: string): { readonly percent: number } | { readonly people: number } | undefined {
  const [, percent] = /^(\d{1,3}(?:\.\d{1,3})?) ?%$/.exec(part) ?? [];
  if (percent !== undefined) return Number(percent) <= 100 ? { percent: Number(percent) } : undefined;
  return /^\d{1,9}$/.test(part) ? { people: Number(part) } : undefined;
}

const stopIfSchema = z.strictObject({
  removals: removals
    .prefault('10%')
    .describe(
      'How many people may lose something by a sync within 24 hours, approved runs not counted: per cent of those who have something of ours there, a number of people, or both, of which the smaller counts. From three people up; 0 or 0% has every removal of a sync wait.',
    ),
  new_users_per_hour: count.optional().describe('How many accounts may be made in an hour. Default: any number.'),
});

/** At once, and after how long in milliseconds accounts are deleted. */
interface LeaverConfig {
  readonly now: 'disable' | 'delete';
  readonly deleteAfterMs?: number;
}

const delayed = z.strictObject({
  disable: z.literal('now', 'must be now').describe('At once.'),
  delete_after: durationMs.describe(
    'How long after that the account is deleted. Of more people than `stop_if.removals` allows within a day (two always may) it waits for the next.',
  ),
});

export const safetySchema = z.strictObject({
  manage: z
    .enum(['ours', 'mapped', 'all'])
    .default('ours')
    .describe(
      'What may be taken away: `ours` only what the gateway itself granted; `mapped` every entitlement that a rule can name; `all` everything, and in a sync also the accounts that belong to nobody are switched off.',
    ),
  privileged: privilegedList
    .prefault([])
    .describe(
      'Entitlements (`target:kind:name`) that only a rule with exact group names gives: never a pattern, a capture or `default`.',
    ),
  never_touch: accountPatterns
    .prefault([])
    .describe(
      'User names, e-mails or external ids of accounts that are never changed: exact, `*` glob or `~` regular expression. Service accounts are safe without this.',
    ),
  leaver: z
    .union([z.enum(['disable', 'delete']), delayed], 'must be disable, delete, or { disable: now, delete_after: 30d }')
    .transform((given): LeaverConfig => {
      if (typeof given === 'string') return { now: given };
      return { now: 'disable', deleteAfterMs: given.delete_after };
    })
    .prefault('disable')
    .meta({
      title: 'word or map',
      description:
        'What becomes of the accounts of a person who left: `disable`, `delete`, or `{ disable: now, delete_after: 30d }`. Only accounts that the gateway made are deleted.',
    }),
  stop_if: stopIfSchema
    .prefault({})
    .describe(
      'When a sync is held until a person approves. Where the source is empty or incomplete it always is; where people are missing, by `removals`.',
    ),
});

export type SafetyConfig = z.output<typeof safetySchema>;
