import type { ActualAccount } from '../../model/change.ts';
import type { ActualEntitlement } from '../../model/entitlement.ts';
import type { Auth0Api } from '../../ops/auth0/api.ts';
import { type Auth0User, userRecord, usersByEmail } from '../../ops/auth0/documents.ts';
import { listMembers, listRolesOf } from '../../ops/auth0/roles.ts';
import { listUsers } from '../../ops/auth0/users.ts';
import type { ActualState, Lookup } from '../target.ts';
import { type AccountView, lowerAscii, toAccount, toEntitlement, USER_FIELDS } from './documents.ts';
import type { Auth0Roles } from './roles.ts';

/** One address, as far as a question needs it: no blanks, no control characters. */
const PLAUSIBLE_EMAIL = /^[^\s\p{Cc}\p{Cs}@]+@[^\s\p{Cc}\p{Cs}@]+$/u;
/** Every id of Auth0's has its provider in front: nothing else is put into a path. */
const PLAUSIBLE_ID = /^[^|/\s]+\|.+$/;

const FIELDS = { fields: USER_FIELDS.join(','), include_fields: true };

/** Users of one connection as accounts. What is asked by id or e-mail is never behind the writes; the list of all is. */
export interface Auth0Accounts {
  byId(id: string, signal: AbortSignal): Promise<ActualAccount | undefined>;
  /** The same without roles. */
  withoutRoles(id: string, signal: AbortSignal): Promise<ActualAccount | undefined>;
  byEmail(email: string, signal: AbortSignal): Promise<readonly ActualAccount[]>;
  /** By id alone when that finds an account with the e-mail that is asked for. Else by every key of the lookup. */
  byLookup(lookup: Lookup, signal: AbortSignal): Promise<readonly ActualAccount[]>;
  all(signal: AbortSignal): Promise<ActualState>;
}

export function createAccounts(api: Auth0Api, roles: Auth0Roles, view: AccountView): Auth0Accounts {
  const isOurs = ({ identities }: Auth0User) => identities.some(({ connection }) => connection === view.connection);

  const userById = async (id: string, signal: AbortSignal): Promise<Auth0User | undefined> => {
    if (!PLAUSIBLE_ID.test(id)) return undefined;
    const call = { method: 'GET', path: ['users', id], query: FIELDS, signal } as const;
    const response = await api.call(call, [200, 404]);
    return response.status === 404 ? undefined : api.parse(userRecord, response);
  };

  const usersWith = async (email: string, signal: AbortSignal): Promise<readonly Auth0User[]> => {
    if (!PLAUSIBLE_EMAIL.test(email)) return [];
    const query = { ...FIELDS, email: email.toLowerCase() };
    // 400: what Auth0 takes for no address is nobody's.
    const response = await api.call({ method: 'GET', path: ['users-by-email'], query, signal }, [200, 400]);
    if (response.status === 400) return [];
    const wanted = lowerAscii(email);
    return api
      .parse(usersByEmail, response)
      .filter((user) => isOurs(user) && typeof user.email === 'string' && lowerAscii(user.email) === wanted);
  };

  const withRoles = async (user: Auth0User, signal: AbortSignal): Promise<ActualAccount | undefined> => {
    if (!isOurs(user)) return undefined;
    const held = await listRolesOf(api, user.user_id, signal);
    return toAccount(user, held.map(toEntitlement), view);
  };

  const byId = async (id: string, signal: AbortSignal) => {
    const user = await userById(id, signal);
    return user && withRoles(user, signal);
  };

  const byEmail = async (email: string, signal: AbortSignal): Promise<readonly ActualAccount[]> => {
    const users = await usersWith(email, signal);
    const found = await Promise.all(users.map((user) => withRoles(user, signal)));
    return found.filter((account) => account !== undefined);
  };

  const byLookup = async ({ accountId, email, userNames }: Lookup, signal: AbortSignal) => {
    const linked = accountId === undefined ? undefined : await byId(accountId, signal);
    const addresses = [...new Set([email ?? '', ...userNames].filter((text) => text !== '').map(lowerAscii))];
    const isKnown = (address: string) => linked?.profile.email && lowerAscii(linked.profile.email) === address;
    if (linked !== undefined && addresses.every(isKnown)) return [linked];
    const found = await Promise.all(addresses.map((address) => byEmail(address, signal)));
    const accounts = [...(linked === undefined ? [] : [linked]), ...found.flat()];
    return [...new Map(accounts.map((account) => [account.id, account])).values()];
  };

  const once = async (signal: AbortSignal): Promise<ActualState> => {
    const users: Auth0User[] = [];
    const pages = listUsers(api, { connection: view.connection, fields: USER_FIELDS }, signal);
    let page = await pages.next();
    for (; page.done !== true; page = await pages.next()) users.push(...page.value);
    const held = await rolesByUser(api, roles, signal);
    const accounts = users.map((user) => toAccount(user, held.get(user.user_id) ?? [], view));
    return { accounts: accounts.filter((account) => account !== undefined), complete: page.value.complete };
  };

  return {
    byId,
    withoutRoles: async (id, signal) => {
      const user = await userById(id, signal);
      return user && toAccount(user, [], view);
    },
    byEmail,
    byLookup,
    all: async (signal) => {
      const first = await once(signal);
      return first.complete ? first : once(signal);
    },
  };
}

/** Role by role: as many calls as there are pages of members, not as there are users. */
async function rolesByUser(
  api: Auth0Api,
  roles: Auth0Roles,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly ActualEntitlement[]>> {
  const held = new Map<string, ActualEntitlement[]>();
  for (const role of await roles.all(signal)) {
    for (const id of await listMembers(api, role.id, signal)) {
      const list = held.get(id);
      if (list === undefined) held.set(id, [toEntitlement(role)]);
      else list.push(toEntitlement(role));
    }
  }
  return held;
}
