import { setTimeout as sleep } from 'node:timers/promises';
import { LatchgateError } from '../../src/model/errors.ts';
import { rowsOf } from '../../src/sync/outline.ts';
import type {
  AppliedRow,
  ApplyOptions,
  ApplyResult,
  Brake,
  PlannedChange,
  SyncPlan,
  Syncs,
} from '../../src/sync/sync.ts';
import { planOf } from './example-plans.ts';

/**
 * One sync as callers see it, without a source, a target or a directory: it knows what is left to do, and forgets what
 * was applied. Refuses what the real one refuses.
 */
export class MemorySyncs implements Syncs {
  changes: readonly PlannedChange[] = [];
  parts: Parameters<typeof planOf>[1] = {};
  brake: Brake | undefined;
  /** Accounts by key that cannot be written, with the code. */
  readonly failing = new Map<string, string>();
  /** Thrown in place of a plan. */
  failure: LatchgateError | undefined;
  rowMs = 0;
  /** How long reading takes. */
  readMs = 0;
  /** How often something was planned; each plan has an id of its own. */
  planned = 0;
  readonly applies: ApplyOptions[] = [];
  readonly #name: string;

  constructor(name = 'hr-to-gooddata') {
    this.#name = name;
  }

  async plan(name: string, signal: AbortSignal): Promise<SyncPlan> {
    if (name !== this.#name) throw new LatchgateError('not_found', 'no such sync');
    signal.throwIfAborted();
    if (this.readMs > 0) await sleep(this.readMs, undefined, { signal });
    if (this.failure !== undefined) throw this.failure;
    this.planned += 1;
    const brake = this.brake === undefined ? {} : { brake: this.brake };
    return planOf(this.changes, { ...this.parts, sync: name, id: `pl_${this.planned}`, ...brake });
  }

  async apply(name: string, options: ApplyOptions): Promise<ApplyResult> {
    this.applies.push(options);
    const plan = await this.plan(name, options.stop);
    options.onPlan?.(plan);
    const nothing = { plan, applied: 0, failed: 0, skipped: 0 };
    if (options.expect !== undefined && options.expect !== plan.fingerprint) return { ...nothing, outcome: 'stale' };
    if (plan.brake !== undefined && !options.approve) return { ...nothing, outcome: 'held' };
    const rows = rowsOf(plan.changes);
    const counts = { applied: 0, failed: 0, skipped: 0 };
    for (const { key, changes } of rows) {
      const end = await this.#write(key, options.stop);
      if (end.outcome === 'applied') this.changes = this.changes.filter((change) => !changes.includes(change));
      counts[end.outcome as keyof typeof counts] += 1;
      options.onRow?.({ key, changes, ...end });
    }
    const outcome = counts.skipped > 0 ? 'stopped' : counts.failed > 0 ? 'partial' : 'applied';
    return { plan, outcome, ...counts };
  }

  async #write(key: string, stop: AbortSignal): Promise<Pick<AppliedRow, 'outcome' | 'code'>> {
    if (stop.aborted) return { outcome: 'skipped', code: 'stopped' };
    // What is under way is not broken off.
    if (this.rowMs > 0) await sleep(this.rowMs);
    const code = this.failing.get(key);
    return code === undefined ? { outcome: 'applied' } : { outcome: 'failed', code };
  }
}
