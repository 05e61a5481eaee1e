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

it('lets nobody in whom the owner lets go after the command has looked at them', async () => {
  const { people, listings } = world;
  const hr = { issuer: 'latchgate:source:hr', subject: 'a-1' };
  const assertion = { ...hr, origin: 'hr', active: true, at: new Date(world.clock.now()), claims: {} };
  await people.addSubject(world.alice, hr, 'hr');
  await listings.save([{ person: world.alice, assertion, description: { displayName: 'Alice' }, owner: 'hr' }]);
  const goneMeanwhile: typeof people = {
    ...people,
    subjects: async (person) => {
      const subjects = await people.subjects(person);
      await listings.saveGone('hr', [{ ...hr, person, owner: 'hr' }], new Date(world.clock.now()));
      return subjects;
    },
  };
  for (const subject of ['sub-a', 'a-1']) {
    const unlinked = usersUnlink(
      world.alice,
      subject,
      {},
      { ...world, people: goneMeanwhile, targets: ['superset'] },
      makeTerminal(),
    );
    await expect(unlinked).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining(`latchgate users enable ${world.alice}`),
    });
  }
  expect(await people.get(world.alice)).toMatchObject({ owner: 'hr', leftAt: expect.any(Date) });
  expect(await people.subjects(world.alice)).toHaveLength(2);
  expect(await people.list(10)).toHaveLength(2);
});

it('of two at once for one subject makes one person, and the other is told that it is done', async () => {
  await world.people.addSubject(world.alice, { issuer: ISSUER, subject: 'sub-x' }, 'partner');
  const deps = { ...world, targets: ['superset'] };
  const both = [1, 2].map(() => usersUnlink(world.alice, 'sub-x', {}, deps, makeTerminal()));
  const answers = (await Promise.allSettled(both)).map((one) => (one.status === 'rejected' ? one.reason.code : 0));
  expect(answers.toSorted()).toEqual([0, 'not_found']);
  expect(await world.people.list(10)).toHaveLength(3);
});
