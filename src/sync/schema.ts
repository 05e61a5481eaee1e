import { Cron } from 'croner';
import { z } from 'zod';
import { durationMs, entryName, text, waitMs } from '../config/values.ts';

const CRON = 'must be five fields (minute, hour, day of the month, month, day of the week), such as "0 6 * * 1-5"';

const cronPattern = text.refine(isCron, CRON).meta({ title: 'cron pattern', examples: ['0 6 * * 1-5'] });

const timeZone = text
  .refine((name) => isTimeZone(name), 'must be the name of a time zone, such as Europe/Berlin')
  .meta({ title: 'time zone', examples: ['Europe/Berlin'] });

export const syncEntrySchema = z.strictObject({
  from: entryName.describe('The source whose people are synced.'),
  to: entryName.describe('The target that is written to, and no other but for people who have left.'),
  every: durationMs.optional().describe('How often it runs in `serve`. Without `every` and `cron`: only by command.'),
  cron: cronPattern.optional().describe('When it runs in `serve`, in place of `every`: five fields, as in crontab.'),
  time_zone: timeZone.default('UTC').describe('In which `cron` counts its hours.'),
  do: z
    .enum(['plan', 'apply'])
    .default('plan')
    .describe('What the schedule does: `plan` only reports, `apply` changes. `latchgate apply NAME` works either way.'),
  jitter: waitMs
    .optional()
    .describe('Each run begins later by up to this, at random. Default: 30s, and at most a tenth of `every`.'),
});

export const syncSchema = z.record(entryName, syncEntrySchema);

export type SyncConfig = z.output<typeof syncEntrySchema>;

function isCron(pattern: string): boolean {
  try {
    return new Cron(pattern, { mode: '5-part', paused: true }).nextRun() !== null;
  } catch {
    return false;
  }
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
