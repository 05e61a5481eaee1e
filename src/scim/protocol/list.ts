import { LIST_RESPONSE } from '../../ops/scim/urns.ts';
import { ScimError } from './error.ts';

/** Which part of a list is asked for (RFC 7644 §3.4.2.4). */
export interface Page {
  /** From 1. */
  readonly startIndex: number;
  /** `startIndex - 1`: how many to leave out. */
  readonly offset: number;
  /** At most so many; 0 asks for the total alone. */
  readonly count: number;
}

export interface PageLimits {
  /** When the client does not say. */
  readonly defaultCount: number;
  /** `filter.maxResults` of the ServiceProviderConfig: who asks for more gets so many. */
  readonly maxCount: number;
}

export interface ListHead {
  readonly schemas: readonly [typeof LIST_RESPONSE];
  readonly totalResults: number;
  readonly startIndex: number;
  readonly itemsPerPage: number;
}

export interface ListResponse extends ListHead {
  readonly Resources: readonly unknown[];
}

/** Texts of a query or numbers of a search request; undefined: not said. A start below 1 is 1, a count below 0 is 0. */
export function readPage(startIndex: unknown, count: unknown, limits: PageLimits): Page {
  const start = Math.max(1, readInteger('startIndex', startIndex) ?? 1);
  const wanted = Math.max(0, readInteger('count', count) ?? limits.defaultCount);
  return { startIndex: start, offset: start - 1, count: Math.min(wanted, limits.maxCount) };
}

/** `itemsPerPage` is how many there are here, which is not how many were asked for. */
export function listResponse(total: number, page: Page, resources: readonly unknown[]): ListResponse {
  return { ...listHead(total, page, resources.length), Resources: resources };
}

/** The same without the resources, of which there are `items`. */
export function listHead(total: number, { startIndex }: Page, items: number): ListHead {
  return { schemas: [LIST_RESPONSE], totalResults: total, startIndex, itemsPerPage: items };
}

/** A list as text, part by part, whose resources come some at a time. */
export async function* listTexts(
  head: ListHead,
  resources: AsyncIterable<readonly unknown[]>,
): AsyncGenerator<string, void> {
  yield `${JSON.stringify(head).slice(0, -1)},"Resources":[`;
  let isFirst = true;
  for await (const some of resources) {
    for (const resource of some) {
      yield `${isFirst ? '' : ','}${JSON.stringify(resource)}`;
      isFirst = false;
    }
  }
  yield ']}';
}

function readInteger(name: string, value: unknown): number | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const number = typeof value === 'string' && /^[+-]?\d{1,20}$/.test(value.trim()) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isInteger(number)) {
    throw new ScimError('scim_value_invalid', `${name} is not an integer`);
  }
  return Math.min(Math.max(number, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}
