import fc from 'fast-check';
import { LatchgateError } from '../../src/model/errors.ts';
import { ISSUER, lines, SyncWorld } from './world.ts';

/*
 * Whatever sources say, however a run breaks off: nothing is taken that an origin still gives, that is not ours, or that
 * a short or failed reading lacks. What is true of the sources is kept beside what a reading of them shows.
 */

const RUNS = Number(process.env['SYNC_RUNS'] ?? 40);
const PEOPLE = ['ann', 'bob', 'cyd', 'dan', 'eve', 'fay'];
const GROUPS = ['User', 'Admin', 'team-a', 'team-b'];
const GIVES: Readonly<Record<string, readonly string[]>> = {
  User: ['role:Alpha', 'group:analysts'],
  Admin: ['role:Admin'],
  'team-a': ['group:team-a'],
  'team-b': ['group:team-b'],
};

const who = fc.constantFrom(...PEOPLE);
const groups = fc.subarray(GROUPS);

/** How a reading of a source falls short of what is there. */
const reading = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ kind: 'whole' as const }) },
  fc.record({ kind: fc.constant('incomplete' as const), listed: fc.nat({ max: 6 }) }),
  fc.record({ kind: fc.constant('unreadable' as const), listed: fc.nat({ max: 6 }) }),
  fc.record({ kind: fc.constant('fails' as const), listed: fc.nat({ max: 6 }) }),
  fc.constant({ kind: 'empty' as const }),
);

const step = fc.oneof(
  fc.record({
    do: fc.constant('say' as const),
    source: fc.constantFrom('hr' as const, 'crm' as const),
    who,
    groups,
    active: fc.boolean(),
  }),
  fc.record({ do: fc.constant('drop' as const), source: fc.constantFrom('hr' as const, 'crm' as const), who }),
  fc.record({ do: fc.constant('byHand' as const), who, group: fc.constantFrom('team-a', 'team-b', 'other') }),
  fc.record({ do: fc.constant('login' as const), who, groups }),
  fc.record({ do: fc.constant('retry' as const) }),
  fc.record({
    do: fc.constant('sync' as const),
    source: fc.constantFrom('hr' as const, 'crm' as const),
    reading,
    approve: fc.boolean(),
    /** At which call of the state, the target or the audit something breaks; 0 and past the last one: nothing does. */
    breaksAt: fc.oneof(fc.constant(0), fc.nat({ max: 150 })),
    afterwards: fc.boolean(),
  }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface Held {
  readonly active: boolean;
  readonly has: ReadonlySet<string>;
}

class Scene {
  readonly world: SyncWorld;
  /** Given before us or by hand: user name and key. */
  readonly byHand = new Set<string>();
  /** Groups by origin and person. */
  readonly heard = new Map<string, readonly string[]>();

  constructor(world: SyncWorld) {
    this.world = world;
  }

  accounts(): ReadonlyMap<string, Held> {
    const rows = [...this.world.bi.accounts.values()].map(
      ({ userName, active }) => [userName, { active, has: new Set(this.world.bi.given(userName)) }] as const,
    );
    return new Map(rows);
  }

  /**
   * What must stay: what a source gives and has been heard to give, or is being asked about; and what the login that was
   * last heard gives. Nobody knows yet of what was not heard.
   */
  async given(name: string, asked?: 'hr' | 'crm'): Promise<ReadonlySet<string>> {
    const keys = new Set<string>();
    for (const source of ['hr', 'crm'] as const) {
      const listed = this.world[source].people.get(name);
      if (listed?.active !== true) continue;
      const heard = this.heard.get(`${source} ${name}`) ?? [];
      const groups = (listed.claims['groups'] as readonly string[]).filter(
        (one) => asked === source || heard.includes(one),
      );
      for (const group of groups) for (const key of GIVES[group] ?? []) keys.add(key);
    }
    for (const group of this.heard.get(`staff ${name}`) ?? []) for (const key of GIVES[group] ?? []) keys.add(key);
    return keys;
  }

  /** Remembers what the directory knows before a step: what each origin was last heard to say. */
  async look(): Promise<void> {
    const { people } = this.world.directory;
    this.heard.clear();
    for (const name of PEOPLE) {
      const person = (await this.world.personOf(name)) ?? (await people.bySubject({ issuer: ISSUER, subject: name }));
      const assertions = person === undefined ? [] : await people.assertions(person.id);
      for (const { origin, active, rememberedGroups } of assertions) {
        if (active) this.heard.set(`${origin} ${name}`, rememberedGroups ?? []);
      }
    }
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
        const account = [...world.bi.accounts.values()].find(({ userName }) => userName === one.who);
        if (account === undefined || world.bi.given(one.who).includes(`group:${one.group}`)) return;
        const known = [...world.bi.entitlements.values()].find(({ name }) => name === one.group);
        account.entitlements.add((known ?? world.bi.addEntitlement({ kind: 'group', name: one.group })).id);
        this.byHand.add(`${one.who} group:${one.group}`);
        return;
      }
      case 'login':
        await world.login(one.who, { groups: one.groups }).catch(() => undefined);
        await world.engine.close();
        // What a login takes back of its own it may: refused or not, what counts is what was heard.
        await this.listen(one.who);
        world.configure({ joined: ['hr', 'crm'] });
        return;
      case 'retry':
        // What a broken run left is done once more in the background, by what is remembered.
        world.now += 600_000;
        await world.engine.retryDue(100);
        await world.engine.close();
        world.configure({ joined: ['hr', 'crm'] });
        return;
      case 'sync':
        await this.sync(one);
    }
  }

  async sync({ source, reading: how, approve, breaksAt, afterwards }: Extract<Step, { do: 'sync' }>): Promise<void> {
    const { world } = this;
    const from = world[source];
    const error = new LatchgateError('source_unavailable', 'reset');
    const kept = new Map(from.people);
    if (how.kind === 'incomplete') from.end = { complete: false, why: 'a page is missing', unreadable: 0, notes: [] };
    if (how.kind === 'unreadable') from.end = { complete: true, unreadable: 1, notes: [] };
    if (how.kind === 'incomplete' || how.kind === 'unreadable') {
      from.cutTo = how.listed;
      if (how.kind === 'incomplete') for (const [name, one] of from.people) halve(from, name, one.claims, how.listed);
    }
    if (how.kind === 'fails') from.failAfter = { people: how.listed, error };
    if (how.kind === 'empty') from.cutTo = 0;
    const breaks = brokenAt(breaksAt, afterwards);
    world.onCall = breaks.call;
    world.bi.hook = breaks.target;
    await world.apply(source, { approve: approve && how.kind !== 'empty' }).catch((thrown: unknown) => {
      if (!(thrown instanceof LatchgateError)) throw thrown;
    });
    world.onCall = () => {};
    world.bi.hook = () => {};
    from.end = { complete: true, unreadable: 0, notes: [] };
    from.cutTo = Number.POSITIVE_INFINITY;
    from.failAfter = undefined;
    from.people.clear();
    for (const [name, one] of kept) from.people.set(name, one);
  }

  /** What the login says now. */
  async listen(name: string): Promise<void> {
    const { people } = this.world.directory;
    const person = await people.bySubject({ issuer: ISSUER, subject: name });
    const assertions = person === undefined ? [] : await people.assertions(person.id);
    this.heard.set(`staff ${name}`, assertions.find(({ origin }) => origin === 'staff')?.rememberedGroups ?? []);
  }

  /** What was taken between the two is what may be taken. */
  async check(before: ReadonlyMap<string, Held>, asked?: 'hr' | 'crm'): Promise<void> {
    const after = this.accounts();
    for (const [name, was] of before) {
      const is = after.get(name);
      if (name === 'root' || name === 'service' || name === 'bystander') expect(is).toEqual(was);
      expect(is).toBeDefined();
      const given = await this.given(name, asked);
      for (const key of was.has) {
        if (is?.has.has(key) === true) continue;
        expect({ name, key, givenByHand: this.byHand.has(`${name} ${key}`) }).toEqual({
          name,
          key,
          givenByHand: false,
        });
        expect({ name, key, stillGiven: given.has(key) }).toEqual({ name, key, stillGiven: false });
      }
      if (was.active && is?.active === false) await this.checkSwitchedOff(name, asked);
    }
  }

  /** Only whom their owner does not list any more, or whom nobody gives anything. */
  async checkSwitchedOff(name: string, asked: 'hr' | 'crm' | undefined): Promise<void> {
    const owner = (await this.world.personOf(name))?.owner;
    const isListed = (owner === 'hr' || owner === 'crm') && this.world[owner].people.get(name)?.active === true;
    const stays = isListed && (await this.given(name, asked)).size > 0;
    expect({ name, owner, stays }).toEqual({ name, owner, stays: false });
  }
}

/** What an interrupted reading shows of somebody may lack groups, too. */
function halve(from: SyncWorld['hr'], name: string, claims: Record<string, unknown>, listed: number): void {
  const all = claims['groups'] as readonly string[];
  from.people.set(name, { active: true, claims: { ...claims, groups: all.slice(0, listed % 2) } });
}

function brokenAt(at: number, afterwards: boolean) {
  let calls = 0;
  const broken = (code: 'state_unavailable' | 'target_unavailable'): void => {
    calls += 1;
    if (calls === at) throw new LatchgateError(code, 'broken off');
  };
  return {
    call: () => broken('state_unavailable'),
    target: (call: string) => {
      if ((call === 'applied') === afterwards) broken('target_unavailable');
    },
  };
}

async function startScene(): Promise<Scene> {
  const world = await new SyncWorld().open({ joined: ['hr', 'crm'] });
  const scene = new Scene(world);
  const before = [
    ['root', 'root@acme.test'],
    ['bystander', 'bystander@acme.test'],
    ['ann', 'ann@acme.test'],
  ] as const;
  for (const [userName, email] of before) {
    world.bi.addAccount({ userName, profile: { email } }, [{ kind: 'group', name: 'team-a' }]);
    scene.byHand.add(`${userName} group:team-a`);
  }
  world.bi.addAccount({ userName: 'service', isProtected: true }, [{ kind: 'role', name: 'Admin' }]);
  for (const name of PEOPLE.slice(0, 5)) world.hr.add(name, { groups: ['User'], email: `${name}@acme.test` });
  await world.apply('hr');
  return scene;
}

/** Every run afterwards is whole: both sources end in a plan without changes. */
async function settle(scene: Scene): Promise<void> {
  const { world } = scene;
  for (const source of ['hr', 'crm', 'hr', 'crm'] as const) {
    const before = scene.accounts();
    await scene.look();
    await world.apply(source, { approve: true });
    await scene.check(before, source);
  }
  for (const source of ['hr', 'crm'] as const) {
    expect(lines((await world.plan(source)).changes)).toEqual([]);
  }
  await scene.look();
  for (const [name, { active, has }] of scene.accounts()) {
    if (!active || !PEOPLE.includes(name) || (await world.personOf(name))?.leftAt !== undefined) continue;
    for (const key of await scene.given(name)) expect([...has]).toContain(key);
  }
}

it('takes nothing that it may not take, whatever happens, and comes to rest', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 12 }), async (steps) => {
      const scene = await startScene();
      try {
        for (const one of steps) {
          const before = scene.accounts();
          await scene.look();
          await scene.play(one);
          await scene.check(before, one.do === 'sync' ? one.source : undefined);
        }
        await settle(scene);
      } finally {
        await scene.world.close();
      }
    }),
    { numRuns: RUNS },
  );
}, 600_000);

it('writes nothing anywhere to plan', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 8 }), async (steps) => {
      const scene = await startScene();
      try {
        for (const one of steps) await scene.play(one);
        const [before, accounts] = [await dump(scene.world), scene.accounts()];
        await scene.world.plan('hr');
        await scene.world.plan('crm');
        expect(await dump(scene.world)).toEqual(before);
        expect(scene.accounts()).toEqual(accounts);
      } finally {
        await scene.world.close();
      }
    }),
    { numRuns: Math.ceil(RUNS / 4) },
  );
}, 600_000);

const TABLES = [
  'people',
  'subjects',
  'assertions',
  'accounts',
  'grants',
  'retries',
  'audit_records',
  'plans',
  'leases',
] as const;

function dump({ database }: SyncWorld): Promise<unknown> {
  return database.run(async (db) => {
    const tables = [];
    for (const table of TABLES) tables.push(await db.selectFrom(table).selectAll().execute());
    return tables;
  });
}
