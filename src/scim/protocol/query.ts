import { SEARCH_REQUEST } from '../../ops/scim/urns.ts';
import { ScimError } from './error.ts';
import type { Filter } from './filter.ts';
import { isJsonObject, membersOf } from './json.ts';
import { type Page, type PageLimits, readPage } from './list.ts';
import { assertMessage } from './message.ts';
import { parseFilter } from './parse-filter.ts';
import { type Projection, readProjection } from './projection.ts';
import type { ResourceType } from './resource-types.ts';
import { readSort, type Sort } from './sort.ts';

const PARAMETERS = [
  'filter',
  'sortBy',
  'sortOrder',
  'startIndex',
  'count',
  'attributes',
  'excludedAttributes',
] as const;

/** A query as it was sent: by its parameters, undefined where there is none. */
export type RawQuery = Readonly<Record<(typeof PARAMETERS)[number], unknown>>;

/** What to look for, in which order, which part of it, and what of each (RFC 7644 §3.4.2). */
export interface Query {
  readonly filter: Filter | undefined;
  readonly sort: Sort | undefined;
  readonly page: Page;
  readonly projection: Projection;
}

/**
 * The query of an address. A `+` is a blank where blanks are written so, as forms do; where they are `%20` (RFC 3986) it is
 * itself, as in `emails.value eq "ann+bi@example.com"`.
 */
export function parametersOf(search: string): URLSearchParams {
  return new URLSearchParams(search.includes('%20') ? search.replaceAll('+', '%2B') : search);
}

/** The parameters of a GET; others are passed over. Throws `scim_value_invalid` for one that is there twice. */
export function rawQueryOf(parameters: URLSearchParams): RawQuery {
  return rawQuery((name) => {
    const values = parameters.getAll(name);
    if (values.length > 1) throw new ScimError('scim_value_invalid', `${name} is there more than once`);
    return values[0];
  });
}

/** The body of a POST to `.search` (RFC 7644 §3.4.3). Throws ScimError. */
export function rawQueryOfSearch(json: unknown): RawQuery {
  if (!isJsonObject(json)) throw new ScimError('scim_syntax_invalid', 'the body is not an object');
  const members = membersOf(json, 'the request');
  assertMessage(members.get('schemas')?.value, SEARCH_REQUEST);
  return rawQuery((name) => members.get(name.toLowerCase())?.value ?? undefined);
}

function rawQuery(read: (name: string) => unknown): RawQuery {
  return Object.fromEntries(PARAMETERS.map((name) => [name, read(name)])) as RawQuery;
}

/** Reads a query for one type of resource. Throws ScimError. */
export function readQuery(type: ResourceType, raw: RawQuery, limits: PageLimits): Query {
  const { filter } = raw;
  if (filter !== undefined && typeof filter !== 'string') {
    throw new ScimError('scim_filter_invalid', 'the filter is not a text');
  }
  return {
    // Some clients send the parameter with nothing in it.
    filter: filter === undefined || filter.trim() === '' ? undefined : parseFilter(type, filter),
    sort: readSort(type, raw.sortBy, raw.sortOrder),
    page: readPage(raw.startIndex, raw.count, limits),
    projection: readProjection(type, raw.attributes, raw.excludedAttributes),
  };
}
