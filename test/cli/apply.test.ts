import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apply } from '../../src/cli/apply.ts';
import type { StatusLine } from '../../src/cli/progress.ts';
import { LatchgateError } from '../../src/model/errors.ts';
import { writePlanFile } from '../../src/sync/plan-file.ts';
import { leaver, newPerson } from '../sync/example-plans.ts';
import { makeSyncWorld, SYNC, type SyncWorld } from './sync-world.ts';
import { makeTerminal, type Terminal } from './terminal.ts';

let world: SyncWorld;
let terminal: Terminal;
let folder: string;

beforeEach(async () => {
  world = await makeSyncWorld();
  world.syncs.changes = [...newPerson('ada', 'analysts'), ...newPerson('bob')];
  terminal = makeTerminal();
  folder = mkdtempSync(join(tmpdir(), 'latchgate-apply-'));
});
afterEach(async () => {
  await world.close();
  rmSync(folder, { recursive: true });
});

const BRAKE = { code: 'too_many_removals', message: '3 of 5 people would lose something' } as const;
const lastRun = async () => (await world.syncRuns.recent(SYNC, 1))[0];

/** A terminal for people: what was drawn on the line of the bar is in `drawn`. */
function screen(): Terminal & { readonly drawn: string[]; readonly status: StatusLine } {
  const drawn: string[] = [];
  return {
    ...makeTerminal({ NO_COLOR: '1' }, true),
    drawn,
    status: { write: (text) => void drawn.push(text), columns: 80 },
  };
}

describe('apply', () => {
  it('prints each change as a line of JSON with how it went, and the result last', async () => {
    world.syncs.failing.set('bob', 'target_refused');
    expect(await apply(SYNC, {}, world, terminal)).toBe(1);
    expect(terminal.json()).toEqual([
      expect.objectContaining({ op: 'create', key: 'ada', fields: [], outcome: 'applied' }),
      expect.objectContaining({
        op: 'grant',
        key: 'ada',
        entitlement: { kind: 'group', name: 'analysts' },
        outcome: 'applied',
      }),
      expect.objectContaining({ op: 'create', key: 'bob', outcome: 'failed', code: 'target_refused' }),
      {
        result: expect.objectContaining({
          outcome: 'partial',
          applied: 1,
          failed: 1,
          skipped: 0,
          sync: SYNC,
          target: 'gooddata',
        }),
      },
    ]);
    expect(terminal.errors).toEqual(['1 person failed; latchgate apply hr-to-gooddata tries them again']);
  });

  it('has exit code 0 when all is done, and then finds nothing more to do', async () => {
    expect(await apply(SYNC, {}, world, terminal)).toBe(0);
    const again = makeTerminal();
    expect(await apply(SYNC, {}, world, again)).toBe(0);
    expect(again.json()).toEqual([{ result: expect.objectContaining({ outcome: 'applied', applied: 0 }) }]);
  });

  it('shows a person a bar, who failed, and how it ended', async () => {
    world.syncs.failing.set('bob', 'target_refused');
    const io = screen();
    expect(await apply(SYNC, {}, world, io)).toBe(1);
    expect(io.lines).toEqual([
      'hr-to-gooddata: 2 create, 1 grant',
      'failed: bob (target_refused)',
      '1 person done, 1 failed',
    ]);
    expect(io.drawn.join('')).toMatch(/\[#+-*\] {2}2\/2 {2}100%.* 1 failed/);
    expect(io.drawn.at(-1)).toBe('\r\u001b[K');
  });

  it('keeps the bar out of what goes into a file', async () => {
    const { drawn, status } = screen();
    const io = { ...terminal, status };
    await apply(SYNC, {}, world, io);
    expect(terminal.json()).toHaveLength(4);
    expect(drawn.length).toBeGreaterThan(1);
  });

  it('is held by the brake: nothing is written, the plan waits, and it says what to do', async () => {
    world.syncs.brake = BRAKE;
    const io = screen();
    expect(await apply(SYNC, {}, world, io)).toBe(11);
    expect(await world.plans.list(5)).toEqual([
      expect.objectContaining({ id: 'pl_1', state: 'held', code: BRAKE.code }),
    ]);
    expect(io.lines.join('\n')).toContain('latchgate plans approve pl_1');
    expect(io.errors).toEqual([
      'plan_held: nothing was written: 3 of 5 people would lose something (latchgate plans approve pl_1)',
    ]);
    expect(world.syncs.changes).toHaveLength(3);
    expect(await lastRun()).toMatchObject({ outcome: 'held', code: BRAKE.code, planId: 'pl_1', by: 'operator' });
    expect(await apply(SYNC, { json: true }, world, terminal)).toBe(11);
    expect(terminal.json()).toEqual([
      { result: expect.objectContaining({ outcome: 'held', id: 'pl_1', brake: BRAKE }) },
    ]);
  });

  it('goes on in spite of the brake with --approve', async () => {
    world.syncs.brake = BRAKE;
    expect(await apply(SYNC, { approve: true }, world, terminal)).toBe(0);
    expect(world.syncs.changes).toEqual([]);
  });

  it('writes each run into the history, also one that failed', async () => {
    await apply(SYNC, {}, world, terminal);
    expect(await lastRun()).toMatchObject({
      outcome: 'applied',
      counts: { create: 2, grant: 1, applied: 2, failed: 0 },
    });
    world.syncs.failure = new LatchgateError('source_unavailable', 'hr does not answer');
    world.clock.fastForward(1_000);
    await expect(apply(SYNC, {}, world, terminal)).rejects.toMatchObject({ code: 'source_unavailable' });
    expect(await lastRun()).toMatchObject({ outcome: 'failed', code: 'source_unavailable' });
  });

  it('takes either a name or a plan, and only a sync that there is', async () => {
    await expect(apply(undefined, {}, world, terminal)).rejects.toMatchObject({ code: 'usage' });
    await expect(apply(SYNC, { plan: 'x' }, world, terminal)).rejects.toMatchObject({ code: 'usage' });
    await expect(apply('other', {}, world, terminal)).rejects.toMatchObject({
      code: 'not_found',
      message: 'there is no sync "other"; there is hr-to-gooddata',
    });
    expect(await world.syncRuns.recent('other', 5)).toEqual([]);
  });
});

describe('apply --plan', () => {
  const file = () => join(folder, 'plan.json');
  const save = async () => writePlanFile(file(), await world.syncs.plan(SYNC, new AbortController().signal));

  it('applies the very plan that was saved', async () => {
    await save();
    expect(await apply(undefined, { plan: file() }, world, terminal)).toBe(0);
    expect(world.syncs.changes).toEqual([]);
  });

  it('writes nothing once it is not true any more', async () => {
    await save();
    world.syncs.changes = [...world.syncs.changes, ...leaver('carol')];
    expect(await apply(undefined, { plan: file() }, world, terminal)).toBe(1);
    expect(terminal.json()).toEqual([{ result: expect.objectContaining({ outcome: 'stale', applied: 0 }) }]);
    expect(terminal.errors[0]).toMatch(/^plan_stale: .*latchgate plan hr-to-gooddata makes a new one/);
    expect(world.syncs.changes).toHaveLength(4);
  });

  it('still needs a person where the brake holds', async () => {
    world.syncs.brake = BRAKE;
    await save();
    expect(await apply(undefined, { plan: file() }, world, terminal)).toBe(11);
    expect(await apply(undefined, { plan: file(), approve: true }, world, terminal)).toBe(0);
  });

  it('takes nothing that is no plan', async () => {
    await expect(apply(undefined, { plan: file() }, world, terminal)).rejects.toMatchObject({ code: 'not_found' });
    writeFileSync(file(), '{"sync":"hr-to-gooddata","changes":[]}');
    await expect(apply(undefined, { plan: file() }, world, terminal)).rejects.toMatchObject({ code: 'plan_invalid' });
    expect(world.syncs.applies).toEqual([]);
  });
});
