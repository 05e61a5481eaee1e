import { z } from 'zod';
import { httpUrl, text } from '../../config/values.ts';

/** Every permission that a user or a group can have on a workspace. `MANAGE` covers the others. */
export const WORKSPACE_PERMISSIONS = [
  'MANAGE',
  'ANALYZE',
  'EXPORT',
  'EXPORT_TABULAR',
  'EXPORT_PDF',
  'CREATE_AUTOMATION',
  'USE_AI_ASSISTANT',
  'WRITE_KNOWLEDGE_DOCUMENTS',
  'READ_KNOWLEDGE_DOCUMENTS',
  'CREATE_FILTER_VIEW',
  'VIEW',
] as const;

/** In `workspaces`: every workspace of the organisation. */
export const EVERY_WORKSPACE = '*';

/** The id of one workspace. */
export const WORKSPACE_ID = /^(?!\.)[.A-Za-z0-9_-]{1,255}$/;

const permission = z.enum(WORKSPACE_PERMISSIONS);
const permissions = z
  .union(
    [permission.transform((one) => [one]), z.array(permission).min(1, 'must not be an empty list')],
    'must be a permission or a list of permissions',
  )
  .meta({
    title: 'permission or list',
    description: `One of ${WORKSPACE_PERMISSIONS.map((name) => `\`${name}\``).join(', ')}.`,
  });
const workspace = z
  .string()
  .refine(
    (id) => id === EVERY_WORKSPACE || WORKSPACE_ID.test(id),
    'must be the id of a workspace, or "*" for every one',
  )
  .meta({ title: 'workspace' });

const entry = z.strictObject({
  workspace: workspace.describe('Id of the workspace, or `"*"` for every one.'),
  permissions,
});
type Permission = z.output<typeof permission>;

/** A map, or a list of entries where the id of a workspace comes from the environment: keys cannot. */
const onWorkspaces = z.union(
  [
    z.record(workspace, permissions),
    z.array(entry).transform((entries) => {
      const byWorkspace: Record<string, Permission[]> = Object.create(null);
      for (const { workspace: id, permissions: names } of entries) {
        byWorkspace[id] = [...(byWorkspace[id] ?? []), ...names];
      }
      return byWorkspace;
    }),
  ],
  'must be a map of workspaces and permissions, or a list of entries with workspace and permissions',
);

export const goodDataTargetSchema = z.strictObject({
  type: z.literal('gooddata').describe('The kind of backend.'),
  url: httpUrl.meta({ description: 'Where GoodData is.', examples: ['https://acme.cloud.gooddata.com'] }),
  token: text.meta({
    description: 'API token of a GoodData organisation administrator, by which accounts and groups are managed.',
    examples: ['${file:/run/secrets/gooddata}'],
  }),
  sign_in: z
    .enum(['jwt', 'none'])
    .default('jwt')
    .describe(
      'How people are signed in there: `jwt`, each request carries a short-lived token signed by the gateway; `none`, not at all.',
    ),
  workspaces: z.record(text, onWorkspaces).default({}).meta({
    title: 'map of maps',
    description:
      'Group → workspace (`"*"`: every one) → permissions that the group has there; or, in place of that map, a list of `{ workspace, permissions }`. Made true when the group is made or given, at the start, hourly and before a sync; what is there beyond this is left alone.',
  }),
});
