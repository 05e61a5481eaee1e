import { type BrakeInput, brakeFor } from '../../src/sync/brake.ts';
import type { PlannedChange } from '../../src/sync/sync.ts';

const change = (op: PlannedChange['op'], at: number): PlannedChange => ({
  op,
  type: 'user',
  key: `u${at}`,
  person: `p${at}`,
  reason: '',
});
const removals = (count: number, op: PlannedChange['op'] = 'revoke') =>
  Array.from({ length: count }, (_, at) => [change(op, at), change(op, at)]).flat();

const NOTHING: BrakeInput = {
  stopIf: { removals: { percent: 10 } },
  source: { complete: true, listed: 100 },
  known: { before: 100, missing: 0 },
  targetComplete: true,
  changes: [],
  holders: 100,
  removedLately: new Set(),
  carried: new Set(),
  carriedLately: new Set(),
  createdLately: 0,
};

function codeOf(more: Partial<BrakeInput>): string | undefined {
  return brakeFor({ ...NOTHING, ...more })?.code;
}

it.each([
  [0, 100, undefined],
  [10, 100, undefined],
  [11, 100, 'too_many_removals'],
  [2, 2, undefined],
  [3, 30, undefined],
  [3, 29, 'too_many_removals'],
  [3, 0, 'too_many_removals'],
] as const)('%i of %i people who lose something: %s', (count, holders, code) => {
  for (const op of ['revoke', 'disable', 'delete'] as const) {
    expect(codeOf({ changes: removals(count, op), holders })).toBe(code);
  }
});

it('counts people, not what each of them loses, and takes the smaller of two limits', () => {
  const stopIf = { removals: { percent: 50, people: 5 } };
  expect(codeOf({ changes: removals(5), stopIf })).toBeUndefined();
  expect(codeOf({ changes: removals(6), stopIf })).toBe('too_many_removals');
  expect(codeOf({ changes: removals(5), stopIf, holders: 9 })).toBe('too_many_removals');
  expect(codeOf({ changes: removals(50), stopIf: { removals: { people: 0 } } })).toBe('too_many_removals');
});

it.each([{ people: 0 }, { percent: 0 }])('holds every removal under %o', (removals) => {
  const stopIf = { removals };
  const held = brakeFor({ ...NOTHING, changes: [change('revoke', 0)], stopIf });
  expect(held).toMatchObject({ code: 'too_many_removals', message: expect.stringContaining('every removal waits') });
  expect(codeOf({ known: { before: 100, missing: 1 }, stopIf })).toBe('source_short');
  expect(codeOf({ changes: [change('grant', 0)], stopIf })).toBeUndefined();
});

it('adds whom runs of the day made lose something elsewhere, once, and only to what would do so again', () => {
  const carried = lately(2);
  expect(codeOf({ carried, carriedLately: lately(10) })).toBeUndefined();
  expect(codeOf({ carried, carriedLately: lately(11) })).toBe('too_many_removals');
  expect(codeOf({ carriedLately: lately(50) })).toBeUndefined();
});

it('adds whoever lost something within the day, once, and only to what would take something', () => {
  expect(codeOf({ changes: removals(1), removedLately: lately(10) })).toBeUndefined();
  expect(codeOf({ changes: removals(1), removedLately: lately(11) })).toBe('too_many_removals');
  expect(codeOf({ changes: [change('grant', 0)], removedLately: lately(50) })).toBeUndefined();
});

it.each([
  [
    'an incomplete source',
    { source: { complete: false, listed: 100, why: 'page 3 was missing' } },
    'source_incomplete',
  ],
  ['an empty source', { source: { complete: true, listed: 0 } }, 'source_empty'],
  ['an incomplete and empty one', { source: { complete: false, listed: 0 } }, 'source_incomplete'],
  ['a short source', { known: { before: 100, missing: 11 } }, 'source_short'],
  ['too many to be asked for', { source: { complete: true, listed: 20_000, unasked: 1_001 } }, 'source_short'],
  ['two who are missing of two', { known: { before: 2, missing: 2 } }, undefined],
  ['ten who are missing of a hundred', { known: { before: 100, missing: 10 } }, undefined],
  ['ten who would lose something elsewhere', { carried: lately(10) }, undefined],
  ['eleven who would lose something elsewhere', { carried: lately(11) }, 'too_many_removals'],
  ['an incomplete target', { targetComplete: false }, 'target_incomplete'],
] as const)('%s, whatever the threshold says', (_name, more, code) => {
  expect(codeOf(more)).toBe(code);
  if (code === 'source_short' || code === 'too_many_removals') return;
  expect(codeOf({ ...more, stopIf: { removals: { percent: 100 } } })).toBe(code);
});

it('holds a spike of new accounts, with those of the last hour, only where a limit is set', () => {
  const changes = Array.from({ length: 6 }, (_, at) => change('create', at));
  const stopIf = { removals: { percent: 10 }, newUsersPerHour: 10 };
  expect(codeOf({ changes, createdLately: 1_000 })).toBeUndefined();
  expect(codeOf({ changes, createdLately: 4, stopIf })).toBeUndefined();
  expect(codeOf({ changes, createdLately: 5, stopIf })).toBe('too_many_new_users');
  expect(codeOf({ changes: [], createdLately: 50, stopIf })).toBeUndefined();
  const group: PlannedChange = { op: 'create', type: 'group', key: 'g', reason: '' };
  expect(codeOf({ changes: [group], createdLately: 50, stopIf })).toBeUndefined();
});

function lately(count: number) {
  return new Set(Array.from({ length: count }, (_, at) => `p${at}`));
}
