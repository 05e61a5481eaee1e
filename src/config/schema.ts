import { z } from 'zod';
import { stateSchema } from '../directory/schema.ts';
import { loginSchema } from '../login/schema.ts';
import { defaultSchema, groupsSchema, identitySchema, rulesSchema } from '../mapping/schema.ts';
import { safetySchema } from '../provisioning/schema.ts';
import { routesSchema } from '../proxy/schema.ts';
import { sessionSchema } from '../session/schema.ts';
import { targetsSchema } from '../targets/schema.ts';
import { httpUrl, listenAddress, textList } from './values.ts';

export const configSchema = z.strictObject({
  version: z.literal(1),
  public_url: httpUrl,
  listen: listenAddress.prefault('0.0.0.0:4180'),
  admin_listen: listenAddress.prefault('127.0.0.1:4181'),
  trusted_proxies: textList.default([]),
  log: z.strictObject({ level: z.enum(['error', 'warn', 'info', 'debug']).default('info'), access: z.boolean().default(false) }).prefault({}),
  state: stateSchema.prefault({}),
  session: sessionSchema,
  login: loginSchema,
  identity: identitySchema.prefault({}),
  groups: groupsSchema.prefault({}),
  rules: rulesSchema.default({}),
  default: defaultSchema.prefault({}),
  targets: targetsSchema,
  routes: routesSchema,
  safety: safetySchema.prefault({}),
});

export type Config = z.output<typeof configSchema>;
