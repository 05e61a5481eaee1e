import { z } from 'zod';
import { durationMs, emailDomains, flag, text, waitMs } from '../../config/values.ts';
import { isLoopback } from '../../model/loopback.ts';
import { type BuiltInClaims, claimsFrom } from '../claims/schema.ts';
import { overageSchema } from '../overage/schema.ts';

const MOST_SKEW_MS = 300_000;

/** Attributes of an assertion that stand for the built-in ones where the config names none: plain, OID and WS-Federation names. */
const SAML_CLAIMS: BuiltInClaims = {
  given_name: [
    ...['given_name', 'givenName', 'firstName', 'urn:oid:2.5.4.42'],
    'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname',
  ],
  family_name: [
    ...['family_name', 'sn', 'surname', 'lastName', 'urn:oid:2.5.4.4'],
    'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname',
  ],
  name: [
    'name',
    'displayName',
    'urn:oid:2.16.840.1.113730.3.1.241',
    'http://schemas.microsoft.com/identity/claims/displayname',
  ],
  email: [
    ...['email', 'mail', 'urn:oid:0.9.2342.19200300.100.1.3', 'urn:oid:1.2.840.113549.1.9.1'],
    'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress',
  ],
  email_verified: 'email_verified',
  preferred_username: ['preferred_username', 'uid', 'urn:oid:0.9.2342.19200300.100.1.1'],
  groups: [...['urn.gooddata.user_groups', 'groups'], 'http://schemas.microsoft.com/ws/2008/06/identity/claims/groups'],
  external_id: 'sub',
};

const METADATA = 'must be the XML of the provider’s metadata, or the https:// address of it';

const metadata = text
  .transform((value, context) => {
    const trimmed = value.replace(/^\uFEFF/, '').trim();
    if (trimmed.startsWith('<')) {
      if (/<!DOCTYPE/i.test(trimmed)) context.addIssue('must have no DOCTYPE');
      else if (!trimmed.includes('IDPSSODescriptor'))
        context.addIssue('must describe an identity provider (IDPSSODescriptor)');
      return trimmed;
    }
    const url = URL.canParse(trimmed) ? new URL(trimmed) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol)) context.addIssue(METADATA);
    else if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
      context.addIssue('must be https://: plain http is accepted on loopback only');
    } else if (url.username !== '' || url.password !== '') context.addIssue('must not hold a user name or password');
    return trimmed;
  })
  .meta({ title: 'XML text or https address', examples: ['https://id.example.com/saml/metadata'] });

/** Only its form: whether it is a key of RSA, and strong, is found out when the gateway starts. */
const keyWithCertificate = text
  .regex(
    /-----BEGIN (?:RSA )?PRIVATE KEY-----\r?\n[A-Za-z0-9+/=\s]+-----END (?:RSA )?PRIVATE KEY-----/,
    'must be an unencrypted RSA private key in PEM form, perhaps with its certificate behind it',
  )
  .meta({ title: 'PEM text' });

export const samlLoginSchema = z.strictObject({
  type: z.literal('saml').describe('Protocol.'),
  label: text
    .optional()
    .describe('What people read on the page that asks which provider. Default: the name of the entry.'),
  metadata: metadata.describe(
    'What the provider says of itself: XML, as from `${file:…}`, or the address where it is read from. Plain http is accepted on loopback only.',
  ),
  metadata_refresh: durationMs
    .prefault('1h')
    .describe('How old metadata from an address may get. A signature by an unknown key makes it be read at once.'),
  idp_entity_id: text
    .optional()
    .describe(
      'Who the provider is (`entityID` of its metadata). Needed where the metadata come from an address: what is read there later is taken from nobody else. XML default: the only one that it describes.',
    ),
  entity_id: text.optional().describe('What we are called at the provider. Default: the address of our own metadata.'),
  email_domains: emailDomains
    .prefault([])
    .describe('Chooses this provider for such an address and permits linking accounts by it. Admits nobody by itself.'),
  trust_email: flag
    .prefault(false)
    .describe('Whether addresses in `email_domains` count as verified: SAML has no word for it.'),
  trust_unverified_email: flag
    .prefault(true)
    .describe(
      'With `trust_email`: also addresses of which it says itself that they are not verified (`email_verified: false`), as Keycloak does of people from a directory. `false` where people may write any address into their own profile: they would have the account of that address.',
    ),
  claims: claimsFrom(SAML_CLAIMS)
    .prefault({})
    .describe(
      'Our attribute ← `Name` of the attribute in the assertion, URNs and URIs included. A list: the first that is there. `sub` is the NameID.',
    ),
  groups_absent: z
    .enum(['keep', 'empty'])
    .default('keep')
    .describe(
      'What it means when the attribute with the groups is not sent: `keep` leaves what groups gave as it is (rules that look at no groups go on giving and taking), `empty` is a member of none (Keycloak, Entra ID and Okta send nothing then).',
    ),
  groups_separator: text
    .optional()
    .describe('Where one text of the groups is cut into several groups. Without it one text is one group.'),
  want_response_signed: flag
    .prefault(true)
    .describe('Whether the whole response has to be signed. At least one of the two stays on.'),
  want_assertion_signed: flag.prefault(true).describe('Whether the assertion has to be signed.'),
  signing_key: keyWithCertificate
    .optional()
    .describe(
      'Key by which our requests are signed, RSA, with its certificate behind it; a certificate is made of it when there is none. Absent: they are not signed.',
    ),
  decryption_key: keyWithCertificate
    .optional()
    .describe('Key for encrypted assertions, the same way. Its certificate is in our metadata.'),
  other_decryption_key: keyWithCertificate
    .optional()
    .describe(
      'A further key that opens assertions and is not in our metadata: during a rotation first the next one, then the former one.',
    ),
  idp_initiated: flag
    .prefault(false)
    .describe(
      'Whether logins that begin at the provider are taken. Nothing then binds them to a browser: another site can log people in as somebody else.',
    ),
  request_binding: z
    .enum(['redirect', 'post'])
    .optional()
    .describe('How our request travels. Default: by redirect where the provider takes that.'),
  name_id_format: text
    .optional()
    .describe(
      'Format of the NameID to ask for, and the only one to take, such as `urn:oasis:names:tc:SAML:2.0:nameid-format:persistent`. Default: what the provider likes, at each login.',
    ),
  clock_skew: waitMs
    .refine((ms) => ms <= MOST_SKEW_MS, 'must be at most 5m')
    .prefault('60s')
    .describe('How far the provider’s clock may be off.'),
  overage: overageSchema
    .optional()
    .describe(
      'Entra ID: Microsoft Graph is asked for groups that are too many for an assertion. Absent: such a login is refused (`groups_overage`).',
    ),
  timeout: durationMs.prefault('10s').describe('For one reading of the metadata.'),
});

export type SamlLoginConfig = z.output<typeof samlLoginSchema>;
