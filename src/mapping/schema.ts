import { z } from 'zod';
import { count, durationMs, entryName, oneOrMore, optionList, text, textList } from '../config/values.ts';

export const identitySchema = z.strictObject({
  match: optionList(['link', 'external_id', 'verified_email', 'user_name'])
    .prefault(['link', 'external_id', 'verified_email'])
    .describe('How an account that is already in a target is found, in this order. Two that fit: held, never guessed.'),
  require: textList
    .prefault(['email'])
    .describe('Attributes without which a login is refused, with a page that says so. `[]`: nothing is required.'),
  owner: entryName
    .optional()
    .describe(
      'The source or SCIM client that owns the people it lists: whoever is gone there leaves everywhere. Default: of each person the first that listed them.',
    ),
  join: z
    .enum(['never', 'verified_email'])
    .default('never')
    .describe(
      'Whether somebody who comes by a door for the first time is the person that another door brought with the same address: `verified_email` when both doors vouch for it (as for `match`), exactly one person fits of those of whom some door says it now, and has nothing privileged. Whom a SCIM client makes as inactive is somebody new, also when made active later. Ids that `login` of a source or SCIM client shares count either way.',
    ),
  join_within: durationMs
    .prefault('90d')
    .describe(
      'With `join: verified_email`: how long ago a login may have vouched for the address of the person who is joined. Longer ago, the address may be another human’s by now, and whoever comes is somebody new; `users link` says otherwise. What a source or SCIM client last said holds until it says that they are gone.',
    ),
  authority: z
    .record(text, oneOrMore)
    .default({})
    .meta({ title: 'map of texts or lists' })
    .describe(
      'Attribute → the origins whose word counts for it, best first, where several speak of one person; `default` is for all attributes without a line of their own. Whom a line leaves out comes after it: the owner, SCIM clients, sources, logins. What the first does not send is taken from the next.',
    ),
});

export const groupsSchema = z.strictObject({
  dn: z
    .enum(['keep', 'cn'])
    .default('keep')
    .describe(
      'Groups that are distinguished names (`CN=BI-Analysts,OU=Groups,DC=example,DC=com`): as they are, or by their CN. What is no such name, or does not begin with one CN, stays as it is without `dn_under`.',
    ),
  dn_under: z
    // Never one text with commas between them, as other lists may be: they are in every name.
    .union([text.transform((one) => [one]), z.array(text)], 'must be a name or a list of names')
    .prefault([])
    .meta({
      title: 'text or list of texts',
      description:
        'With `dn: cn`: the CN counts only of groups below one of these, and what is no distinguished name counts for nothing. Without it, whoever may make groups anywhere in the directory may make one with any CN.',
    }),
  strip: z
    .string()
    .default('')
    .describe('A leading text that is dropped from each group (Keycloak sends `/company/team`).'),
  max: count.prefault(1_000).describe('More groups than this, and the login is refused.'),
  rename: z
    .record(text, text)
    .default({})
    .meta({ title: 'map of texts', description: 'Incoming group → its name here (Entra ID sends object ids).' }),
  allow: textList.prefault(['*']).describe('Groups that are let in: exact, `*` glob, or `~` regular expression.'),
});

/** Texts that one attribute is compared with: exact, `*` glob, or `~` regular expression on the whole value. */
const patterns = z
  .union(
    [text.transform((one) => [one]), z.array(text).min(1, 'must not be an empty list')],
    'must be a text or a list of texts',
  )
  .meta({
    title: 'text or list of texts',
    description:
      'What the attribute of this name is compared with: exact, `*` glob, or `~` regular expression on the whole value. A list: any of.',
  });

/** `when`: every line must hold; a list means any of; `not` turns a block round. */
export interface Condition {
  readonly not?: Condition | undefined;
  readonly [attribute: string]: readonly string[] | Condition | undefined;
}

export const conditionSchema: z.ZodType<Condition, unknown> = z.lazy(() =>
  z.object({ not: conditionSchema.optional().describe('A block that must not hold.') }).catchall(patterns),
) as z.ZodType<Condition, unknown>;

const permissions = z.record(
  text,
  z.union([text.transform((one) => [one]), z.array(text)], 'must be a permission or a list of permissions'),
);

/** Grants by target. `${name}` in a grant is always a capture of the rule, never a variable of the environment. */
export const grantSchema = z
  .record(
    entryName,
    z.strictObject({
      groups: textList.prefault([]).describe('Groups of the target.'),
      roles: textList.prefault([]).describe('Roles of the target.'),
      permissions: permissions
        .default({})
        .meta({ title: 'map of texts or lists', description: 'Workspace → permission, or a list of permissions.' }),
    }),
  )
  .describe('What is given, by target. `{ TARGET: {} }` is an account without entitlements.');

const eitherGrantOrDeny = {
  error: 'must have either grant or deny',
  // Also when another member of the rule is wrong: people see every complaint at once.
  when: ({ value }: { value: unknown }) => typeof value === 'object' && value !== null,
};

const ruleSchema = z
  .strictObject({
    when: conditionSchema
      .optional()
      .describe(
        'Whom the rule fits: every line must hold, a list means any of, `not` turns a block round. Without it: everybody.',
      ),
    grant: grantSchema.optional(),
    deny: text.optional().describe('A sentence for the person to read: who fits does not get in.'),
  })
  .refine((rule) => (rule.grant === undefined) !== (rule.deny === undefined), eitherGrantOrDeny);

export const rulesSchema = z.record(entryName, ruleSchema);

export const defaultSchema = z
  .strictObject({ grant: grantSchema.optional(), deny: text.optional().describe('A sentence for the person to read.') })
  .refine((rule) => rule.grant === undefined || rule.deny === undefined, eitherGrantOrDeny);

export type IdentityConfig = z.output<typeof identitySchema>;
export type GroupsConfig = z.output<typeof groupsSchema>;
export type GrantConfig = z.output<typeof grantSchema>;
export type RulesConfig = z.output<typeof rulesSchema>;
export type DefaultConfig = z.output<typeof defaultSchema>;
