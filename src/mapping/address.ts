import type { Assertion } from '../model/person.ts';
import { compileAttributes } from './attributes.ts';
import type { OriginConfig } from './config.ts';

const NOBODY_VOUCHES = {
  trust_email: false,
  email_domains: [],
  trusts_all_emails: false,
  trust_unverified_email: false,
  require: [],
};

/** Compiles which address an origin says of somebody, whoever vouches for it. undefined: none, or none that could be read. */
export function compileAddress(
  origins: Readonly<Record<string, Pick<OriginConfig, 'claims'>>>,
): (said: Pick<Assertion, 'origin' | 'subject' | 'claims'>) => string | undefined {
  const readers = new Map(
    Object.entries(origins).map(([name, { claims }]) => {
      const { email } = claims;
      return [name, compileAttributes({ email }, NOBODY_VOUCHES)];
    }),
  );
  return ({ origin, subject, claims }) => {
    const email = readers.get(origin)?.(claims, subject).attributes['email'];
    return typeof email === 'string' && email !== '' ? email : undefined;
  };
}
