import { auditWhoHad } from '../../src/cli/audit-who-had.ts';
import { usersLink } from '../../src/cli/users-link.ts';
import { undo } from '../../src/review/undo.ts';
import { makeTerminal } from './terminal.ts';
import { ISSUER, makeWorld, type World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(() => world.close());

async function ask(at: string) {
  const terminal = makeTerminal();
  const { people, audit, clock } = world;
  await auditWhoHad('role:Alpha', { at }, { directory: world, people, audit, clock, targets: ['superset'] }, terminal);
  return { rows: terminal.lines.slice(1), errors: terminal.errors };
}

/** Alice has it from a moment within one second to a moment within another, an hour later. */
async function givenAndTaken(): Promise<void> {
  const grant = {
    actor: 'login:staff',
    person: world.alice,
    target: 'superset',
    key: 'role:Alpha',
    rule: 'r',
    origin: 'o',
  };
  world.clock.fastForward(123);
  await world.audit.append([{ ...grant, event: 'grant.given' }]);
  world.clock.fastForward(3_600_000);
  await world.audit.append([{ ...grant, event: 'grant.taken' }]);
  world.clock.fastForward(86_400_000);
}

it('finds by the times that it prints those who had it from then, and no more those who had it until then', async () => {
  await givenAndTaken();
  const [row = ''] = (await ask('2026-01-02T03:30:00Z')).rows;
  const [since = '', until = ''] = row.match(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/g) ?? [];
  expect([since, until]).toEqual(['2026-01-02 03:04:06Z', '2026-01-02 04:04:06Z']);
  expect(await ask(since)).toEqual({ rows: [row], errors: ['at 2026-01-02 03:04:06.999Z'] });
  expect((await ask(until)).rows).toEqual([]);
  expect((await ask('2026-01-02T03:04:06.122Z')).rows).toEqual([]);
  expect((await ask('2026-01-02T03:04:06.123Z')).rows).toEqual([row]);
});

it.each([
  ['2026-01-02 03:04:06', '2026-01-02 03:04:06.999Z'],
  ['2026-01-02T03:04', '2026-01-02 03:04:59.999Z'],
  ['2026-01-02T05:04:06+02:00', '2026-01-02 03:04:06.999Z'],
  ['2026-01-02', '2026-01-02 23:59:59.999Z'],
  ['2026-01-03', '2026-01-03 04:04:06.123Z'],
  ['1d', '2026-01-02 04:04:06.123Z'],
])('takes %s for %s, in UTC and never later than now', async (at, understood) => {
  await givenAndTaken();
  expect((await ask(at)).errors[0]).toBe(`at ${understood}`);
});

it.each(['2026-01-03T04:04:07Z', '2030-01-01', '2026-01-03 05:00'])(
  'refuses %s, which is still to come',
  async (at) => {
    await givenAndTaken();
    await expect(ask(at)).rejects.toMatchObject({ code: 'usage' });
  },
);

describe('of somebody who was linked to another since, and that one to a third', () => {
  const grant = { actor: 'login:staff', target: 'superset', key: 'role:Alpha', rule: 'r', origin: 'o' };
  let carol: string;
  let given: number;
  beforeEach(async () => {
    ({ id: carol } = await world.people.ensure({ issuer: ISSUER, subject: 'sub-c' }, 'staff', 'Carol'));
    await world.audit.append([{ ...grant, person: world.bob, event: 'grant.given' }]);
    world.clock.fastForward(60_000);
    const released = { actor: 'operator', person: world.bob, target: 'superset', key: 'bob' };
    await world.audit.append([{ ...released, event: 'account.released' }]);
    await usersLink(world.alice, world.bob, {}, world, makeTerminal());
    await usersLink(carol, world.alice, {}, world, makeTerminal());
    for await (const { event, seq } of world.audit.list({})) if (event === 'grant.given') given = seq;
  });

  it('names who they are now, and who they were', async () => {
    const [row = ''] = (await ask('2026-01-02T03:04:30Z')).rows;
    expect(row).toMatch(new RegExp(`^Carol +${carol} .* was ${world.bob} then, and was linked to ${carol} since$`));
    const terminal = makeTerminal();
    const { people, audit, clock } = world;
    const deps = { directory: world, people, audit, clock, targets: ['superset'] };
    await auditWhoHad('role:Alpha', { at: '2026-01-02T03:04:30Z', json: true }, deps, terminal);
    const { holders } = JSON.parse(terminal.lines.join(''));
    expect(holders).toMatchObject([{ person: world.bob, now: carol, name: 'Carol' }]);
  });

  it('undoes nothing, and says who they are now', async () => {
    const never = () => Promise.reject(new Error('asked all the same'));
    const deps = { again: never, planAgain: never, wants: never, together: never };
    const provisioner = { disable: never, enable: never };
    const undoing = undo({ ...deps, provisioner, directory: world, audit: world.audit, clock: world.clock }, given, {
      actor: 'operator',
      requestId: 'r',
      dryRun: false,
    });
    await expect(undoing).rejects.toMatchObject({
      code: 'undo_stale',
      message: `the person was linked to ${carol} since, and is ${carol} now; nothing was done`,
    });
  });
});
