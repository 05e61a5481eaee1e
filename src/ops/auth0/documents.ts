import { z } from 'zod';

/** Users and roles as the Management API answers them; of users only what we read. */
export const userRecord = z.object({
  user_id: z.string().min(1),
  email: z.string().nullish(),
  email_verified: z.boolean().nullish(),
  name: z.string().nullish(),
  given_name: z.string().nullish(),
  family_name: z.string().nullish(),
  nickname: z.string().nullish(),
  username: z.string().nullish(),
  phone_number: z.string().nullish(),
  blocked: z.boolean().nullish(),
  created_at: z.string().optional(),
  updated_at: z.string().optional(),
  identities: z
    .array(
      z.object({
        connection: z.string(),
        provider: z.string(),
        user_id: z.union([z.string(), z.number()]).transform(String),
      }),
    )
    .default([]),
  app_metadata: z.record(z.string(), z.unknown()).nullish(),
  user_metadata: z.record(z.string(), z.unknown()).nullish(),
});

export type Auth0User = z.output<typeof userRecord>;

export const usersByEmail = z.array(userRecord);

/** With `include_totals=true`. */
export const usersPage = z.object({ users: z.array(userRecord), total: z.number().int() });

export const roleRecord = z.object({ id: z.string().min(1), name: z.string() });

export type Auth0RoleRecord = z.output<typeof roleRecord>;

export const rolesPage = z.object({ roles: z.array(roleRecord), total: z.number().int() });

/** Checkpoint paging: the last page has no `next`. */
export const membersPage = z.object({
  users: z.array(z.object({ user_id: z.string().min(1) })),
  next: z.string().min(1).optional(),
});
