import { previewChanges } from '../../src/preview/preview.ts';
import { World, type WorldOptions } from '../provisioning/world.ts';
import { facts, foretold, moved, side } from './told.ts';

// Configs, people and doors at random, from a seed that is in the test's name: what a preview says is what happens.
const GROUPS = ['g1', 'g2', 'g3', 'team-a', 'team-b'];
const ROLES = ['Admin', 'Alpha', 'Gamma'];
const ORIGINS = ['staff', 'partner'];

/** Numbers from 0 to 1 that are the same for the same seed (the constants of C's rand). */
class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  next(): number {
    this.#state = (Math.imul(this.#state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return this.#state / 0x8000_0000;
  }

  is(share: number): boolean {
    return this.next() < share;
  }

  of<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)] as T;
  }
}

function rules(chance: Chance): Record<string, unknown> {
  const made: Record<string, unknown> = {};
  for (let number = Math.floor(chance.next() * 4); number >= 0; number -= 1) {
    const origin = chance.is(0.25) ? { origin: chance.of(ORIGINS) } : {};
    const when = { groups: chance.of([...GROUPS, 'team-*', '*']), ...origin };
    if (chance.is(0.12)) made[`deny${number}`] = { when, deny: 'No.' };
    else made[`rule${number}`] = { when, grant: grant(chance) };
  }
  return made;
}

function grant(chance: Chance): Record<string, unknown> {
  const groups = chance.is(0.5) ? { groups: [chance.of(['${match}', 'x'])] } : {};
  const bi = { bi: { roles: [chance.of(ROLES)], ...groups } };
  const beside = { side: { groups: [chance.of(['${match}', 'y'])] } };
  return chance.is(0.5) ? { ...bi, ...beside } : chance.of<Record<string, unknown>>([bi, beside]);
}

function settings(chance: Chance): WorldOptions {
  return {
    origins: ORIGINS,
    rules: rules(chance),
    byDefault: chance.is(0.5) ? {} : { grant: { bi: { roles: [chance.of(ROLES)] } } },
    leaver: chance.is(0.3) ? 'delete' : 'disable',
    groupsAbsent: chance.is(0.5) ? 'keep' : 'empty',
  };
}

function stricter(chance: Chance): WorldOptions {
  return {
    ...settings(chance),
    ...(chance.is(0.15) ? { origins: ['staff'] } : {}),
    ...(chance.is(0.3) ? { maxGroups: 2 } : {}),
    ...(chance.is(0.1) ? { require: ['email', 'department'] } : {}),
  };
}

interface Saying {
  readonly who: string;
  readonly origin: string;
  readonly claims: Record<string, unknown>;
}

function sayings(chance: Chance): readonly Saying[] {
  const claims = (): Record<string, unknown> => ({
    ...(chance.is(0.9) ? { groups: GROUPS.filter(() => chance.is(0.4)) } : {}),
    ...(chance.is(0.5) ? { department: 'd' } : {}),
  });
  return ['ann', 'ben', 'cat', 'dan', 'eve', 'fay'].flatMap((who) =>
    ORIGINS.filter(() => chance.is(0.7)).map((origin) => ({ who, origin, claims: claims() })),
  );
}

async function compare(seed: number): Promise<{ readonly said: string[]; readonly happened: string[] }> {
  const chance = new Chance(seed);
  const [before, after, people] = [settings(chance), stricter(chance), sayings(chance)];
  const world = await new World().open(before);
  const logIn = async (): Promise<void> => {
    for (const { who, claims, origin } of people) {
      world.now += 1_000;
      await world.login(who, claims, 'bi', origin).catch(() => undefined);
      await world.settled();
    }
  };
  try {
    await logIn();
    if (chance.is(0.5)) await logIn();
    const said = await previewChanges({
      directory: world.directory,
      clock: { now: () => world.now },
      before: side(before),
      after: side(after),
      renamed: new Map(),
      notes: [],
    });
    const was = facts(world);
    world.restart(after);
    await logIn();
    const gone = foretold(said).filter((line) => /^- .* account$/.test(line));
    const told = foretold(said).filter(
      (line) => !gone.some((account) => line !== account && line.startsWith(account.replace(/account$/, ''))),
    );
    return { said: told, happened: moved(was, facts(world)) };
  } finally {
    await world.close();
  }
}

it.each([1, 2, 3, 4])('says what happens, with seed %i', async (seed) => {
  let changes = 0;
  for (let round = 0; round < 10; round += 1) {
    const { said, happened } = await compare(7_919 * (10 * seed + round));
    expect({ round, lines: said }).toEqual({ round, lines: happened });
    changes += happened.length;
  }
  expect(changes).toBeGreaterThan(20);
});
