import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeTerminal } from '../cli/terminal.ts';
import { plantUser, removeUser, storeUser } from '../emulators/auth0/state.ts';
import { startChild } from '../services/child.ts';
import { projectRoot } from '../services/project.ts';
import { given } from '../targets/gooddata/organisation.ts';
import { type ReadyConfig, type ReadySyncs, type Row, startReadySyncs } from './ready-syncs.ts';

/*
 * A run of each ready config as a process of its own, killed while the backend keeps silent after a write that it did.
 * The next run waits for what the dead one held, and leads to where a run that nobody kills does.
 */

const LIMIT_MS = 1_800_000;
/** Most of the time they wait for leases. */
const AT_ONCE = 4;
/** `dist`, which `npm run test:services` has just built. */
const MAIN = join(projectRoot(), 'dist', 'main.js');

interface Road {
  readonly config: ReadyConfig;
  readonly sync: string;
  /** Lets the source say who is there in this round. */
  say(world: ReadySyncs, people: readonly Row[]): void;
  target(world: ReadySyncs): ReadySyncs['auth0'] | ReadySyncs['gooddata'];
  /** What is in the target, whatever ids it gave. */
  shown(world: ReadySyncs): unknown;
}

const ROADS: Readonly<Record<string, Road>> = {
  'from SQL to Auth0': {
    config: 'sql-to-auth0',
    sync: 'users-to-auth0',
    say: (world, people) => world.people(people),
    target: ({ auth0 }) => auth0,
    shown: ({ auth0: { state } }) =>
      [...state.users.values()]
        .map(({ user_id: id, email, given_name: name, blocked, identities }) => {
          const roles = [...state.roles.values()].filter(({ members }) => members.has(id)).map((role) => role.name);
          return JSON.stringify({ email, name, blocked: blocked === true, roles, identities: identities.length });
        })
        .sort(),
  },
  'from Auth0 to GoodData': {
    config: 'auth0-to-gooddata',
    sync: 'auth0-to-gooddata',
    say: sayInTenant,
    target: ({ gooddata }) => gooddata,
    shown: ({ gooddata: { state } }) => ({
      users: [...state.users.values()]
        .map(({ id, attributes, relationships }) => {
          const groups = (relationships['userGroups'] ?? []).map((group) => group.id).sort();
          return JSON.stringify({ id, ...attributes, groups });
        })
        .sort(),
      groups: [...state.userGroups.keys()].sort(),
      permissions: given(state),
    }),
  },
};

/** Whom the source lists in the first round, and in the second, in which a quarter each is new, gone, moved or renamed. */
function peopleOf(people: number, round: number): readonly Row[] {
  return Array.from({ length: people }, (_, at): readonly Row[] => {
    const kind = round === 1 ? -1 : at % 4;
    const role = kind === 1 ? 'Admin' : 'User';
    const one: Row = { email: `p${at}@acme.test`, role, given_name: kind === 2 ? 'Renamed' : `P${at}` };
    if (kind === 0) return [];
    return kind === 3 ? [one, { ...one, email: `n${at}@acme.test` }] : [one];
  }).flat();
}

function sayInTenant({ auth0: { state } }: ReadySyncs, people: readonly Row[]): void {
  const clock = { newId: () => 'byhand', now: Date.now() };
  const rows = new Map(people.map((row) => [`auth0|${row.email?.split('@')[0]}`, row] as const));
  for (const id of [...state.users.keys()]) if (!rows.has(id)) removeUser(state, id, clock);
  for (const [id, { email, role, given_name: name }] of rows) {
    const user = state.users.get(id);
    const profile = { email: email ?? '', given_name: name };
    if (user === undefined) plantUser(state, { user_id: id, ...profile }, clock);
    else storeUser(state, { ...user, ...profile }, clock, 'updated');
    for (const { name: other, members } of state.roles.values()) {
      if (other === role) members.set(id, clock.now);
      else members.delete(id);
    }
  }
}

const isWrite = (method: string, path: string): boolean => method !== 'GET' && !path.endsWith('/oauth/token');

async function startRoad(road: Road, people: number): Promise<ReadySyncs> {
  const world = await startReadySyncs();
  road.say(world, peopleOf(people, 1));
  return world;
}

/** A whole run, to its end: nothing is left to do. On a machine that is too busy a run ends as stalled: the next goes on. */
async function finish({ config, sync }: Road, world: ReadySyncs): Promise<void> {
  let applied = makeTerminal();
  let code = await world.command(config, ['apply', sync, '--approve'], applied);
  for (let more = 0; more < 3 && applied.errors[0]?.startsWith('run_stalled: ') === true; more += 1) {
    applied = makeTerminal();
    code = await world.command(config, ['apply', sync, '--approve'], applied);
  }
  expect([code, ...applied.errors]).toEqual([0]);
  const planned = makeTerminal();
  await world.command(config, ['plan', sync, '--json'], planned);
  const { changes, held } = JSON.parse(planned.lines.join('\n')) as { changes: unknown; held: unknown };
  expect({ changes, held }).toEqual({ changes: [], held: [] });
}

/** Kills a run when the target has done its write number `at`, and lets the next one finish. */
async function killAt(road: Road, world: ReadySyncs, at: number): Promise<void> {
  const { faults } = road.target(world);
  let seen = 0;
  const match = (method: string, path: string): boolean => {
    if (isWrite(method, path)) seen += 1;
    return seen >= at;
  };
  faults.set({ match, dropAfterApply: 'hang' });
  const { words, env } = world.process(road.config, ['apply', road.sync, '--approve']);
  const child = startChild('apply', [process.execPath, MAIN, ...words], { env });
  while (seen < at && child.running()) await sleep(20);
  // The backend does what it was asked within the same turn.
  await sleep(50);
  child.kill('SIGKILL');
  const { signal } = await child.exited;
  expect({ at, signal, log: child.log }).toEqual({ at, signal: 'SIGKILL', log: expect.anything() });
  faults.clear();
  await finish(road, world);
}

interface Expected {
  readonly shown: unknown;
  readonly writes: number;
}

/** The two rounds without a kill: what they lead to, and how many writes each takes. */
async function undisturbed(road: Road, people: number): Promise<readonly Expected[]> {
  const world = await startRoad(road, people);
  const { requests } = road.target(world);
  try {
    const rounds: Expected[] = [];
    for (const round of [1, 2]) {
      road.say(world, peopleOf(people, round));
      requests.length = 0;
      await finish(road, world);
      const writes = requests.filter(({ method, path }) => isWrite(method, path)).length;
      rounds.push({ shown: road.shown(world), writes });
    }
    return rounds;
  } finally {
    await world.close();
  }
}

async function killed(road: Road, people: number, kill: Kill, expected: readonly Expected[]): Promise<void> {
  const { round, at } = kill;
  const world = await startRoad(road, people);
  try {
    if (round === 2) {
      await finish(road, world);
      road.say(world, peopleOf(people, 2));
    }
    await killAt(road, world, at);
    expect({ ...kill, shown: road.shown(world) }).toEqual({ ...kill, shown: expected[round - 1]?.shown });
  } finally {
    await world.close();
  }
}

interface Kill {
  readonly round: number;
  readonly at: number;
}

async function inTurn(kills: readonly Kill[], kill: (kill: Kill) => Promise<void>): Promise<void> {
  const left = [...kills];
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined && failures.length === 0; next = left.shift()) {
      await kill(next).catch((thrown: unknown) => failures.push(thrown));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (failures.length > 0) throw failures[0];
}

describe.each(Object.entries(ROADS))('%s', (_road, road) => {
  it(
    'a run of 20 people that is killed at any of its writes ends in the same state the next time',
    async () => {
      const expected = await undisturbed(road, 20);
      const kills = expected.flatMap(({ writes }, at) =>
        Array.from({ length: writes }, (_, write) => ({ round: at + 1, at: write + 1 })),
      );
      expect(kills.length).toBeGreaterThan(20);
      await inTurn(kills, (kill) => killed(road, 20, kill, expected));
    },
    LIMIT_MS,
  );

  it(
    'a run of 200 people that is killed at 20 of its writes ends in the same state the next time',
    async () => {
      const expected = await undisturbed(road, 200);
      const kills = Array.from({ length: 20 }, (_, one) => {
        const round = one % 2;
        return { round: round + 1, at: 1 + randomInt(expected[round]?.writes ?? 1) };
      });
      await inTurn(kills, (kill) => killed(road, 200, kill, expected));
    },
    LIMIT_MS,
  );
});
