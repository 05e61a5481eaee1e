import type { StateValues } from '../directory/directory.ts';
import type { SyncRun, SyncRuns } from '../directory/sync-history.ts';
import { LatchgateError } from '../model/errors.ts';
import { scheduleText } from '../sync/due.ts';
import { dueTime } from '../sync/schedule-state.ts';
import type { SyncConfig } from '../sync/schema.ts';
import type { Io } from './io.ts';
import { printable, tableLines, timeText } from './table.ts';

const MOST_RUNS = 50;

export interface SyncsDeps {
  readonly sync: Readonly<Record<string, SyncConfig>>;
  readonly syncRuns: SyncRuns;
  readonly values: StateValues;
}

/**
 * `latchgate syncs list`: each sync of the config, when it runs, and how it went last. Exit code 0. With `json`, one
 * object a line: `name`, `from`, `to`, `do`, `schedule`, `next` and `last` (null when there is none).
 */
export async function syncsList(options: { readonly json?: boolean }, deps: SyncsDeps, io: Io): Promise<number> {
  const rows: (string | undefined)[][] = [];
  for (const [name, sync] of Object.entries(deps.sync)) {
    const [last] = await deps.syncRuns.recent(name, 1);
    const schedule = scheduleText(sync);
    const next = schedule === undefined ? undefined : await dueTime(name, deps.values);
    if (options.json === true) {
      const times = { next: next ?? null, last: last === undefined ? null : runJson(last) };
      io.out(JSON.stringify({ name, from: sync.from, to: sync.to, do: sync.do, schedule: schedule ?? null, ...times }));
    }
    rows.push([
      name,
      `${sync.from} -> ${sync.to}`,
      schedule === undefined ? undefined : `${sync.do} ${schedule}`,
      last === undefined ? undefined : `${timeText(last.startedAt)} ${outcomeText(last)}`,
      next === undefined ? undefined : timeText(next),
    ]);
  }
  if (options.json === true) return 0;
  for (const line of tableLines(['NAME', 'SYNC', 'SCHEDULE', 'LAST RUN', 'NEXT'], rows)) io.out(line);
  return 0;
}

/** `latchgate syncs runs NAME`: exit code 0. Throws `not_found`. With `json`, one object a line. */
export async function syncsRuns(
  name: string,
  options: { readonly json?: boolean },
  deps: SyncsDeps,
  io: Io,
): Promise<number> {
  const runs = await deps.syncRuns.recent(name, MOST_RUNS);
  if (runs.length === 0 && !Object.hasOwn(deps.sync, name)) {
    throw new LatchgateError('not_found', `there is no sync ${printable(name)}`);
  }
  if (options.json === true) for (const run of runs) io.out(JSON.stringify(runJson(run)));
  else {
    const rows = runs.map((run) => [
      timeText(run.startedAt),
      run.finishedAt === undefined
        ? undefined
        : `${Math.round((run.finishedAt.getTime() - run.startedAt.getTime()) / 1_000)}s`,
      run.by,
      outcomeText(run),
      countsOf(run),
      run.planId,
    ]);
    for (const line of tableLines(['STARTED', 'TOOK', 'BY', 'OUTCOME', 'CHANGES', 'PLAN'], rows)) io.out(line);
  }
  return 0;
}

function outcomeText({ outcome, code }: SyncRun): string {
  if (outcome === undefined) return 'under way';
  return code === undefined ? outcome : `${outcome} (${code})`;
}

const OPS = ['create', 'update', 'disable', 'delete', 'grant', 'revoke', 'held', 'failed', 'skipped'];

function countsOf({ counts }: SyncRun): string | undefined {
  const parts = OPS.flatMap((op) => ((counts[op] ?? 0) > 0 ? [`${counts[op]} ${op}`] : []));
  return parts.length === 0 ? undefined : parts.join(', ');
}

function runJson(run: SyncRun): Record<string, unknown> {
  const { id, sync, by, startedAt, finishedAt, outcome, code, planId, counts } = run;
  const ended = {
    finishedAt: finishedAt ?? null,
    outcome: outcome ?? null,
    code: code ?? null,
    planId: planId ?? null,
  };
  return { id, sync, by, startedAt, ...ended, counts };
}
