import { World } from './world.ts';

const USER = { groups: ['User'] };

/** What the engine does when a provider is asked again for a session that goes on. */
describe('a refresh', () => {
  let world: World;
  let alice: string;
  beforeEach(async () => {
    world = await new World().open();
    await world.login('alice', USER);
    await world.settled();
    world.restart();
    alice = await world.idOf('alice');
    world.audit.length = 0;
    world.bi.calls.length = 0;
    world.side.calls.length = 0;
  });
  afterEach(() => world.close());

  const refused = async (claims: Record<string, unknown>) => {
    const error = await world.refresh('alice', claims).then(
      () => ({ code: 'no error' }),
      (thrown: { code: string }) => thrown,
    );
    return error.code;
  };

  it('that says the same asks no target, records nothing, and is remembered as a sign of life', async () => {
    world.now += 60_000;
    const { identity } = await world.refresh('alice', USER);
    expect(identity).toMatchObject({ person: alice, groups: ['User'], email: 'alice@acme.test' });
    expect([world.bi.calls, world.side.calls, world.audit]).toEqual([[], [], []]);
    expect(await world.directory.decisions.get(`r${world.now}`)).toBeUndefined();
    expect((await world.directory.people.get(alice))?.lastSeenAt).toEqual(new Date(world.now - 1));
    expect(await world.directory.retries.count()).toBe(0);
  });

  it('is not disturbed by claims that nobody asks for, as Entra sends anew in each token', async () => {
    await world.refresh('alice', { ...USER, uti: 'x1', rh: '0.x', aio: 'y' });
    expect([world.bi.calls, world.audit]).toEqual([[], []]);
    const [remembered] = await world.directory.people.assertions(alice);
    expect(remembered?.claims).toMatchObject({ uti: 'x1' });
  });

  it('that lacks a group takes away what it gave, and whoever asks for the account waits for that', async () => {
    expect(world.bi.given('alice')).toEqual(['group:analysts', 'role:Alpha']);
    let done = (): void => {};
    const writing = new Promise<void>((resolve) => {
      done = resolve;
    });
    world.bi.hook = (call) => (call === 'apply' ? writing : undefined);
    const { identity } = await world.refresh('alice', { groups: [] });
    expect(identity.groups).toEqual([]);
    const account = world.account(alice, 'bi');
    done();
    expect(await account).toMatchObject({ status: 'ready' });
    expect(world.bi.given('alice')).toEqual(['role:Gamma']);
    expect(await world.account(alice, 'side')).toEqual({ status: 'none' });
    expect(world.events()).toContain('session.renewed');
    const taken = world.audit.find(({ event }) => event === 'grant.taken');
    expect(taken).toMatchObject({ actor: 'refresh:staff' });
    expect(world.ended).toEqual([]);
  });

  it('with another name changes the account', async () => {
    await world.refresh('alice', { ...USER, family_name: 'Brown', given_name: 'Alice' });
    await world.settled();
    const account = [...world.bi.accounts.values()].find(({ userName }) => userName === 'alice');
    expect(account?.profile).toMatchObject({ familyName: 'Brown' });
  });

  it('that a rule denies ends the sessions of the person, and takes what they were given', async () => {
    expect(await refused({ groups: ['suspended'] })).toBe('denied_by_rule');
    await world.settled();
    expect(world.ended).toEqual([alice]);
    expect([...world.bi.accounts.values()].map(({ active }) => active)).toEqual([false]);
    expect(world.events()).toContain('session.refused');
    expect(world.events()).not.toContain('login.refused');
    // And again, though that is what is remembered by now.
    expect(await refused({ groups: ['suspended'] })).toBe('denied_by_rule');
  });

  it('that a rule of the new config denies is denied, though the provider says the same', async () => {
    world.restart({ rules: { users: { when: { groups: 'User' }, deny: 'Not any more.' } } });
    expect(await refused(USER)).toBe('denied_by_rule');
    expect(world.ended).toEqual([alice]);
  });

  it('that cannot be read is refused and changes nothing', async () => {
    expect(await refused({ groups: { a: 1 } })).toBe('groups_invalid');
    expect([world.bi.calls, world.ended]).toEqual([[], []]);
    expect(await world.directory.decisions.get(`r${world.now}`)).toMatchObject({
      code: 'groups_invalid',
      person: alice,
    });
    const [remembered] = await world.directory.people.assertions(alice);
    expect(remembered?.claims['groups']).toEqual(['User']);
  });

  it('of somebody who was disabled is refused', async () => {
    await world.disable(alice);
    expect(await refused(USER)).toBe('person_disabled');
  });

  it('of somebody who has left by the word of a list is refused', async () => {
    const gone = { issuer: 'latchgate:source:hr', subject: 'alice', person: alice, owner: 'hr' };
    await world.directory.listings.saveGone('hr', [gone], new Date(0));
    expect(await refused(USER)).toBe('person_left');
  });

  it('of which the process dies before anything was reconciled is made up for', async () => {
    world.onCall = (call, when) => {
      if (call === 'people.saveAssertion' && when === 'after') throw new Error('killed');
    };
    await expect(world.refresh('alice', { groups: [] })).rejects.toThrow('killed');
    world.onCall = () => {};
    expect(world.bi.given('alice')).toContain('role:Alpha');
    // To the next refresh nothing is new.
    await world.refresh('alice', { groups: [] });
    world.now += 20_000;
    await world.engine.retryDue(10);
    expect(world.bi.given('alice')).toEqual(['role:Gamma']);
    expect(await world.directory.retries.count()).toBe(0);
  });

  it('while a target is down closes what should have gone, until it has', async () => {
    world.bi.hook = () => {
      throw new Error('down');
    };
    await world.refresh('alice', { groups: [] });
    await world.settled();
    world.restart();
    expect(await world.account(alice, 'bi')).toMatchObject({ status: 'failed', retryable: true });
    world.bi.hook = () => {};
    world.now += 60_000;
    await world.engine.retryDue(10);
    expect(await world.account(alice, 'bi')).toMatchObject({ status: 'ready' });
    expect(world.bi.given('alice')).toEqual(['role:Gamma']);
  });
});
