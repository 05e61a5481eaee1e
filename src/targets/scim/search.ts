import { LatchgateError } from '../../model/errors.ts';
import { listResponse, type Resource } from '../../ops/scim/documents.ts';
import { equals } from '../../ops/scim/filter-text.ts';
import { type ListPage, readList, type WholeList } from '../../ops/scim/list.ts';
import type { ScimApi } from './api.ts';
import type { Discovery } from './features.ts';

/** Something that a resource is looked for by. */
export interface Key {
  /** As a filter names it: `userName`, `emails.value`. */
  readonly attribute: string;
  readonly value: string;
  /** Whether a resource that was found has it. No filter is believed. */
  readonly fits: (resource: Resource) => boolean;
  /** Left out of the answer, where the service knows how to. */
  readonly without?: string;
}

export interface Search {
  /** Every resource that fits one of the keys: by filters, or out of the whole list where the service has none. */
  find(endpoint: string, keys: readonly Key[], signal: AbortSignal): Promise<readonly Resource[]>;
  /** Answers of one filter as they come; undefined when the service refuses it. */
  filtered(endpoint: string, filter: Filter, signal: AbortSignal): Promise<readonly Resource[] | undefined>;
  all(endpoint: string, query: Query, signal: AbortSignal): Promise<WholeList<Resource>>;
  /** How many calls it takes to read the whole list, by what the service says of its first page. */
  callsForAll(endpoint: string, signal: AbortSignal): Promise<number>;
}

export type Filter = Omit<Key, 'fits'>;

type Query = Readonly<Record<string, string>>;

const PAGE = 100;

export function createSearch(api: ScimApi, discovery: Discovery): Search {
  const pageOf = async (
    endpoint: string,
    query: Query,
    startIndex: number,
    signal: AbortSignal,
  ): Promise<ListPage<Resource>> => {
    const call = { method: 'GET', path: [endpoint], query: { ...query, startIndex, count: PAGE }, signal } as const;
    const { Resources, totalResults } = api.parse(listResponse, await api.call(call, [200]));
    return { items: Resources ?? [], total: totalResults };
  };

  const all = (endpoint: string, query: Query, signal: AbortSignal) =>
    readList((startIndex) => pageOf(endpoint, query, startIndex, signal));

  const filtered = async (endpoint: string, { attribute, value, without }: Filter, signal: AbortSignal) => {
    const query = {
      filter: equals(attribute, value),
      ...(without === undefined ? {} : { excludedAttributes: without }),
    };
    const call = { method: 'GET', path: [endpoint], query: { ...query, startIndex: 1, count: PAGE }, signal } as const;
    const response = await api.call(call, [200, 400, 404, 501]);
    if (response.status === 501) discovery.learn({ filter: false });
    if (response.status !== 200) return undefined;
    const { Resources, totalResults } = api.parse(listResponse, response);
    const first = Resources ?? [];
    if (first.length === 0 || totalResults <= first.length) return first;
    const { items, whole } = await all(endpoint, query, signal);
    return whole ? items : undefined;
  };

  const scan = async (endpoint: string, keys: readonly Key[], signal: AbortSignal): Promise<readonly Resource[]> => {
    const without = keys.find((key) => key.without !== undefined)?.without;
    const query: Query = without === undefined ? {} : { excludedAttributes: without };
    const { items, whole } = await all(endpoint, query, signal);
    // Who is not seen is not there, and would be made a second time.
    if (!whole) {
      throw new LatchgateError('target_unavailable', 'the list of the SCIM service was another one each time');
    }
    return items.filter((item) => keys.some(({ fits }) => fits(item)));
  };

  return {
    all,
    filtered,
    callsForAll: async (endpoint, signal) => {
      const { items, total } = await pageOf(endpoint, { attributes: 'userName' }, 1, signal);
      return 1 + Math.ceil(Math.max(total, items.length) / Math.max(1, items.length - 1));
    },
    find: async (endpoint, keys, signal) => {
      if (keys.length === 0) return [];
      if (!(await discovery.features(signal)).filter) return scan(endpoint, keys, signal);
      const answers = await Promise.all(
        keys.map(async (key) => {
          const items = await filtered(endpoint, key, signal);
          const fitting = items?.filter(key.fits);
          // Others than were asked for: the filter was not looked at.
          return items !== undefined && items.length > 0 && fitting?.length === 0 ? undefined : fitting;
        }),
      );
      const unanswered = keys.filter((_, at) => answers[at] === undefined);
      const scanned = unanswered.length === 0 ? [] : await scan(endpoint, unanswered, signal);
      const found = [...answers.flatMap((items) => items ?? []), ...scanned];
      return [...new Map(found.map((item) => [item.id, item])).values()];
    },
  };
}
