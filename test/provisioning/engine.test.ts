import { LatchgateError } from '../../src/model/errors.ts';
import { World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await new World().open();
});
afterEach(() => world.close());

describe('a first login', () => {
  it('makes the account with its names, groups and roles, and missing groups', async () => {
    const { awaited, identity } = await world.login('alice', { groups: ['User'] });
    expect(awaited).toMatchObject({ status: 'ready', userName: 'alice' });
    expect(identity.groups).toEqual(['User']);
    expect(world.bi.given('alice')).toEqual(['group:analysts', 'role:Alpha']);
    expect(world.events()).toEqual(
      expect.arrayContaining([
        'account.created alice',
        'group.created group:analysts',
        'grant.given role:Alpha',
        'login.allowed',
      ]),
    );
  });

  it('of a person without groups gives the default', async () => {
    await world.login('carol', {});
    expect(world.bi.given('carol')).toEqual(['role:Gamma']);
  });

  it('is refused by a deny rule, in its words, and makes no account', async () => {
    const error = await world.login('erin', { groups: ['suspended', 'Admin'] }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'denied_by_rule', publicMessage: 'You are suspended.' });
    expect(world.bi.accounts.size).toBe(0);
    const record = await world.directory.decisions.get(`r${world.now}`);
    expect(record).toMatchObject({ outcome: 'deny', code: 'denied_by_rule' });
  });

  it('with groups that cannot be read changes nothing at all', async () => {
    expect(await world.refused('mallory', { groups: { a: 1 } })).toBe('groups_invalid');
    expect(await world.directory.people.list(10)).toEqual([]);
    expect(world.bi.calls).toEqual([]);
  });

  it('by fifty at once makes one account, and everybody gets in', async () => {
    const logins = await Promise.all(Array.from({ length: 50 }, () => world.login('alice', { groups: ['User'] })));
    expect(new Set(logins.map(({ awaited }) => awaited?.status === 'ready' && awaited.id)).size).toBe(1);
    expect(world.bi.accounts.size).toBe(1);
    expect(world.events().filter((event) => event === 'account.created alice')).toHaveLength(2);
  });
});

describe('a later login', () => {
  it('plans nothing when nothing changed', async () => {
    await world.login('alice', { groups: ['User'] });
    world.bi.calls.length = 0;
    const { awaited } = await world.login('alice', { groups: ['User'] });
    expect(awaited).toMatchObject({ status: 'ready', changes: [] });
    expect(world.bi.calls).toEqual(['read']);
  });

  it('moves only what we gave; a role given by hand stays', async () => {
    await world.login('alice', { groups: ['User'] });
    const byHand = world.bi.addEntitlement({ kind: 'role', name: 'ByHand' });
    [...world.bi.accounts.values()][0]?.entitlements.add(byHand.id);
    await world.login('alice', { groups: ['Admin'] });
    expect(world.bi.given('alice')).toEqual(['role:Admin', 'role:ByHand']);
    expect(world.events()).toEqual(expect.arrayContaining(['grant.taken role:Alpha', 'grant.given role:Admin']));
  });

  it('without the claim leaves memberships alone when told to keep', async () => {
    world.restart({ groupsAbsent: 'keep' });
    await world.login('alice', { groups: ['User'] });
    const account = [...world.bi.accounts.values()][0];
    account?.entitlements.delete([...account.entitlements][0] ?? '');
    const before = world.bi.given('alice');
    const { identity } = await world.login('alice', { name: 'Alice Brown' });
    expect(world.bi.given('alice')).toEqual(before);
    expect(identity.groups).toEqual(['User']);
  });

  it('updates claims that are there and leaves those that are not', async () => {
    await world.login('alice', { groups: ['User'], given_name: 'Alice', family_name: 'Adams' });
    await world.login('alice', { groups: ['User'], family_name: 'Brown' });
    expect([...world.bi.accounts.values()][0]?.profile).toMatchObject({ givenName: 'Alice', familyName: 'Brown' });
  });

  it('never changes the user name', async () => {
    await world.login('alice', { groups: ['User'] });
    await world.login('alice', { groups: ['User'], preferred_username: 'alicia' });
    expect([...world.bi.accounts.values()].map(({ userName }) => userName)).toEqual(['alice']);
  });

  it('of somebody who is now denied ends sessions, and switches the account off until the denial is lifted', async () => {
    await world.login('alice', { groups: ['User'] });
    expect(await world.refused('alice', { groups: ['User', 'suspended'] })).toBe('denied_by_rule');
    await world.engine.close();
    expect(world.ended).toHaveLength(1);
    expect([...world.bi.accounts.values()][0]?.active).toBe(false);
    world.restart();
    expect((await world.login('alice', { groups: ['User'] })).awaited?.status).toBe('ready');
    expect([...world.bi.accounts.values()][0]?.active).toBe(true);
  });
});

describe('a run that ends between the account and our record of it', () => {
  it('is taken up by the next login: nothing doubled, and what it gave is ours', async () => {
    world.bi.hook = (call) => {
      if (call === 'applied') throw new Error('killed');
    };
    expect(await world.refused('alice', { groups: ['User'] })).toBe('internal');
    expect(world.bi.accounts.size).toBe(1);
    world.bi.hook = () => {};
    world.restart();
    await world.login('alice', { groups: ['User'] });
    expect(world.bi.accounts.size).toBe(1);
    expect(world.audit.find(({ event, target }) => event === 'account.created' && target === 'bi')).toMatchObject({
      after: { recovered: true },
    });
    await world.login('alice', { groups: ['Admin'] });
    expect(world.bi.given('alice')).toEqual(['role:Admin']);
  });
});

describe('an account that is there already', () => {
  it('is linked by a verified e-mail of a listed domain, and what it had stays', async () => {
    world.bi.addAccount({ userName: 'adams', profile: { email: 'ALICE@acme.test' } }, [
      { kind: 'role', name: 'Gamma' },
    ]);
    const { awaited } = await world.login('alice', { groups: ['User'] });
    expect(awaited).toMatchObject({ userName: 'adams' });
    await world.login('alice', { groups: ['Admin'] });
    expect(world.bi.given('adams')).toEqual(['role:Admin', 'role:Gamma']);
  });

  it('is not linked when the e-mail is unverified', async () => {
    world.bi.addAccount({ userName: 'adams', profile: { email: 'alice@acme.test' } }, [
      { kind: 'role', name: 'Gamma' },
    ]);
    expect(await world.refused('alice', { groups: ['User'], email_verified: false })).toBe('account_taken');
  });

  it('is not linked when two have the e-mail, when it is privileged, protected or another person’s', async () => {
    const gamma = [{ kind: 'role' as const, name: 'Gamma' }];
    world.bi.addAccount({ userName: 'a1', profile: { email: 'two@acme.test' } }, gamma);
    world.bi.addAccount({ userName: 'a2', profile: { email: 'two@acme.test' } }, gamma);
    await expect(world.login('two', { groups: ['User'] })).rejects.toMatchObject({
      code: 'account_ambiguous',
      detail: { target: 'bi', accounts: [...world.bi.accounts.keys()].sort().join(', ') },
    });
    world.bi.addAccount({ userName: 'boss', profile: { email: 'boss2@acme.test' } }, [{ kind: 'role', name: 'Admin' }]);
    expect(await world.refused('boss2', { groups: ['User'] })).toBe('account_privileged');
    world.bi.addAccount({ userName: 'root', profile: { email: 'root@acme.test' } }, gamma);
    expect(await world.refused('root', { groups: ['User'] })).toBe('account_protected');
    await world.login('alice', { groups: ['User'] });
    expect(await world.refused('mallory', { groups: ['User'], email: 'alice@acme.test' })).toBe('account_taken');
  });

  it('that got the id of a deleted one is not taken for it', async () => {
    await world.login('alice', { groups: ['User'] });
    const [old] = world.bi.accounts.values();
    world.bi.accounts.clear();
    world.bi.addAccount({ userName: 'stranger', id: old?.id ?? '', profile: { email: 's@acme.test' } }, [
      { kind: 'role', name: 'Admin' },
    ]);
    const { awaited } = await world.login('alice', { groups: ['User'] });
    expect(awaited).toMatchObject({ userName: 'alice' });
    expect(world.bi.given('stranger')).toEqual(['role:Admin']);
  });
});

describe('a target that is down', () => {
  const down = () => {
    world.bi.hook = () => {
      throw new LatchgateError('target_unavailable', 'down');
    };
  };

  it('lets a known person in when nothing has to go, and goes on in the background', async () => {
    await world.login('alice', { groups: ['User'] });
    down();
    expect((await world.login('alice', { groups: ['User'], family_name: 'Brown' })).awaited).toMatchObject({
      status: 'ready',
      degraded: 'target_unavailable',
    });
    world.bi.hook = () => {};
    world.now += 60_000;
    expect(await world.engine.retryDue(10)).toBe(1);
    expect([...world.bi.accounts.values()][0]?.profile['familyName']).toBe('Brown');
    expect(await world.directory.retries.count()).toBe(0);
  });

  it('keeps out whom a grant must be taken from, and a new person', async () => {
    await world.login('alice', { groups: ['Admin'] });
    down();
    expect(await world.refused('alice', { groups: ['User'] })).toBe('target_unavailable');
    expect(await world.refused('bob', { groups: ['User'] })).toBe('target_unavailable');
  });

  it('that is not the one of the route keeps nobody out', async () => {
    world.side.hook = () => {
      throw new LatchgateError('target_unavailable', 'down');
    };
    expect((await world.login('alice', { groups: ['User'] })).awaited?.status).toBe('ready');
    const { person } = (await world.login('alice', { groups: ['User'] })).identity;
    await world.engine.close();
    const state = await world.engine.account(person, 'side', AbortSignal.timeout(1_000));
    expect(state).toMatchObject({ status: 'failed', code: 'target_unavailable' });
  });
});

describe('a person who leaves', () => {
  it('has sessions ended as soon as there is a store again, when there was none', async () => {
    const { identity } = await world.login('alice', { groups: ['User'] });
    await world.engine.close();
    world.restart();
    world.onCall = (call) => {
      if (call === 'endSessions') throw new LatchgateError('session_store_unavailable', 'away');
    };
    const signal = AbortSignal.timeout(5_000);
    await expect(
      world.engine.disable(identity.person, { actor: 'operator', requestId: 'r', signal }),
    ).rejects.toThrow();
    for (let round = 0; round < 2; round += 1) {
      world.now += 60_000;
      await world.engine.retryDue(10);
    }
    expect(world.ended).toEqual([]);
    expect([...world.bi.accounts.values()][0]?.active).toBe(false);
    world.onCall = () => {};
    world.now += 60_000;
    await world.engine.retryDue(10);
    expect(new Set(world.ended)).toEqual(new Set([identity.person]));
    world.now += 3_600_000;
    expect(await world.engine.retryDue(10)).toBe(0);
  });

  it('has sessions ended first, then every account switched off, and does not come back by a login', async () => {
    const { identity } = await world.login('alice', { groups: ['User'] });
    await world.engine.close();
    const order: string[] = [];
    world.bi.hook = (call) => void order.push(call, `ended ${world.ended.length}`);
    await world.engine.disable(identity.person, {
      actor: 'operator',
      requestId: 'r',
      signal: AbortSignal.timeout(5_000),
    });
    expect(order.slice(0, 2)).toEqual(['read', 'ended 1']);
    expect([...world.bi.accounts.values()][0]?.active).toBe(false);
    expect([...world.side.accounts.values()][0]?.active).toBe(false);
    expect(await world.refused('alice', { groups: ['Admin'] })).toBe('person_disabled');
    expect(await world.engine.account(identity.person, 'bi', AbortSignal.timeout(1_000))).toEqual({ status: 'none' });
    await world.engine.enable(identity.person, { actor: 'operator', requestId: 'r2' });
    expect((await world.login('alice', { groups: ['User'] })).awaited?.status).toBe('ready');
  });
});
