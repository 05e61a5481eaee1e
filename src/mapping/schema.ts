import { z } from 'zod';
import { count, entryName, text, textList } from '../config/values.ts';

export const identitySchema = z.strictObject({
  match: z
    .array(z.enum(['link', 'external_id', 'verified_email', 'user_name']))
    .default(['link', 'external_id', 'verified_email']),
  require: textList.default(['email']),
});

export const groupsSchema = z.strictObject({
  strip: z.string().default('').describe('a leading text that is dropped from each group'),
  max: count.prefault(1_000),
  rename: z.record(text, text).default({}),
  allow: textList.default(['*']),
});

/** Texts that one attribute is compared with: exact, `*` glob, or `~` regular expression on the whole value. */
const patterns = z.union([text.transform((one) => [one]), z.array(text).min(1)]);

/** `when`: every line must hold; a list means any of; `not` turns a block round. */
export interface Condition {
  readonly not?: Condition | undefined;
  readonly [attribute: string]: readonly string[] | Condition | undefined;
}

export const conditionSchema: z.ZodType<Condition, unknown> = z.lazy(() =>
  z.object({ not: conditionSchema.optional() }).catchall(patterns),
) as z.ZodType<Condition, unknown>;

const permissions = z.record(text, z.union([text.transform((one) => [one]), z.array(text)]));

export const grantSchema = z.record(
  entryName,
  z.strictObject({
    groups: textList.default([]),
    roles: textList.default([]),
    permissions: permissions.default({}).describe('workspace: permission'),
  }),
);

export const ruleSchema = z
  .strictObject({
    when: conditionSchema.optional(),
    grant: grantSchema.optional(),
    deny: text.optional().describe('a sentence for the person to read'),
  })
  .refine((rule) => (rule.grant === undefined) !== (rule.deny === undefined), 'a rule has either grant or deny');

export const rulesSchema = z.record(entryName, ruleSchema);

export const defaultSchema = z
  .strictObject({ grant: grantSchema.optional(), deny: text.optional() })
  .refine((rule) => rule.grant === undefined || rule.deny === undefined, 'default has either grant or deny');

export type IdentityConfig = z.output<typeof identitySchema>;
export type GroupsConfig = z.output<typeof groupsSchema>;
export type GrantConfig = z.output<typeof grantSchema>;
export type RulesConfig = z.output<typeof rulesSchema>;
export type DefaultConfig = z.output<typeof defaultSchema>;
