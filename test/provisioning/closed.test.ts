import { LatchgateError } from '../../src/model/errors.ts';
import { World, type WorldOptions } from './world.ts';

const USER = { groups: ['User'] };

let world: World;
beforeEach(async () => {
  world = await new World({ disable: false }).open();
});
afterEach(() => world.close());

function down(): void {
  const fail = () => {
    throw new LatchgateError('target_unavailable', 'down');
  };
  world.bi.hook = fail;
  world.side.hook = fail;
}

function up(): void {
  world.bi.hook = () => {};
  world.side.hook = () => {};
}

describe('a live session, when the target failed', () => {
  it('is kept out of it while something that has to go is still there, and let in when it has gone', async () => {
    await world.login('alice', USER);
    await world.settled();
    world.restart();
    const person = await world.idOf('alice');
    down();
    expect(await world.refused('alice', { groups: ['Admin'] })).toBe('target_unavailable');
    await world.settled();
    for (const target of ['bi', 'side']) {
      expect(await world.account(person, target)).toMatchObject({ status: 'failed', code: 'target_unavailable' });
    }
    up();
    world.restart();
    world.now += 60_000;
    await world.engine.retryDue(10);
    expect(world.bi.given('alice')).toEqual(['role:Admin']);
    expect(await world.account(person, 'bi')).toMatchObject({ status: 'ready' });
    expect(await world.account(person, 'side')).toEqual({ status: 'none' });
  });

  it('goes on when nothing has to go', async () => {
    await world.login('alice', USER);
    await world.settled();
    down();
    await world.login('alice', { groups: ['User', 'Admin'] });
    expect(await world.account(await world.idOf('alice'), 'bi')).toMatchObject({ status: 'ready' });
  });
});

describe('a failure', () => {
  it('is audited with its code, and its repetitions are not', async () => {
    down();
    await world.refused('alice', USER);
    await world.settled();
    world.restart();
    world.now += 60_000;
    await world.engine.retryDue(10);
    const failures = world.audit.filter(({ event }) => event === 'account.failed');
    expect(failures.map(({ target, code }) => `${target} ${code}`).sort()).toEqual([
      'bi target_unavailable',
      'side target_unavailable',
    ]);
  });

  it('of the wait for the target is a refusal like any other: recorded and audited', async () => {
    let release = () => {};
    world.bi.hook = () => new Promise<void>((resolve) => (release = resolve));
    const assertion = {
      origin: 'staff',
      issuer: 'https://id.acme.test',
      subject: 'alice',
      active: true,
      at: new Date(world.now),
      claims: { sub: 'alice', email: 'alice@acme.test', preferred_username: 'alice', groups: ['User'] },
    };
    const options = { target: 'bi', requestId: 'slow', signal: AbortSignal.timeout(50) };
    await expect(world.engine.assert(assertion, options)).rejects.toMatchObject({ code: 'target_pending' });
    expect(await world.directory.decisions.get('slow')).toMatchObject({ code: 'target_pending', outcome: 'error' });
    up();
    release();
  });
});

describe('retries', () => {
  it('go on side by side: a target that hangs does not keep the other waiting', async () => {
    down();
    await world.refused('alice', USER);
    await world.refused('bob', USER);
    await world.settled();
    up();
    let release = () => {};
    const hanging = new Promise<void>((resolve) => (release = resolve));
    world.bi.hook = () => hanging;
    world.restart();
    world.now += 60_000;
    const retrying = world.engine.retryDue(10);
    await world.engine.account(await world.idOf('alice'), 'side', AbortSignal.timeout(5_000));
    while (world.side.accounts.size < 2) await new Promise((resolve) => setImmediate(resolve));
    release();
    expect(await retrying).toBe(4);
    expect(world.bi.accounts.size).toBe(2);
  });

  it('of somebody whom a rule denies meanwhile take away', async () => {
    await world.login('alice', USER);
    await world.settled();
    world.restart();
    down();
    expect(await world.refused('alice', { groups: ['suspended'] })).toBe('denied_by_rule');
    await world.settled();
    up();
    world.restart();
    world.now += 60_000;
    await world.engine.retryDue(10);
    expect([...world.bi.accounts.values()][0]?.active).toBe(false);
    expect(world.side.given('alice')).toEqual([]);
  });

  it('of somebody whose last words are refused by a changed config change nothing, and are put off', async () => {
    await world.login('alice', { groups: ['User', 'x', 'y'] });
    await world.settled();
    const person = await world.idOf('alice');
    await world.directory.retries.put(person, 'bi', 'target_unavailable', new Date(world.now));
    world.restart({ maxGroups: 1 });
    await world.engine.retryDue(10);
    expect(world.bi.given('alice')).toEqual(['group:analysts', 'role:Alpha']);
    expect((await world.directory.retries.get(person, 'bi'))?.dueAt.getTime()).toBeGreaterThan(world.now + 60_000);
  });
});

describe('two origins for one person', () => {
  const TWO: WorldOptions = {
    origins: ['staff', 'partner'],
    byDefault: { grant: {} },
    rules: {
      users: { when: { groups: 'User' }, grant: { bi: { roles: ['Alpha'] } } },
      admins: { when: { groups: 'Admin' }, grant: { bi: { roles: ['Admin'] }, side: { groups: ['side'] } } },
    },
  };

  beforeEach(() => world.restart(TWO));

  it('keep what both give until both have withdrawn it', async () => {
    await world.login('alice', USER, 'bi', 'staff');
    await world.login('alice', USER, 'bi', 'partner');
    await world.login('alice', { groups: ['Admin'] }, 'bi', 'staff');
    expect(world.bi.given('alice')).toEqual(['role:Admin', 'role:Alpha']);
    await world.login('alice', { groups: ['Admin'] }, 'bi', 'partner');
    expect(world.bi.given('alice')).toEqual(['role:Admin']);
  });

  it('lose nothing of the one that cannot be read any more, and all of the one that speaks', async () => {
    await world.login('alice', { groups: ['User', 'x'] }, 'bi', 'partner');
    await world.login('alice', { groups: ['Admin'] }, 'bi', 'staff');
    await world.settled();
    world.restart({ ...TWO, maxGroups: 1 });
    const { awaited } = await world.login('alice', { groups: [] }, 'bi', 'staff');
    await world.settled();
    expect(awaited?.status).toBe('ready');
    expect(world.bi.given('alice')).toEqual(['role:Alpha']);
    expect([...world.bi.accounts.values()][0]?.active).toBe(true);
    expect(world.side.given('alice')).toEqual([]);
  });

  it('lose nothing by a default that denies while one cannot be read', async () => {
    await world.login('alice', { groups: ['User', 'x'] }, 'bi', 'partner');
    await world.settled();
    world.restart({ ...TWO, maxGroups: 1, byDefault: { deny: 'Nobody.' } });
    expect(await world.refused('alice', { groups: [] }, 'bi', 'staff')).toBe('denied_by_default');
    await world.settled();
    expect(world.bi.given('alice')).toEqual(['role:Alpha']);
    expect([...world.bi.accounts.values()][0]?.active).toBe(true);
  });
});
