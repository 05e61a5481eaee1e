import type { MemoryTarget } from './memory-target.ts';
import { World } from './world.ts';

/*
 * Every call that a login makes of the directory, the audit and the targets fails in turn: before it did anything, and
 * after it did. Either that one call alone, or every call from there on, as when the process is killed. Then the person
 * logs in again, and everything has to be as if nothing had happened.
 */

interface Scenario {
  readonly name: string;
  prepare(world: World): Promise<void>;
  /** The step in which calls fail. */
  step(world: World): Promise<unknown>;
}

const USER = { groups: ['User'] };

const SCENARIOS: readonly Scenario[] = [
  { name: 'a first login', prepare: async () => {}, step: (world) => world.login('alice', USER) },
  {
    name: 'a login that finds an account',
    prepare: async (world) =>
      void world.bi.addAccount({ userName: 'adams', profile: { email: 'alice@acme.test' } }, [
        { kind: 'role', name: 'Gamma' },
      ]),
    step: (world) => world.login('alice', USER),
  },
  {
    name: 'a login with other groups and another name',
    prepare: async (world) => void (await world.login('alice', { groups: ['Admin'], family_name: 'Brown' })),
    step: (world) => world.login('alice', USER),
  },
  {
    name: 'a refresh with other groups',
    prepare: async (world) => void (await world.login('alice', USER)),
    step: (world) => world.refresh('alice', { groups: ['Admin'] }),
  },
  {
    name: 'a refusal by a rule',
    prepare: async (world) => void (await world.login('alice', USER)),
    step: (world) => world.login('alice', { groups: ['suspended'] }),
  },
  {
    name: 'a leaver who comes back',
    prepare: async (world) => void (await world.login('alice', USER)),
    step: async (world) => world.disable(await world.idOf('alice')),
  },
];

/** When the call fails, and whether everything after it does as well. */
const FAULTS: readonly (readonly ['before' | 'after', 'once' | 'for good'])[] = [
  ['before', 'once'],
  ['after', 'once'],
  ['after', 'for good'],
];

/** Runs the step with a fault at call `at`; says whether there was such a call. */
async function runWithFault(
  world: World,
  step: () => Promise<unknown>,
  at: number,
  [when, how]: (typeof FAULTS)[number],
): Promise<boolean> {
  let calls = 0;
  const fail = (_: string, moment: 'before' | 'after'): void => {
    if (moment === 'before') calls += 1;
    const isDue = how === 'once' ? calls === at && moment === when : calls > at || (calls === at && moment === when);
    if (isDue) throw new Error('killed');
  };
  world.onCall = fail;
  for (const target of [world.bi, world.side]) {
    target.hook = (call) => fail(call, call === 'applied' ? 'after' : 'before');
  }
  await step().catch(() => {});
  await world.settled();
  world.onCall = () => {};
  for (const target of [world.bi, world.side]) target.hook = () => {};
  world.restart();
  return calls >= at;
}

function ofAlice(target: MemoryTarget) {
  return [...target.accounts.values()].filter(({ profile }) => profile['email'] === 'alice@acme.test');
}

async function ledgerOf(world: World): Promise<string[]> {
  const rows = await world.directory.ledger.ofPerson(await world.idOf('alice'));
  return rows.map(
    ({ target, kind, name, origin, confirmed }) => `${target} ${kind}:${name} ${origin} ${String(confirmed)}`,
  );
}

/** Facts about accounts that nobody marked as found later. */
function plainFacts(world: World): string[] {
  return world.audit
    .filter(
      ({ event, after }) =>
        /^(account|grant|group)\./.test(event) && !/recovered|already|gone/.test(JSON.stringify(after ?? '')),
    )
    .map(({ event, target, key }) => `${event} ${target} ${key}`);
}

async function expectMended(world: World, scenario: Scenario): Promise<void> {
  const byHand = scenario.name.includes('finds') ? ['role:Gamma'] : [];
  await world.enable(await world.idOf('alice')).catch(() => {});
  await world.login('alice', USER);
  await world.settled();
  world.restart();
  expect(ofAlice(world.bi)).toHaveLength(1);
  expect(ofAlice(world.side)).toHaveLength(1);
  const [{ userName = '', active = false } = {}] = ofAlice(world.bi);
  expect(active).toBe(true);
  expect(world.bi.given(userName)).toEqual(['group:analysts', 'role:Alpha', ...byHand].sort());
  expect(await ledgerOf(world)).toEqual([
    'bi group:analysts staff true',
    'bi role:Alpha staff true',
    'side group:side staff true',
  ]);
  expect(await world.directory.retries.count()).toBe(0);

  for (const target of [world.bi, world.side]) target.calls.length = 0;
  const facts = world.audit.length;
  const { awaited } = await world.login('alice', USER);
  await world.settled();
  expect(awaited).toMatchObject({ status: 'ready', changes: [], held: [] });
  expect([world.bi.calls, world.side.calls]).toEqual([['read'], ['read']]);
  expect(world.audit.slice(facts).map(({ event }) => event)).toEqual(['login.allowed']);

  world.restart();
  await world.login('alice', { groups: ['Admin'] });
  await world.settled();
  expect(world.bi.given(userName)).toEqual(['role:Admin', ...byHand]);
  expect(world.side.given(ofAlice(world.side)[0]?.userName ?? '')).toEqual(['group:side']);
  expect(ofAlice(world.side)[0]?.active).toBe(false);
}

describe.each(SCENARIOS)('$name', (scenario) => {
  it.each(FAULTS)('is mended by the next login when a call fails (%s it did anything, %s)', async (when, how) => {
    for (let at = 1; ; at += 1) {
      const world = await new World().open();
      await scenario.prepare(world);
      await world.settled();
      const wasReached = await runWithFault(world, () => scenario.step(world), at, [when, how]);
      try {
        await expectMended(world, scenario);
        const facts = plainFacts(world).filter((fact) => fact.includes('created'));
        expect(new Set(facts).size).toBe(facts.length);
      } catch (error) {
        throw new Error(`the fault was at call ${at}`, { cause: error });
      } finally {
        await world.close();
      }
      if (!wasReached) {
        expect(at).toBeGreaterThan(10);
        return;
      }
    }
  });
});
