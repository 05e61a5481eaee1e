import { type Auth0Api, quoted } from './api.ts';
import { type Auth0User, usersPage } from './documents.ts';

export interface UserListing {
  /** Only those with an identity in this connection. */
  readonly connection?: string;
  /** Members of a user that are asked for; `user_id` and `created_at` always are. Default: all. */
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
 * Every user once, in pages of at most 100. A query of Auth0's ends after 1,000 rows, so the next one starts at the time
 * at which the last row was created: about users/100 calls. Their list lags behind writes by some seconds.
 */
export async function* listUsers(
  api: Auth0Api,
  { connection, fields }: UserListing,
  signal: AbortSignal,
): AsyncGenerator<readonly Auth0User[], UserListingEnd, undefined> {
  const seen = new Set<string>();
  let total: number | undefined;
  let from: string | undefined;
  for (;;) {
    const range: Range = { connection, fields, from };
    let last: string | undefined;
    let isEnd = false;
    for (let page = 0; page * PAGE_SIZE < REACH && !isEnd; page += 1) {
      const answer = await readPage(api, range, page, signal);
      total ??= answer.total;
      const fresh = answer.users.filter(({ user_id: id }) => !seen.has(id));
      for (const { user_id: id } of fresh) seen.add(id);
      last = answer.users.at(-1)?.created_at ?? last;
      isEnd = answer.users.length === 0 || (page + 1) * PAGE_SIZE >= answer.total;
      if (fresh.length > 0) yield fresh;
    }
    if (isEnd) return endOf(seen.size, total ?? 0);
    if (last === undefined || last === from) {
      return { complete: false, why: 'more than 1,000 users were created in the same millisecond' };
    }
    from = last;
  }
}

function endOf(found: number, total: number): UserListingEnd {
  if (found >= total) return { complete: true };
  return { complete: false, why: `Auth0 counts ${total} users and listed ${found}` };
}

interface Range {
  readonly connection: string | undefined;
  readonly fields: readonly string[] | undefined;
  /** Created at this time or later. */
  readonly from: string | undefined;
}

async function readPage(api: Auth0Api, { connection, fields, from }: Range, page: number, signal: AbortSignal) {
  const conditions = [
    ...(connection === undefined ? [] : [`identities.connection:${quoted(connection)}`]),
    ...(from === undefined ? [] : [`created_at:[${from} TO *]`]),
  ];
  const wanted = fields === undefined ? undefined : [...new Set(['user_id', 'created_at', ...fields])].join(',');
  const query = {
    page,
    per_page: PAGE_SIZE,
    include_totals: true,
    sort: 'created_at:1',
    ...(conditions.length === 0 ? {} : { q: conditions.join(' AND '), search_engine: 'v3' }),
    ...(wanted === undefined ? {} : { fields: wanted, include_fields: true }),
  };
  return api.parse(usersPage, await api.call({ method: 'GET', path: ['users'], query, signal }, [200]));
}
