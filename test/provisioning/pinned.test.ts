import { LatchgateError } from '../../src/model/errors.ts';
import { World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await new World().open();
});
afterEach(() => world.close());

const at = new Date('2026-01-01T00:00:00Z');

async function logIn(claims: Record<string, unknown> = { groups: ['User'] }): Promise<void> {
  await world.login('ann', claims).catch(() => undefined);
  await world.settled();
}

async function pin(name: string, effect: 'withheld' | 'kept', kind: 'role' | 'group' = 'role'): Promise<string> {
  const person = await world.idOf('ann');
  await world.directory.pins.set({ person, target: 'bi', kind, name, effect, by: 'review rv_1', reason: 'moved', at });
  return person;
}

const again = (person: string) => world.engine.again(person, 'bi', 'operator', 'r');

describe('an entitlement that is withheld', () => {
  it('is taken, and does not come back at the next login', async () => {
    await logIn();
    const person = await pin('Alpha', 'withheld');
    await again(person);
    expect(world.bi.given('ann')).toEqual(['group:analysts']);
    await logIn();
    expect(world.bi.given('ann')).toEqual(['group:analysts']);
    expect(world.events().filter((event) => event === 'grant.taken role:Alpha')).toHaveLength(1);
    expect((await world.directory.ledger.ofAccount(person, 'bi')).map(({ name }) => name)).toEqual(['analysts']);
  });

  it('is taken from somebody who did not send groups, whose others stay', async () => {
    await world.close();
    world = await new World().open({ groupsAbsent: 'keep' });
    await logIn();
    await logIn({});
    await again(await pin('Alpha', 'withheld'));
    expect(world.bi.given('ann')).toEqual(['group:analysts']);
  });

  it('is taken though nobody can say what the person is to have: what is said is refused, or by an origin that is gone', async () => {
    await logIn();
    const person = await pin('Alpha', 'withheld');
    world.restart({ require: ['email', 'department'] });
    await again(person);
    expect(world.bi.given('ann')).toEqual(['group:analysts']);
    await pin('analysts', 'withheld', 'group');
    world.bi.addEntitlement({ kind: 'role', name: 'Public' });
    world.restart({ origins: ['other'] });
    await again(person);
    // A target that demands one: the account is switched off and keeps it.
    expect(world.bi.given('ann')).toEqual(['group:analysts']);
    expect([...world.bi.accounts.values()].find(({ userName }) => userName === 'ann')?.active).toBe(false);
  });

  it('keeps somebody out while the target is down and it is still there', async () => {
    await logIn();
    await pin('Alpha', 'withheld');
    world.bi.hook = () => {
      throw new LatchgateError('target_unavailable', 'down');
    };
    expect(await world.refused('ann', { groups: ['User'] })).toBe('target_unavailable');
    await world.directory.pins.lift(await world.idOf('ann'), 'bi', { kind: 'role', name: 'Alpha' });
    world.bi.hook = () => {};
    await logIn();
    world.bi.hook = () => {
      throw new LatchgateError('target_unavailable', 'down');
    };
    expect(await world.refused('ann', { groups: ['User'] })).toBe('no error');
  });

  it('was never given: then it is not', async () => {
    await logIn({ groups: [] });
    await pin('Alpha', 'withheld');
    await logIn();
    expect(world.bi.given('ann')).toEqual(['group:analysts']);
  });

  it('comes back once the pin is lifted', async () => {
    await logIn();
    const person = await pin('Alpha', 'withheld');
    await again(person);
    const lifted = await world.directory.pins.lift(person, 'bi', { kind: 'role', name: 'Alpha' });
    expect(lifted).toMatchObject({ by: 'review rv_1', reason: 'moved', effect: 'withheld' });
    await again(person);
    expect(world.bi.given('ann')).toEqual(['group:analysts', 'role:Alpha']);
  });

  it('is not taken when it was given by hand', async () => {
    world.bi.addAccount({ userName: 'ann', externalId: 'ann', profile: { email: 'ann@acme.test' } }, [
      { kind: 'role', name: 'Alpha' },
    ]);
    await logIn();
    await again(await pin('Alpha', 'withheld'));
    expect(world.bi.given('ann')).toEqual(['group:analysts', 'role:Alpha']);
  });

  it('stands in the reasoning behind the next login', async () => {
    await logIn();
    await pin('Alpha', 'withheld');
    await logIn();
    const record = await world.directory.decisions.get(`r${world.now}`);
    expect(record?.trace?.notes).toContain('bi:role:Alpha: not given, pinned by review rv_1 (moved)');
  });
});

describe('an entitlement that is kept', () => {
  it('is given though no rule gives it, and is ours: it goes when the pin is lifted', async () => {
    await logIn();
    const person = await pin('Gamma', 'kept');
    await logIn();
    expect(world.bi.given('ann')).toEqual(['group:analysts', 'role:Alpha', 'role:Gamma']);
    await world.directory.pins.lift(person, 'bi', { kind: 'role', name: 'Gamma' });
    await logIn();
    expect(world.bi.given('ann')).toEqual(['group:analysts', 'role:Alpha']);
  });

  it('does not let in somebody whom a rule denies', async () => {
    await logIn();
    await pin('Gamma', 'kept');
    await logIn({ groups: ['User', 'suspended'] });
    expect([...world.bi.accounts.values()].find(({ userName }) => userName === 'ann')?.active).toBe(false);
  });
});
