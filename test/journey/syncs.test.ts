import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GOODDATA, gooddataPeople, gooddataUser } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';

// A file of people, kept in step with GoodData by the commands that an operator types, and by the gateway itself.
const PEOPLE = ['ann', 'bob', 'cy', 'dee', 'eve', 'fay'];
const CONFIG = {
  ...GOODDATA,
  sources: '{ hr: { type: file, path: people.csv } }',
  sync: '{ hr-to-gooddata: { from: hr, to: gooddata } }',
};

let journey: Journey;
beforeEach(async () => {
  journey = await startJourney({ sections: CONFIG, start: false });
});
afterEach(() => journey.close());

/** One line for each group of a person. */
function list(people: Readonly<Record<string, readonly string[]>>): void {
  const rows = Object.entries(people).flatMap(([name, groups]) =>
    groups.map((group) => `${name}@acme.test,${name[0]?.toUpperCase()}${name.slice(1)} Smith,${group}`),
  );
  writeFileSync(join(journey.folder, 'people.csv'), `${['email,name,role', ...rows].join('\n')}\n`);
}

const everybody = (groups: readonly string[]) => Object.fromEntries(PEOPLE.map((name) => [name, groups]));
const writes = () => journey.gooddata.requests.filter(({ method }) => method !== 'GET').length;
const lines = (out: string) => out.split('\n').map((line) => JSON.parse(line));
const plan = async (...args: string[]) =>
  JSON.parse((await journey.cli('plan', 'hr-to-gooddata', '--json', ...args)).out);
const groupsOf = (name: string) => {
  const id = gooddataPeople(journey.gooddata.state).find((user) => user.startsWith(name));
  return id === undefined ? undefined : gooddataUser(journey.gooddata.state, id)?.groups;
};

it('plan writes nothing, apply does what was planned, and a second plan is empty', async () => {
  list({ ...everybody(['team-a']), ann: ['team-a', 'admins'] });
  const planned = await plan();
  expect(planned).toMatchObject({ complete: true, listed: 6, held: [], summary: { create: 8, grant: 7, revoke: 0 } });
  expect(writes()).toBe(0);
  const applied = await journey.cli('apply', 'hr-to-gooddata');
  expect(applied.code).toBe(0);
  expect(lines(applied.out).filter(({ outcome }) => outcome === 'applied')).toHaveLength(15);
  expect(groupsOf('ann')).toEqual(['admins', 'team-a']);
  const before = writes();
  expect((await journey.cli('plan', 'hr-to-gooddata', '--detailed-exitcode')).code).toBe(0);
  expect((await journey.cli('apply', 'hr-to-gooddata')).code).toBe(0);
  expect(writes()).toBe(before);
});

it('a list that has shrunk is held, waits for a person, and is applied once it is approved', async () => {
  list(everybody(['team-a']));
  await journey.cli('apply', 'hr-to-gooddata');
  list({ ann: ['team-a'], bob: ['team-a'], cy: ['team-a'] });
  expect((await journey.cli('plan', 'hr-to-gooddata', '--detailed-exitcode')).code).toBe(11);
  const before = writes();
  const held = await journey.cli('apply', 'hr-to-gooddata');
  expect([held.code, writes()]).toEqual([11, before]);
  const [waiting] = lines((await journey.cli('plans', 'list', '--json')).out);
  expect(waiting).toMatchObject({ sync: 'hr-to-gooddata', state: 'held' });
  expect((await journey.cli('plans', 'show', waiting.id)).out).toMatch(/^HELD: [\s\S]*Would lose something: 3 people/);
  expect((await journey.cli('plans', 'approve', waiting.id)).code).toBe(0);
  expect(groupsOf('dee')).toEqual([]);
  expect(groupsOf('ann')).toEqual(['team-a']);
  expect((await journey.cli('plan', 'hr-to-gooddata', '--detailed-exitcode')).code).toBe(0);
  const runs = lines((await journey.cli('syncs', 'runs', 'hr-to-gooddata', '--json')).out);
  expect(runs.map(({ outcome }) => outcome)).toEqual(['applied', 'held', 'applied']);
});

it('a saved plan is applied while it is true, and not after', async () => {
  list({ ann: ['team-a'] });
  const file = join(journey.folder, 'plan.json');
  await plan('--out', file);
  list({ ann: ['team-a'], bob: ['team-a'] });
  expect((await journey.cli('apply', '--plan', file)).code).toBe(1);
  expect(gooddataPeople(journey.gooddata.state)).toEqual([]);
  await plan('--out', file);
  expect((await journey.cli('apply', '--plan', file)).code).toBe(0);
  expect(groupsOf('bob')).toEqual(['team-a']);
});

it('a target that refuses somebody fails that person alone', async () => {
  list(everybody(['team-a']));
  journey.gooddata.faults.add({
    match: (method, path) => method === 'POST' && path.endsWith('/users'),
    times: 1,
    status: 400,
  });
  const { code, out } = await journey.cli('apply', 'hr-to-gooddata');
  expect([code, lines(out).at(-1).result]).toMatchObject([
    1,
    { outcome: 'partial', applied: 5, failed: 1, skipped: 0 },
  ]);
  expect((await journey.cli('apply', 'hr-to-gooddata')).code).toBe(0);
  expect(gooddataPeople(journey.gooddata.state)).toHaveLength(6);
});

it('a ledger that was lost is adopted', async () => {
  list(everybody(['team-a']));
  await journey.cli('apply', 'hr-to-gooddata');
  for (const end of ['', '-wal', '-shm']) rmSync(join(journey.folder, `latchgate.db${end}`), { force: true });
  const before = writes();
  const shown = await journey.cli('adopt', '--json');
  expect([shown.code, JSON.parse(shown.out).rows.length]).toEqual([10, 6]);
  expect((await journey.cli('adopt', '--apply')).code).toBe(0);
  expect((await journey.cli('adopt')).code).toBe(0);
  list(Object.fromEntries(PEOPLE.slice(1).map((name) => [name, ['team-a']])));
  expect((await journey.cli('apply', 'hr-to-gooddata')).code).toBe(0);
  expect([groupsOf('ann'), groupsOf('bob'), writes() > before]).toEqual([[], ['team-a'], true]);
});

describe('beside a gateway that runs', () => {
  const scheduled = (sync: string) =>
    startJourney({
      sections: { ...CONFIG, sync: `{ hr-to-gooddata: { from: hr, to: gooddata, ${sync} } }` },
      start: false,
    });
  const check = async () => {
    const answer = await fetch(`${journey.admin()}/readyz`);
    const { ready, checks } = (await answer.json()) as { ready: boolean; checks: Record<string, object> };
    return { ready, status: answer.status, check: checks['sync:hr-to-gooddata'] };
  };
  const metrics = async () => (await fetch(`${journey.admin()}/metrics`)).text();

  it('is done by the schedule, time after time', async () => {
    await journey.close();
    journey = await scheduled('every: 1s, jitter: 0s, do: apply');
    list({ ann: ['team-a'] });
    await journey.start();
    await until('ann', () => groupsOf('ann') !== undefined || undefined);
    list({ ann: ['team-a'], bob: ['team-b'] });
    await until('bob', () => groupsOf('bob') !== undefined || undefined);
    expect((await metrics()).match(/latchgate_sync_runs_total\{.*outcome="applied".*\} \d+/)).not.toBeNull();
  });

  it('is only reported with do: plan, waits for a person, and a failing source does not make the gateway unready', async () => {
    await journey.close();
    journey = await scheduled('every: 1s, jitter: 0s');
    list({ ann: ['team-a'] });
    await journey.start();
    const waiting = await until('a plan that waits', async () => {
      const { out } = await journey.cli('plans', 'list', '--json');
      return out === '' ? undefined : lines(out)[0];
    });
    expect(waiting).toMatchObject({ state: 'saved', code: null });
    expect(gooddataPeople(journey.gooddata.state)).toEqual([]);
    expect(await metrics()).toContain('latchgate_sync_plans_waiting{sync="hr-to-gooddata"} 1');
    expect((await journey.cli('plans', 'approve', waiting.id)).code).toBe(0);
    expect(groupsOf('ann')).toEqual(['team-a']);
    writeFileSync(join(journey.folder, 'people.csv'), '"broken');
    const failing = await until('a failure', async () => {
      const now = await check();
      return (now.check as { ok: boolean }).ok ? undefined : now;
    });
    expect(failing).toMatchObject({ check: { ok: false, advisory: true, code: expect.stringMatching(/^source_/) } });
    // The provider, the state and the target answer: nobody is kept out because of a file.
    expect(failing).toMatchObject({ ready: true, status: 200 });
    expect((await fetch(`${journey.admin()}/readyz/sync:hr-to-gooddata`)).status).toBe(503);
  });
});
