import type { Config } from '../config/schema.ts';
import type { Assertion } from '../model/person.ts';

/** What a login would assert with these claims; nobody has verified them. */
export function claimedAssertion(
  { login }: Pick<Config, 'login'>,
  origin: string,
  claims: Readonly<Record<string, unknown>>,
  at: Date,
): Assertion {
  const subject = Object.hasOwn(claims, 'sub') ? claims['sub'] : '';
  return {
    origin,
    issuer: issuerOf(login[origin]),
    // Whatever it is: the mapping refuses what is no subject, and says so.
    subject: subject as string,
    active: true,
    claims,
    at,
  };
}

/** SAML names the provider in its metadata, which may be elsewhere; no rule looks at it. */
function issuerOf(login: Config['login'][string] | undefined): string {
  if (login?.type === 'saml') return login.idp_entity_id ?? '';
  return login?.issuer ?? '';
}
