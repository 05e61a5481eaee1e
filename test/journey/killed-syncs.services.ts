import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeTerminal } from '../cli/terminal.ts';
import { startChild } from '../services/child.ts';
import { projectRoot } from '../services/project.ts';
import { type ReadySyncs, type Row, startReadySyncs } from './ready-syncs.ts';

/*
 * A run of config/sql-to-auth0.yaml as a process of its own, killed while Auth0 keeps silent after a write that it did. The
 * next run waits for what the dead one held, and leads to where a run that nobody kills does.
 */

const LIMIT_MS = 1_800_000;
/** Most of the time they wait for leases. */
const AT_ONCE = 6;
/** A scheduler tries again, but not for ever. */
const MOST_RUNS = 4;
/** `dist`, which `npm run test:services` has just built. */
const MAIN = join(projectRoot(), 'dist', 'main.js');

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

const isWrite = (method: string, path: string): boolean => method !== 'GET' && !path.endsWith('/oauth/token');

async function startTable(people: number): Promise<ReadySyncs> {
  const world = await startReadySyncs();
  world.people(peopleOf(people, 1));
  return world;
}

/** To where nothing is left to do. On a machine that is too busy some of it fails: then the next run goes on. */
async function finish(world: ReadySyncs): Promise<void> {
  let errors: readonly string[] = ['not run'];
  for (let run = 0; run < MOST_RUNS && errors.length > 0; run += 1) {
    const terminal = makeTerminal();
    await world.command('sql-to-auth0', ['apply', 'users-to-auth0', '--approve'], terminal);
    errors = terminal.errors;
  }
  expect(errors).toEqual([]);
  const planned = makeTerminal();
  await world.command('sql-to-auth0', ['plan', 'users-to-auth0', '--json'], planned);
  const { changes, held } = JSON.parse(planned.lines.join('\n')) as { changes: unknown; held: unknown };
  expect({ changes, held }).toEqual({ changes: [], held: [] });
}

/** Everybody in the tenant, whatever ids they were given. */
function shown({ auth0: { state } }: ReadySyncs): readonly string[] {
  const lines = [...state.users.values()].map(({ user_id: id, email, given_name: name, blocked, identities }) => {
    const roles = [...state.roles.values()].filter(({ members }) => members.has(id)).map((role) => role.name);
    return JSON.stringify({ email, name, blocked: blocked === true, roles, identities: identities.length });
  });
  return lines.sort();
}

/** Kills a run when the tenant has done its write number `at`. False: the run made fewer, and came to its end. */
async function killAt(world: ReadySyncs, at: number): Promise<boolean> {
  let seen = 0;
  const match = (method: string, path: string): boolean => {
    if (isWrite(method, path)) seen += 1;
    return seen >= at;
  };
  world.auth0.faults.set({ match, dropAfterApply: 'hang' });
  const { words, env } = world.process('sql-to-auth0', ['apply', 'users-to-auth0', '--approve']);
  const child = startChild('apply', [process.execPath, MAIN, ...words], { env });
  while (seen < at && child.running()) await sleep(20);
  // The tenant does what it was asked within the same turn.
  await sleep(50);
  child.kill('SIGKILL');
  const { signal } = await child.exited;
  world.auth0.faults.clear();
  return signal === 'SIGKILL';
}

interface Expected {
  readonly shown: readonly string[];
  readonly writes: number;
}

/** The two rounds without a kill: what they lead to, and how many writes each takes. */
async function undisturbed(people: number): Promise<readonly Expected[]> {
  const world = await startTable(people);
  const { requests } = world.auth0;
  try {
    const rounds: Expected[] = [];
    for (const round of [1, 2]) {
      world.people(peopleOf(people, round));
      requests.length = 0;
      await finish(world);
      const writes = requests.filter(({ method, path }) => isWrite(method, path)).length;
      rounds.push({ shown: shown(world), writes });
    }
    return rounds;
  } finally {
    await world.close();
  }
}

async function killed(people: number, kill: Kill, expected: readonly Expected[]): Promise<boolean> {
  const { round, at } = kill;
  const world = await startTable(people);
  try {
    if (round === 2) {
      await finish(world);
      world.people(peopleOf(people, 2));
    }
    const wasKilled = await killAt(world, at);
    await finish(world);
    expect({ ...kill, shown: shown(world) }).toEqual({ ...kill, shown: expected[round - 1]?.shown });
    return wasKilled;
  } finally {
    await world.close();
  }
}

interface Kill {
  readonly round: number;
  readonly at: number;
}

/** How many runs were killed. */
async function inTurn(kills: readonly Kill[], kill: (kill: Kill) => Promise<boolean>): Promise<number> {
  const left = [...kills];
  const failures: unknown[] = [];
  let count = 0;
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined && failures.length === 0; next = left.shift()) {
      try {
        if (await kill(next)) count += 1;
      } catch (thrown) {
        failures.push(thrown);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (failures.length > 0) throw failures[0];
  return count;
}

it(
  'a run of 20 people from SQL to Auth0 that is killed at any of its writes ends in the same state the next time',
  async () => {
    const expected = await undisturbed(20);
    const kills = expected.flatMap(({ writes }, at) =>
      Array.from({ length: writes }, (_, write) => ({ round: at + 1, at: write + 1 })),
    );
    expect(kills.length).toBeGreaterThan(20);
    expect(await inTurn(kills, (kill) => killed(20, kill, expected))).toBeGreaterThan(kills.length / 2);
  },
  LIMIT_MS,
);

it(
  'a run of 200 people from SQL to Auth0 that is killed at 20 of its writes ends in the same state the next time',
  async () => {
    const expected = await undisturbed(200);
    const kills = Array.from({ length: 20 }, (_, one) => {
      const round = one % 2;
      return { round: round + 1, at: 1 + randomInt(expected[round]?.writes ?? 1) };
    });
    expect(await inTurn(kills, (kill) => killed(200, kill, expected))).toBeGreaterThan(kills.length / 2);
  },
  LIMIT_MS,
);
