import type { ActualAccount } from '../../model/change.ts';
import { primaryEmail, type Resource, resource } from '../../ops/scim/documents.ts';
import type { ActualState, Lookup } from '../target.ts';
import type { ScimApi } from './api.ts';
import { toAccount } from './documents.ts';
import type { Discovery } from './features.ts';
import type { Memberships } from './memberships.ts';
import { inParallel } from './parallel.ts';
import type { Key, Search } from './search.ts';

/** What an id may look like that is put into a path, as one segment of it. */
const PLAUSIBLE_ID = /^(?!\.{1,2}$)[^\p{Cc}\p{Cs}]{1,512}$/u;
/** RFC 3986 §2.3: never written in two ways. */
const UNRESERVED = /^[\w.~-]+$/;

/** Fewer are asked for one by one. */
const WORTH_A_LIST = 8;

/** Users as accounts. */
export interface ScimAccounts {
  /** As it is at this moment; undefined when there is none. */
  user(id: string, signal: AbortSignal): Promise<Resource | undefined>;
  /** Those of the ids that are certainly there, in fewer calls than one for each; none when it would take more. */
  certain(ids: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>>;
  withGroups(user: Resource, signal: AbortSignal): Promise<ActualAccount>;
  byUserName(userName: string, signal: AbortSignal): Promise<Resource | undefined>;
  byExternalId(externalId: string, signal: AbortSignal): Promise<Resource | undefined>;
  /** By id alone when that finds an account with another mark of the lookup. Else by every key. */
  byLookup(lookup: Lookup, signal: AbortSignal): Promise<readonly ActualAccount[]>;
  all(signal: AbortSignal): Promise<ActualState>;
}

export function createAccounts(
  api: ScimApi,
  discovery: Discovery,
  search: Search,
  memberships: Memberships,
): ScimAccounts {
  const user = async (id: string, signal: AbortSignal): Promise<Resource | undefined> => {
    if (!PLAUSIBLE_ID.test(id)) return undefined;
    const { users } = await discovery.features(signal);
    // What is in front of a service may refuse a path with such an id in it: then it has given no such id.
    const nowhere = UNRESERVED.test(id) ? [404] : [400, 404];
    const response = await api.call({ method: 'GET', path: [users, id], signal }, [200, ...nowhere]);
    const found = response.status === 200 ? api.parse(resource, response) : undefined;
    // However the service has read the path, it is not who was asked for.
    return found?.id === id ? found : undefined;
  };

  const find = async (keys: readonly Key[], signal: AbortSignal): Promise<readonly Resource[]> => {
    const { users } = await discovery.features(signal);
    return search.find(users, keys, signal);
  };

  const withGroups = async (found: Resource, signal: AbortSignal): Promise<ActualAccount> => {
    const { ownId } = await discovery.features(signal);
    return toAccount(found, await memberships.of(found, signal), ownId);
  };

  return {
    user,
    certain: async (ids, signal) => {
      const { users } = await discovery.features(signal);
      const isWorth = ids.length >= WORTH_A_LIST && (await search.callsForAll(users, signal)) + 1 < ids.length;
      const listed = isWorth ? await search.all(users, { attributes: 'userName' }, signal) : { items: [] };
      const there = new Set(listed.items.map(({ id }) => id));
      return new Set(ids.filter((id) => there.has(id)));
    },
    withGroups,
    byUserName: async (userName, signal) => (await find([userNameKey(userName)], signal))[0],
    byExternalId: async (externalId, signal) => {
      const found = await find([externalIdKey(externalId)], signal);
      return [...found].sort((a, b) => (a.id < b.id ? -1 : 1))[0];
    },
    byLookup: async (lookup, signal) => {
      const linked = lookup.accountId === undefined ? undefined : await user(lookup.accountId, signal);
      const keys = keysOf(lookup);
      const isSure = linked !== undefined && keys.some(({ fits }) => fits(linked));
      const found = isSure ? [] : await find(keys, signal);
      const users = [...(linked === undefined ? [] : [linked]), ...found];
      const accounts: ActualAccount[] = [];
      await inParallel([...new Map(users.map((one) => [one.id, one])).values()], async (one, at) => {
        accounts[at] = await withGroups(one, signal);
      });
      return accounts;
    },
    all: async (signal) => {
      const { users: endpoint, ownId } = await discovery.features(signal);
      const users = await search.all(endpoint, {}, signal);
      const groups = await memberships.all(signal);
      return {
        complete: users.whole && groups.whole,
        accounts: users.items.map((one) => toAccount(one, groups.of(one), ownId)),
      };
    },
  };
}

function keysOf({ externalId, userNames, email }: Lookup): readonly Key[] {
  return [
    ...(externalId === undefined || externalId === '' ? [] : [externalIdKey(externalId)]),
    ...userNames.filter((name) => name !== '').map(userNameKey),
    ...(email === undefined || email === '' ? [] : [emailKey(email)]),
  ];
}

/** Compared exactly (RFC 7643 §3.1). */
function externalIdKey(externalId: string): Key {
  return { attribute: 'externalId', value: externalId, fits: (user) => user['externalId'] === externalId };
}

/** Compared without case (RFC 7643 §4.1.1). */
function userNameKey(userName: string): Key {
  return { attribute: 'userName', value: userName, fits: (user) => sameText(user['userName'], userName) };
}

/** Of several addresses the primary one is the account's. */
function emailKey(email: string): Key {
  return { attribute: 'emails.value', value: email, fits: (user) => sameText(primaryEmail(user['emails']), email) };
}

function sameText(a: unknown, b: string): boolean {
  return typeof a === 'string' && lowerAscii(a) === lowerAscii(b);
}

function lowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
