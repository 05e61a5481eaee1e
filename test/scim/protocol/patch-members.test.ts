import fc from 'fast-check';
import { compileFilter } from '../../../src/scim/protocol/evaluate.ts';
import type { Member, MembersChange } from '../../../src/scim/protocol/members.ts';
import { applyPatch } from '../../../src/scim/protocol/patch.ts';
import { groupType } from '../../../src/scim/protocol/resource-types.ts';
import { refusalOf } from './refusal.ts';

const GROUP = { displayName: 'Tour Guides' };
const GROUP_URN = 'urn:ietf:params:scim:schemas:core:2.0:Group';

function patch(...operations: readonly unknown[]) {
  return applyPatch(groupType, GROUP, { Operations: operations });
}

/** A store does no more than this: what the change says, in the order that it says. */
function after(members: readonly Member[], change: MembersChange | undefined): readonly Member[] {
  if (change === undefined) return members;
  const tests = change.removeWhere.map(compileFilter);
  const stay = change.replaceAll
    ? []
    : members.filter((one) => !change.remove.has(one.value) && !tests.some((test) => test({ ...one })));
  const ids = new Set(stay.map(({ value }) => value));
  return [...stay, ...[...change.add.values()].filter(({ value }) => !ids.has(value))];
}

const abc: readonly Member[] = [
  { value: 'a', type: 'User' },
  { value: 'b', type: 'User' },
  { value: 'c', type: 'Group' },
];

function idsAfter(...operations: readonly unknown[]): string {
  return after(abc, patch(...operations).members)
    .map(({ value }) => value)
    .join('');
}

describe('members of a group', () => {
  it.each([
    // As RFC 7644 §3.5.2 says.
    ['add', { op: 'add', path: 'members', value: [{ value: 'd' }] }, 'abcd'],
    ['add one who is there', { op: 'add', path: 'members', value: [{ value: 'a' }] }, 'abc'],
    ['add without a path', { op: 'add', value: { members: [{ value: 'd' }] } }, 'abcd'],
    ['replace', { op: 'replace', path: 'members', value: [{ value: 'a' }, { value: 'd' }] }, 'ad'],
    ['replace without a path', { op: 'replace', value: { members: [{ value: 'd' }] } }, 'd'],
    ['replace by nobody', { op: 'replace', path: 'members', value: [] }, ''],
    ['replace by null', { op: 'replace', path: 'members', value: null }, 'abc'],
    ['remove one', { op: 'remove', path: 'members[value eq "b"]' }, 'ac'],
    ['remove two', { op: 'remove', path: 'members[value eq "b" or value eq "c"]' }, 'a'],
    ['remove who is not there', { op: 'remove', path: 'members[value eq "x"]' }, 'abc'],
    ['remove by type', { op: 'remove', path: 'members[type eq "user"]' }, 'c'],
    ['remove by not', { op: 'remove', path: 'members[not (value eq "b")]' }, 'b'],
    ['remove by and', { op: 'remove', path: 'members[value eq "b" and type eq "Group"]' }, 'abc'],
    ['remove all', { op: 'remove', path: 'members' }, ''],
    ['by its URN', { op: 'remove', path: `${GROUP_URN}:members[value eq "b"]` }, 'ac'],
    ['in capitals', { op: 'REMOVE', path: 'MEMBERS[VALUE EQ "b"]' }, 'ac'],
    ['by ids that differ in case', { op: 'remove', path: 'members[value eq "B"]' }, 'abc'],
    // As Okta and Entra ID write it: only who is named goes.
    ['remove by value', { op: 'Remove', path: 'members', value: [{ value: 'b' }] }, 'ac'],
    [
      'remove by value with a null reference',
      { op: 'Remove', path: 'members', value: [{ $ref: null, value: 'b' }] },
      'ac',
    ],
    ['remove several by value', { op: 'Remove', path: 'members', value: [{ value: 'b' }, { value: 'c' }] }, 'a'],
    ['remove by one value', { op: 'remove', path: 'members', value: { value: 'b' } }, 'ac'],
    ['remove by an id', { op: 'remove', path: 'members', value: 'b' }, 'ac'],
    ['remove by ids', { op: 'remove', path: 'members', value: ['a', 'b'] }, 'c'],
    ['remove nobody', { op: 'remove', path: 'members', value: [] }, 'abc'],
    ['add null', { op: 'add', path: 'members', value: null }, 'abc'],
    // A name that changes empties no group, whatever the serializer writes for what it does not say.
    ['rename', { op: 'replace', value: { id: 'g', displayName: 'Guides' } }, 'abc'],
    ['rename with null members', { op: 'replace', value: { displayName: 'Guides', members: null } }, 'abc'],
    ['rename with null members by URN', { op: 'replace', value: { [`${GROUP_URN}:members`]: null } }, 'abc'],
  ])('%s', (_what, operation, expected) => {
    expect(idsAfter(operation)).toBe(expected);
  });

  it('may go and come in one request', () => {
    const remove = { op: 'remove', path: 'members[value eq "b"]' };
    const add = { op: 'add', path: 'members', value: [{ value: 'b' }, { value: 'd' }] };
    expect(idsAfter(remove, add)).toBe('abcd');
    expect(idsAfter(add, remove)).toBe('acd');
    expect(idsAfter({ op: 'remove', path: 'members' }, add, remove)).toBe('d');
    expect(idsAfter(add, { op: 'remove', path: 'members[value sw "d" or type eq "Group"]' })).toBe('ab');
  });

  it('are not touched by operations about something else', () => {
    const { members, attributes } = patch({ op: 'replace', path: 'displayName', value: 'Guides' });
    expect(members).toBeUndefined();
    expect(attributes).toEqual({ displayName: 'Guides' });
  });

  it.each([
    ['invalidValue', { op: 'add', path: 'members' }],
    ['invalidValue', { op: 'add', path: 'members', value: [{ display: 'Babs' }] }],
    ['invalidValue', { op: 'remove', path: 'members', value: [{ value: null }] }],
    ['invalidValue', { op: 'remove', path: 'members', value: [null] }],
    ['invalidValue', { op: 'remove', path: 'members', value: '' }],
    ['invalidValue', { op: 'remove', path: 'members', value: {} }],
    ['invalidFilter', { op: 'remove', path: 'members[]' }],
    ['invalidFilter', { op: 'remove', path: 'members[value eq b]' }],
    ['invalidPath', { op: 'remove', path: 'members[value eq "b"' }],
    ['invalidPath', { op: 'remove', path: 'members.nothing' }],
    ['noTarget', { op: 'remove', value: { members: [{ value: 'b' }] } }],
    ['mutability', { op: 'remove', path: 'members.value' }],
    ['mutability', { op: 'remove', path: 'members[value eq "b"].type' }],
    ['mutability', { op: 'replace', path: 'members[value eq "b"]', value: { value: 'd' } }],
    ['mutability', { op: 'replace', path: 'members[value eq "b"].value', value: 'd' }],
    ['mutability', { op: 'add', path: 'members.value', value: 'd' }],
    ['mutability', { op: 'replace', path: 'members[value eq "b"].display', value: 'x' }],
    ['mutability', { op: 'remove', path: 'displayName' }],
  ])('are not lost to what cannot be read: %s, %j', (scimType, operation) => {
    expect(refusalOf(() => patch(operation))).toBe(`400 ${scimType}`);
  });

  it('come by the ten thousand, as one operation or as many', () => {
    const ids = Array.from({ length: 10_000 }, (_, index) => `user-${index}`);
    const asOne = patch({ op: 'Add', path: 'members', value: ids.map((value) => ({ value })) });
    const asMany = patch(...ids.map((value) => ({ op: 'add', path: 'members', value: [{ value }] })));
    expect(asOne.members?.add.size).toBe(10_000);
    expect([...(asMany.members?.add.keys() ?? [])].join()).toBe(ids.join());
    const gone = patch(...ids.map((value) => ({ op: 'remove', path: `members[value eq "${value}"]` })));
    expect(gone.members?.remove.size).toBe(10_000);
    expect(gone.members?.removeWhere).toEqual([]);
  });

  it('come by the ten thousand beside some who go by their ids', () => {
    const add = { op: 'add', path: 'members', value: Array.from({ length: 10_000 }, (_, at) => ({ value: `u${at}` })) };
    const gone = Array.from({ length: 60 }, (_, at) => ({ op: 'remove', path: `members[value eq "u${at}"]` }));
    expect(patch(add, ...gone).members?.add.size).toBe(9_940);
    const compared = Array.from({ length: 6 }, (_, at) => ({ op: 'remove', path: `members[value sw "x${at}"]` }));
    expect(refusalOf(() => patch(add, ...compared))).toBe('413 -');
  });

  it('are not removed by more comparisons than a store makes of all of them', () => {
    const remove = (terms: number) => ({
      op: 'remove',
      path: `members[${Array(terms).fill('display pr').join(' or ')}]`,
    });
    expect(refusalOf(() => patch(remove(25), remove(25)))).toBeUndefined();
    expect(refusalOf(() => patch(remove(25), remove(26)))).toBe('413 -');
  });

  it('are as many as when each operation were done to the list itself', () => {
    const id = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    const list = fc.array(
      id.map((value) => ({ value })),
      { maxLength: 4 },
    );
    const operation = fc.oneof(
      fc.record({ op: fc.constantFrom('add', 'Add'), path: fc.constant('members'), value: list }),
      fc.record({ op: fc.constant('replace'), path: fc.constant('members'), value: list }),
      fc.record({ op: fc.constant('Remove'), path: fc.constant('members'), value: list }),
      fc.record({ op: fc.constant('remove'), path: fc.constant('members') }),
      fc.record({ op: fc.constant('remove'), path: id.map((value) => `members[value eq "${value}"]`) }),
      fc.record({ op: fc.constant('remove'), path: id.map((value) => `members[value gt "${value}"]`) }),
    );
    const start = fc.uniqueArray(id).map((ids) => ids.map((value) => ({ value })));
    fc.assert(
      fc.property(start, fc.array(operation, { minLength: 1, maxLength: 6 }), (members, operations) => {
        const atOnce = after(members, patch(...operations).members);
        const oneByOne = operations.reduce((now, one) => after(now, patch(one).members), members as readonly Member[]);
        const ids = (all: readonly Member[]) => all.map(({ value }) => value).sort();
        expect(ids(atOnce)).toEqual(ids(oneByOne));
      }),
      { numRuns: 1_000 },
    );
  });
});
