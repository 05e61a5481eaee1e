import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fillState, measurePlan, type PlanFigures } from './sync-plan.ts';

/** The database is filled by a process of its own, so that memory is what the plan takes. */
async function planFilled(people: number, changes: number): Promise<PlanFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-bench-'));
  const database = `sqlite:${join(folder, 'state.db')}`;
  try {
    await promisify(execFile)(process.execPath, [process.argv[1] ?? '', 'fill', String(people), database]);
    return await measurePlan(database, people, changes);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [what, people, changes = ''] = process.argv.slice(2);
const measures = {
  fill: () => fillState(changes, Number(people)),
  plan: () => planFilled(Number(people), Number(changes)),
  // Emulators are no part of what a plan holds in memory.
  apply: async () => (await import('./sync-calls.ts')).measureApply(Number(people), Number(changes)),
  read: async () => (await import('./sync-calls.ts')).measureRead(Number(people)),
} as const;
console.log(JSON.stringify((await measures[what as keyof typeof measures]()) ?? {}));
