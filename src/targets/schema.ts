import { z } from 'zod';
import { count, durationMs, entryName, textList } from '../config/values.ts';
import type { EntitlementKind } from '../model/entitlement.ts';
import { auth0TargetSchema } from './auth0/schema.ts';
import { goodDataTargetSchema } from './gooddata/schema.ts';
import { scimTargetSchema } from './scim/schema.ts';
import { supersetTargetSchema } from './superset/schema.ts';

const missingSchema = z.strictObject({
  users: z
    .enum(['create', 'refuse'])
    .default('create')
    .describe('A person without an account: `create` one, or `refuse` (just-in-time creation is off).'),
  groups: z
    .enum(['create', 'refuse'])
    .default('create')
    .describe('A group that is given but not there: made empty, or refused.'),
  roles: z
    .enum(['create', 'refuse'])
    .default('refuse')
    .describe(
      'A role that is given but not there. A role that nobody defined has no rights, so it is refused by default.',
    ),
});

const upstreamSchema = z.strictObject({
  connect: durationMs.prefault('10s').describe('To open a connection, or for one to become free.'),
  answer: durationMs
    .prefault('5m')
    .describe('From the end of a request to the beginning of its answer: longer than the longest query.'),
  idle: durationMs
    .prefault('10m')
    .describe('Between two pieces of an answer or of an upload, streams of events included.'),
  connections: count
    .refine((number) => number > 0, 'must be at least 1')
    .prefault(512)
    .describe(
      'Connections at the same time, WebSockets apart, of each process. Twice as many requests wait for one; more are answered 502. A quarter of them (16 at least) is for one person at most, and for all public requests together; more are answered 429.',
    ),
});

/** Members of every target whose pages people are led to. */
const servedTarget = {
  upstream: upstreamSchema.prefault({}).describe('How the requests of people are passed on.'),
};

/** Members that every target has. */
const commonTarget = {
  missing: missingSchema.prefault({}).describe('What is done about what is not there.'),
  external_ids: entryName
    .optional()
    .describe('The one login whose `external_id` this target keeps. Default: the only login; with several none.'),
  user_name: textList
    .refine((list) => list.length > 0, 'must name at least one attribute')
    .optional()
    .describe(
      'Attributes for the user name of a new account; the first that is there and not taken. Never changed later: where several doors lead to one person, name what all of them send alike, or the first door decides. Default: `preferred_username`, then `email`; `email` in Auth0, `external_id` in GoodData.',
    ),
  timeout: durationMs.prefault('10s').describe('For one answer of the target, and for everything at one login.'),
};

export const targetSchema = z.discriminatedUnion('type', [
  supersetTargetSchema.extend(commonTarget).extend(servedTarget),
  goodDataTargetSchema.extend(commonTarget).extend(servedTarget),
  auth0TargetSchema.extend(commonTarget),
  scimTargetSchema.extend(commonTarget),
]);

export const targetsSchema = z.record(entryName, targetSchema);

/** What each kind of target can be given; a grant of another kind is a complaint. */
export const TARGET_KINDS: Readonly<Record<TargetConfig['type'], readonly EntitlementKind[]>> = {
  superset: ['group', 'role'],
  gooddata: ['group', 'permission'],
  auth0: ['role'],
  scim: ['group'],
};

/** What a target's own installation gives its administrators by. Those of an Auth0 tenant are not among its users; a SCIM service may be anything. */
export const ADMINISTRATORS: Readonly<
  Record<TargetConfig['type'], { readonly kind: EntitlementKind; readonly name: string } | undefined>
> = {
  superset: { kind: 'role', name: 'Admin' },
  gooddata: { kind: 'group', name: 'adminGroup' },
  auth0: undefined,
  scim: undefined,
};

export type TargetConfig = z.output<typeof targetSchema>;

/** Of a target whose pages people are led to. Auth0 and SCIM services have accounts only. */
export type ServedTargetConfig = Exclude<TargetConfig, { readonly type: 'auth0' | 'scim' }>;

export function isServed(config: TargetConfig): config is ServedTargetConfig {
  return config.type !== 'auth0' && config.type !== 'scim';
}
