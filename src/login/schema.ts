import { z } from 'zod';
import { durationMs, emailDomains, entryName, flag, text, textList } from '../config/values.ts';
import { isLoopback } from '../model/loopback.ts';
import { BUILT_IN_CLAIMS, claimsFrom } from './claims/schema.ts';
import { overageSchema } from './overage/schema.ts';
import { samlLoginSchema } from './saml/schema.ts';

const issuer = text
  .transform((value, context) => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (url === undefined || !/^https?:\/\//i.test(value)) context.addIssue('must be an https:// address');
    else if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
      context.addIssue('must be https://: plain http is accepted on loopback only');
    } else if (url.username !== '' || url.password !== '') context.addIssue('must not hold a user name or password');
    else if (url.search !== '' || url.hash !== '') context.addIssue('must have no query and no fragment');
    return value;
  })
  .meta({ title: 'https address', examples: ['https://id.example.com/realms/staff'] });

const privateKey = text
  .regex(
    /^-----BEGIN PRIVATE KEY-----\r?\n[A-Za-z0-9+/=\s]+-----END PRIVATE KEY-----\s*$/,
    'must be an unencrypted private key in PKCS #8 PEM form (-----BEGIN PRIVATE KEY-----); `openssl pkcs8 -topk8 -nocrypt` makes one of other forms',
  )
  .meta({ title: 'PEM text' });

const refreshInterval = z
  .union(
    [durationMs, z.enum(['off', '0']).transform(() => undefined), z.literal(0).transform(() => undefined)],
    'must be a number and a unit, such as 30s, 5m or 12h, or off',
  )
  .meta({ title: 'duration or `off`' });

export const claimsSchema = claimsFrom(BUILT_IN_CLAIMS);

const bearerSchema = z.strictObject({
  audience: textList
    .refine((audiences) => audiences.length > 0, 'must name at least one audience')
    .meta({
      description:
        'Access tokens must be meant for one of these (`aud`). Not `client_id`: an ID token, which is meant for it, must not pass for one.',
      examples: [['latchgate-api']],
    }),
  scopes: textList.prefault([]).describe('Scopes that an access token must have, all of them.'),
});

export const oidcLoginSchema = z.strictObject({
  type: z.literal('oidc').default('oidc').describe('Protocol.'),
  label: text
    .optional()
    .describe('What people read on the page that asks which provider. Default: the name of the entry.'),
  issuer: issuer.describe(
    'Issuer of the provider; its discovery document is read from there. Plain http is accepted on loopback only.',
  ),
  client_id: text.meta({ description: 'Client id that the provider gave to this gateway.', examples: ['latchgate'] }),
  client_secret: text
    .optional()
    .describe(
      'Client secret. Without it and without `private_key` the client is public: PKCE alone protects the login.',
    ),
  private_key: privateKey.optional().describe('Key for private_key_jwt (PKCS #8), instead of `client_secret`.'),
  scopes: textList
    .refine((scopes) => scopes.includes('openid'), 'must hold openid')
    .prefault(['openid', 'profile', 'email'])
    .describe('Scopes to ask for.'),
  email_domains: emailDomains
    .prefault([])
    .describe('Chooses this provider for such an address and permits linking accounts by it. Admits nobody by itself.'),
  trust_email: flag
    .prefault(false)
    .describe('Whether addresses in `email_domains` count as verified (Entra ID sends no email_verified).'),
  trust_unverified_email: flag
    .prefault(true)
    .describe(
      'With `trust_email`: also addresses of which it says itself that they are not verified (`email_verified: false`), as Keycloak does of people from a directory. `false` where people may write any address into their own profile: they would have the account of that address.',
    ),
  claims: claimsSchema
    .prefault({})
    .describe(
      'Our attribute ← claim. A name is tried as it stands, then as a path (`realm_access.roles`). A list: the first that is there.',
    ),
  groups_absent: z
    .enum(['keep', 'empty'])
    .default('keep')
    .describe(
      'What it means when the groups claim is not sent: `keep` leaves what groups gave as it is (rules that look at no groups go on giving and taking), `empty` is a member of none.',
    ),
  groups_separator: text
    .optional()
    .describe('Where one text of the groups claim is cut into several groups. Without it one text is one group.'),
  refresh: refreshInterval
    .prefault('5m')
    .describe(
      'How often the provider is asked whether a live session still holds and which groups the person has, by its refresh token (some providers give one only for the scope `offline_access`). `off`: never.',
    ),
  bearer: bearerSchema
    .optional()
    .describe(
      'API clients: requests with `Authorization: Bearer` and an access token (JWT) of this provider need no login. Absent: none are taken.',
    ),
  overage: overageSchema
    .optional()
    .describe(
      'Entra ID: Microsoft Graph is asked for groups that are too many for a token. Absent: such a login is refused (`groups_overage`).',
    ),
  timeout: durationMs.prefault('10s').describe('For one answer of the provider.'),
});

export const loginSchema = z.record(entryName, z.discriminatedUnion('type', [oidcLoginSchema, samlLoginSchema]));

export type OidcLoginConfig = z.output<typeof oidcLoginSchema>;
export type LoginConfig = z.output<typeof loginSchema>;
export type ClaimsConfig = z.output<typeof claimsSchema>;
