import { z } from 'zod';
import { durationMs, entryName, flag, isLoopback, text, textList } from '../config/values.ts';

const issuer = text.transform((value, context) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) context.addIssue('must be an https:// address');
  else if (url.protocol === 'http:' && !isLoopback(url.hostname)) context.addIssue('http:// is accepted on loopback only');
  return value;
});

/** One claim, or the first that is there of several. A name is tried as it stands, then as a path. */
const claimNames = z.union([text.transform((name) => [name]), z.array(text).min(1)]);

export const claimsSchema = z
  .looseObject({
    given_name: claimNames.prefault('given_name'),
    family_name: claimNames.prefault('family_name'),
    name: claimNames.prefault('name'),
    email: claimNames.prefault('email'),
    email_verified: claimNames.prefault('email_verified'),
    preferred_username: claimNames.prefault('preferred_username'),
    groups: claimNames.prefault(['urn.gooddata.user_groups', 'groups']),
    external_id: claimNames.prefault('sub'),
  })
  .catchall(claimNames);

export const oidcLoginSchema = z.strictObject({
  type: z.literal('oidc').default('oidc'),
  label: text.optional().describe('what people read on the page that asks which provider'),
  issuer,
  client_id: text,
  client_secret: text.optional(),
  private_key: text.optional().describe('PEM (PKCS #8) for private_key_jwt, instead of client_secret'),
  scopes: textList.default(['openid', 'profile', 'email']),
  email_domains: textList.default([]),
  trust_email: flag.default(false),
  claims: claimsSchema.prefault({}),
  groups_absent: z.enum(['keep', 'empty']).default('keep'),
  groups_separator: text.optional(),
  refresh: durationMs.prefault('5m'),
  timeout: durationMs.prefault('10s').describe('for one answer of the provider'),
});

export const loginSchema = z.record(entryName, oidcLoginSchema);

export type OidcLoginConfig = z.output<typeof oidcLoginSchema>;
export type LoginConfig = z.output<typeof loginSchema>;
export type ClaimsConfig = z.output<typeof claimsSchema>;
