import { usersUnlink } from '../../src/cli/users-unlink.ts';
import { makeTerminal } from './terminal.ts';
import { ISSUER, makeWorld, type World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(() => world.close());

it('withholds from both what a review has taken, says so, and writes it down', async () => {
  await world.people.addSubject(world.alice, { issuer: ISSUER, subject: 'sub-x' }, 'partner');
  const pin = {
    target: 'superset',
    kind: 'role',
    effect: 'withheld',
    by: 'review rv_1',
    reason: 'left sales',
  } as const;
  await world.pins.set({ ...pin, name: 'Alpha', person: world.alice, at: new Date(world.clock.now()) });
  const terminal = makeTerminal();
  await usersUnlink(world.alice, 'sub-x', {}, { ...world, targets: ['superset'] }, terminal);
  expect(terminal.lines[1]).toBe(
    'superset:role:Alpha is withheld from both, by review rv_1: latchgate pins lift ends that for one of them',
  );
  const records = [];
  for await (const record of world.audit.list({})) records.push(record);
  const other = String((records[0]?.after as { person?: string } | undefined)?.person);
  expect(await world.pins.ofAccount(other, 'superset')).toMatchObject([{ ...pin, name: 'Alpha' }]);
  expect(await world.pins.ofAccount(world.alice, 'superset')).toMatchObject([{ ...pin, name: 'Alpha' }]);
  expect(records).toMatchObject([
    { event: 'person.unlinked', person: world.alice },
    {
      event: 'grant.pinned',
      person: other,
      target: 'superset',
      key: 'role:Alpha',
      after: { effect: 'withheld', by: 'review rv_1', reason: 'left sales' },
    },
  ]);
});
