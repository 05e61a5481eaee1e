import { z } from 'zod';
import { durationMs, entryName, textList } from '../config/values.ts';
import { goodDataTargetSchema } from './gooddata/schema.ts';
import { supersetTargetSchema } from './superset/schema.ts';

export const missingSchema = z.strictObject({
  users: z.enum(['create', 'refuse']).default('create').describe('refuse: just-in-time creation is off for this target'),
  groups: z.enum(['create', 'refuse']).default('create'),
  roles: z.enum(['create', 'refuse']).default('refuse').describe('a role that nobody defined has no rights'),
});

/** Members that every target has. */
export const commonTarget = {
  missing: missingSchema.prefault({}),
  external_ids: entryName.optional().describe('the one origin whose external_id this target keeps'),
  user_name: textList.optional().describe('attributes for the user name of a new account, first that is there'),
  timeout: durationMs.prefault('10s').describe('for one answer of the target, and for everything at one login'),
};

export const targetSchema = z.discriminatedUnion('type', [
  supersetTargetSchema.extend(commonTarget),
  goodDataTargetSchema.extend(commonTarget),
]);

export const targetsSchema = z.record(entryName, targetSchema);

export type TargetConfig = z.output<typeof targetSchema>;
export type MissingConfig = z.output<typeof missingSchema>;
