import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BARS, verdict } from './bars.ts';
import type { ApplyFigures, ReadFigures } from './sync-calls.ts';
import type { PlanFigures } from './sync-plan.ts';

const SIZES = [1_000, 10_000, 100_000] as const;
const CHANGES = 1_000;
const TENANT = 10_000;

/**
 * What syncs take, each figure from a process of its own: planning by number of people, the calls of an apply against
 * the fewest that could do, and the calls of reading an Auth0 tenant. `people` is the largest number of people.
 */
export async function syncLines(people: number): Promise<string[]> {
  const sizes = [...SIZES.filter((size) => size < people), people];
  const plans: PlanFigures[] = [];
  for (const size of sizes) plans.push(await measured<PlanFigures>('plan', size, Math.min(CHANGES, size / 10)));
  const read = await measured<ReadFigures>('read', Math.min(people, TENANT));
  const apply = await measured<ApplyFigures>('apply', people, Math.min(CHANGES, people / 10));
  return [...plans.map(planLine), growthLine(plans), readLine(read), applyLine(apply)];
}

function planLine({ people, changes, cpuSeconds, wallSeconds, peakMegabytes }: PlanFigures): string {
  const speed = `CPU ${seconds(cpuSeconds)}`;
  const memory = `memory at most ${megabytes(peakMegabytes)}`;
  const isMeant = people >= BARS.plan.people;
  const wanted = isMeant
    ? `; ${verdict(cpuSeconds, BARS.plan.cpuSeconds, seconds)}, ${verdict(peakMegabytes, BARS.plan.megabytes, megabytes)}`
    : '';
  return `plan of ${people} people, ${changes} changes: ${speed} (${seconds(wallSeconds)} by the clock), ${memory}${wanted}`;
}

/** Each size against the one before it: what grows with the number of people shows at the largest ones. */
function growthLine(plans: readonly PlanFigures[]): string {
  const each = plans.map(({ people, cpuSeconds }) => (cpuSeconds / people) * 1_000_000);
  const shown = `CPU of a plan for each person, by number of people: ${each.map((one) => `${one.toFixed(0)} µs`).join(', ')}`;
  if (each.length < 2) return shown;
  const growth = Math.max(...each.slice(1).map((one, at) => one / (each[at] ?? one)));
  return `${shown}; against fewer ${verdict(growth, BARS.planGrowth, (ratio) => `${ratio.toFixed(2)} x`)}`;
}

function readLine({ people, listed, complete, calls, least }: ReadFigures): string {
  const whole = complete && listed === people ? '' : ` (INCOMPLETE: ${listed} listed)`;
  const wanted = verdict(calls, Math.floor(least * BARS.readCalls), String);
  return `calls to read ${people} Auth0 users with five roles${whole}: ${calls}, pages there are: ${least}; ${wanted}`;
}

function applyLine({ people, changes, reads, leastReads, writes, leastWrites }: ApplyFigures): string {
  const least = leastReads + leastWrites;
  const each = `${writes} that write, fewest ${leastWrites}, and ${reads} that read, fewest ${leastReads}`;
  const wanted = verdict(reads + writes, Math.floor(least * BARS.applyCalls), String);
  return `${changes} changes among ${people} people in GoodData: ${reads + writes} calls (${each}); ${wanted}`;
}

async function measured<T>(...args: readonly (string | number)[]): Promise<T> {
  const script = join(import.meta.dirname, 'sync-measure.js');
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    script,
    ...args.map(String),
  ]);
  return JSON.parse(stdout) as T;
}

function seconds(value: number): string {
  return `${value.toFixed(2)} s`;
}

function megabytes(value: number): string {
  return `${Math.round(value)} MB`;
}
