import { entitlementText } from '../drift/drift.ts';
import type { Drifts, Settled } from '../drift/drifts.ts';
import { driftLines, driftMarkdown } from '../drift/render.ts';
import { LatchgateError } from '../model/errors.ts';
import { newRequestId } from '../ops/request-id.ts';
import type { PlannedChange } from '../sync/sync.ts';
import type { Io } from './io.ts';
import { printable } from './table.ts';

const EXIT_FAILED = 1;
const EXIT_DRIFT = 10;
const EXIT_HELD = 11;
const LONGEST_MS = 30 * 60_000;

export interface DriftOptions {
  /** Default: every target. */
  readonly target?: string;
  readonly json?: boolean;
  readonly markdown?: boolean;
}

export interface DriftDeps {
  readonly drifts: Drifts;
  readonly isShadow: boolean;
}

/**
 * `latchgate drift`: what targets have that nobody granted, and what we granted that is gone. Reads alone. Exit code 0; 10
 * when something differs. With `json` one object: `at`, `targets`, `rows`, `notes`. Throws `not_found`, `target_*`.
 */
export async function drift(options: DriftOptions, { drifts, isShadow }: DriftDeps, io: Io): Promise<number> {
  const report = await drifts.review(options.target, AbortSignal.timeout(LONGEST_MS));
  if (options.json === true) io.out(JSON.stringify(report));
  else if (options.markdown === true) io.out(driftMarkdown(report).trimEnd());
  else for (const line of driftLines(report, { isShadow })) io.out(line);
  return report.rows.length === 0 ? 0 : EXIT_DRIFT;
}

export interface SettleOptions {
  readonly target?: string;
  readonly all?: boolean;
  readonly approve?: boolean;
  readonly json?: boolean;
}

/** `latchgate drift adopt KEY|--all`: exit code 0, or 1 when something failed or nothing could be done about it. */
export function driftAdopt(
  key: string | undefined,
  options: SettleOptions,
  { drifts }: DriftDeps,
  io: Io,
): Promise<number> {
  return settle('adopted', drifts.adopt, key, options, io);
}

/** `latchgate drift repair KEY|--all`: the same, or 11 when the brake holds it and nothing was written. */
export function driftRepair(
  key: string | undefined,
  options: SettleOptions,
  { drifts }: DriftDeps,
  io: Io,
): Promise<number> {
  return settle('repaired', drifts.repair, key, options, io);
}

async function settle(
  done: 'adopted' | 'repaired',
  work: Drifts['repair'],
  key: string | undefined,
  { target, all, approve, json }: SettleOptions,
  io: Io,
): Promise<number> {
  if ((key === undefined) === (all !== true)) throw new LatchgateError('usage', 'it takes one KEY, or --all');
  const settled = await work({
    which: key === undefined ? 'all' : [key],
    ...(target === undefined ? {} : { target }),
    approve: approve === true,
    actor: 'operator',
    requestId: newRequestId(),
    signal: AbortSignal.timeout(LONGEST_MS),
  });
  if (json === true) io.out(JSON.stringify(settled));
  else for (const line of settledLines(settled, done)) io.out(line);
  if (settled.brake !== undefined) return EXIT_HELD;
  return settled.rows.every(({ outcome }) => outcome === 'done') ? 0 : EXIT_FAILED;
}

function settledLines({ rows, brake, unshown = [] }: Settled, done: string): readonly string[] {
  const more = unshown.map(changeLine);
  if (brake !== undefined)
    return [`held, ${brake.code}: ${brake.message}`, ...more, 'nothing was written; --approve goes on'];
  if (rows.length === 0) return ['nothing to do'];
  const lines = rows.map(({ row, outcome, code }) => {
    const about = `${row.key}  ${row.kind}${row.account === undefined ? '' : `  ${printable(row.account)}`}`;
    if (outcome === 'done') return `${about}: ${done}`;
    return outcome === 'refused' ? `${about}: there is nothing that this could do` : `${about}: failed (${code})`;
  });
  return more.length === 0 ? lines : [...lines, 'with these, by the rules of today:', ...more];
}

function changeLine({ op, key, target = '', entitlement, reason }: PlannedChange): string {
  const what = entitlement === undefined ? '' : ` ${entitlementText(entitlement)}`;
  return printable(`  ${target}: ${op}${what} ${key} (${reason})`);
}
