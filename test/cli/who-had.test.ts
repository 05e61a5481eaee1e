import { auditWhoHad } from '../../src/cli/audit-who-had.ts';
import { usersLink } from '../../src/cli/users-link.ts';
import { usersUnlink } from '../../src/cli/users-unlink.ts';
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

describe('of somebody of whom two were made since', () => {
  const unlink = async (who: string, subject: string): Promise<string> => {
    const terminal = makeTerminal();
    await usersUnlink(who, subject, { json: true }, { ...world, targets: ['superset'] }, terminal);
    return JSON.parse(terminal.lines.join('')).unlinked;
  };
  const holders = async (at: string) => {
    const terminal = makeTerminal();
    const { people, audit, clock } = world;
    const deps = { directory: world, people, audit, clock, targets: ['superset'] };
    await auditWhoHad('role:Alpha', { at, json: true }, deps, terminal);
    return JSON.parse(terminal.lines.join('')).holders;
  };
  let other: string;

  beforeEach(async () => {
    const grant = { actor: 'login:partner', target: 'superset', key: 'role:Alpha', rule: 'r', origin: 'partner' };
    await world.people.addSubject(world.alice, { issuer: ISSUER, subject: 'sub-x' }, 'partner');
    await world.audit.append([{ ...grant, person: world.alice, event: 'grant.given' }]);
    world.clock.fastForward(60_000);
    other = await unlink(world.alice, 'sub-x');
    world.clock.fastForward(60_000);
    await world.audit.append([{ ...grant, person: world.alice, event: 'grant.taken' }]);
    await world.audit.append([{ ...grant, person: other, event: 'grant.given' }]);
    world.clock.fastForward(60_000);
  });

  it('names whose it was at that time, and who was one with them', async () => {
    const [row = '', ...more] = (await ask('2026-01-02T03:04:30Z')).rows;
    expect(more).toEqual([]);
    expect(row).toMatch(
      new RegExp(`^Alice +${world.alice} .* one with ${other} \\(sub-x\\) until 2026-01-02 03:05:06Z$`),
    );
    const until = '2026-01-02T03:05:06.000Z';
    const apart = [{ person: other, subject: 'sub-x', until }];
    expect(await holders('2026-01-02T03:04:30Z')).toMatchObject([{ person: world.alice, now: world.alice, apart }]);
  });

  it('says nothing of it from then on', async () => {
    expect(await holders('2026-01-02T03:05:30Z')).toMatchObject([{ person: world.alice, apart: [] }]);
    expect(await holders('2026-01-02T03:07:00Z')).toMatchObject([{ person: other, now: other, apart: [] }]);
  });

  it('nor when they are one again', async () => {
    await usersLink(world.alice, other, {}, world, makeTerminal());
    expect(await holders('2026-01-02T03:04:30Z')).toMatchObject([{ person: world.alice, apart: [] }]);
  });

  it('names who the other one is by now, and those of whoever they were linked to, but none of before that', async () => {
    await world.people.addSubject(world.bob, { issuer: ISSUER, subject: 'sub-y' }, 'partner');
    await world.people.addSubject(world.bob, { issuer: ISSUER, subject: 'sub-z' }, 'crm');
    await unlink(world.bob, 'sub-y');
    await usersLink(world.bob, world.alice, {}, world, makeTerminal());
    const third = await unlink(world.bob, 'sub-z');
    const { id: carol } = await world.people.ensure({ issuer: ISSUER, subject: 'sub-c' }, 'staff', 'Carol');
    await usersLink(carol, other, {}, world, makeTerminal());
    const [holder] = await holders('2026-01-02T03:04:30Z');
    expect(holder).toMatchObject({ person: world.alice, now: world.bob });
    expect(holder.apart.map(({ person, subject }: Record<string, string>) => [person, subject])).toEqual([
      [carol, 'sub-x'],
      [third, 'sub-z'],
    ]);
  });
});
