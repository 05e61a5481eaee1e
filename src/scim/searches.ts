import type { Answer } from './answer.ts';
import type { Call } from './call.ts';
import type { Lookups } from './lookups.ts';
import type { ScimObject } from './protocol/attribute.ts';
import { listHead, listResponse } from './protocol/list.ts';
import { type Query, type RawQuery, rawQueryOf, rawQueryOfSearch, readQuery } from './protocol/query.ts';
import { groupType, userType } from './protocol/resource-types.ts';

export interface SearchParts {
  readonly lookups: Lookups;
  /** Resources in one page. */
  readonly maxCount: number;
}

/** Resources in a page for a client that does not say how many. */
const DEFAULT_COUNT = 100;

/** Lists of what a client pushed (RFC 7644 §3.4.2, §3.4.3). All throw ScimError. */
export class Searches {
  readonly #lookups: Lookups;
  readonly #limits: { readonly defaultCount: number; readonly maxCount: number };

  constructor({ lookups, maxCount }: SearchParts) {
    this.#lookups = lookups;
    this.#limits = { defaultCount: Math.min(DEFAULT_COUNT, maxCount), maxCount };
  }

  async users(call: Call): Promise<Answer> {
    const query = readQuery(userType, await rawOf(call), this.#limits);
    const { total, resources } = await this.#lookups.users(call.client.name, query, call.signal);
    const shown = resources.map((resource) => query.projection.apply(resource));
    return { status: 200, body: listResponse(total, query.page, shown) };
  }

  async groups(call: Call): Promise<Answer> {
    const query = readQuery(groupType, await rawOf(call), this.#limits);
    const { total, count, resources } = await this.#lookups.groups(call.client.name, query, call.signal);
    return { status: 200, list: { head: listHead(total, query.page, count), resources: applied(query, resources) } };
  }

  /** Users, then groups, as one list. */
  async everything(call: Call): Promise<Answer> {
    const raw = await rawOf(call);
    const ofUsers = readQuery(userType, raw, this.#limits);
    const { page } = ofUsers;
    const users = await this.#lookups.users(call.client.name, ofUsers, call.signal);
    const rest = {
      ...page,
      offset: Math.max(0, page.offset - users.total),
      count: page.count - users.resources.length,
    };
    const ofGroups = { ...readQuery(groupType, raw, this.#limits), page: rest };
    const groups = await this.#lookups.groups(call.client.name, ofGroups, call.signal);
    const head = listHead(users.total + groups.total, page, users.resources.length + groups.count);
    const all = async function* () {
      yield users.resources.map((resource) => ofUsers.projection.apply(resource));
      yield* applied(ofGroups, groups.resources);
    };
    return { status: 200, list: { head, resources: all() } };
  }
}

async function* applied(
  { projection }: Query,
  resources: AsyncIterable<readonly ScimObject[]>,
): AsyncGenerator<readonly ScimObject[], void> {
  for await (const some of resources) yield some.map((resource) => projection.apply(resource));
}

async function rawOf(call: Call): Promise<RawQuery> {
  return call.method === 'POST' ? rawQueryOfSearch(await call.json()) : rawQueryOf(call.query);
}
