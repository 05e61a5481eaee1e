import fc from 'fast-check';
import type { MemoryTarget } from './memory-target.ts';
import { World, type WorldOptions } from './world.ts';

/*
 * Any sequence of logins by two origins, of what people do by hand in the targets, of faults and restarts. After each
 * login that went through: what was given by hand is there, what we give is there, nothing else is, and a further login
 * changes nothing.
 */

const OPTIONS: WorldOptions = {
  origins: ['staff', 'partner'],
  rules: {
    admins: { when: { groups: 'Admin' }, grant: { bi: { roles: ['Admin'] } } },
    users: {
      when: { groups: 'User' },
      grant: { bi: { roles: ['Alpha'], groups: ['analysts'] }, side: { groups: ['a'] } },
    },
    more: { when: { groups: 'More' }, grant: { bi: { groups: ['analysts', 'more'] }, side: { groups: ['a', 'b'] } } },
    suspended: { when: { groups: 'suspended' }, deny: 'You are suspended.' },
  },
};
const GIVES: Readonly<Record<string, { readonly bi: readonly string[]; readonly side: readonly string[] }>> = {
  Admin: { bi: ['role:Admin'], side: [] },
  User: { bi: ['role:Alpha', 'group:analysts'], side: ['group:a'] },
  More: { bi: ['group:analysts', 'group:more'], side: ['group:a', 'group:b'] },
};
const BY_HAND = [
  { kind: 'role', name: 'Hand' },
  { kind: 'role', name: 'Gamma' },
  { kind: 'role', name: 'Alpha' },
  { kind: 'group', name: 'more' },
] as const;

type Step =
  | { readonly do: 'login'; readonly origin: string; readonly groups: readonly string[]; readonly fault: number }
  | { readonly do: 'give' | 'take'; readonly at: 'bi' | 'side'; readonly pick: number }
  | { readonly do: 'delete'; readonly at: 'bi' | 'side' }
  | { readonly do: 'leave' };

const groups = fc.subarray(['Admin', 'User', 'More']);
const at = fc.constantFrom('bi' as const, 'side' as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('login' as const),
      origin: fc.constantFrom('staff', 'partner'),
      groups: fc.oneof({ weight: 6, arbitrary: groups }, { weight: 1, arbitrary: fc.constant(['User', 'suspended']) }),
      fault: fc.oneof(
        { weight: 2, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: 1, max: 45 }) },
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('give' as const, 'take' as const), at, pick: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), at }) },
  { weight: 1, arbitrary: fc.constant({ do: 'leave' as const }) },
);

/** What should be there, told without any of the code under test. */
class Model {
  readonly #world: World;
  readonly #said = new Map<string, readonly string[]>();
  readonly byHand = { bi: new Set<string>(), side: new Set<string>() };

  constructor(world: World) {
    this.#world = world;
  }

  async run(step: Step): Promise<void> {
    switch (step.do) {
      case 'login':
        return this.#login(step);
      case 'give':
        return this.#give(step.at, BY_HAND[step.pick % BY_HAND.length] ?? BY_HAND[0]);
      case 'take':
        return this.#take(step.at, step.pick);
      case 'delete':
        this.#world[step.at].accounts.clear();
        this.byHand[step.at].clear();
        return;
      case 'leave': {
        const person = await this.#world.idOf('alice');
        if (person === '') return;
        await this.#world.disable(person);
        expect(await this.#world.account(person, 'bi')).toEqual({ status: 'none' });
        expect(this.#account('bi')?.active ?? false).toBe(false);
        await this.#world.enable(person);
      }
    }
  }

  async #login({ origin, groups, fault }: Extract<Step, { do: 'login' }>): Promise<void> {
    const world = this.#world;
    if (fault > 0) {
      let calls = 0;
      const fail = (): void => {
        calls += 1;
        if (calls >= fault) throw new Error('killed');
      };
      world.onCall = fail;
      for (const target of [world.bi, world.side]) target.hook = fail;
      await world.login('alice', { groups }, 'bi', origin).catch(() => {});
      await world.settled();
      world.onCall = () => {};
      for (const target of [world.bi, world.side]) target.hook = () => {};
      world.restart(OPTIONS);
    }
    this.#said.set(origin, groups);
    if ([...this.#said.values()].flat().includes('suspended')) return this.#expectRefused(origin, groups);
    await world.login('alice', { groups }, 'bi', origin);
    await world.settled();
    this.#expectRight();
    const counts = [world.bi, world.side].map(({ calls }) => calls.filter((call) => call === 'apply').length);
    expect((await world.login('alice', { groups }, 'bi', origin)).awaited).toMatchObject({
      status: 'ready',
      changes: [],
    });
    await world.settled();
    expect([world.bi, world.side].map(({ calls }) => calls.filter((call) => call === 'apply').length)).toEqual(counts);
  }

  async #expectRefused(origin: string, groups: readonly string[]): Promise<void> {
    expect(await this.#world.refused('alice', { groups }, 'bi', origin)).toBe('denied_by_rule');
    await this.#world.settled();
    expect(this.#account('bi')?.active ?? false).toBe(false);
    expect(this.#given('side')).toEqual([...this.byHand.side].sort());
  }

  #expectRight(): void {
    const wanted = [...this.#said.values()].flat();
    for (const name of ['bi', 'side'] as const) {
      const given = new Set(wanted.flatMap((group) => GIVES[group]?.[name] ?? []));
      if (name === 'bi' && given.size === 0) given.add('role:Gamma');
      expect([name, this.#given(name)]).toEqual([name, [...new Set([...given, ...this.byHand[name]])].sort()]);
      expect(this.#world[name].accounts.size).toBeLessThanOrEqual(1);
      if (name === 'bi') expect(this.#account('bi')?.active).toBe(true);
    }
  }

  #give(name: 'bi' | 'side', entitlement: (typeof BY_HAND)[number]): void {
    const account = this.#account(name);
    const target = this.#world[name];
    if (account === undefined) return;
    const key = `${entitlement.kind}:${entitlement.name}`;
    if (this.#given(name).includes(key) || !account.active) return;
    const known = [...target.entitlements.values()].find((one) => `${one.kind}:${one.name}` === key);
    account.entitlements.add((known ?? target.addEntitlement(entitlement)).id);
    this.byHand[name].add(key);
  }

  /** Only what was given by hand: of what is ours and was taken by hand nobody can tell who gave it next. */
  #take(name: 'bi' | 'side', pick: number): void {
    const account = this.#account(name);
    const keys = [...this.byHand[name]];
    const key = keys[pick % Math.max(keys.length, 1)];
    if (account === undefined || key === undefined) return;
    const one = [...this.#world[name].entitlements.values()].find(({ kind, name: text }) => `${kind}:${text}` === key);
    account.entitlements.delete(one?.id ?? '');
    this.byHand[name].delete(key);
  }

  #account(name: 'bi' | 'side'): MemoryAccount | undefined {
    return [...this.#world[name].accounts.values()][0];
  }

  #given(name: 'bi' | 'side'): string[] {
    return this.#world[name].given(this.#account(name)?.userName ?? '');
  }
}

type MemoryAccount = MemoryTarget['accounts'] extends Map<string, infer Account> ? Account : never;

it('gives what is to be given, and leaves alone what people did by hand, whatever comes in whatever order', async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
    const world = await new World({ disable: false }).open(OPTIONS);
    try {
      const model = new Model(world);
      for (const one of steps) await model.run(one);
    } finally {
      await world.close();
    }
  });
  await fc.assert(property, { numRuns: 60, interruptAfterTimeLimit: 60_000 });
}, 90_000);
