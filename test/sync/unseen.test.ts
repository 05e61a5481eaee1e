import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPlanFile, writePlanFile } from '../../src/sync/plan-file.ts';
import { SyncWorld, type SyncWorldOptions } from './world.ts';

/** Nobody is shut out by a plan that does not show it, or that somebody approved before it was so. */
let world: SyncWorld;

async function start(options: SyncWorldOptions = {}) {
  world = await new SyncWorld().open({ joined: ['hr'], stopIf: { removals: { percent: 10 } }, ...options });
}
afterEach(() => world.close());

const THIRTY = Array.from({ length: 30 }, (_, at) => `p${at}`);

function listAll(claims: Record<string, unknown>, active = true): void {
  for (const who of THIRTY) world.hr.add(who, claims, active);
}

async function left() {
  const people = await world.directory.people.list(100);
  return people.filter(({ leftAt }) => leftAt !== undefined);
}

describe('people without an account who are all listed as inactive', () => {
  async function allAreShownAndHeld() {
    listAll({ groups: ['nothing'] }, false);
    const plan = await world.plan();
    expect(plan).toMatchObject({ brake: { code: 'source_short' }, summary: { disable: 30 } });
    expect(await world.apply()).toMatchObject({ outcome: 'held' });
    expect(await left()).toEqual([]);
  }

  it('are shown and held when they lost it in a target by hand', async () => {
    await start();
    listAll({ groups: ['nothing'] });
    for (const who of THIRTY) await world.login(who, { groups: ['Side'] }, 'side');
    world.side.accounts.clear();
    await world.apply();
    expect(await world.plan()).toMatchObject({ changes: [] });
    await allAreShownAndHeld();
  });

  it('are shown and held when no rule gives them one', async () => {
    await start();
    listAll({ groups: ['nothing'] });
    await world.apply();
    await allAreShownAndHeld();
  });

  it('are shown and held where there are no rules at all', async () => {
    await start({ rules: {} });
    listAll({});
    await world.apply();
    await allAreShownAndHeld();
  });

  it('do not leave by the plan that was seen before, which was empty', async () => {
    await start();
    listAll({ groups: ['nothing'] });
    await world.apply();
    const { fingerprint, changes } = await world.plan();
    expect(changes).toEqual([]);
    listAll({ groups: ['nothing'] }, false);
    expect(await world.apply('hr', { expect: fingerprint })).toMatchObject({ outcome: 'stale' });
    expect(await left()).toEqual([]);
    expect(world.ended).toEqual([]);
  });
});

it('an approved plan sees nobody off whom it did not show', async () => {
  await start({ stopIf: { removals: { people: 3 } } });
  const some = ['a0', 'a1', 'a2', 'a3', 'a4'];
  const others = ['n0', 'n1', 'n2', 'n3', 'n4'];
  for (const who of some) world.hr.add(who, { groups: ['User'] });
  for (const who of others) world.hr.add(who, { groups: ['nothing'] });
  await world.apply();
  for (const who of some) world.hr.add(who, { groups: ['nothing'] });
  const seen = await world.plan();
  expect(seen).toMatchObject({ brake: { code: 'too_many_removals' } });
  for (const who of others) world.hr.people.delete(who);
  const result = await world.apply('hr', { approve: true, expect: seen.fingerprint });
  expect(result).toMatchObject({ outcome: 'stale' });
  expect(await left()).toEqual([]);
});

it('a plan file out of which somebody was taken is not read', async () => {
  await start();
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-plan-'));
  const file = join(folder, 'plan.json');
  for (const who of ['ann', 'bob']) world.hr.add(who, { groups: ['User'] });
  await world.apply();
  world.hr.people.delete('bob');
  world.hr.add('ann', { groups: ['User', 'team-a'] });
  const plan = await world.plan();
  writePlanFile(file, plan);
  expect(readPlanFile(file).fingerprint).toBe(plan.fingerprint);
  const { changes, ...rest } = JSON.parse(readFileSync(file, 'utf8')) as { changes: { op: string }[] };
  writeFileSync(file, JSON.stringify({ ...rest, changes: changes.filter(({ op }) => op !== 'disable') }));
  expect(() => readPlanFile(file)).toThrow(expect.objectContaining({ code: 'plan_invalid' }));
  rmSync(folder, { recursive: true });
});
