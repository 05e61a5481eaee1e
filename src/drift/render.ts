import { code, plain, table } from '../mapping/markdown.ts';
import { quote, show } from '../mapping/visible.ts';
import { amount } from '../sync/render-words.ts';
import type { DriftReport, DriftRow, TargetDrift } from './drift.ts';
import { type DriftKind, kindRow } from './kinds.ts';

/** What a person reads on a terminal. `isShadow`: there is nothing that could be done about it. */
export function driftLines(report: DriftReport, { isShadow = false } = {}): readonly string[] {
  const lines = report.targets.flatMap((target) => {
    const rows = report.rows.filter((row) => row.target === target.target);
    return [headText(target, rows.length), ...kindsOf(rows).flatMap((kind) => kindLines(kind, rows)), ''];
  });
  const notes = report.notes.map((note) => show(note));
  const hint =
    isShadow || report.rows.length === 0
      ? []
      : ['latchgate drift repair KEY puts one right, latchgate drift adopt KEY takes it as it is; --all for all'];
  return [...lines, ...notes, ...hint];
}

function headText({ target, complete, accounts, ours, accepted }: TargetDrift, count: number): string {
  const differences =
    count === 0 ? 'as it should be' : `${amount(count)} ${count === 1 ? 'difference' : 'differences'}`;
  const stand = accepted === 0 ? '' : `, ${amount(accepted)} let stand`;
  return `${show(target)}: ${amount(accounts)} accounts, ${amount(ours)} of people we know; ${differences}${stand}${complete ? '' : '; not every account was shown'}`;
}

function kindsOf(rows: readonly DriftRow[]): readonly DriftKind[] {
  return [...new Set(rows.map(({ kind }) => kind))].sort();
}

function kindLines(kind: DriftKind, rows: readonly DriftRow[]): readonly string[] {
  const { what } = kindRow(kind);
  return [
    `  ${kind}: ${what}${todoText(kind)}`,
    ...rows
      .filter((row) => row.kind === kind)
      .map(({ key, account, privileged, seen }) => {
        const who = account === undefined ? '' : `${quote(account)}  `;
        return `    ${key}  ${who}${privileged === true ? 'PRIVILEGED  ' : ''}${show(seen)}`;
      }),
  ];
}

function todoText(kind: DriftKind): string {
  const { adopt, repair } = kindRow(kind);
  const parts = [repair === undefined ? [] : `repair ${repair}`, adopt === undefined ? [] : `adopt ${adopt}`].flat();
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

/** For a ticket or pull request. */
export function driftMarkdown(report: DriftReport): string {
  const blocks = report.targets.flatMap((target) => {
    const rows = report.rows.filter((row) => row.target === target.target);
    return [
      `## ${plain(headText(target, rows.length))}`,
      ...(rows.length === 0 ? [] : [table(['Key', 'Kind', 'Account', 'Seen'], rows.map(cells))]),
    ];
  });
  const notes = report.notes.length === 0 ? [] : [report.notes.map((note) => `- ${plain(note)}`).join('\n')];
  return `${[...blocks, ...notes].join('\n\n')}\n`;
}

function cells({ key, kind, account, privileged, seen }: DriftRow): readonly string[] {
  return [
    code(key),
    `${code(kind)}${privileged === true ? ' **privileged**' : ''}`,
    account === undefined ? '' : code(account),
    plain(seen),
  ];
}

/** How many of each kind, for logs, metrics and webhooks. */
export function driftCounts({
  targets,
  rows,
}: DriftReport): readonly { readonly target: string; readonly kind: DriftKind; readonly count: number }[] {
  return targets.flatMap(({ target }) => {
    const theirs = rows.filter((row) => row.target === target);
    return kindsOf(theirs).map((kind) => ({ target, kind, count: theirs.filter((row) => row.kind === kind).length }));
  });
}
