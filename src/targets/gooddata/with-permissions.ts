import type { ActualAccount } from '../../model/change.ts';
import type { ActualState, Lookup } from '../target.ts';
import type { GoodDataAccounts } from './accounts.ts';
import { type PersonPermissions, withPermissions } from './permissions.ts';

/** Reads accounts with the permissions that each user was given itself, besides its groups. */
export interface AccountReader {
  byLookup(lookup: Lookup, signal: AbortSignal): Promise<readonly ActualAccount[]>;
  all(signal: AbortSignal): Promise<ActualState>;
}

/** `isAsked`: false where nobody is ever given permissions: then reading an account stays one call. */
export function readWithPermissions(
  accounts: GoodDataAccounts,
  permissions: PersonPermissions,
  isAsked: () => Promise<boolean>,
): AccountReader {
  return {
    byLookup: async (lookup, signal) => {
      if (!(await isAsked())) return accounts.byLookup(lookup, signal);
      const linked = lookup.accountId;
      const early = linked === undefined ? undefined : permissions.of(linked, signal);
      // Heard below, and only if the account is there.
      early?.catch(() => undefined);
      const found = await accounts.byLookup(lookup, signal);
      return Promise.all(
        found.map(async (account) => {
          const held = account.id === linked ? early : undefined;
          return withPermissions(account, await (held ?? permissions.of(account.id, signal)));
        }),
      );
    },
    all: async (signal) => {
      if (!(await isAsked())) return accounts.all(signal);
      const [state, held] = await Promise.all([accounts.all(signal), permissions.all(signal)]);
      // Two listings: whoever came in between stands in one of them alone, and what they have is not known.
      const isWhole = state.accounts.every(({ id, isProtected }) => isProtected || held.has(id));
      return {
        complete: state.complete && isWhole,
        accounts: state.accounts.map((account) => withPermissions(account, held.get(account.id) ?? [])),
      };
    },
  };
}
