import { z } from 'zod';
import { count, durationMs, emailDomains, entryName, flag, networkList, text, textList } from '../config/values.ts';
import { BUILT_IN_CLAIMS, type BuiltInClaims, claimsFrom } from '../login/claims/schema.ts';

/** Attributes of RFC 7643 §4.1; `email` is the value of the primary address, `groups` the names of the groups. */
const SCIM_CLAIMS = {
  given_name: 'name.givenName',
  family_name: 'name.familyName',
  name: ['displayName', 'name.formatted'],
  preferred_username: 'userName',
  groups: ['groups'],
} as const satisfies Partial<BuiltInClaims>;

const MOST_BYTES = 64 * 1024 * 1024;

const fingerprints = textList
  .transform((list) => list.map((one) => one.replaceAll(':', '').toLowerCase()))
  .refine(
    (list) => list.every((one) => /^[0-9a-f]{64}$/.test(one)),
    'must be SHA-256 fingerprints of certificates: 64 hexadecimal digits, with or without colons',
  );

const clientSchema = z.strictObject({
  tokens: textList
    .refine((tokens) => tokens.length <= 2, 'must have at most two tokens: the present one and the one that follows')
    .refine(
      (tokens) => tokens.every((token) => /^[\x21-\x7e]{32,}$/.test(token)),
      'must have at least 32 characters in each token, ASCII without blanks',
    )
    .prefault([])
    .meta({
      description:
        'Bearer tokens of the client; two during a rotation. Without one here, `latchgate scim token --client NAME` makes one of which only the hash is kept.',
      examples: [['${file:/run/secrets/scim-okta}']],
    }),
  allow_from: networkList
    .prefault([])
    .describe('Addresses and networks that the client may call from. Empty: from anywhere.'),
  client_certificates: fingerprints.prefault([]).meta({
    description:
      'SHA-256 fingerprints of client certificates, one of which the client has to show beside its token. Needs `tls`. Empty: none is asked for.',
  }),
  login: entryName
    .optional()
    .describe(
      'The login whose people these are: `externalId` is the `external_id` of that login. Without it they are people of their own.',
    ),
  claims: claimsFrom({ ...BUILT_IN_CLAIMS, ...SCIM_CLAIMS })
    .prefault({})
    .describe(
      'Our attribute ← attribute of the User, as in `login.NAME.claims`. Attributes of the enterprise extension go by their own name: `department`, `employeeNumber`.',
    ),
  trust_email: flag
    .prefault(false)
    .describe(
      'Whether its addresses count as verified, so that an account which was in a target before is linked by its e-mail. Otherwise such an account is left alone, and the push is refused.',
    ),
  email_domains: emailDomains
    .prefault([])
    .describe('With `trust_email`: only addresses in these domains. Empty: whatever the client says.'),
  trust_unverified_email: flag
    .prefault(true)
    .describe(
      'With `trust_email`: also addresses of which it says itself that they are not verified (`email_verified: false`), as Keycloak does of people from a directory. `false` where people may write any address into their own profile: they would have the account of that address.',
    ),
  privileged_groups: textList
    .prefault([])
    .describe(
      'Groups of the client by which a rule may give what `safety.privileged` lists. By no other group it is given, and by none that the client has renamed.',
    ),
  target_down: z
    .enum(['accept', 'refuse'])
    .default('accept')
    .describe(
      'What the client is told while a target does not answer: `accept` that it is done, `refuse` to try again (503) whenever the push is not known to be in every target. The push is kept and carried out later either way.',
    ),
  requests_per_minute: count
    .refine((number) => number >= 60, 'must be at least 60')
    .prefault(6_000)
    .describe('More are refused for a while (429).'),
});

export const scimSchema = z.strictObject({
  path: text
    .regex(/^(\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$/, 'must be a path such as /scim/v2, without a slash at its end')
    .default('/scim/v2')
    .describe('Where the API is, on `listen`. Under any host.'),
  clients: z
    .record(entryName, clientSchema)
    .refine((clients) => Object.keys(clients).length > 0, 'must have at least one client')
    .describe('Who pushes people and groups, one entry each. Each sees only what it pushed itself.'),
  max_body: count
    .refine((bytes) => bytes >= 65_536 && bytes <= MOST_BYTES, 'must be from 65536 to 67108864')
    .prefault(4_194_304)
    .describe('Bytes of a request body; more are refused (413). 10,000 members in one PATCH are about 600,000.'),
  max_results: count
    .refine((number) => number >= 1 && number <= 10_000, 'must be from 1 to 10000')
    .prefault(1_000)
    .describe('Resources in one page.'),
  max_operations: count
    .refine((number) => number >= 1 && number <= 10_000, 'must be from 1 to 10000')
    .prefault(1_000)
    .describe('Operations in one Bulk request.'),
  wait: durationMs
    .prefault('10s')
    .describe('How long a push waits for the targets before it is answered and goes on in the background.'),
});

export type ScimConfig = z.output<typeof scimSchema>;
export type ScimClientConfig = ScimConfig['clients'][string];
