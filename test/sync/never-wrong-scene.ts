import fc from 'fast-check';
import { LatchgateError } from '../../src/model/errors.ts';
import type { Backend, Held } from './backends.ts';
import { ISSUER, lines, SyncWorld, type SyncWorldOptions } from './world.ts';

/** Whom the sources and the login speak of. */
const PEOPLE: readonly string[] = ['ann', 'bob', 'cyd', 'dan', 'eve', 'fay'];
const GROUPS = ['User', 'Admin', 'team-a', 'team-b'];
const UNTOUCHABLE: ReadonlySet<string> = new Set(['root', 'service']);
const THERE_BEFORE: ReadonlySet<string> = new Set(['root', 'service', 'bystander', 'ann']);
const SOURCES = ['hr', 'crm'] as const;
type SourceName = (typeof SOURCES)[number];

const who = fc.constantFrom(...PEOPLE);
const groups = fc.subarray(GROUPS);
const source = fc.constantFrom(...SOURCES);

/** How a reading of a source falls short of what is there. */
const reading = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ kind: 'whole' as const }) },
  fc.record({ kind: fc.constant('incomplete' as const), listed: fc.nat({ max: 6 }) }),
  fc.record({ kind: fc.constant('unreadable' as const), listed: fc.nat({ max: 6 }) }),
  fc.record({ kind: fc.constant('fails' as const), listed: fc.nat({ max: 6 }) }),
  fc.constant({ kind: 'empty' as const }),
);

/** @param calls a sync makes about as many at most, of the state, the audit and the target */
export function stepOf(calls: number) {
  return fc.oneof(
    fc.record({ do: fc.constant('say' as const), source, who, groups, active: fc.boolean() }),
    fc.record({ do: fc.constant('drop' as const), source, who }),
    fc.record({ do: fc.constant('byHand' as const), who, which: fc.nat({ max: 4 }) }),
    fc.record({ do: fc.constant('login' as const), who, groups }),
    fc.record({ do: fc.constant('retry' as const) }),
    fc.record({
      do: fc.constant('sync' as const),
      source,
      reading,
      approve: fc.boolean(),
      /** The call that breaks off; 0 and past the last one: none does. */
      breaksAt: fc.oneof(fc.constant(0), fc.nat({ max: calls })),
      /** Every later one does too, as when the process dies. */
      forGood: fc.boolean(),
      afterwards: fc.boolean(),
    }),
  );
}
export type Step = ReturnType<typeof stepOf> extends fc.Arbitrary<infer T> ? T : never;

export interface Policy {
  readonly leaver: 'disable' | 'delete';
  readonly manage: 'ours' | 'mapped' | 'all';
}

export const policy: fc.Arbitrary<Policy> = fc.record({
  leaver: fc.constantFrom('disable', 'delete'),
  manage: fc.constantFrom('ours', 'mapped', 'all'),
});

/** What a step is about: the source that was asked, and whether it showed everything. */
interface Asked {
  readonly source: SourceName;
  readonly isWhole: boolean;
}

/** Two sources, a login and hand-made changes on a backend, and what is true of all of them. */
export class Scene {
  readonly world = new SyncWorld();
  readonly #backend: Backend;
  readonly #policy: Policy;
  readonly #options: SyncWorldOptions;
  /** Given before us or by hand: name and key. */
  readonly #byHand = new Set<string>();
  /** Groups by origin and person. */
  readonly #heard = new Map<string, readonly string[]>();

  constructor(backend: Backend, policy: Policy) {
    this.#backend = backend;
    this.#policy = policy;
    const { target, rules } = backend;
    this.#options = { joined: SOURCES, target, rules, manage: policy.manage, leaver: { now: policy.leaver } };
    for (const name of ['root', 'bystander', 'ann']) this.#byHand.add(`${name} ${backend.byHand}`);
  }

  async start(): Promise<this> {
    // What is nobody's is still as it was when the first step comes.
    await this.world.open({ ...this.#options, manage: 'ours' });
    for (const name of PEOPLE.slice(0, 5)) this.world.hr.add(name, { groups: ['User'], email: `${name}@acme.test` });
    await this.world.apply('hr');
    this.world.configure(this.#options);
    return this;
  }

  async close(): Promise<void> {
    await this.world.close();
    await this.#backend.close();
  }

  accounts(): ReadonlyMap<string, Held> {
    return this.#backend.accounts();
  }

  /** One step, after which nothing is missing that had to stay. */
  async step(one: Step): Promise<void> {
    const before = this.accounts();
    await this.#look();
    await this.play(one);
    const asked = one.do === 'sync' ? { source: one.source, isWhole: one.reading.kind === 'whole' } : undefined;
    await this.#check(before, asked);
  }

  async play(one: Step): Promise<void> {
    const { world } = this;
    switch (one.do) {
      case 'say':
        world[one.source].add(one.who, { groups: one.groups, email: `${one.who}@acme.test` }, one.active);
        return;
      case 'drop':
        world[one.source].people.delete(one.who);
        return;
      case 'byHand': {
        const key = this.#backend.spare[one.which % this.#backend.spare.length] ?? '';
        const account = this.accounts().get(one.who);
        if (account === undefined || account.has.has(key)) return;
        this.#backend.giveByHand(one.who, key);
        this.#byHand.add(`${one.who} ${key}`);
        return;
      }
      case 'login':
        await world.login(one.who, { groups: one.groups }).catch(() => undefined);
        await world.engine.close();
        // What a login takes back of its own it may: refused or not, what counts is what was heard.
        await this.#listen(one.who);
        world.configure(this.#options);
        return;
      case 'retry':
        // What a broken run left is done once more in the background, by what is remembered.
        world.now += 600_000;
        await world.engine.retryDue(100);
        await world.engine.close();
        world.configure(this.#options);
        return;
      case 'sync':
        await this.#sync(one);
    }
  }

  /** Every run afterwards is whole: both sources end in a plan without changes, and everybody has what they are given. */
  async settle(): Promise<void> {
    for (const name of [...SOURCES, ...SOURCES]) {
      const before = this.accounts();
      await this.#look();
      await this.world.apply(name, { approve: true });
      await this.#check(before, { source: name, isWhole: true });
    }
    for (const name of SOURCES) expect(lines((await this.world.plan(name)).changes)).toEqual([]);
    await this.#look();
    for (const [name, { active, has }] of this.accounts()) {
      if (!active || !PEOPLE.includes(name) || (await this.world.personOf(name))?.leftAt !== undefined) continue;
      for (const key of await this.#given(name)) expect([...has]).toContain(key);
    }
  }

  async #sync({ source, reading: how, ...rest }: Extract<Step, { do: 'sync' }>): Promise<void> {
    const { world } = this;
    const { approve, breaksAt, forGood, afterwards } = rest;
    const from = world[source];
    const error = new LatchgateError('source_unavailable', 'reset');
    const kept = new Map(from.people);
    if (how.kind === 'incomplete') from.end = { complete: false, why: 'a page is missing', unreadable: 0, notes: [] };
    if (how.kind === 'unreadable') from.end = { complete: true, unreadable: 1, notes: [] };
    if (how.kind === 'incomplete' || how.kind === 'unreadable') {
      from.cutTo = how.listed;
      if (how.kind === 'incomplete') for (const [name, one] of from.people) halve(from, name, one.claims, how.listed);
    }
    if (how.kind === 'fails') from.failAfter = { people: Math.min(how.listed, kept.size - 1), error };
    if (how.kind === 'empty') from.cutTo = 0;
    let calls = 0;
    const breaks = (): boolean => {
      calls += 1;
      return breaksAt > 0 && (forGood ? calls >= breaksAt : calls === breaksAt);
    };
    world.onCall = () => {
      if (breaks()) throw new LatchgateError('state_unavailable', 'broken off');
    };
    this.#backend.breakOff(breaks, afterwards);
    await world.apply(source, { approve: approve && how.kind !== 'empty' }).catch((thrown: unknown) => {
      if (!(thrown instanceof LatchgateError)) throw thrown;
    });
    world.onCall = () => {};
    this.#backend.mend();
    from.end = { complete: true, unreadable: 0, notes: [] };
    from.cutTo = Number.POSITIVE_INFINITY;
    from.failAfter = undefined;
    from.people.clear();
    for (const [name, one] of kept) from.people.set(name, one);
  }

  /**
   * What must stay: what a source gives and has been heard to give, or is being asked about; and what the login that was
   * last heard gives. Nobody knows yet of what was not heard.
   */
  async #given(name: string, asked?: SourceName): Promise<ReadonlySet<string>> {
    const keys = new Set<string>();
    const give = (group: string): void => {
      for (const key of this.#backend.gives[group] ?? []) keys.add(key);
    };
    for (const from of SOURCES) {
      const listed = this.world[from].people.get(name);
      if (listed?.active !== true) continue;
      const heard = this.#heard.get(`${from} ${name}`) ?? [];
      for (const group of listed.claims['groups'] as readonly string[]) {
        if (asked === from || heard.includes(group)) give(group);
      }
    }
    for (const group of this.#heard.get(`staff ${name}`) ?? []) give(group);
    return keys;
  }

  /** Remembers what the directory knows before a step: what each origin was last heard to say. */
  async #look(): Promise<void> {
    const { people } = this.world.directory;
    this.#heard.clear();
    for (const name of PEOPLE) {
      const person = (await this.world.personOf(name)) ?? (await people.bySubject({ issuer: ISSUER, subject: name }));
      const assertions = person === undefined ? [] : await people.assertions(person.id);
      for (const { origin, active, rememberedGroups } of assertions) {
        if (active) this.#heard.set(`${origin} ${name}`, rememberedGroups ?? []);
      }
    }
  }

  /** What the login says now. */
  async #listen(name: string): Promise<void> {
    const { people } = this.world.directory;
    const person = await people.bySubject({ issuer: ISSUER, subject: name });
    const assertions = person === undefined ? [] : await people.assertions(person.id);
    this.#heard.set(`staff ${name}`, assertions.find(({ origin }) => origin === 'staff')?.rememberedGroups ?? []);
  }

  /** What was taken between the two is what may be taken. */
  async #check(before: ReadonlyMap<string, Held>, asked: Asked | undefined): Promise<void> {
    const after = this.accounts();
    for (const [name, was] of before) {
      const is = after.get(name);
      if (UNTOUCHABLE.has(name)) expect({ name, ...is }).toEqual({ name, ...was });
      else if (name === 'bystander') this.#checkNobodys(was, is, asked);
      else await this.#checkOne(name, was, is, asked);
    }
  }

  async #checkOne(name: string, was: Held, is: Held | undefined, asked: Asked | undefined): Promise<void> {
    const given = await this.#given(name, asked?.source);
    const stays = await this.#stays(name, given);
    if (is === undefined) {
      // Only what we made, under a policy that says so, of somebody who has left.
      const wasThere = THERE_BEFORE.has(name);
      const deleted = { name, wasThere, leaver: this.#policy.leaver, stays };
      expect(deleted).toEqual({ name, wasThere: false, leaver: 'delete', stays: false });
      this.#forget(name, was.has);
      return;
    }
    const gone = [...was.has].filter((key) => !is.has.has(key));
    for (const key of gone) {
      const isOthers = this.#byHand.has(`${name} ${key}`) && !this.#mayTake(key, stays, asked);
      // Where there is no switch, whoever leaves loses all, whoever else gives it.
      const stillGiven = given.has(key) && (stays || this.#backend.hasSwitch);
      expect({ name, key, isOthers, stillGiven }).toEqual({ name, key, isOthers: false, stillGiven: false });
    }
    this.#forget(name, gone);
    if (was.active && !is.active) expect({ name, stays }).toEqual({ name, stays: false });
  }

  /** An account of nobody: switched off where everything is ours, by a source that showed everybody. */
  #checkNobodys(was: Held, is: Held | undefined, asked: Asked | undefined): void {
    const mayGo = this.#policy.manage === 'all' && asked?.isWhole === true;
    const has = mayGo && !this.#backend.hasSwitch ? is?.has : was.has;
    const active = mayGo && this.#backend.hasSwitch ? is?.active : was.active;
    expect({ name: 'bystander', ...is }).toEqual({ name: 'bystander', active, has });
  }

  /** Whether what was given by hand counts as ours, and somebody said that it is to go. */
  #mayTake(key: string, stays: boolean, asked: Asked | undefined): boolean {
    const { manage } = this.#policy;
    const isMapped = Object.values(this.#backend.gives).some((keys) => keys.includes(key));
    if (manage === 'ours' || (manage === 'mapped' && !isMapped)) return false;
    return asked?.isWhole !== false || !stays;
  }

  /** Whether their account has to stay as it is: their owner lists them, and somebody gives them something. */
  async #stays(name: string, given: ReadonlySet<string>): Promise<boolean> {
    const owner = (await this.world.personOf(name))?.owner;
    const isListed = (owner === 'hr' || owner === 'crm') && this.world[owner].people.get(name)?.active === true;
    return isListed && given.size > 0;
  }

  #forget(name: string, keys: Iterable<string>): void {
    for (const key of keys) this.#byHand.delete(`${name} ${key}`);
  }
}

/** What an interrupted reading shows of somebody may lack groups, too. */
function halve(from: SyncWorld['hr'], name: string, claims: Record<string, unknown>, listed: number): void {
  const all = claims['groups'] as readonly string[];
  from.people.set(name, { active: true, claims: { ...claims, groups: all.slice(0, listed % 2) } });
}
