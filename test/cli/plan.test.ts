import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plan } from '../../src/cli/plan.ts';
import { LatchgateError } from '../../src/model/errors.ts';
import { EXAMPLES, leaver, newPerson } from '../sync/example-plans.ts';
import { makeSyncWorld, SYNC, type SyncWorld } from './sync-world.ts';
import { makeTerminal, type Terminal } from './terminal.ts';

let world: SyncWorld;
let terminal: Terminal;
let folder: string;

beforeEach(async () => {
  world = await makeSyncWorld();
  terminal = makeTerminal();
  folder = mkdtempSync(join(tmpdir(), 'latchgate-plan-'));
});
afterEach(async () => {
  await world.close();
  rmSync(folder, { recursive: true });
});

const HELD = EXAMPLES['five']?.held ?? [];
const BRAKE = { code: 'source_empty', message: 'hr listed nobody' } as const;

describe('plan', () => {
  it('shows what would be done, and writes nothing into the state', async () => {
    world.syncs.changes = newPerson('ada@example.com', 'analysts');
    expect(await plan(SYNC, {}, world, terminal)).toBe(0);
    expect(terminal.lines.join('\n')).toContain('"ada@example.com"');
    expect([await world.plans.list(10), await world.syncRuns.recent(SYNC, 10)]).toEqual([[], []]);
    expect(world.syncs.applies).toEqual([]);
  });

  it('has colours on a terminal alone, and not where they are unwanted', async () => {
    world.syncs.changes = newPerson('ada@example.com');
    for (const [env, isTTY, colored] of [
      [{}, true, true],
      [{ NO_COLOR: '1' }, true, false],
      [{}, false, false],
    ] as const) {
      const io = makeTerminal(env, isTTY);
      await plan(SYNC, {}, world, io);
      expect(io.lines.join('').includes('\u001b[')).toBe(colored);
    }
  });

  it('prints the members that programs rely on', async () => {
    world.syncs.changes = EXAMPLES['five']?.changes ?? [];
    world.syncs.parts = { held: HELD };
    await plan(SYNC, { json: true }, world, terminal);
    const json = JSON.parse(terminal.lines.join('\n'));
    expect(json).toMatchObject({
      id: 'pl_1',
      sync: SYNC,
      target: 'gooddata',
      complete: true,
      summary: { create: 3, update: 2, disable: 2, delete: 0, grant: 3, revoke: 1, held: 1 },
    });
    for (const change of json.changes)
      expect(change).toMatchObject({
        op: expect.stringMatching(/^(create|update|disable|delete|grant|revoke)$/),
        type: expect.stringMatching(/^(user|group)$/),
        key: expect.any(String),
        fields: expect.any(Array),
        reason: expect.any(String),
      });
    expect(json.held).toEqual([expect.objectContaining({ code: 'account_ambiguous', fields: [] })]);
  });

  it('prints Markdown', async () => {
    world.syncs.changes = newPerson('ada@example.com');
    await plan(SYNC, { markdown: true }, world, terminal);
    expect(terminal.lines[0]).toMatch(/^## `hr-to-gooddata`: 1 create\n/);
  });

  it.each([
    ['nothing', [], [], undefined, 0],
    ['changes', newPerson('a'), [], undefined, 10],
    ['changes, and something held', newPerson('a'), HELD, undefined, 11],
    ['only something held', [], HELD, undefined, 11],
    ['the brake', leaver('a'), [], BRAKE, 11],
  ] as const)('says by its exit code, when asked to: %s', async (_what, changes, held, brake, code) => {
    Object.assign(world.syncs, { changes, parts: { held }, brake });
    expect(await plan(SYNC, { detailedExitcode: true }, world, terminal)).toBe(code);
    expect(await plan(SYNC, {}, world, terminal)).toBe(0);
  });

  it('fails with what the source fails with', async () => {
    world.syncs.failure = new LatchgateError('source_unavailable', 'hr does not answer');
    await expect(plan(SYNC, {}, world, terminal)).rejects.toMatchObject({ code: 'source_unavailable' });
    await expect(plan('nothing', {}, world, terminal)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('plan --out', () => {
  it('writes a file for its owner alone, whole or not at all', async () => {
    world.syncs.changes = newPerson('ada@example.com');
    const file = join(folder, 'plan.json');
    writeFileSync(file, 'older', { mode: 0o644 });
    await plan(SYNC, { out: file, json: true }, world, terminal);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(terminal.lines.join('\n')));
    expect(readdirSync(folder)).toEqual(['plan.json']);
  });

  it('puts the file in place of a link, and not behind it', async () => {
    const elsewhere = join(folder, 'elsewhere');
    writeFileSync(elsewhere, 'untouched');
    symlinkSync(elsewhere, join(folder, 'plan.json'));
    await plan(SYNC, { out: join(folder, 'plan.json') }, world, terminal);
    expect(readFileSync(elsewhere, 'utf8')).toBe('untouched');
  });

  it('says so when it cannot', async () => {
    const out = join(folder, 'none', 'plan.json');
    await expect(plan(SYNC, { out }, world, terminal)).rejects.toMatchObject({ code: 'plan_unwritable' });
  });
});
