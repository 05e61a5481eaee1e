import { World, type WorldOptions } from './world.ts';

const USER = { groups: ['User'] };
const DELETE: WorldOptions = { leaver: 'delete' };

let world: World;
beforeEach(async () => {
  world = await new World({ disable: false }).open();
});
afterEach(() => world.close());

const only = <T>(map: ReadonlyMap<string, T>): T | undefined => [...map.values()][0];

describe('a person who is disabled', () => {
  it('while a login makes the account is refused, and the account is switched off', async () => {
    let disabling: Promise<unknown> = Promise.resolve();
    world.bi.hook = async (call) => {
      if (call !== 'apply') return;
      world.bi.hook = () => {};
      disabling = world.disable(await world.idOf('alice'));
      await world.directory.people.search('x', 1);
    };
    expect(await world.refused('alice', USER)).toBe('person_disabled');
    await disabling;
    expect(only(world.bi.accounts)?.active).toBe(false);
    expect(world.side.given('alice')).toEqual([]);
  });

  it('between the look at who it is and the account gets no account', async () => {
    let isDone = false;
    world.onCall = (call, when) => {
      if (call !== 'people.saveAssertion' || when === 'before' || isDone) return;
      isDone = true;
      void world.idOf('alice').then((person) => world.directory.people.setDisabled(person, true));
    };
    expect(await world.refused('alice', USER)).toBe('person_disabled');
    await world.settled();
    expect([world.bi.accounts.size, world.side.accounts.size]).toEqual([0, 0]);
  });

  it('is followed up when whoever disabled them dies in the middle', async () => {
    await world.login('alice', USER);
    await world.settled();
    world.onCall = (call) => {
      if (call === 'audit') throw new Error('killed');
    };
    await expect(world.disable(await world.idOf('alice'))).rejects.toThrow('killed');
    world.onCall = () => {};
    expect(only(world.bi.accounts)?.active).toBe(true);
    world.restart();
    world.now += 20_000;
    await world.engine.retryDue(10);
    expect(only(world.bi.accounts)?.active).toBe(false);
    expect(world.side.given('alice')).toEqual([]);
    expect(await world.directory.retries.count()).toBe(0);
  });

  it('loses the account also when the run that made it died before it could record it', async () => {
    world.bi.hook = (call) => {
      if (call === 'applied') throw new Error('killed');
    };
    expect(await world.refused('alice', USER)).toBe('internal');
    world.bi.hook = () => {};
    world.restart();
    await world.disable(await world.idOf('alice'));
    expect(only(world.bi.accounts)?.active).toBe(false);
  });

  it('loses the account also when its user name was changed by hand', async () => {
    await world.login('alice', USER);
    const account = only(world.bi.accounts);
    if (account !== undefined) account.userName = 'renamed';
    await world.disable(await world.idOf('alice'));
    expect(account?.active).toBe(false);
  });

  it('does not lose an account that is protected by now: that is held, and the route is closed', async () => {
    await world.login('alice', USER);
    const account = only(world.bi.accounts);
    if (account !== undefined) account.isProtected = true;
    const person = await world.idOf('alice');
    await world.disable(person);
    expect(account?.active).toBe(true);
    expect(world.events()).toContain('change.held alice');
    expect(await world.account(person, 'bi')).toEqual({ status: 'none' });
  });
});

describe('an account that was switched off by hand', () => {
  it.each(['before', 'after'])('%s a denial stays off when the denial is lifted', async (when) => {
    world.bi.addAccount({ userName: 'adams', profile: { email: 'alice@acme.test' } }, [
      { kind: 'role', name: 'Gamma' },
    ]);
    await world.login('alice', USER);
    const account = only(world.bi.accounts);
    const switchOff = () => {
      if (account !== undefined) account.active = false;
    };
    if (when === 'before') switchOff();
    expect(await world.refused('alice', { groups: ['suspended'] })).toBe('denied_by_rule');
    await world.settled();
    if (when === 'after') switchOff();
    expect(await world.refused('alice', USER)).toBe('account_disabled');
    expect(account?.active).toBe(false);
  });

  it('stays off when its person was disabled and is enabled again', async () => {
    await world.login('alice', USER);
    const account = only(world.bi.accounts);
    if (account !== undefined) account.active = false;
    const person = await world.idOf('alice');
    await world.disable(person);
    await world.enable(person);
    expect(await world.refused('alice', USER)).toBe('account_disabled');
  });
});

describe('a leaver whose account is to be deleted', () => {
  beforeEach(() => world.restart(DELETE));

  it('leaves nothing behind, and gets a new account after coming back', async () => {
    await world.login('alice', USER);
    const person = await world.idOf('alice');
    await world.disable(person);
    expect([world.bi.accounts.size, world.side.accounts.size]).toEqual([0, 0]);
    expect(await world.directory.ledger.ofPerson(person)).toEqual([]);
    expect(await world.directory.accounts.ofPerson(person)).toEqual([]);
    await world.enable(person);
    await world.login('alice', USER);
    expect(world.bi.given('alice')).toEqual(['group:analysts', 'role:Alpha']);
  });

  it('and owns something is switched off, remembered as ours, and switched on after coming back', async () => {
    world.bi.keepsOwners = true;
    await world.login('alice', USER);
    const person = await world.idOf('alice');
    await world.disable(person);
    expect(world.events()).toContain('account.disabled alice');
    expect(world.events()).not.toContain('account.deleted alice in bi');
    await world.enable(person);
    expect((await world.login('alice', { groups: ['Admin'] })).awaited?.status).toBe('ready');
    expect(world.bi.given('alice')).toEqual(['role:Admin']);
  });

  it('keeps an account that was there before us, switched off', async () => {
    world.bi.addAccount({ userName: 'adams', profile: { email: 'alice@acme.test' } }, [
      { kind: 'role', name: 'Gamma' },
    ]);
    await world.login('alice', USER);
    await world.disable(await world.idOf('alice'));
    expect(only(world.bi.accounts)).toMatchObject({ userName: 'adams', active: false });
  });

  it('keeps an account that somebody made by hand in place of ours', async () => {
    await world.login('alice', USER);
    world.bi.accounts.clear();
    world.bi.addAccount({ userName: 'again', profile: { email: 'alice@acme.test' } }, [
      { kind: 'role', name: 'Alpha' },
    ]);
    await world.login('alice', { groups: ['Admin'] });
    expect(world.bi.given('again')).toEqual(['role:Admin', 'role:Alpha']);
    await world.disable(await world.idOf('alice'));
    expect(only(world.bi.accounts)).toMatchObject({ userName: 'again', active: false });
  });
});

describe('a refusal', () => {
  it('ends the sessions before anything else is done', async () => {
    await world.login('alice', USER);
    await world.settled();
    const order: number[] = [];
    world.bi.hook = () => void order.push(world.ended.length);
    await world.refused('alice', { groups: ['suspended'] });
    await world.settled();
    expect(order[0]).toBe(1);
  });

  it('takes what we gave from a linked account, which stays on', async () => {
    world.bi.addAccount({ userName: 'adams', profile: { email: 'alice@acme.test' } }, [
      { kind: 'role', name: 'Gamma' },
    ]);
    await world.login('alice', USER);
    const person = await world.idOf('alice');
    await world.refused('alice', { groups: ['suspended'] });
    await world.settled();
    expect(world.bi.given('adams')).toEqual(['role:Gamma']);
    expect(only(world.bi.accounts)?.active).toBe(true);
    expect(await world.account(person, 'bi')).toEqual({ status: 'none' });
  });
});
