import { LatchgateError } from '../../src/model/errors.ts';
import { undo } from '../../src/review/undo.ts';
import { SyncWorld } from '../sync/world.ts';

/*
 * A record of the audit is undone through the engine: what is in the target is what was there before, or it is said what
 * has moved since, and nothing is done.
 */
let world: SyncWorld;
beforeEach(async () => {
  world = await new SyncWorld().open();
  world.hr.add('ann', { groups: ['User'], preferred_username: 'ann' });
  world.hr.add('bob', { groups: ['User'], preferred_username: 'bob' });
  await world.apply();
});
afterEach(() => world.close());

async function records() {
  const all = [];
  for await (const record of world.audit.list({})) all.push(record);
  return all;
}

async function personOf(name: string): Promise<string> {
  const people = await world.directory.people.list(10);
  return people.find(({ displayName }) => displayName.startsWith(name))?.id ?? '';
}

async function last(event: string, key?: string): Promise<number> {
  const person = await personOf('ann');
  const found = (await records()).findLast(
    (one) => one.event === event && one.person === person && (key === undefined || one.key === key),
  );
  if (found === undefined) throw new Error(`no record of ${event}`);
  return found.seq;
}

function undoing(seq: number, dryRun = false, more: Partial<Parameters<typeof undo>[0]> = {}) {
  const { directory, audit, engine, deps } = world;
  return undo(
    {
      directory,
      audit,
      together: deps.together,
      clock: { now: () => world.now },
      provisioner: engine,
      again: (...args) => engine.again(...args),
      planAgain: (...args) => engine.planAgain(...args),
      wants: (...args) => engine.wants(...args),
      ...more,
    },
    seq,
    { actor: 'operator', requestId: 'undo-1', dryRun },
  );
}

const given = () => world.bi.given('ann');
const BEFORE = ['group:analysts', 'role:Alpha'];
const isOn = () => [...world.bi.accounts.values()].find(({ userName }) => userName === 'ann')?.active;
const disable = async () =>
  world.engine.disable(await personOf('ann'), {
    actor: 'operator',
    requestId: 'r',
    signal: AbortSignal.timeout(5_000),
  });

it('takes what was given, which no sync gives again, and gives it back when that is undone', async () => {
  await undoing(await last('grant.given', 'role:Alpha'));
  expect(given()).toEqual(['group:analysts']);
  await world.apply();
  expect(given()).toEqual(['group:analysts']);
  const seq = await last('grant.given', 'role:Alpha');
  expect(await last('change.undone')).toBeGreaterThan(seq);
  expect((await records()).find(({ event }) => event === 'change.undone')).toMatchObject({
    actor: 'operator',
    requestId: 'undo-1',
    key: 'role:Alpha',
    before: { seq, event: 'grant.given', hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });
  expect((await records()).find(({ event }) => event === 'grant.pinned')).toMatchObject({
    requestId: 'undo-1',
    after: { effect: 'withheld', by: `undo ${seq}` },
  });
  const { did } = await undoing(await last('grant.taken', 'role:Alpha'));
  expect(did).toBe(`role:Alpha is given again: the pin by undo ${seq} is lifted`);
  expect(given()).toEqual(BEFORE);
  expect(await world.directory.pins.ofPerson(await personOf('ann'))).toEqual([]);
});

it('gives back what the rules have taken, pinned, and says that they would take it again', async () => {
  world.hr.add('ann', { groups: ['User', 'team-a'], preferred_username: 'ann' });
  await world.apply();
  world.hr.add('ann', { groups: ['User'], preferred_username: 'ann' });
  await world.apply();
  expect(given()).toEqual(BEFORE);
  const seq = await last('grant.taken', 'group:team-a');
  expect((await undoing(seq)).did).toBe('group:team-a is given again, and pinned: the rules would take it again');
  expect(given()).toEqual(['group:analysts', 'group:team-a', 'role:Alpha']);
  await world.apply();
  expect(given()).toEqual(['group:analysts', 'group:team-a', 'role:Alpha']);
});

it('lifts a pin, and sets it again', async () => {
  await undoing(await last('grant.given', 'role:Alpha'));
  await undoing(await last('grant.pinned'));
  expect(given()).toEqual(BEFORE);
  const person = await personOf('ann');
  const before = { effect: 'withheld', by: 'review rv_1', reason: 'moved' };
  const about = { actor: 'operator', person, target: 'bi', key: 'role:Alpha' };
  await world.audit.append([{ event: 'pin.lifted', ...about, before }]);
  await undoing(await last('pin.lifted'));
  expect(given()).toEqual(['group:analysts']);
  expect(await world.directory.pins.ofPerson(person)).toMatchObject([{ effect: 'withheld', reason: 'moved' }]);
});

it('switches on who was disabled, and off again', async () => {
  await disable();
  expect(isOn()).toBe(false);
  await undoing(await last('person.disabled'));
  expect({ on: isOn(), given: given() }).toEqual({ on: true, given: BEFORE });
  await undoing(await last('person.enabled'));
  expect(isOn()).toBe(false);
});

it('says what would be done, and does nothing', async () => {
  const before = (await records()).length;
  const { did } = await undoing(await last('grant.given', 'role:Alpha'), true);
  expect(did).toBe('role:Alpha is taken, and pinned so that it is not given again');
  expect({ given: given(), records: (await records()).length }).toEqual({ given: BEFORE, records: before });
});

describe('a target that is down for a moment', () => {
  const pins = async () =>
    (await world.directory.pins.ofPerson(await personOf('ann'))).map(({ name, effect }) => `${effect} ${name}`);
  const undoneCount = async () => (await records()).filter(({ event }) => event === 'change.undone').length;

  /** While `method` of the target fails. */
  async function whileDown<T>(method: 'read' | 'apply', work: () => Promise<T>): Promise<T> {
    world.bi.hook = (call) => {
      if (call.startsWith(method)) throw new LatchgateError('target_unavailable', 'down');
    };
    try {
      return await work();
    } finally {
      world.bi.hook = () => {};
    }
  }

  it('cannot be read: nothing is pinned, lifted or said to be undone, and it is given back when it is up', async () => {
    await undoing(await last('grant.given', 'role:Alpha'));
    const seq = await last('grant.taken', 'role:Alpha');
    await expect(whileDown('read', () => undoing(seq))).rejects.toMatchObject({ code: 'target_unavailable' });
    expect([await pins(), await undoneCount()]).toEqual([['withheld Alpha'], 1]);
    await undoing(seq);
    expect([given(), await pins(), await undoneCount()]).toEqual([BEFORE, [], 2]);
    world.hr.add('ann', { groups: ['team-a'], preferred_username: 'ann' });
    await world.apply();
    expect(given()).toEqual(['group:team-a']);
  });

  it('cannot be written to: the pin is lifted, none is set, and what the rules give comes by itself', async () => {
    await undoing(await last('grant.given', 'role:Alpha'));
    const seq = await last('grant.taken', 'role:Alpha');
    const { pending } = await whileDown('apply', () => undoing(seq));
    expect([pending, await pins()]).toEqual(['target_unavailable', []]);
    await world.apply();
    expect([given(), await pins()]).toEqual([BEFORE, []]);
  });

  it('cannot be written to: what the rules give without a pin is not said to be undone, and the same is done again', async () => {
    await undoing(await last('grant.given', 'role:Alpha'));
    const seq = await last('grant.taken', 'role:Alpha');
    await world.directory.pins.lift(await personOf('ann'), 'bi', { kind: 'role', name: 'Alpha' });
    const { pending } = await whileDown('apply', () => undoing(seq));
    expect([pending, await pins(), await undoneCount()]).toEqual(['target_unavailable', [], 1]);
    await undoing(seq);
    expect([given(), await pins(), await undoneCount()]).toEqual([BEFORE, [], 2]);
  });

  it('cannot be written to: an account that is not on again is not said to be, and is switched on later', async () => {
    world.hr.add('ann', { groups: [], preferred_username: 'ann' });
    await world.apply();
    const seq = await last('account.disabled');
    world.hr.add('ann', { groups: ['User'], preferred_username: 'ann' });
    await whileDown('apply', () => world.apply());
    const { pending } = await whileDown('apply', () => undoing(seq));
    expect([pending, await undoneCount(), isOn()]).toEqual(['target_unavailable', 0, false]);
    await undoing(seq);
    expect([await undoneCount(), isOn()]).toEqual([1, true]);
  });
});

describe('what follows from it cannot even be tried', () => {
  const again = async () => {
    throw new LatchgateError('no_access', 'what is remembered cannot be read');
  };
  const waiting = async () => {
    const due = await world.directory.retries.due(new Date(world.now + 86_400_000), 10);
    return due.map(({ target, code }) => `${target} ${code}`);
  };
  const catchUp = async () => {
    world.now += 86_400_000;
    await world.engine.retryDue(10);
  };

  it('a grant that was taken: it is decided, and follows in the background', async () => {
    const { pending } = await undoing(await last('grant.given', 'role:Alpha'), false, { again });
    expect([pending, await waiting(), given()]).toEqual(['no_access', ['bi no_access'], BEFORE]);
    await catchUp();
    expect([given(), await waiting()]).toEqual([['group:analysts'], []]);
  });

  it('a pin that was lifted: the rules decide again, in the background', async () => {
    await undoing(await last('grant.given', 'role:Alpha'));
    const { pending } = await undoing(await last('grant.pinned'), false, { again });
    expect([pending, await waiting(), given()]).toEqual(['no_access', ['bi no_access'], ['group:analysts']]);
    await catchUp();
    expect([given(), await waiting()]).toEqual([BEFORE, []]);
  });

  it('somebody who is enabled again: their accounts follow in the background', async () => {
    await disable();
    const { pending } = await undoing(await last('person.disabled'), false, { again });
    expect([pending, isOn(), await waiting()]).toEqual(['no_access', false, ['bi no_access']]);
    await catchUp();
    expect([isOn(), given()]).toEqual([true, BEFORE]);
  });

  it('an account that is to be switched on: nothing was decided, and the same is done again', async () => {
    world.hr.add('ann', { groups: [], preferred_username: 'ann' });
    await world.apply();
    const seq = await last('account.disabled');
    world.hr.add('ann', { groups: ['User'], preferred_username: 'ann' });
    world.bi.hook = (op) => {
      if (op === 'apply') throw new LatchgateError('target_unavailable', 'it is down');
    };
    await world.apply();
    world.bi.hook = () => {};
    await expect(undoing(seq, false, { again })).rejects.toMatchObject({ code: 'no_access' });
    await undoing(seq);
    expect(isOn()).toBe(true);
  });
});

describe('what has moved since', () => {
  async function refused(seq: number): Promise<string> {
    const before = { accounts: JSON.stringify([...world.bi.accounts]), records: (await records()).length };
    const message = await undoing(seq).then(
      () => 'it was undone',
      (error: { code?: string; message: string }) => `${error.code}: ${error.message}`,
    );
    expect({ accounts: JSON.stringify([...world.bi.accounts]), records: (await records()).length }).toEqual(before);
    return message;
  }

  it('is said, and nothing is done', async () => {
    const seq = await last('grant.given', 'role:Alpha');
    world.hr.add('ann', { groups: ['Admin'], preferred_username: 'ann' });
    await world.apply();
    expect(await refused(seq)).toMatch(/^undo_stale: record \d+ \(grant\.taken, .*\) came after it; nothing was done$/);
    const admin = await last('grant.given', 'role:Admin');
    world.hr.add('ann', { groups: [], preferred_username: 'ann' });
    await world.apply();
    expect(await refused(admin)).toMatch(/^undo_stale: the account is switched off by now/);
  });

  it('is that it was undone already', async () => {
    const seq = await last('grant.given', 'role:Alpha');
    await undoing(seq);
    expect(await refused(seq)).toMatch(/^undo_stale: record \d+ has undone it already/);
  });

  it('is that the person was disabled, has left, or is given nothing there', async () => {
    world.hr.add('ann', { groups: ['User', 'team-a'], preferred_username: 'ann' });
    await world.apply();
    world.hr.add('ann', { groups: ['User'], preferred_username: 'ann' });
    await world.apply();
    const seq = await last('grant.taken', 'group:team-a');
    await disable();
    const disabled = await last('person.disabled');
    expect(await refused(seq)).toBe(`undo_stale: this person was disabled (record ${disabled}); nothing was done`);
    expect(await refused(await last('account.disabled'))).toMatch(/^undo_stale: this person was disabled/);
    await undoing(disabled);
    world.hr.add('ann', { groups: ['suspended'], preferred_username: 'ann' });
    await world.apply();
    expect(await refused(await last('account.disabled'))).toMatch(
      /^undo_stale: the rules give the person nothing there/,
    );
  });

  it('is that there is no such record, or that its kind has no opposite', async () => {
    expect(await refused(999_999)).toMatch(/^not_found: /);
    expect(await refused(await last('account.created'))).toMatch(/^undo_impossible: record \d+ is account.created/);
    await undoing(await last('grant.given', 'role:Alpha'));
    expect(await refused(await last('change.undone'))).toMatch(/^undo_impossible: /);
  });
});
