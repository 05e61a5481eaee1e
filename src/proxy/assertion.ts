import type { Identity } from '../model/person.ts';
import type { Signer } from '../ops/keys.ts';
import { areGroupsTooLong } from './identity-headers.ts';

/** Of an assertion, in seconds. Used again until half of it is over. */
export const ASSERTION_LIFETIME_S = 60;

/** Who the token is about, and for whom. */
export interface AssertionInput {
  readonly target: string;
  /** The account's user name in the target. */
  readonly userName: string;
  readonly identity: Pick<Identity, 'email' | 'groups'>;
}

/**
 * The signed statement for one upstream (RFC 7519): aud = target, sub = user name there, email, groups. Groups that are
 * too long for a header are left out and `groups_omitted` says so. `iss` is the signer's to add.
 */
export function signAssertion(signer: Signer, input: AssertionInput): Promise<string> {
  const { email, groups } = input.identity;
  const told = areGroupsTooLong(groups) ? { groups_omitted: true } : { groups: [...groups] };
  const claims = { aud: input.target, sub: input.userName, ...(email === undefined ? {} : { email }), ...told };
  return signer.sign(claims, ASSERTION_LIFETIME_S);
}
