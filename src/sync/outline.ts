import type { Change } from '../model/change.ts';
import { entitlementKey } from '../model/entitlement.ts';
import type { HeldPlannedChange, PlannedChange, SyncPlan } from './sync.ts';

/** A plan as people read it: by person, who loses something first; many people who change alike are one entry. */
export interface Outline {
  /** Groups and roles of the target itself. */
  readonly things: readonly PlannedRow[];
  readonly loses: Section;
  readonly gets: Section;
  /** Who would lose something in other targets later on, by what is remembered. */
  readonly carried: Section;
  /** What policy refused, by code, the most frequent first. */
  readonly held: readonly HeldEntry[];
}

export interface Section {
  readonly people: number;
  /** Ordered by what weighs most, then by name. */
  readonly rows: readonly PlannedRow[];
  readonly alike: readonly Alike[];
}

/** Everything that changes for one account, or for one group of the target. */
export interface PlannedRow {
  /** User name of the account, or name of the group. */
  readonly key: string;
  /** What a person knows this one by: the source's e-mail where the target's user names are ids, else the key. */
  readonly name: string;
  /** Another target than the plan's. */
  readonly target?: string;
  readonly changes: readonly PlannedChange[];
}

/** People for whom the same changes. */
export interface Alike {
  readonly rows: readonly PlannedRow[];
  /** Of the first of them. */
  readonly changes: readonly PlannedChange[];
  /** False: the values of fields differ from person to person. */
  readonly isSame: boolean;
}

export interface HeldEntry {
  readonly code: string;
  readonly changes: readonly HeldPlannedChange[];
}

export interface OutlineOptions {
  /** With more people than this those who change alike are put together. Default 40. */
  readonly mostRows?: number;
}

/** Fewer people than this are named one by one, whatever changes for them. */
const FEW = 4;
const MOST_ROWS = 40;
/** The heaviest first: the order in which a person should look at them. */
const WEIGHT: readonly Change['op'][] = ['delete', 'disable', 'revoke', 'update', 'create', 'grant'];
const LOSSES: ReadonlySet<Change['op']> = new Set(['delete', 'disable', 'revoke']);

export function outlineOf(plan: SyncPlan, { mostRows = MOST_ROWS }: OutlineOptions = {}): Outline {
  const all = rowsOf(plan.changes);
  const rows = all.filter(({ changes }) => changes[0]?.type === 'user');
  const isMany = rows.length > mostRows;
  const losing = rows.filter(({ changes }) => changes.some(({ op }) => LOSSES.has(op)));
  const getting = rows.filter(({ changes }) => !changes.some(({ op }) => LOSSES.has(op)));
  const carried = rowsOf(plan.carried ?? []);
  const byCode = new Map<string, HeldPlannedChange[]>();
  for (const change of plan.held) push(byCode, change.code, change);
  return {
    things: all.filter(({ changes }) => changes[0]?.type !== 'user'),
    loses: sectionOf(losing, isMany),
    gets: sectionOf(getting, isMany),
    carried: sectionOf(carried, carried.length > mostRows),
    held: [...byCode]
      .map(([code, changes]) => ({ code, changes: [...changes].sort((one, other) => compare(one.key, other.key)) }))
      .sort((one, other) => other.changes.length - one.changes.length || compare(one.code, other.code)),
  };
}

/** How many accounts there are to report on one by one. */
export function accountsIn(changes: readonly PlannedChange[]): number {
  return new Set(changes.filter(({ type }) => type === 'user').map(accountOf)).size;
}

/** Changes by account, in order. */
export function rowsOf(changes: readonly PlannedChange[]): readonly PlannedRow[] {
  const byAccount = new Map<string, PlannedChange[]>();
  for (const change of changes) push(byAccount, accountOf(change), change);
  return [...byAccount.values()]
    .map((own) => {
      const sorted = [...own].sort(
        (one, other) => weightOf(one) - weightOf(other) || compare(aboutOf(one), aboutOf(other)),
      );
      const [first] = sorted as [PlannedChange];
      const target = first.target === undefined ? {} : { target: first.target };
      return { key: first.key, name: nameOf(first), ...target, changes: sorted };
    })
    .sort((one, other) => weightOfRow(one) - weightOfRow(other) || compare(one.key, other.key));
}

function nameOf({ key, subject }: PlannedChange): string {
  return subject?.includes('@') === true && !key.includes('@') ? subject : key;
}

function accountOf({ person, subject, type, key, target = '' }: PlannedChange): string {
  return JSON.stringify([target, person ?? '', person === undefined ? (subject ?? [type, key]) : '']);
}

function sectionOf(rows: readonly PlannedRow[], isMany: boolean): Section {
  if (!isMany) return { people: rows.length, rows, alike: [] };
  const byShape = new Map<string, PlannedRow[]>();
  for (const row of rows) push(byShape, shapeOf(row), row);
  const shapes = [...byShape.values()];
  return {
    people: rows.length,
    rows: shapes.filter((alike) => alike.length < FEW).flat(),
    alike: shapes.filter((alike) => alike.length >= FEW).map(alikeOf),
  };
}

function alikeOf(rows: readonly PlannedRow[]): Alike {
  const changes = (rows[0] as PlannedRow).changes;
  const values = (row: PlannedRow) => JSON.stringify(row.changes.map(({ fields }) => fields));
  const first = values(rows[0] as PlannedRow);
  return { rows, changes, isSame: rows.every((row) => values(row) === first) };
}

function shapeOf({ changes, target }: PlannedRow): string {
  return JSON.stringify([target, ...changes.map((change) => [change.op, aboutOf(change), change.rule])]);
}

function aboutOf({ type, entitlement, fields = [] }: PlannedChange): string {
  return entitlement === undefined
    ? `${type} ${fields.map(({ field }) => field).join(' ')}`
    : entitlementKey(entitlement);
}

function weightOf({ op }: PlannedChange): number {
  return WEIGHT.indexOf(op);
}

function weightOfRow({ changes }: PlannedRow): number {
  return Math.min(...changes.map(weightOf));
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function push<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
