import type { ScimObject } from '../../../src/scim/protocol/attribute.ts';
import { listResponse } from '../../../src/scim/protocol/list.ts';
import { parametersOf, rawQueryOf, rawQueryOfSearch, readQuery } from '../../../src/scim/protocol/query.ts';
import { groupType, userType } from '../../../src/scim/protocol/resource-types.ts';
import { readSort, resourceOrder } from '../../../src/scim/protocol/sort.ts';
import { refusalOf } from './refusal.ts';

const SEARCH = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest';
const limits = { defaultCount: 100, maxCount: 200 };

function query(text: string) {
  return readQuery(userType, rawQueryOf(new URLSearchParams(text)), limits);
}

describe('a page', () => {
  it.each([
    ['', 1, 100],
    ['startIndex=1&count=10', 1, 10],
    ['startIndex=11', 11, 100],
    ['startIndex=0', 1, 100],
    ['startIndex=-5&count=-1', 1, 0],
    ['count=0', 1, 0],
    ['count=1000', 1, 200],
    ['startIndex=&count=', 1, 100],
    ['startIndex=99999999999999999999', Number.MAX_SAFE_INTEGER, 100],
  ])('of %j starts at %i and has at most %i', (text, startIndex, count) => {
    expect(query(text).page).toEqual({ startIndex, offset: startIndex - 1, count });
  });

  it.each(['count=x', 'count=1.5', 'count=1e2', 'count=0x10', 'startIndex=NaN', 'count=1&count=2', 'count= '])(
    'of %j is refused',
    (text) => {
      expect(refusalOf(() => query(text))).toBe('400 invalidValue');
    },
  );

  it('says how many are on it, which is not how many were asked for', () => {
    expect(listResponse(7, { startIndex: 6, offset: 5, count: 100 }, [{ id: '6' }, { id: '7' }])).toEqual({
      schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'],
      totalResults: 7,
      startIndex: 6,
      itemsPerPage: 2,
      Resources: [{ id: '6' }, { id: '7' }],
    });
  });
});

describe('a query', () => {
  it('is read whole from an address', () => {
    const { filter, sort, page, projection } = query(
      'filter=userName+eq+%22babs%22&sortBy=name.familyName&sortOrder=Descending&count=5&attributes=userName&other=1',
    );
    expect(filter).toMatchObject({ kind: 'compare', path: { name: 'userName' }, operator: 'eq', value: 'babs' });
    expect(sort).toMatchObject({ path: { name: 'name.familyName' }, descending: true });
    expect(page.count).toBe(5);
    expect(projection.has('emails')).toBe(false);
  });

  it.each([
    ['filter=userName%20eq%20%22ann+bi@acme.test%22', 'ann+bi@acme.test'],
    ['filter=userName%20eq%20%22ann%2Bbi@acme.test%22', 'ann+bi@acme.test'],
    ['filter=userName+eq+%22ann%2Bbi@acme.test%22', 'ann+bi@acme.test'],
    ['filter=userName+eq+%22ann+bi%22', 'ann bi'],
  ])('has a plus as its writer means it: %s', (search, value) => {
    expect(parametersOf(`?${search}`).get('filter')).toBe(`userName eq "${value}"`);
  });

  it('is read whole from a search', () => {
    const body = {
      schemas: [SEARCH],
      FILTER: 'title pr',
      sortBy: 'userName',
      startIndex: 3,
      count: 5,
      attributes: ['userName'],
      excludedAttributes: null,
    };
    const read = readQuery(userType, rawQueryOfSearch(body), limits);
    expect(read.filter).toMatchObject({ kind: 'present' });
    expect(read.sort).toMatchObject({ descending: false });
    expect(read.page).toEqual({ startIndex: 3, offset: 2, count: 5 });
    expect(read.projection.has('emails')).toBe(false);
    // URNs are compared without case, and one alone need be no list.
    const other = { ...body, schemas: SEARCH.toUpperCase() };
    expect(readQuery(userType, rawQueryOfSearch(other), limits).page).toEqual(read.page);
  });

  it.each([
    ['invalidValue', 'filter=title+pr&filter=userName+pr'],
    ['invalidFilter', 'filter=title'],
    ['invalidPath', 'sortBy=nothing'],
    ['invalidPath', 'sortBy=password'],
    ['invalidPath', 'sortBy=name'],
    ['invalidPath', 'sortBy=__proto__'],
    ['invalidValue', 'sortBy=userName&sortOrder=up'],
  ])('is refused, %s: %s', (scimType, text) => {
    expect(refusalOf(() => query(text))).toBe(`400 ${scimType}`);
  });

  it.each([
    ['invalidSyntax', []],
    ['invalidSyntax', { schemas: ['x'] }],
    ['invalidSyntax', { schemas: 'x' }],
    ['invalidSyntax', { filter: 'title pr', Filter: 'userName pr' }],
    ['invalidFilter', { filter: 5 }],
    ['invalidFilter', { filter: { a: 1 } }],
    ['invalidValue', { count: '5x' }],
    ['invalidValue', { count: 1.5 }],
    ['invalidValue', { startIndex: [] }],
    ['invalidPath', { sortBy: 5 }],
    ['invalidValue', { sortBy: 'userName', sortOrder: 5 }],
    ['invalidValue', { attributes: [{}] }],
  ])('of a search is refused, %s: %j', (scimType, body) => {
    expect(refusalOf(() => readQuery(userType, rawQueryOfSearch(body), limits))).toBe(`400 ${scimType}`);
  });

  it('without anything in its filter has none', () => {
    expect(query('filter=').filter).toBeUndefined();
    expect(query('filter=+').filter).toBeUndefined();
  });
});

describe('an order', () => {
  const people: readonly ScimObject[] = [
    { id: '1', userName: 'b', title: 'Z', emails: [{ value: 'x@a' }, { value: 'a@a', primary: true }] },
    { id: '2', userName: 'C', emails: [{ value: 'B@a' }] },
    { id: '3', userName: 'A', title: 'y', active: true },
    { id: '4', userName: 'd', title: 'Y', active: false, meta: { created: '2026-01-01T00:00:00+02:00' } },
    { id: '5', userName: 'e', meta: { created: '2025-12-31T23:00:00Z' } },
  ];
  const ordered = (sortBy: string, sortOrder?: string): string => {
    const sort = readSort(userType, sortBy, sortOrder);
    if (sort === undefined) throw new Error('there is an order');
    return [...people]
      .sort(resourceOrder(sort))
      .map(({ id }) => id)
      .join('');
  };

  it.each([
    // Without case where the schema has none.
    ['userName', 'ascending', '31245'],
    ['userName', 'descending', '54213'],
    ['USERNAME', undefined, '31245'],
    // Those without a value come last, turned round first; equal ones by id.
    ['title', 'ascending', '34125'],
    ['title', 'descending', '25134'],
    // Of several the primary one, else the first.
    ['emails', 'ascending', '12345'],
    ['emails.value', 'descending', '34521'],
    ['active', 'ascending', '43125'],
    // By the instant, not by its text.
    ['meta.created', 'ascending', '45123'],
    ['id', 'descending', '54321'],
  ])('by %s, %s', (sortBy, sortOrder, expected) => {
    expect(ordered(sortBy, sortOrder)).toBe(expected);
  });

  it('by what only another type of resource has is none', () => {
    expect(readSort(groupType, 'userName', undefined)).toBeUndefined();
  });
});
