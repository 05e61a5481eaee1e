import type { Auth0Api } from './api.ts';
import { quoted } from './api.ts';
import { type Auth0User, usersPage } from './documents.ts';

export interface UserListing {
  /** Only users with an identity of this connection; default: of any. */
  readonly connection?: string | undefined;
  /** A further condition in the language of `q`: `blocked:true`. */
  readonly where?: string;
  /** Members that are wanted; `user_id` and `created_at` always are. Default: all. */
  readonly fields?: readonly string[];
}

export interface UserListingEnd {
  /** Everybody whom Auth0 counts was there. */
  readonly complete: boolean;
  /** Why not, for people. */
  readonly why?: string;
}

/** The most that Auth0 gives. */
const PAGE_SIZE = 100;
/** Rows of one query that can be reached by page. */
const REACH = 1_000;

/**
 * Every user once, in pages of at most 100, by about users/99 calls. Auth0 ends a query after 1,000 rows, and by number
 * pages would slip when somebody is deleted meanwhile. So every page is the first one of those created since the last
 * row; only people created in one and the same millisecond are turned by number. The list lags behind writes by some
 * seconds.
 */
export async function* listUsers(
  api: Auth0Api,
  listing: UserListing,
  signal: AbortSignal,
): AsyncGenerator<readonly Auth0User[], UserListingEnd, undefined> {
  const seen = new Set<string>();
  let counted: number | undefined;
  let withheld = 0;
  let from: string | undefined;
  for (let page = 0; page * PAGE_SIZE < REACH; ) {
    const answer = await readPage(api, { ...listing, from }, page, signal);
    counted ??= answer.total;
    const left = answer.total - page * PAGE_SIZE;
    withheld += Math.max(0, Math.min(PAGE_SIZE, left) - answer.users.length);
    const fresh = answer.users.filter(({ user_id: id }) => !seen.has(id));
    for (const { user_id: id } of fresh) seen.add(id);
    if (fresh.length > 0) yield fresh;
    if (left <= PAGE_SIZE) return endOf(api, listing, { seen: seen.size, counted, withheld }, signal);
    const last = answer.users.at(-1)?.created_at;
    const goesOn = last !== undefined && last !== from;
    from = goesOn ? last : from;
    page = goesOn ? 0 : page + 1;
  }
  return { complete: false, why: `more than ${REACH} users were created at the same moment` };
}

/** How many users Auth0's list counts. */
export async function countUsers(api: Auth0Api, listing: UserListing, signal: AbortSignal): Promise<number> {
  return (await readPage(api, { ...listing, fields: [], from: undefined }, 0, signal, 1)).total;
}

interface Reading {
  readonly seen: number;
  /** By Auth0 on its first page. */
  readonly counted: number;
  /** Rows that pages counted and did not show. */
  readonly withheld: number;
}

/** What Auth0 counted at the beginning was there, or else, when people came and went meanwhile, what it counts now. */
async function endOf(
  api: Auth0Api,
  listing: UserListing,
  { seen, counted, withheld }: Reading,
  signal: AbortSignal,
): Promise<UserListingEnd> {
  if (withheld > 0) return { complete: false, why: `Auth0 counted users that it did not list (${withheld})` };
  if (seen === counted) return { complete: true };
  const now = await countUsers(api, listing, signal);
  if (seen >= now) return { complete: true };
  return { complete: false, why: `Auth0 counts ${now} users and listed ${seen}` };
}

interface Range extends UserListing {
  /** Created at this time or later. */
  readonly from: string | undefined;
}

async function readPage(api: Auth0Api, range: Range, page: number, signal: AbortSignal, size = PAGE_SIZE) {
  const { connection, where, fields, from } = range;
  const conditions = [
    ...(connection === undefined ? [] : [`identities.connection:${quoted(connection)}`]),
    ...(where === undefined ? [] : [where]),
    ...(from === undefined ? [] : [`created_at:[${from} TO *]`]),
  ];
  const wanted = fields === undefined ? undefined : [...new Set(['user_id', 'created_at', ...fields])].join(',');
  const query = {
    page,
    per_page: size,
    include_totals: true,
    sort: 'created_at:1',
    ...(conditions.length === 0 ? {} : { q: conditions.join(' AND '), search_engine: 'v3' }),
    ...(wanted === undefined ? {} : { fields: wanted, include_fields: true }),
  };
  return api.parse(usersPage, await api.call({ method: 'GET', path: ['users'], query, signal }, [200]));
}
