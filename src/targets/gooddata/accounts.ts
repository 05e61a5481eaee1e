import type { ActualAccount } from '../../model/change.ts';
import { LatchgateError } from '../../model/errors.ts';
import type { HttpResponse } from '../../ops/http-client.ts';
import type { Log } from '../../ops/log.ts';
import { isValidId } from '../names.ts';
import type { ActualState, Lookup } from '../target.ts';
import { type GoodDataApi, parseAnswer } from './api.ts';
import { profileAnswer, toAccount, userDocument, userList } from './documents.ts';
import { chunks, equals, isIn } from './rsql.ts';

const PAGE_SIZE = 500;
/** More pages than this is a service that goes round in circles. */
const MAX_PAGES = 2_000;
/** The first administrator of an organisation; the vendor's own tools leave it alone too. */
const BUILT_IN_ADMIN = 'admin';

/** Users of one organisation as accounts. */
export interface GoodDataAccounts {
  byId(id: string, signal: AbortSignal): Promise<ActualAccount | undefined>;
  /** Those of these ids that are there: a call for 50 of them. */
  byIds(ids: readonly string[], signal: AbortSignal): Promise<readonly ActualAccount[]>;
  /** Those with exactly this authenticationId, in the order of their ids: only the first can log in by itself. */
  byExternalId(externalId: string, signal: AbortSignal): Promise<readonly ActualAccount[]>;
  /** By account id alone when that finds one: a single GET. Else by every key of the lookup. */
  byLookup(lookup: Lookup, signal: AbortSignal): Promise<readonly ActualAccount[]>;
  all(signal: AbortSignal): Promise<ActualState>;
  /** The account of an answer to POST or PATCH with `include=userGroups`. */
  fromAnswer(response: HttpResponse, signal: AbortSignal): Promise<ActualAccount>;
  /** Asks who we are, anew. Throws `target_refused` when we may not manage users. */
  probe(signal: AbortSignal): Promise<string>;
}

interface Listing extends ActualState {
  /** What the service says there is. */
  readonly total: number | undefined;
}

export function createAccounts(api: GoodDataApi, targetName: string, log: Pick<Log, 'warn'>): GoodDataAccounts {
  let ownId: string | undefined;

  const probe = async (signal: AbortSignal): Promise<string> => {
    const response = await api.call({ method: 'GET', path: 'profile', media: 'application/json', signal }, [200]);
    const { userId, permissions } = parseAnswer(profileAnswer, response);
    if (!permissions.includes('MANAGE')) {
      throw new LatchgateError('target_refused', 'the token is of a user without the organisation permission MANAGE', {
        detail: { target: targetName, account: userId },
      });
    }
    ownId = userId;
    return userId;
  };

  /** Our own account must be known before any other is: it is the one that a wrong rule must never touch. */
  const self = async (signal: AbortSignal) => ownId ?? (await probe(signal));

  const protect = (id: string, isSystem: boolean, own: string) => isSystem || id === own || id === BUILT_IN_ADMIN;

  const fromAnswer = async (response: HttpResponse, signal: AbortSignal): Promise<ActualAccount> => {
    const { data, included } = parseAnswer(userDocument, response);
    return toAccount(data, included, protect(data.id, data.attributes?.systemAccount === true, await self(signal)));
  };

  const page = async (
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Listing & { readonly isFull: boolean }> => {
    const own = await self(signal);
    const call = {
      method: 'GET',
      path: 'entities/users',
      query: { ...query, include: 'userGroups', sort: 'id' },
      signal,
    } as const;
    const { data, included, meta } = parseAnswer(userList, await api.call(call, [200]));
    const accounts = data.map((user) =>
      toAccount(user, included, protect(user.id, user.attributes?.systemAccount === true, own)),
    );
    // `links.next` is there even on the last page, so only a short page ends a listing.
    return { accounts, complete: true, total: meta?.page?.totalElements, isFull: data.length >= Number(query['size']) };
  };

  const list = async (query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Listing> => {
    const found = new Map<string, ActualAccount>();
    const totals = new Set<number | undefined>();
    for (let number = 0; number < MAX_PAGES; number += 1) {
      const next = await page({ ...query, page: String(number), size: String(PAGE_SIZE) }, signal);
      for (const account of next.accounts) found.set(account.id, account);
      totals.add(next.total);
      if (next.isFull) continue;
      const [total] = totals;
      // An account that goes while we turn pages moves another one to a page that we have read.
      const complete = totals.size === 1 && (total === undefined || total === found.size);
      return { accounts: [...found.values()], complete, total };
    }
    throw new LatchgateError('target_answer_invalid', 'the list of users does not end', {
      detail: { target: targetName },
    });
  };

  const byId = async (id: string, signal: AbortSignal): Promise<ActualAccount | undefined> => {
    if (!isValidId(id)) return undefined;
    const query = { include: 'userGroups' };
    const [response] = await Promise.all([
      api.call({ method: 'GET', path: `entities/users/${id}`, query, signal }, [200, 404]),
      self(signal),
    ]);
    return response.status === 404 ? undefined : fromAnswer(response, signal);
  };

  const byExternalId = async (externalId: string, signal: AbortSignal): Promise<readonly ActualAccount[]> => {
    const filter = equals('authenticationId', externalId);
    const isExact = (account: ActualAccount) => account.externalId === externalId;
    const first = await page({ filter, size: '2' }, signal);
    // Two hits of which one is another's: the filter understood a wildcard, and ours may stand further down.
    const isLoose = first.isFull && !first.accounts.every(isExact);
    const { accounts } = isLoose ? await list({ filter }, signal) : first;
    const exact = accounts.filter(isExact);
    if (exact.length > 1) {
      log.warn('several GoodData users have one authenticationId; only the first by id can log in', {
        target: targetName,
        users: exact.length,
      });
    }
    return exact;
  };

  const byEmail = async (email: string, signal: AbortSignal): Promise<readonly ActualAccount[]> => {
    const spellings = [...new Set([email, email.toLowerCase()])];
    const { accounts } = await list({ filter: isIn('email', spellings) }, signal);
    return accounts.filter((account) => account.profile.email?.toLowerCase() === email.toLowerCase());
  };

  const byIds = async (ids: readonly string[], signal: AbortSignal): Promise<readonly ActualAccount[]> => {
    const valid = [...new Set(ids)].filter(isValidId);
    const wanted = new Set(valid);
    const lists = await Promise.all(chunks(valid).map((chunk) => list({ filter: isIn('id', chunk) }, signal)));
    return lists.flatMap(({ accounts }) => accounts).filter((account) => wanted.has(account.id));
  };

  const byLookup = async (lookup: Lookup, signal: AbortSignal): Promise<readonly ActualAccount[]> => {
    const { accountId, externalId, email, userNames } = lookup;
    const linked = accountId === undefined ? undefined : await byId(accountId, signal);
    if (linked !== undefined) return [linked];
    // An id that is gone and a token that may not read are the same 404; the listing tells them apart.
    const ids = accountId === undefined ? userNames : [accountId, ...userNames];
    const found = await Promise.all([
      externalId ? byExternalId(externalId, signal) : [],
      email ? byEmail(email, signal) : [],
      byIds(ids, signal),
    ]);
    return [...new Map(found.flat().map((account) => [account.id, account])).values()];
  };

  const all = async (signal: AbortSignal): Promise<ActualState> => {
    const query = { metaInclude: 'page' };
    const first = await list(query, signal);
    const { accounts, complete } = first.complete ? first : await list(query, signal);
    return { accounts, complete };
  };

  return { byId, byIds, byExternalId, byLookup, all, fromAnswer, probe };
}
