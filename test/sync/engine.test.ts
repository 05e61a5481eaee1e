import { LatchgateError } from '../../src/model/errors.ts';
import { lines, SyncWorld, type SyncWorldOptions } from './world.ts';

let world: SyncWorld;
async function start(options: SyncWorldOptions = {}, can: ConstructorParameters<typeof SyncWorld>[0] = {}) {
  world = await new SyncWorld(can).open(options);
  return world;
}
afterEach(() => world.close());

/** Applies, and expects that afterwards nothing is left to do. */
async function applied(sync = 'hr') {
  const result = await world.apply(sync);
  expect(result).toMatchObject({ outcome: 'applied', failed: 0, skipped: 0 });
  const again = await world.plan(sync);
  expect(lines(again.changes)).toEqual([]);
  return result;
}

describe('a sync', () => {
  it('makes accounts, each group once, and plans nothing the second time', async () => {
    await start();
    world.hr.add('ann', { groups: ['User', 'team-a'] });
    world.hr.add('bob', { groups: ['team-a'] });
    world.hr.add('cyd');
    const plan = await world.plan();
    expect(plan).toMatchObject({ sync: 'hr', source: 'hr', target: 'bi', complete: true, listed: 3, held: [] });
    expect(lines(plan.changes)).toEqual([
      'create ann',
      'create bob',
      'create group analysts',
      'create group team-a',
      'grant ann group:analysts',
      'grant ann group:team-a',
      'grant ann role:Alpha',
      'grant bob group:team-a',
    ]);
    expect(plan.summary).toEqual({ create: 4, update: 0, disable: 0, delete: 0, grant: 4, revoke: 0, held: 0 });
    expect(world.bi.accounts.size).toBe(0);
    expect(await world.directory.people.list(10)).toEqual([]);
    const { applied: count } = await applied();
    expect(count).toBe(2);
    expect(world.accounts()).toEqual({ ann: 'group:analysts group:team-a role:Alpha', bob: 'group:team-a' });
    expect((await world.events()).map(({ event }) => event)).toContain('grant.given');
    expect(await world.audit.verify()).not.toHaveProperty('firstBad');
  });

  it('changes, gives and takes, and leaves alone what is not ours', async () => {
    await start();
    world.bi.addAccount({ userName: 'ann', profile: { email: 'ANN@acme.test' } }, [{ kind: 'role', name: 'Alpha' }]);
    world.hr.add('ann', { groups: ['User'] });
    await applied();
    expect(world.accounts()).toEqual({ ann: 'group:analysts role:Alpha' });
    world.hr.add('ann', { groups: ['team-b', 'Admin'], given_name: 'Ann', family_name: 'Lee' });
    const plan = await world.plan();
    expect(lines(plan.changes)).toEqual([
      'create group team-b',
      'grant ann group:team-b',
      'grant ann role:Admin',
      'revoke ann group:analysts',
      'update ann',
    ]);
    await applied();
    // Alpha was there before us.
    expect(world.accounts()).toEqual({ ann: 'group:team-b role:Admin role:Alpha' });
  });

  it('sees to it that whoever is gone leaves everywhere, and logs in nowhere', async () => {
    await start({ joined: ['hr'] });
    world.hr.add('ann', { groups: ['User'] });
    world.hr.add('bob', { groups: ['User'] });
    await applied();
    await world.login('ann', { groups: ['Side'] }, 'side');
    expect(world.accounts(world.side)).toEqual({ ann: 'group:side' });
    const ann = (await world.personOf('ann'))?.id ?? '';
    world.hr.people.delete('ann');
    const plan = await world.plan();
    expect(lines(plan.changes)).toEqual(['disable ann', 'disable ann in side']);
    await applied();
    expect(world.accounts()).toMatchObject({ ann: '(group:analysts role:Alpha)' });
    expect(world.accounts(world.side)).toEqual({ ann: '(group:side)' });
    expect(world.ended).toContain(ann);
    expect((await world.events()).filter(({ event }) => event === 'person.left')).toMatchObject([{ person: ann }]);
    await expect(world.login('ann', { groups: ['Side'] }, 'side')).rejects.toMatchObject({ code: 'person_left' });
    expect(world.accounts(world.side)).toEqual({ ann: '(group:side)' });
    world.hr.add('ann', { groups: ['User'] });
    await applied();
    expect(world.accounts()).toMatchObject({ ann: 'group:analysts role:Alpha' });
    await world.login('ann', { groups: ['Side'] }, 'side');
    expect(world.accounts(world.side)).toEqual({ ann: 'group:side' });
  });

  it('takes whom the source lists as inactive for gone', async () => {
    await start();
    world.hr.add('ann', { groups: ['User'] });
    await applied();
    world.hr.add('ann', { groups: ['User'] }, false);
    expect(lines((await world.plan()).changes)).toEqual(['disable ann']);
    await applied();
    expect((await world.personOf('ann'))?.leftAt).toBeDefined();
    world.hr.add('zed', { groups: ['User'] }, false);
    expect(lines((await world.plan()).changes)).toEqual([]);
  });

  it('takes only its own grants when another source owns the person', async () => {
    await start({ joined: ['hr'], owner: 'crm' });
    world.hr.add('ann', { groups: ['User'] });
    await applied();
    await world.login('ann', { groups: ['team-x'] });
    expect(world.accounts()).toEqual({ ann: 'group:analysts group:team-x role:Alpha' });
    const ann = (await world.personOf('ann'))?.id ?? '';
    await world.directory.listings.save([
      {
        person: ann,
        assertion: {
          origin: 'crm',
          issuer: 'latchgate:source:crm',
          subject: '7',
          active: true,
          claims: { email: 'ann@acme.test' },
          at: new Date(),
        },
        description: { displayName: 'Ann' },
        owner: 'crm',
      },
    ]);
    world.hr.people.delete('ann');
    world.hr.add('other', { groups: ['User'] });
    await applied();
    expect(world.accounts()).toMatchObject({ ann: 'group:team-x' });
    await world.login('ann', { groups: ['team-x'] });
  });

  it('joins a login by external_id, whoever came first', async () => {
    await start({ joined: ['hr'] });
    await world.login('ann', { groups: ['team-x'] });
    world.hr.add('ann', { groups: ['User'] });
    world.hr.add('bob', { groups: ['User'] });
    await applied();
    await world.login('bob', { groups: ['team-x'] });
    expect(await world.directory.people.list(10)).toHaveLength(2);
    expect(world.accounts()).toEqual({
      ann: 'group:analysts group:team-x role:Alpha',
      bob: 'group:analysts group:team-x role:Alpha',
    });
    expect(lines((await world.plan()).changes)).toEqual([]);
  });

  it('holds one person whose words cannot be taken, and goes on with the others', async () => {
    await start();
    world.hr.add('ann', { groups: ['User'] });
    world.hr.add('bob', { groups: ['User'] });
    await applied();
    world.hr.add('ann', { groups: { not: 'a list' } });
    world.hr.add('bob', { groups: ['Admin'] });
    world.hr.add('cyd', { groups: ['User'], email: null });
    world.hr.again = [{ subject: 'bob', active: true, claims: {} }];
    const plan = await world.plan();
    expect(lines(plan.held)).toEqual([
      'create cyd: email_missing',
      'update ann: groups_invalid',
      'update bob: source_answer_invalid',
    ]);
    expect(lines(plan.changes)).toEqual([]);
    world.hr.again = [];
    await applied();
    expect(world.accounts()).toEqual({ ann: 'group:analysts role:Alpha', bob: 'role:Admin' });
  });

  it('holds whose account is another person’s, and makes no second one for one address', async () => {
    await start();
    world.hr.add('ann', { groups: ['User'] });
    world.hr.add('ann-2', { groups: ['User'], email: 'Ann@ACME.test' });
    const plan = await world.plan();
    expect(lines(plan.held)).toEqual(['create ann-2: account_taken']);
    await applied();
    expect(Object.keys(world.accounts())).toEqual(['ann']);
    expect(lines((await world.plan()).held)).toEqual(['create ann-2: account_taken']);
  });

  it('gives an account that two people claim to one of them', async () => {
    await start();
    world.bi.addAccount({ userName: 'there', profile: { email: 'ann@acme.test' } });
    world.hr.add('ann', { groups: ['User'] });
    world.hr.add('ann-2', { groups: ['Admin'], email: 'ANN@acme.test' });
    expect(lines((await world.plan()).held)).toEqual(['create ann-2: account_taken']);
    await applied();
    expect(world.accounts()).toEqual({ there: 'group:analysts role:Alpha' });
  });

  it('goes on after a row that fails, and does it the next time', async () => {
    await start();
    for (const name of ['ann', 'bob', 'cyd']) world.hr.add(name, { groups: ['team-a'] });
    let calls = 0;
    world.bi.hook = (call) => {
      if (call === 'apply' && ++calls === 2) throw new LatchgateError('target_unavailable', 'down');
    };
    const result = await world.apply();
    expect(result).toMatchObject({ outcome: 'partial', applied: 2, failed: 1 });
    expect(world.rows.filter(({ outcome }) => outcome === 'failed')).toMatchObject([{ code: 'target_unavailable' }]);
    world.bi.hook = () => {};
    expect((await applied()).applied).toBe(1);
    expect(world.accounts()).toEqual({ ann: 'group:team-a', bob: 'group:team-a', cyd: 'group:team-a' });
  });

  it('finishes the rows in flight when it is stopped, and goes on the next time', async () => {
    await start();
    for (let at = 0; at < 60; at += 1) world.hr.add(`p${at}`, { groups: ['team-a'] });
    const stop = new AbortController();
    const result = await world.apply('hr', { stop: stop.signal, onRow: () => stop.abort() });
    expect(result.outcome).toBe('stopped');
    expect(result.applied).toBe(world.bi.accounts.size);
    expect(result.applied + result.skipped).toBe(60);
    expect(result.skipped).toBeGreaterThan(0);
    expect(await world.directory.retries.count()).toBe(0);
    await applied();
    expect(world.bi.accounts.size).toBe(60);
  });

  it('applies a plan that was seen only while it is still true', async () => {
    await start();
    world.hr.add('ann', { groups: ['User'] });
    const seen = await world.plan();
    world.hr.add('bob', { groups: ['User'] });
    expect(await world.apply('hr', { expect: seen.fingerprint })).toMatchObject({ outcome: 'stale', applied: 0 });
    expect(world.bi.accounts.size).toBe(0);
    world.hr.people.delete('bob');
    expect(await world.apply('hr', { expect: seen.fingerprint })).toMatchObject({ outcome: 'applied', applied: 1 });
  });

  it('writes an assertion again only when something else is said', async () => {
    await start();
    world.hr.add('ann', { groups: ['User'] });
    await applied();
    const [before] = await world.directory.people.assertions((await world.personOf('ann'))?.id ?? '');
    await applied();
    expect(await world.directory.people.assertions((await world.personOf('ann'))?.id ?? '')).toEqual([before]);
    world.hr.add('ann', { groups: ['User'], title: 'Clerk' });
    await applied();
    const [after] = await world.directory.people.assertions((await world.personOf('ann'))?.id ?? '');
    expect(after?.claims).toMatchObject({ title: 'Clerk' });
  });

  it('never puts in order what somebody else is working on', async () => {
    await start();
    world.hr.add('ann', { groups: ['User'] });
    await applied();
    const ann = (await world.personOf('ann'))?.id ?? '';
    world.hr.add('ann', { groups: ['User', 'team-a'] });
    const lease = await world.directory.leases.acquire(`account:bi:${ann}`, 60_000, AbortSignal.timeout(1_000));
    setTimeout(() => void lease.release(), 200);
    await applied();
    expect(world.accounts()).toEqual({ ann: 'group:analysts group:team-a role:Alpha' });
  });
});

describe('an account of somebody who left', () => {
  it('is deleted when it is time, and not before', async () => {
    await start({ leaver: { now: 'disable', deleteAfterMs: 86_400_000 } });
    world.hr.add('ann', { groups: ['User'] });
    world.hr.add('bob', { groups: ['User'] });
    await applied();
    world.hr.people.delete('ann');
    await applied();
    expect(world.accounts()).toMatchObject({ ann: '(group:analysts role:Alpha)' });
    world.now += 86_400_000;
    expect(lines((await world.plan()).changes)).toEqual(['delete ann']);
    await applied();
    expect(Object.keys(world.accounts())).toEqual(['bob']);
  });

  it('is deleted with few others a day, however many a clock that was wrong has be due', async () => {
    await start({ leaver: { now: 'disable', deleteAfterMs: 30 * 86_400_000 }, stopIf: { removals: { percent: 10 } } });
    for (let at = 0; at < 40; at += 1) world.hr.add(`p${at}`, { groups: ['User'] });
    await applied();
    for (let at = 0; at < 20; at += 1) world.hr.people.delete(`p${at}`);
    expect(await world.apply('hr', { approve: true })).toMatchObject({ outcome: 'applied' });
    const left = () => Object.keys(world.accounts()).length;
    world.now += 1_000 * 86_400_000;
    for (const expected of [36, 36]) {
      await world.engine.deleteDue();
      expect(left()).toBe(expected);
    }
    world.now += 86_400_001;
    await world.engine.deleteDue();
    expect(left()).toBe(33);
  });

  it('is deleted in every target, whoever runs a sync or not; one that was there before us is not', async () => {
    await start({ leaver: { now: 'disable', deleteAfterMs: 86_400_000 }, joined: ['hr'] });
    world.side.addAccount({ userName: 'bob', profile: { email: 'bob@acme.test' } });
    for (const name of ['ann', 'bob', 'cyd']) world.hr.add(name, { groups: ['User'] });
    await applied();
    for (const name of ['ann', 'bob']) await world.login(name, { groups: ['Side'] }, 'side');
    world.hr.people.delete('ann');
    world.hr.people.delete('bob');
    await applied();
    await world.engine.deleteDue();
    expect(world.accounts()).toMatchObject({ ann: '(group:analysts role:Alpha)' });
    world.now += 86_400_000;
    await world.engine.deleteDue();
    expect(Object.keys(world.accounts())).toEqual(['cyd']);
    expect(world.accounts(world.side)).toEqual({ bob: '(group:side)' });
    expect(lines((await world.plan()).changes)).toEqual([]);
  });
});

describe('safety.manage', () => {
  const hand = [
    { kind: 'group', name: 'team-z' },
    { kind: 'group', name: 'made by hand' },
    { kind: 'role', name: 'Alpha' },
  ] as const;

  it.each([
    ['ours', 'group:made by hand group:team-a group:team-z role:Alpha'],
    ['mapped', 'group:made by hand group:team-a'],
    ['all', 'group:team-a'],
  ] as const)('%s', async (manage, left) => {
    await start({ manage });
    world.bi.addAccount({ userName: 'ann', profile: { email: 'ann@acme.test' } }, hand);
    world.bi.addAccount({ userName: 'root', profile: {} }, hand);
    world.bi.addAccount({ userName: 'service', isProtected: true }, hand);
    world.hr.add('ann', { groups: ['team-a'] });
    await applied();
    expect(world.accounts()).toMatchObject({ ann: left });
    expect(world.bi.given('root')).toHaveLength(3);
    expect(world.bi.given('service')).toHaveLength(3);
  });

  it.each([
    ['', 'carl', 'carl@acme.test'],
    [', spelled by the target', 'Carl', 'carl@acme.test'],
    [', under another name because that one was taken', 'carl-2', 'Carl@acme.test'],
  ])(
    'all leaves an account alone that was being made for somebody when an instance died%s',
    async (_, userName, email) => {
      await start({ manage: 'all' });
      world.hr.add('ann', { groups: ['team-a'] });
      await applied();
      const subject = { issuer: 'https://idp.test', subject: 'carl' };
      const carl = await world.directory.people.ensure(subject, 'staff', 'Carl');
      const claims = { email: 'carl@acme.test' };
      await world.directory.people.saveAssertion(carl.id, {
        ...subject,
        origin: 'staff',
        active: true,
        claims,
        at: new Date(world.now),
      });
      world.bi.addAccount({ userName, profile: { email } });
      const link = { person: carl.id, target: 'bi', userName: 'carl', created: true };
      await world.directory.accounts.save({ ...link, state: 'intended' });
      expect(lines((await world.plan()).changes)).toEqual([]);
    },
  );

  it('all switches the accounts of nobody off, unless somebody could not be read', async () => {
    await start({ manage: 'all' });
    world.bi.addAccount({ userName: 'nobody', profile: { email: 'nobody@acme.test' } });
    world.bi.addAccount({ userName: 'root' });
    world.bi.addAccount({ userName: 'service', isProtected: true });
    world.bi.addAccount({ userName: 'kept', never: 'disable' }, [{ kind: 'role', name: 'Alpha' }]);
    world.hr.add('ann', { groups: ['team-a'] });
    world.hr.add('bob', { groups: 7 });
    expect(lines((await world.plan()).changes)).not.toContain('disable nobody');
    world.hr.people.delete('bob');
    world.hr.end = { complete: true, unreadable: 1, notes: [] };
    expect(lines((await world.plan()).changes)).not.toContain('disable nobody');
    world.hr.end = { complete: true, unreadable: 0, notes: [] };
    expect(lines((await world.plan()).changes)).toContain('disable nobody');
    await applied();
    expect(world.bi.accounts.size).toBe(5);
    expect(world.bi.given('kept')).toEqual(['role:Alpha']);
    const off = [...world.bi.accounts.values()].filter(({ active }) => !active);
    expect(off.map(({ userName }) => userName)).toEqual(['nobody']);
    expect((await world.events()).filter(({ event }) => event === 'account.disabled')).toMatchObject([
      { key: 'nobody' },
    ]);
  });
});
