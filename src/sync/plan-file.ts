import { closeSync, openSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { LatchgateError } from '../model/errors.ts';
import { parsePlan, planJson } from './plan-json.ts';
import type { SyncPlan } from './sync.ts';

/** A plan of a million changes has about this much. */
const LIMIT_BYTES = 512 * 1024 * 1024;
const OWNER_ONLY = 0o600;

/** Writes a plan for `apply --plan`, readable by its owner alone: it names people. Throws `plan_unwritable`. */
export function writePlanFile(file: string, plan: SyncPlan): void {
  const partial = `${file}.${process.pid}.partial`;
  try {
    const handle = openSync(partial, 'wx', OWNER_ONLY);
    try {
      writeFileSync(handle, `${JSON.stringify(planJson(plan), null, 2)}\n`);
    } finally {
      closeSync(handle);
    }
    // Whoever reads it meanwhile has the former one whole, whose rights, had they been wider, are not kept.
    renameSync(partial, file);
  } catch (cause) {
    rmSync(partial, { force: true });
    throw new LatchgateError('plan_unwritable', `${file} cannot be written`, { cause });
  }
}

/** Throws `not_found` for a file that cannot be read, `plan_invalid` for one that is no plan. */
export function readPlanFile(file: string): SyncPlan {
  let text: string;
  try {
    text = readText(file);
  } catch (cause) {
    throw new LatchgateError('not_found', `${file} cannot be read`, { cause });
  }
  return parsePlan(text);
}

function readText(file: string): string {
  const handle = openSync(file, 'r');
  try {
    const chunks: Buffer[] = [];
    let length = 0;
    for (;;) {
      const chunk = Buffer.allocUnsafe(1024 * 1024);
      const read = readSync(handle, chunk);
      if (read === 0) return Buffer.concat(chunks).toString('utf8');
      chunks.push(chunk.subarray(0, read));
      length += read;
      if (length > LIMIT_BYTES) throw new Error('too long');
    }
  } finally {
    closeSync(handle);
  }
}
