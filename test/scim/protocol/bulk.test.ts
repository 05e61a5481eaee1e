import fc from 'fast-check';
import { bulkResponse, readBulk, refusedResult, withReferences } from '../../../src/scim/protocol/bulk.ts';
import { ScimError } from '../../../src/scim/protocol/error.ts';
import { refusalOf } from './refusal.ts';

const BULK = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';
const limits = { operations: 1_000 };

const user = (bulkId: string, data: object = {}) => ({ method: 'POST', path: '/Users', bulkId, data });
const group = (bulkId: string, ...members: readonly string[]) => ({
  method: 'POST',
  path: '/Groups',
  bulkId,
  data: { displayName: bulkId, members: members.map((value) => ({ value: `bulkId:${value}` })) },
});

function read(...operations: readonly unknown[]) {
  return readBulk({ schemas: [BULK], Operations: operations }, limits);
}

/** `a b!409`: in which order what is done, and what is refused. */
function order(...operations: readonly unknown[]): string {
  return read(...operations)
    .operations.map((one) => `${one.bulkId ?? one.index}${'error' in one ? `!${one.error.status}` : ''}`)
    .join(' ');
}

describe('a bulk request', () => {
  it('is read as its operations say', () => {
    const request = readBulk(
      {
        schemas: [BULK],
        failOnErrors: 2,
        Operations: [
          { method: 'post', path: '/Users', bulkId: 'a', data: { userName: 'x' } },
          { method: 'PUT', path: 'Groups/g%201', version: 'W/"3"', data: { displayName: 'x' } },
          { Method: 'DELETE', Path: '/Users/u1', bulkId: 'ignored', version: null },
        ],
      },
      limits,
    );
    expect(request).toEqual({
      failOnErrors: 2,
      operations: [
        {
          index: 0,
          method: 'POST',
          bulkId: 'a',
          type: expect.objectContaining({ name: 'User' }),
          id: undefined,
          version: undefined,
          data: { userName: 'x' },
        },
        {
          index: 1,
          method: 'PUT',
          bulkId: undefined,
          type: expect.objectContaining({ name: 'Group' }),
          id: 'g 1',
          version: 'W/"3"',
          data: { displayName: 'x' },
        },
        {
          index: 2,
          method: 'DELETE',
          bulkId: 'ignored',
          type: expect.objectContaining({ name: 'User' }),
          id: 'u1',
          version: undefined,
          data: undefined,
        },
      ],
    });
  });

  it.each([
    ['as it is', [user('a'), user('b'), group('g', 'a')], 'a b g'],
    ['turned round where one refers forward', [group('g', 'a', 'b'), user('a'), user('b')], 'a b g'],
    ['by chains of references', [group('g', 'h'), group('h', 'k'), user('x'), group('k', 'x')], 'x k h g'],
    ['with a path that refers', [{ method: 'PATCH', path: '/Groups/bulkId:g', data: {} }, group('g')], 'g 0'],
    ['without those in a circle', [user('a'), group('g', 'h'), group('h', 'g'), user('b')], 'a b g!409 h!409'],
    ['without one that needs itself', [group('g', 'g'), user('a')], 'a g!409'],
    ['without those that need a circle', [group('x', 'g'), group('g', 'h'), group('h', 'g')], 'x!409 g!409 h!409'],
    ['without one that refers to nothing', [group('g', 'nobody'), user('a')], 'a g!400'],
    ['without one that is none', [user('a'), 'x', { method: 'POST', path: '/Users' }], 'a 1!400 2!400'],
  ])('is done %s', (_what, operations, expected) => {
    expect(order(...operations)).toBe(expected);
  });

  it('has the references that RFC 7644 §3.7.2 has, and others', () => {
    const { operations } = read(
      {
        method: 'PATCH',
        path: '/Groups/bulkId:g',
        data: { Operations: [{ op: 'add', value: { members: ['bulkId:a'] } }] },
      },
      group('g', 'a'),
      user('a', { 'urn:x': { manager: 'bulkId:b' }, title: 'bulkId', userName: 'x' }),
      user('b'),
    );
    const ids = new Map([
      ['b', 'id-b'],
      ['a', 'id-a'],
      ['g', 'id-g'],
    ]);
    const resolved = operations.map((one) => ('error' in one ? undefined : withReferences(one, ids)));
    expect(resolved.map((one) => one?.data)).toEqual([
      {},
      { 'urn:x': { manager: 'id-b' }, title: 'bulkId', userName: 'x' },
      { displayName: 'g', members: [{ value: 'id-a' }] },
      { Operations: [{ op: 'add', value: { members: ['id-a'] } }] },
    ]);
    expect(resolved[3]?.id).toBe('id-g');
  });

  it('refuses what needs one that failed', () => {
    const [, second] = read(user('a'), group('g', 'a')).operations;
    if (second === undefined || 'error' in second) throw new Error('it can be tried');
    expect(refusalOf(() => withReferences(second, new Map()))).toBe('400 invalidValue');
  });

  it.each([
    ['400 invalidSyntax', []],
    ['400 invalidSyntax', {}],
    ['400 invalidSyntax', { Operations: {} }],
    ['400 invalidSyntax', { schemas: ['x'], Operations: [] }],
    ['400 invalidValue', { Operations: [], failOnErrors: 'x' }],
    ['400 invalidValue', { Operations: [], failOnErrors: -1 }],
    ['400 invalidValue', { Operations: [user('a'), user('a')] }],
    ['413 -', { Operations: Array(1_001).fill(user('a')) }],
  ])('is refused whole, %s: %j', (refusal, body) => {
    expect(refusalOf(() => readBulk(body, limits))).toBe(refusal);
  });

  it.each([
    ['invalidSyntax', null],
    ['invalidSyntax', { path: '/Users' }],
    ['invalidSyntax', { method: 'GET', path: '/Users/1' }],
    ['invalidSyntax', { method: 'POST', path: '/Users', data: {} }],
    ['invalidSyntax', { method: 'POST', path: '/Users', bulkId: '', data: {} }],
    ['invalidSyntax', { method: 'POST', path: '/Users', bulkId: 5, data: {} }],
    ['invalidPath', { method: 'POST', bulkId: 'a', data: {} }],
    ['invalidPath', { method: 'POST', path: '/Users/1', bulkId: 'a', data: {} }],
    ['invalidPath', { method: 'PUT', path: '/Users', data: {} }],
    ['invalidPath', { method: 'DELETE', path: '/Users/' }],
    ['invalidPath', { method: 'DELETE', path: '/Users/1/2' }],
    ['invalidPath', { method: 'DELETE', path: '/Users/%zz' }],
    ['invalidPath', { method: 'DELETE', path: '/Nothing/1' }],
    ['invalidPath', { method: 'DELETE', path: '/__proto__/1' }],
    ['invalidPath', { method: 'DELETE', path: '/Bulk/1' }],
  ])('refuses one operation, %s: %j', (scimType, operation) => {
    const [one] = read(operation).operations;
    expect(one).toMatchObject({ index: 0, error: { scimType } });
  });

  it('does every operation once, and none before what it needs', () => {
    const name = fc.integer({ min: 0, max: 11 }).map(String);
    const needs = fc.uniqueArray(fc.record({ bulkId: name, members: fc.array(name, { maxLength: 2 }) }), {
      selector: ({ bulkId }) => bulkId,
    });
    fc.assert(
      fc.property(needs, (groups) => {
        const { operations } = read(...groups.map(({ bulkId, members }) => group(bulkId, ...members)));
        expect(operations.map(({ index }) => index).sort((a, b) => a - b)).toEqual(groups.map((_, index) => index));
        const done = new Map<string, string>();
        for (const one of operations) {
          if ('error' in one) continue;
          withReferences(one, done);
          done.set(String(one.bulkId), 'id');
        }
      }),
    );
  });

  it('in one long chain turned round is read in one go', () => {
    const chain = Array.from({ length: 1_000 }, (_, index) =>
      index === 999 ? user('999') : group(`${index}`, `${index + 1}`),
    );
    expect(read(...chain).operations.map(({ index }) => index)).toEqual(chain.map((_, index) => 999 - index));
  });
});

describe('the answer to a bulk request', () => {
  it('has the operations in the order of the request', () => {
    const error = new ScimError('scim_syntax_invalid', 'an operation is not an object');
    expect(
      bulkResponse([
        refusedResult({ index: 2, method: undefined, bulkId: undefined, error }),
        { index: 0, method: 'POST', bulkId: 'a', location: 'https://x.example/Users/1', version: 'W/"1"', status: 201 },
      ]),
    ).toEqual({
      schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkResponse'],
      Operations: [
        { method: 'POST', bulkId: 'a', location: 'https://x.example/Users/1', version: 'W/"1"', status: '201' },
        {
          status: '400',
          response: {
            schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
            scimType: 'invalidSyntax',
            detail: 'an operation is not an object',
            status: '400',
          },
        },
      ],
    });
  });
});
