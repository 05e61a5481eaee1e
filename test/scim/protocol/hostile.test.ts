import fc from 'fast-check';
import type { ScimObject } from '../../../src/scim/protocol/attribute.ts';
import { readBody } from '../../../src/scim/protocol/body.ts';
import { readBulk, withReferences } from '../../../src/scim/protocol/bulk.ts';
import { namesEtag } from '../../../src/scim/protocol/etag.ts';
import { compileFilter } from '../../../src/scim/protocol/evaluate.ts';
import { parseFilter } from '../../../src/scim/protocol/parse-filter.ts';
import { applyPatch } from '../../../src/scim/protocol/patch.ts';
import { parsePatchPath } from '../../../src/scim/protocol/patch-path.ts';
import { readProjection } from '../../../src/scim/protocol/projection.ts';
import { rawQueryOf, rawQueryOfSearch, readQuery } from '../../../src/scim/protocol/query.ts';
import { groupType, type ResourceType, userType } from '../../../src/scim/protocol/resource-types.ts';
import { hostileInputs, KB_64 } from './hostile-inputs.ts';
import { refusalOf } from './refusal.ts';

const limits = { defaultCount: 100, maxCount: 200 };
const CORE = 'urn:ietf:params:scim:schemas:core:2.0:User';
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';

const stored: ScimObject = {
  userName: 'babs',
  name: { givenName: 'Barbara' },
  emails: Array.from({ length: 100 }, (_, index) => ({ value: `${index}@example.com`, type: 'work' })),
  [ENTERPRISE]: { manager: { value: 'm' } },
};

function prototypes(): string {
  const all = [Object.prototype, Array.prototype, Map.prototype, Function.prototype, String.prototype];
  return all.map((one) => Reflect.ownKeys(one).map(String).join()).join(';');
}

/** Everything that takes what comes from outside. */
const readers: readonly (readonly [string, (type: ResourceType, json: unknown) => unknown])[] = [
  ['a body', (type, json) => readBody(type, json)],
  ['a patch', (type, json) => applyPatch(type, stored, json)],
  ['operations', (type, json) => applyPatch(type, stored, { Operations: json })],
  ['a value', (type, json) => applyPatch(type, stored, { Operations: [{ op: 'replace', value: json }] })],
  ['a bulk request', (_type, json) => readBulk(json, { operations: 100 })],
  ['operations of a bulk request', (_type, json) => readBulk({ Operations: json }, { operations: 100 })],
  ['a search', (type, json) => readQuery(type, rawQueryOfSearch(json), limits)],
  ['a projection', (type, json) => readProjection(type, json, json).apply(stored)],
];

describe('anything at all', () => {
  const names = fc.constantFrom(
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'schemas',
    'userName',
    'USERNAME',
    'name',
    'name.givenName',
    'name.__proto__',
    'emails',
    'emails[type eq "work"].value',
    'emails[',
    'members',
    'value',
    'primary',
    'active',
    'password',
    'op',
    'path',
    'Operations',
    'method',
    'bulkId',
    'data',
    'attributes',
    CORE,
    ENTERPRISE,
    `${ENTERPRISE}:manager`,
  );
  const leaves = fc.oneof(
    fc.string(),
    names,
    fc.constantFrom(
      'add',
      'Replace',
      'remove',
      'POST',
      '/Users',
      'bulkId:x',
      '__proto__.polluted',
      'members[value eq "x"]',
    ),
    fc.constantFrom(null, true, false, 0, -1, 1.5, 1e308, 'True', '', '\0', '\ud800'),
  );
  const { json } = fc.letrec<{ json: unknown }>((tie) => ({
    json: fc.oneof(
      { depthSize: 'small', maxDepth: 5 },
      leaves,
      fc.array(tie('json'), { maxLength: 4 }),
      // As JSON.parse makes it: `__proto__` is a name like others.
      fc
        .array(fc.tuple(fc.oneof(names, fc.string()), tie('json')), { maxLength: 5 })
        .map((entries) => JSON.parse(JSON.stringify(Object.fromEntries(entries)))),
    ),
  }));
  const types = fc.constantFrom(userType, groupType);

  it.each(readers)('as %s is taken or refused by a ScimError, and changes nothing else', (_what, read) => {
    const before = prototypes();
    const was = JSON.stringify(stored);
    fc.assert(
      fc.property(types, json, (type, value) => void refusalOf(() => read(type, value))),
      { numRuns: 500 },
    );
    expect(prototypes()).toBe(before);
    expect(JSON.stringify(stored)).toBe(was);
  });

  it('as a text is a filter, a path, a query or a tag, or is refused by a ScimError', () => {
    const piece = fc.oneof(
      names,
      fc.string(),
      fc.constantFrom(
        '(',
        ')',
        '[',
        ']',
        '"',
        '\\',
        ' ',
        ' and ',
        ' or ',
        'not (',
        ' eq ',
        ' pr',
        '"x"',
        'true',
        'null',
        '5',
        ',',
      ),
    );
    const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
    const before = prototypes();
    fc.assert(
      fc.property(types, text, (type, value) => {
        refusalOf(() => compileFilter(parseFilter(type, value))(stored));
        refusalOf(() => parsePatchPath(type, value));
        refusalOf(() => readQuery(type, rawQueryOf(new URLSearchParams(value)), limits));
        refusalOf(() => readQuery(type, rawQueryOf(new URLSearchParams({ sortBy: value, count: value })), limits));
        namesEtag(value, 'W/"1"');
      }),
      { numRuns: 3_000 },
    );
    expect(prototypes()).toBe(before);
  });

  it('keeps the same of what it kept, when that is read again', () => {
    fc.assert(
      fc.property(json, (value) => {
        const operation = { op: 'add', value };
        let kept: ScimObject | undefined;
        if (refusalOf(() => (kept = applyPatch(userType, { userName: 'x' }, { Operations: [operation] }).attributes)))
          return;
        const again = JSON.parse(JSON.stringify(kept));
        expect(readBody(userType, again)).toMatchObject({ attributes: again, dropped: [] });
      }),
      { numRuns: 500 },
    );
  });

  it('refers in bulk by names like any other', () => {
    const { operations } = readBulk(
      JSON.parse(
        '{"Operations":[{"method":"POST","path":"/Users","bulkId":"__proto__","data":{"__proto__":{"polluted":"bulkId:constructor"}}},{"method":"POST","path":"/Users","bulkId":"constructor","data":{}}]}',
      ),
      { operations: 10 },
    );
    expect(operations.map(({ bulkId }) => bulkId)).toEqual(['constructor', '__proto__']);
    const [, second] = operations;
    if (second === undefined || 'error' in second) throw new Error('it can be tried');
    expect(JSON.stringify(withReferences(second, new Map([['constructor', 'id']])).data)).toBe(
      '{"__proto__":{"polluted":"id"}}',
    );
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('64 kB', () => {
  it.each(hostileInputs)('of %s: %s', (_what, refusal, act) => {
    expect(refusalOf(() => act(KB_64))).toBe(refusal);
  });
});
