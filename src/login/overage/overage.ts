import { compileClaimName } from '../../mapping/claims.ts';
import { GROUPS_UNHEARD, leftOutGroups } from '../../mapping/groups.ts';
import { LatchgateError } from '../../model/errors.ts';
import type { Assertion } from '../../model/person.ts';
import type { Log } from '../../ops/log.ts';

type Claims = Assertion['claims'];

/** Where the groups are that a provider left out of what it signed. */
export interface GroupDirectory {
  /**
   * All groups of the person whom these claims are of. Throws `target_unavailable` and the like for what may go by, and
   * `provider_misconfigured`. Undefined: the person is not one to ask about, or has too many.
   */
  groupsOf(claims: Claims, signal: AbortSignal): Promise<readonly string[] | undefined>;
}

/** Fills in groups that were left out (Entra ID's overage). */
export interface Overage {
  /**
   * The claims with the groups in them. Unchanged when none were left out, or nobody can say which. When the directory
   * does not answer, with a mark by which the mapping keeps what the person has. Throws `provider_misconfigured`.
   */
  fill(claims: Claims, signal: AbortSignal): Promise<Claims>;
}

export interface OverageOptions {
  readonly login: string;
  /** `claims.groups` of the login. */
  readonly claims: readonly string[];
  readonly directory: GroupDirectory;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

export function createOverage({ login, claims: names, directory, log }: OverageOptions): Overage {
  const compiled = names.map(compileClaimName);
  let isTroubled = false;
  const ask = async (claims: Claims, signal: AbortSignal): Promise<readonly string[] | undefined | 'unheard'> => {
    try {
      const groups = await directory.groupsOf(claims, signal);
      if (isTroubled) log.info('groups that were left out can be read again', { login });
      isTroubled = false;
      return groups;
    } catch (thrown) {
      if (!(thrown instanceof LatchgateError) || thrown.code === 'provider_misconfigured') throw thrown;
      if (!isTroubled)
        log.warn('groups that were left out cannot be read', { login, code: thrown.code, error: thrown });
      isTroubled = true;
      return 'unheard';
    }
  };
  return {
    fill: async (claims, signal) => {
      const name = leftOutGroups(claims, compiled);
      if (name === undefined) return claims;
      const groups = await ask(claims, signal);
      if (groups === undefined) return claims;
      const filled = groups === 'unheard' ? ([GROUPS_UNHEARD, true] as const) : ([name, groups] as const);
      return Object.fromEntries([...Object.entries(claims), filled]);
    },
  };
}
