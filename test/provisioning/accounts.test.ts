import { World } from './world.ts';

const USER = { groups: ['User'] };

let world: World;
beforeEach(async () => {
  world = await new World({ disable: false, requiredProfile: [], uniqueEmail: false }).open();
});
afterEach(() => world.close());

describe('a new account', () => {
  it('has no name where the claim is empty and the target allows that, so that the next login changes nothing', async () => {
    await world.login('alice', { ...USER, given_name: '', family_name: null }, 'side');
    expect([...world.side.accounts.values()][0]?.profile).toEqual({ email: 'alice@acme.test' });
    const { awaited } = await world.login('alice', { ...USER, given_name: '', family_name: null }, 'side');
    expect(awaited).toMatchObject({ changes: [] });
  });

  it('gets the next user name when the first is taken, also in place of one that was deleted by hand', async () => {
    await world.login('alice', USER);
    world.bi.accounts.clear();
    world.bi.addAccount({ userName: 'alice', profile: { email: 'other@acme.test' } }, [
      { kind: 'role', name: 'Gamma' },
    ]);
    const { awaited } = await world.login('alice', USER);
    expect(awaited).toMatchObject({ status: 'ready', userName: 'alice@acme.test' });
    expect(world.bi.given('alice')).toEqual(['role:Gamma']);
    const links = await world.directory.accounts.ofPerson(await world.idOf('alice'));
    expect(links.find(({ target }) => target === 'bi')).toMatchObject({ created: true, state: 'ready' });
  });

  it('is not made beside one that has the address, unless somebody vouches that the address is theirs', async () => {
    const ceo = { ...USER, email: 'ceo@acme.test' };
    world.bi.addAccount({ userName: 'ceo', profile: { email: 'CEO@acme.test' } }, [{ kind: 'role', name: 'Gamma' }]);
    expect(await world.refused('mallory', { ...ceo, email_verified: false })).toBe('account_taken');
    expect([...world.bi.accounts.values()].map(({ userName }) => userName)).toEqual(['ceo']);
    expect((await world.login('mallory', ceo)).awaited).toMatchObject({ status: 'ready', userName: 'ceo' });
    expect(await world.refused('trudy', { ...ceo, email_verified: false })).toBe('account_taken');
    expect(world.bi.accounts.size).toBe(1);
  });

  it('is refused when every user name is taken', async () => {
    for (const userName of ['alice', 'alice@acme.test']) {
      world.bi.addAccount({ userName, profile: { email: `${userName}.x` } }, [{ kind: 'role', name: 'Gamma' }]);
    }
    expect(await world.refused('alice', USER)).toBe('user_name_taken');
  });

  it('with the id of one that was deleted belongs to its own person', async () => {
    await world.login('alice', USER);
    const old = [...world.bi.accounts.values()][0];
    world.bi.accounts.clear();
    world.bi.addAccount({ userName: 'bob', id: old?.id ?? '', profile: { email: 'bob@acme.test' } }, [
      { kind: 'role', name: 'Gamma' },
    ]);
    expect((await world.login('bob', USER)).awaited).toMatchObject({ status: 'ready', userName: 'bob', id: old?.id });
    expect((await world.login('alice', USER)).awaited).toMatchObject({ status: 'ready', userName: 'alice' });
    expect(world.bi.given('bob')).toEqual(['group:analysts', 'role:Alpha', 'role:Gamma']);
  });
});

describe('an e-mail that changed', () => {
  it('is written, and held when it is another account’s', async () => {
    await world.login('bob', USER);
    await world.login('alice', USER);
    await world.login('alice', { ...USER, email: 'alice.adams@acme.test' });
    expect([...world.bi.accounts.values()].map(({ profile }) => profile['email']).sort()).toEqual([
      'alice.adams@acme.test',
      'bob@acme.test',
    ]);
    const { awaited } = await world.login('alice', { ...USER, email: 'BOB@acme.test' });
    expect(awaited).toMatchObject({ held: [{ code: 'account_taken' }] });
  });
});

describe('the address of another account, where the target would take it twice', () => {
  const held = async (more: object): Promise<unknown> =>
    (await world.login('alice', { ...USER, given_name: 'Alicia', ...more }, 'side')).awaited;
  const emails = (): unknown[] => [...world.side.accounts.values()].map(({ profile }) => profile['email']).sort();

  it('is not written for somebody of whom nobody vouches that it is theirs', async () => {
    await world.login('bob', USER, 'side');
    await world.login('alice', USER, 'side');
    const bobs = { email: 'BOB@acme.test', email_verified: false };
    expect(await held(bobs)).toMatchObject({ status: 'ready', held: [{ code: 'account_taken' }] });
    expect(emails()).toEqual(['alice@acme.test', 'bob@acme.test']);
    expect([...world.side.accounts.values()].map(({ profile }) => profile['givenName'])).toContain('Alicia');
    expect(await held({ ...bobs, email_verified: true })).toMatchObject({ held: [] });
    expect(emails()).toEqual(['BOB@acme.test', 'bob@acme.test']);
  });
});

describe('an account that was only announced', () => {
  it('and is privileged by somebody else’s hand by now is not taken for ours', async () => {
    world.bi.hook = (call) => {
      if (call === 'apply') throw new Error('killed');
    };
    expect(await world.refused('mallory', { ...USER, email_verified: false })).toBe('internal');
    world.bi.hook = () => {};
    world.bi.addAccount({ userName: 'mallory', profile: { email: 'mallory@acme.test' } }, [
      { kind: 'role', name: 'Admin' },
    ]);
    world.restart();
    expect(await world.refused('mallory', { ...USER, email_verified: false })).toBe('account_privileged');
  });
});

describe('a role that was renamed by hand', () => {
  it('is still ours to take back', async () => {
    await world.login('alice', USER);
    const alpha = [...world.bi.entitlements.values()].find(({ name }) => name === 'Alpha');
    world.bi.entitlements.set(alpha?.id ?? '', { kind: 'role', name: 'Alfa', id: alpha?.id ?? '' });
    expect((await world.login('alice', USER)).awaited).toMatchObject({ changes: [] });
    await world.login('alice', { groups: ['Admin'] });
    expect(world.bi.given('alice')).toEqual(['role:Admin']);
  });

  it('and is the last one stays ours while the account is off, and goes when there is another', async () => {
    const rules = {
      users: { when: { groups: 'User' }, grant: { bi: { roles: ['Alpha'] } } },
      admins: { when: { groups: 'Admin' }, grant: { bi: { roles: ['Admin'] } } },
    };
    const account = world.bi.addAccount({ userName: 'alice', profile: { email: 'alice@acme.test' } });
    world.restart({ rules, byDefault: { grant: {} } });
    await world.login('alice', USER);
    const alpha = [...world.bi.entitlements.values()].find(({ name }) => name === 'Alpha');
    world.bi.entitlements.set(alpha?.id ?? '', { kind: 'role', name: 'Alfa', id: alpha?.id ?? '' });
    expect(await world.refused('alice', { groups: [] })).toBe('no_access');
    expect([account.active, world.bi.given('alice')]).toEqual([false, ['role:Alfa']]);
    await world.login('alice', { groups: ['Admin'] });
    expect([account.active, world.bi.given('alice')]).toEqual([true, ['role:Admin']]);
  });
});

describe('two instances without a common lease', () => {
  it('make one account, and what each gives is ours', async () => {
    const { leases } = world.directory;
    leases.acquire = async (name) => ({ name, holder: name, ttlMs: 5_000, release: async () => {} });
    const other = await Promise.all([
      world.login('alice', USER),
      (async () => {
        const first = world.engine;
        world.engine = world.another();
        const second = world.login('alice', { groups: ['User', 'Admin'] });
        world.engine = first;
        return second;
      })(),
    ]);
    expect(new Set(other.map(({ awaited }) => awaited?.status === 'ready' && awaited.id)).size).toBe(1);
    expect(world.bi.accounts.size).toBe(1);
    await world.settled();
    await world.login('alice', { groups: ['Admin'] });
    expect(world.bi.given('alice')).toEqual(['role:Admin']);
    expect((await world.login('alice', { groups: ['Admin'] })).awaited).toMatchObject({ changes: [] });
  });
});

describe('a login that changes nothing', () => {
  it('costs one read of each target and three commits', async () => {
    await world.login('alice', USER);
    await world.settled();
    const calls: string[] = [];
    world.bi.calls.length = 0;
    world.directory.leases.acquire = async (name) => {
      calls.push(`acquire ${name}`);
      return { name, holder: name, ttlMs: 5_000, release: async () => {} };
    };
    world.onCall = (call, when) => void (when === 'before' && calls.push(call));
    await world.login('alice', USER);
    await world.settled();
    expect(world.bi.calls).toEqual(['read']);
    const writes = calls.filter((call) => /save|put|intend|confirm|withdraw|remove|audit|ensure|acquire/.test(call));
    expect(writes).toEqual(['people.saveAssertion', 'decisions.save', 'audit']);
  });
});
