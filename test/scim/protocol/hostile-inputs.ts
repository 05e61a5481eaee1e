import type { ScimObject } from '../../../src/scim/protocol/attribute.ts';
import { readBody } from '../../../src/scim/protocol/body.ts';
import { readBulk } from '../../../src/scim/protocol/bulk.ts';
import { parseFilter } from '../../../src/scim/protocol/parse-filter.ts';
import { applyPatch } from '../../../src/scim/protocol/patch.ts';
import { readProjection } from '../../../src/scim/protocol/projection.ts';
import { groupType, userType } from '../../../src/scim/protocol/resource-types.ts';

/*
 * Requests that are meant to cost more than they should, of any size: for the tests, which say what becomes of them, and
 * for the bench, which says how long it takes.
 */

export const KB_64 = 65_536;
const CORE = 'urn:ietf:params:scim:schemas:core:2.0:User';

/** So much of a unit as is `bytes` long. */
function fill(unit: string, bytes: number): string {
  return unit.repeat(Math.ceil(bytes / unit.length)).slice(0, bytes);
}

function operations(one: (index: number) => object, bytes: number): object {
  const list: object[] = [];
  for (let length = 0; length < bytes; length += JSON.stringify(list.at(-1)).length + 1) list.push(one(list.length));
  return { Operations: list };
}

function nested(opening: string, closing: string, bytes: number): unknown {
  const times = Math.floor(bytes / (opening.length + closing.length));
  return JSON.parse(`${opening.repeat(times)}1${closing.repeat(times)}`);
}

const many = Array.from({ length: 1_000 }, (_, index) => ({ value: `${index}@example.com`, type: 'work' }));
const withMany: ScimObject = { userName: 'babs', emails: many };
const patchUser = (one: (index: number) => object) => (bytes: number) => {
  applyPatch(userType, withMany, operations(one, bytes));
};
const patchFresh = (one: (index: number) => object) => (bytes: number) => {
  applyPatch(userType, { userName: 'x' }, operations(one, bytes));
};
const patchGroup = (one: (index: number) => object) => (bytes: number) => {
  applyPatch(groupType, { displayName: 'x' }, operations(one, bytes));
};

const texts = [
  '(',
  'not (',
  '[',
  'emails[',
  '\\',
  '\\"',
  '"',
  'a',
  'a.',
  '1',
  ' ',
  'title pr or ',
  'title pr and (',
  CORE,
  `${CORE}:`,
  'emails[type eq "x"] or ',
  '((title pr) or ',
];

type Hostile = readonly [string, string | undefined, (bytes: number) => unknown];

function ofText(what: string, unit: string, refusal: string | undefined, read: (text: string) => unknown): Hostile {
  return [`${what} of ${unit}`, refusal, (bytes) => read(fill(unit, bytes))];
}

function remove(path: string): object {
  return { Operations: [{ op: 'remove', path }] };
}

/** What it is, what refuses 64 kB of it (undefined: they are taken), and what reads so many bytes of it. */
export const hostileInputs: readonly Hostile[] = [
  ...texts.map((unit) =>
    ofText('filter', unit, '400 invalidFilter', (text) => parseFilter(userType, text.slice(0, 16_384))),
  ),
  ...texts.map((unit) => ofText('long filter', unit, '400 invalidFilter', (text) => parseFilter(userType, text))),
  ...texts.map((unit) =>
    ofText('filter for a text', unit, undefined, (text) =>
      parseFilter(userType, `title eq ${JSON.stringify(text.slice(0, 8_000))}`),
    ),
  ),
  ...texts.map((unit) =>
    ofText('long path', unit, '400 invalidPath', (text) => applyPatch(userType, withMany, remove(text))),
  ),
  ...texts.map((unit) =>
    ofText('path', unit, '400 invalidPath', (text) =>
      applyPatch(userType, withMany, remove(`title ${text.slice(0, 16_000)}!`)),
    ),
  ),
  ...texts.map((unit) =>
    ofText('filter in a path', unit, '400 invalidFilter', (text) =>
      applyPatch(userType, withMany, remove(`emails[type[${text.slice(0, 16_000)}]`)),
    ),
  ),
  ['additions', '413 -', patchFresh((index) => ({ op: 'add', path: 'emails', value: `${index}` }))],
  [
    'additions by filter',
    '413 -',
    patchFresh((index) => ({ op: 'add', path: `emails[value eq "${index}"].type`, value: 'x' })),
  ],
  ['additions to many', '413 -', patchUser((index) => ({ op: 'add', path: 'emails', value: many[index % 1_000] }))],
  [
    'primary values',
    '413 -',
    patchUser((index) => ({ op: 'add', path: `emails[value eq "${index}@example.com"].primary`, value: true })),
  ],
  ['changes of all', '413 -', patchUser((index) => ({ op: 'replace', path: 'emails.type', value: `${index}` }))],
  [
    'changes by filter',
    '413 -',
    patchUser((index) => ({ op: 'replace', path: 'emails[type pr].display', value: `${index}` })),
  ],
  ['removals by filter', '413 -', patchUser((index) => ({ op: 'remove', path: `emails[value eq "${index}"]` }))],
  [
    'removals by long filters',
    '413 -',
    patchUser(() => ({ op: 'remove', path: `emails[${Array(100).fill('value eq "q"').join(' or ')}]` })),
  ],
  ['removals by value', '413 -', patchUser((index) => ({ op: 'remove', path: 'emails', value: [`x${index}`] }))],
  [
    'removals by label',
    '413 -',
    patchUser((index) => ({ op: 'remove', path: 'emails', value: [{ display: `x${index}` }] })),
  ],
  [
    'removal of many by many',
    '413 -',
    (bytes: number) =>
      applyPatch(userType, withMany, {
        Operations: [
          {
            op: 'remove',
            path: 'emails',
            value: Array.from({ length: Math.min(1_000, bytes / 60) }, () => ({ display: 'x' })),
          },
        ],
      }),
  ],
  [
    'names with brackets',
    '413 -',
    (bytes: number) =>
      readBody(
        userType,
        Object.fromEntries(Array.from({ length: bytes / 40 }, (_, index) => [`emails[value eq "${index}"].type`, 'x'])),
      ),
  ],
  [
    'unknown names',
    '400 invalidValue',
    (bytes: number) =>
      readBody(userType, Object.fromEntries(Array.from({ length: bytes / 10 }, (_, index) => [`k${index}`, 1]))),
  ],
  [
    'objects in objects',
    undefined,
    (bytes: number) => readBody(userType, { userName: 'x', name: nested('{"name":', '}', bytes) }),
  ],
  [
    'values in values',
    '400 invalidValue',
    (bytes: number) => readBody(userType, { userName: 'x', title: nested('{"value":', '}', bytes) }),
  ],
  [
    'lists in lists',
    '400 invalidValue',
    (bytes: number) => readBody(userType, { userName: 'x', emails: nested('[', ']', bytes) }),
  ],
  [
    'schemas in schemas',
    undefined,
    (bytes: number) => readBody(userType, { userName: 'x', [CORE]: nested(`{"${CORE}":`, '}', bytes) }),
  ],
  ['members', undefined, patchGroup((index) => ({ op: 'add', path: 'members', value: [`${index}`] }))],
  ['members to remove', undefined, patchGroup((index) => ({ op: 'remove', path: `members[value eq "${index}"]` }))],
  ['members to find', '413 -', patchGroup((index) => ({ op: 'remove', path: `members[value sw "${index}"]` }))],
  [
    'members added and found',
    '413 -',
    patchGroup((index) =>
      index % 2
        ? { op: 'add', path: 'members', value: Array(50).fill(`${index}`) }
        : { op: 'remove', path: 'members[display pr]' },
    ),
  ],
  [
    'bulk operations',
    undefined,
    (bytes: number) =>
      readBulk(
        operations(
          (index) => ({
            method: 'POST',
            path: '/Users',
            bulkId: `${index}`,
            data: { manager: `bulkId:${index + 1}` },
          }),
          bytes,
        ),
        { operations: 10_000 },
      ),
  ],
  [
    'bulk references',
    undefined,
    (bytes: number) =>
      readBulk(
        { Operations: [{ method: 'PUT', path: '/Users/1', data: nested('["bulkId:x",', ']', bytes) }] },
        { operations: 10 },
      ),
  ],
  ['names to answer', '413 -', (bytes: number) => readProjection(userType, fill('name.x,', bytes), undefined)],
];
