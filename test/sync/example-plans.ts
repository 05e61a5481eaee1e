import { fingerprintOf } from '../../src/sync/fingerprint.ts';
import type { HeldPlannedChange, PlannedChange, PlanSummary, SyncPlan } from '../../src/sync/sync.ts';

type Parts = Partial<Omit<SyncPlan, 'summary' | 'fingerprint'>>;

/** A whole plan around these changes, with a summary and fingerprint that fit them. */
export function planOf(changes: readonly PlannedChange[], parts: Parts = {}): SyncPlan {
  const held = parts.held ?? [];
  const number = (op: PlannedChange['op']) => changes.filter((change) => change.op === op).length;
  const summary: PlanSummary = {
    create: number('create'),
    update: number('update'),
    disable: number('disable'),
    delete: number('delete'),
    grant: number('grant'),
    revoke: number('revoke'),
    held: held.length,
  };
  const plan = {
    id: 'pl_7M4QZ2',
    sync: 'hr-to-gooddata',
    source: 'hr',
    target: 'gooddata',
    createdAt: new Date(Date.UTC(2026, 0, 2, 3, 4, 5)),
    complete: true,
    listed: 120,
    notes: [],
    ...parts,
    changes,
    held,
    summary,
  };
  return { ...plan, fingerprint: fingerprintOf(plan) };
}

const group = (name: string) => ({ kind: 'group' as const, name });

export function newPerson(name: string, ...groups: readonly string[]): readonly PlannedChange[] {
  const who = { type: 'user' as const, key: name, subject: `hr|${name}`, origin: 'hr' };
  return [
    { ...who, op: 'create', reason: 'listed by hr' },
    ...groups.map(
      (entitlement): PlannedChange => ({
        ...who,
        op: 'grant',
        entitlement: group(entitlement),
        rule: entitlement,
        reason: `rule ${entitlement} gives it`,
      }),
    ),
  ];
}

export function leaver(name: string, ...groups: readonly string[]): readonly PlannedChange[] {
  const who = { type: 'user' as const, key: name, person: `p_${name}`, subject: `hr|${name}`, origin: 'hr' };
  return [
    { ...who, op: 'disable', reason: 'hr does not list this person any more' },
    ...groups.map(
      (entitlement): PlannedChange => ({
        ...who,
        op: 'revoke',
        entitlement: group(entitlement),
        rule: entitlement,
        reason: 'hr does not list this person any more',
      }),
    ),
  ];
}

function renamed(name: string, before: string, after: string): PlannedChange {
  const who = { type: 'user' as const, key: name, person: `p_${name}`, subject: `hr|${name}`, origin: 'hr' };
  return { ...who, op: 'update', fields: [{ field: 'familyName', before, after }], reason: 'hr says so' };
}

const ambiguous = (key: string): HeldPlannedChange => ({
  op: 'create',
  type: 'user',
  key,
  subject: `hr|${key}`,
  reason: 'two accounts have this e-mail',
  code: 'account_ambiguous',
});

const HOSTILE = 'eve`|\u202e<b>@all [x](http://x) аdmin\n| a |';

const thousands = (): readonly PlannedChange[] => [
  ...Array.from({ length: 4_200 }, (_, at) =>
    newPerson(`new${String(at).padStart(4, '0')}@example.com`, 'userGroup'),
  ).flat(),
  ...Array.from({ length: 700 }, (_, at) =>
    renamed(`known${String(at).padStart(3, '0')}@example.com`, `Name ${at}`, `Other ${at}`),
  ),
  ...Array.from({ length: 95 }, (_, at) =>
    leaver(`left${String(at).padStart(2, '0')}@example.com`, 'userGroup'),
  ).flat(),
  ...leaver('boss@example.com', 'adminGroup', 'userGroup'),
  { op: 'create', type: 'group', key: 'userGroup', reason: 'given, and not there' },
];

/** What the golden files show, by their names. */
export const EXAMPLES: Readonly<Record<string, SyncPlan>> = {
  nothing: planOf([], { notes: ['2 rows of one person were merged'] }),
  five: planOf(
    [
      { op: 'create', type: 'group', key: 'analysts', reason: 'given, and not there' },
      ...newPerson('ada@example.com', 'analysts', 'userGroup'),
      ...newPerson('zoë@example.com', 'userGroup'),
      renamed('bob@example.com', 'Smith', 'Smythe'),
      { ...renamed('dave-example.com-1f0a77c2', 'Jones', 'Johns'), subject: 'dave@example.com' },
      ...leaver('carol@example.com', 'adminGroup'),
      { ...(leaver('carol@example.com')[0] as PlannedChange), target: 'superset', key: 'carol' },
    ],
    { held: [ambiguous('dan@example.com')], notes: ['1 row without a key was left out'] },
  ),
  held: planOf(
    [
      ...leaver('a@example.com', 'userGroup'),
      ...leaver('b@example.com', 'userGroup'),
      ...newPerson('c@example.com', 'userGroup'),
    ],
    {
      complete: false,
      listed: 1,
      brake: { code: 'too_many_removals', message: '2 of 3 people would lose something, more than 10 %' },
    },
  ),
  thousands: planOf(thousands(), {
    listed: 51_204,
    held: Array.from({ length: 130 }, (_, at) => ambiguous(`twice${String(at).padStart(3, '0')}@example.com`)),
  }),
  hostile: planOf([...newPerson(HOSTILE, HOSTILE), renamed('bob', HOSTILE, '')], {
    held: [{ ...ambiguous(HOSTILE), reason: HOSTILE }],
    notes: [HOSTILE],
  }),
};
