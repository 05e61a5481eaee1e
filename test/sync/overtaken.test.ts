import { LatchgateError } from '../../src/model/errors.ts';
import { startOrganisation } from '../targets/gooddata/subject.ts';
import { lines, SyncWorld, type SyncWorldOptions } from './world.ts';

/** What becomes of a run during which something else happens, or that is cut off in the middle. */
let world: SyncWorld;

async function start(options: SyncWorldOptions = {}) {
  world = await new SyncWorld().open({ joined: ['hr'], ...options });
  world.hr.add('ann', { groups: ['User'] });
  world.hr.add('bob', { groups: ['User'] });
}
afterEach(() => world.close());

/** Applies, and does that once all is planned and before anything is written. */
async function applyWhile(work: () => Promise<unknown>) {
  let times = 0;
  const prepare = async () => {
    times += 1;
    await work();
  };
  Object.assign(world.bi, { prepare });
  const result = await world.apply();
  expect(times).toBe(1);
  Object.assign(world.bi, { prepare: undefined });
  return result;
}

const fails = () => {
  throw new LatchgateError('target_unavailable', 'down');
};

describe('a login while a run is under way', () => {
  it('keeps what it gave', async () => {
    await start();
    await world.login('ann', { groups: ['team-a'] });
    await world.apply();
    world.hr.add('ann', { groups: ['User', 'team-y'] });
    await applyWhile(() => world.login('ann', { groups: ['team-a', 'team-b'] }));
    expect(world.accounts()).toMatchObject({
      ann: 'group:analysts group:team-a group:team-b group:team-y role:Alpha',
    });
  });

  it('keeps away what it took', async () => {
    await start();
    await world.login('ann', { groups: ['Admin'] });
    await world.apply();
    expect(world.accounts()).toMatchObject({ ann: 'group:analysts role:Admin role:Alpha' });
    world.hr.add('ann', { groups: ['User', 'team-y'] });
    await applyWhile(() => world.login('ann', { groups: [] }));
    expect(world.accounts()).toMatchObject({ ann: 'group:analysts group:team-y role:Alpha' });
  });

  it('keeps the account that the run was about to switch off, of whom another source owns', async () => {
    await start({ joined: ['hr', 'crm'] });
    world.crm.add('ann', { groups: [] });
    await world.apply('crm');
    await world.apply();
    world.hr.people.delete('ann');
    expect(lines((await world.plan()).changes)).toEqual(['disable ann']);
    await applyWhile(() => world.login('ann', { groups: ['team-b'] }));
    expect(world.accounts()).toMatchObject({ ann: 'group:team-b' });
  });

  it('keeps the account that was nobody’s when the run was planned', async () => {
    await start({ manage: 'all' });
    world.bi.addAccount({ userName: 'carl', profile: { email: 'carl@acme.test' } });
    const { plan } = await applyWhile(() => world.login('carl', { groups: ['team-b'] }));
    expect(lines(plan.changes)).toContain('disable carl');
    expect(world.accounts()).toMatchObject({ carl: 'group:team-b' });
  });
});

describe('a change by hand while a run is under way', () => {
  it('lets whom an operator enables again have their account the next time', async () => {
    await start();
    await world.apply();
    const ann = (await world.personOf('ann'))?.id ?? '';
    await world.engine.disable(ann, { actor: 'operator', requestId: 'd', signal: AbortSignal.timeout(5_000) });
    world.hr.add('bob', { groups: ['User', 'team-a'] });
    await applyWhile(() => world.engine.enable(ann, { actor: 'operator', requestId: 'e' }));
    expect(world.accounts()).toMatchObject({ bob: 'group:analysts group:team-a role:Alpha' });
    await world.apply();
    expect(world.accounts()).toMatchObject({ ann: 'group:analysts role:Alpha' });
  });

  it('saves whom an operator enables again from being deleted', async () => {
    await start({ leaver: { now: 'delete' } });
    await world.apply();
    const ann = (await world.personOf('ann'))?.id ?? '';
    await world.directory.people.setDisabled(ann, true);
    world.hr.add('bob', { groups: ['User', 'team-a'] });
    const { plan } = await applyWhile(() => world.directory.people.setDisabled(ann, false));
    expect(lines(plan.changes)).toContain('delete ann');
    expect(Object.keys(world.accounts())).toContain('ann');
  });

  it('takes nothing from whom the source lists again before their turn to leave comes', async () => {
    await start({ leaver: { now: 'delete' } });
    await world.apply();
    const ann = (await world.personOf('ann'))?.id ?? '';
    expect(await world.engine.leave(ann, 'bi', 'scheduler', 'late')).toMatchObject({ status: 'ready' });
    expect(world.accounts()).toMatchObject({ ann: 'group:analysts role:Alpha' });
  });

  it('that gives the id of an account to somebody else saves it from being deleted', async () => {
    const { target, emulator, close } = await startOrganisation();
    let meanwhile = () => {};
    const prepare = async (signal: AbortSignal) => {
      await target.prepare?.(signal);
      meanwhile();
    };
    const rules = { users: { when: { groups: 'User' }, grant: { bi: { groups: ['g'] } } } };
    await start({ target: { ...target, name: 'bi', prepare }, leaver: { now: 'delete' }, rules });
    const { users } = emulator.state;
    await world.apply();
    world.hr.people.delete('bob');
    await world.apply();
    expect([...users.keys()]).not.toContain('bob');
    world.hr.add('bob', { groups: ['User'] });
    await world.apply();
    world.hr.people.delete('bob');
    const other = {
      id: 'bob',
      attributes: { authenticationId: 'other', email: 'bob@other.test' },
      relationships: {},
    };
    meanwhile = () => void users.set('bob', other);
    expect(lines((await world.apply()).plan.changes)).toEqual(['delete bob']);
    expect(users.get('bob')).toEqual(other);
    await close();
  });
});

describe('the account in another target of somebody who left', () => {
  beforeEach(async () => {
    await start();
    world.hr.add('ann', { groups: ['User', 'Side'] });
    await world.login('ann', { groups: ['Side'] }, 'side');
    await world.apply();
    expect(world.accounts(world.side)).toEqual({ ann: 'group:side' });
    world.hr.people.delete('ann');
  });

  /** The next run goes about it again. */
  async function offTheNextTime() {
    world.now += 60_000;
    expect(lines((await world.plan()).changes)).toContain('disable ann in side');
    expect(await world.apply()).toMatchObject({ outcome: 'applied' });
    expect(world.accounts(world.side)).toEqual({ ann: '(group:side)' });
  }

  it('is switched off by the next run when that target failed', async () => {
    world.side.hook = (call) => {
      if (call === 'apply') fails();
    };
    expect(await world.apply()).toMatchObject({ outcome: 'partial' });
    expect(world.accounts(world.side)).toEqual({ ann: 'group:side' });
    world.side.hook = () => {};
    await offTheNextTime();
  });

  it('is switched off by the next run when this one was killed there', async () => {
    const killed = () => {
      throw new Error('killed');
    };
    world.side.hook = (call) => {
      if (call !== 'apply') return;
      world.onCall = killed;
      killed();
    };
    await expect(world.apply()).rejects.toThrow('killed');
    expect(world.accounts(world.side)).toEqual({ ann: 'group:side' });
    world.onCall = () => {};
    world.side.hook = () => {};
    await offTheNextTime();
  });
});

it.each([
  ['another source', { groups: ['User'] }, undefined],
  ['a login', { groups: [] }, { groups: ['User'] }],
])('a retry takes what a source gave that somebody is gone from, and nothing that %s gives', async (_, crm, login) => {
  await start({ joined: ['hr', 'crm'] });
  world.crm.add('ann', crm);
  await world.apply('crm');
  if (login !== undefined) await world.login('ann', login);
  world.hr.add('ann', { groups: ['team-a'] });
  await world.apply();
  expect(world.accounts()).toMatchObject({ ann: 'group:analysts group:team-a role:Alpha' });
  world.hr.people.delete('ann');
  world.bi.hook = (call) => {
    if (call === 'apply') fails();
  };
  expect(await world.apply()).toMatchObject({ outcome: 'partial' });
  world.bi.hook = () => {};
  world.now += 600_000;
  await world.engine.retryDue(10);
  expect(world.accounts()).toMatchObject({ ann: 'group:analysts role:Alpha' });
});

it('the audit says once that somebody left, wherever the run was killed', async () => {
  const killed = new Error('killed');
  for (let at = 1, isOver = false; !isOver; at += 1) {
    await start();
    world.hr.add('ann', { groups: ['User', 'Side'] });
    await world.login('ann', { groups: ['Side'] }, 'side');
    await world.apply();
    world.hr.people.delete('ann');
    world.hr.add('bob', { groups: ['User'] }, false);
    let calls = 0;
    const dies = () => {
      calls += 1;
      if (calls >= at) throw killed;
    };
    world.onCall = dies;
    world.bi.hook = dies;
    world.side.hook = dies;
    isOver = await world.apply().then(
      ({ outcome }) => outcome === 'applied',
      () => false,
    );
    for (const target of [world.bi, world.side]) target.hook = () => {};
    world.onCall = () => {};
    world.now += 60_000;
    await world.apply();
    const left = (await world.events()).filter(({ event }) => event === 'person.left');
    const people = await Promise.all(['ann', 'bob'].map((who) => world.personOf(who)));
    expect([at, left.map(({ person }) => person).sort()]).toEqual([at, people.map((person) => person?.id).sort()]);
    expect(world.accounts()).toMatchObject({
      ann: '(group:analysts role:Alpha)',
      bob: '(group:analysts role:Alpha)',
    });
    if (!isOver) await world.close();
  }
}, 60_000);
