import { z } from 'zod';
import { auditSchema } from '../audit/schema.ts';
import { operatorsSchema } from '../console/schema.ts';
import { stateSchema } from '../directory/schema.ts';
import { driftSchema } from '../drift/schema.ts';
import { loginSchema } from '../login/schema.ts';
import { defaultSchema, groupsSchema, identitySchema, rulesSchema } from '../mapping/schema.ts';
import { safetySchema } from '../provisioning/schema.ts';
import { forwardAuthSchema, routesSchema, shutdownSchema, tlsSchema } from '../proxy/schema.ts';
import { scimSchema } from '../scim/schema.ts';
import { sessionSchema } from '../session/schema.ts';
import { sourcesSchema } from '../sources/schema.ts';
import { syncSchema } from '../sync/schema.ts';
import { targetsSchema } from '../targets/schema.ts';
import { flag, httpOrigin, listenAddress, networkList } from './values.ts';

const logSchema = z.strictObject({
  level: z.enum(['error', 'warn', 'info', 'debug']).default('info').describe('The least severe line that is written.'),
  access: flag.prefault(false).describe('Whether each request is a line of its own.'),
});

const MOST_WORKERS = 256;
const WORKERS = `must be a whole number from 1 to ${MOST_WORKERS}, or auto`;
const workersSchema = z
  .union([z.number(), z.string()], WORKERS)
  .transform((given, context): number | 'auto' => {
    if (given === 'auto') return given;
    const workers = typeof given === 'number' || /^\d{1,3}$/.test(given) ? Number(given) : Number.NaN;
    if (Number.isInteger(workers) && workers >= 1 && workers <= MOST_WORKERS) return workers;
    context.addIssue({ code: 'custom', message: WORKERS });
    return z.NEVER;
  })
  .meta({ title: 'whole number or `auto`' });

/** The whole file. Each room describes its own part; a default stands beside the key that it fills. */
export const configSchema = z.strictObject({
  version: z
    .literal([1, '1'], 'must be 1, the only version of this language')
    .transform(() => 1 as const)
    .meta({ description: 'Version of this language: 1.', examples: [1] }),
  mode: z
    .enum(['live', 'shadow'])
    .default('live')
    .describe(
      '`shadow`: beside a running system. Nothing is written to a target, requests are passed on as they are, and `drift` shows what would be done.',
    ),
  public_url: httpOrigin.meta({
    description:
      'The address that browsers see. Cookies, redirect URIs and absolute links come from this alone. Plain http is accepted on loopback only.',
    examples: ['https://bi.example.com'],
  }),
  listen: listenAddress.prefault('0.0.0.0:4180').describe('Where people are served.'),
  tls: tlsSchema
    .optional()
    .describe('Ends TLS on `listen`, with HTTP/2. Default: plain HTTP, for a load balancer or web server in front.'),
  shutdown: shutdownSchema.prefault({}).describe('How the gateway stops.'),
  admin_listen: listenAddress
    .prefault('127.0.0.1:4181')
    .describe('Where health, readiness, metrics and the operators’ page are served. Never make it public.'),
  admin_url: httpOrigin.optional().meta({
    description:
      'The address by which operators’ browsers see `admin_listen`; needed with `operators`. Requests for any other host are refused there. Plain http is accepted on loopback only.',
    examples: ['https://bi-admin.example.com'],
  }),
  operators: operatorsSchema
    .optional()
    .describe('Who may use the operators’ page, at `admin_url`. Absent: it is not served.'),
  workers: workersSchema
    .prefault(1)
    .describe('Processes that serve, on the same addresses. `auto`: one for each CPU that the process may use.'),
  trusted_proxies: networkList
    .prefault([])
    .describe('Peers whose X-Forwarded-For is believed: addresses or networks. Empty: nobody.'),
  forward_auth: forwardAuthSchema
    .optional()
    .describe(
      'A web server of `trusted_proxies` asks at `/.latchgate/auth` and carries the requests itself. Absent: nobody is told there what signs in at a backend.',
    ),
  log: logSchema.prefault({}).describe('What is written to standard output.'),
  state: stateSchema.prefault({}).describe('What the gateway remembers of people, accounts and grants.'),
  audit: auditSchema
    .prefault({})
    .describe('The record of what was done: how long it is kept, when it is signed, who gets it.'),
  session: sessionSchema.describe('Sessions of people who have logged in.'),
  login: loginSchema.describe(
    'Identity providers, one entry each. With several, people choose or their e-mail domain decides.',
  ),
  identity: identitySchema.prefault({}).describe('Who is who.'),
  groups: groupsSchema
    .prefault({})
    .describe('Which groups may come in from outside. What is not let in is dropped, and `explain` shows it.'),
  rules: rulesSchema
    .default({})
    .describe(
      'What people get. Every rule that fits adds its grants; order never matters; a rule with `deny` beats all.',
    ),
  default: defaultSchema.prefault({}).describe('For a target in which no rule gave anything.'),
  targets: targetsSchema.describe('The backends where accounts live, one entry each.'),
  routes: routesSchema.describe(
    'What the proxy serves. The longest path that fits wins; a path is compared after normalisation.',
  ),
  scim: scimSchema
    .optional()
    .describe('People and groups that identity providers push by SCIM 2.0. Absent: nobody may.'),
  sources: sourcesSchema
    .default({})
    .describe('Places that list people, one entry each; what is done with the lists is said in `sync`.'),
  sync: syncSchema.default({}).describe('What is brought from a source to a target, one entry each.'),
  safety: safetySchema.prefault({}).describe('What must not happen.'),
  drift: driftSchema.prefault({}).describe('How what targets have is compared with what is known.'),
});

export type Config = z.output<typeof configSchema>;
