import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { untilLine } from '../directory/instances.ts';
import { type GoodDataEmulator, startGoodDataEmulator } from '../emulators/gooddata/server.ts';
import { type Child, startChild } from '../services/child.ts';

// A run as a process of its own, killed while the backend keeps silent after a write that it did.
const LIMIT_MS = 1_800_000;
const AT_ONCE = 3;

interface Scene {
  readonly gooddata: GoodDataEmulator;
  readonly people: number;
  run(round: number): Child;
  close(): Promise<void>;
}

async function startScene(people: number): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-killed-'));
  const gooddata = await startGoodDataEmulator();
  const here = import.meta.dirname;
  const loader = join(here, '..', 'directory', 'typescript.mjs');
  const program = join(here, 'run-once.ts');
  const children: Child[] = [];
  return {
    gooddata,
    people,
    run: (round) => {
      const args = [`sqlite:${join(folder, 'state.db')}`, gooddata.url, gooddata.token, String(people), String(round)];
      const child = startChild('run', [process.execPath, '--import', loader, program, ...args]);
      children.push(child);
      return child;
    },
    close: async () => {
      await Promise.all(children.map((child) => child.stop()));
      await gooddata.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The whole run, to its end: nothing is left to do. */
async function finish(scene: Scene, round: number): Promise<void> {
  await untilLine(scene.run(round), 'applied applied, 0 left');
}

const isWrite = (method: string): boolean => method !== 'GET' && method !== 'HEAD';

function writes({ gooddata }: Scene): number {
  return gooddata.requests.filter(({ method }) => isWrite(method)).length;
}

/** Kills a run when the backend has done its write number `at`, and lets the next one finish. */
async function killAt(scene: Scene, round: number, at: number): Promise<void> {
  let seen = 0;
  let isDone = false;
  const match = (method: string): boolean => {
    if (!isWrite(method)) return false;
    seen += 1;
    if (seen < at) return false;
    isDone = true;
    return true;
  };
  scene.gooddata.faults.set({ match, dropAfterApply: 'hang' });
  const child = scene.run(round);
  while (!isDone && child.running()) await new Promise((resolve) => setTimeout(resolve, 20));
  // The backend does what it was asked within the same turn.
  await new Promise((resolve) => setTimeout(resolve, 50));
  child.kill('SIGKILL');
  await child.exited;
  scene.gooddata.faults.clear();
  await finish(scene, round);
}

/** What is there afterwards: everybody with their groups and names. */
function shown({ gooddata: { state } }: Scene): unknown {
  const users = [...state.users.values()].map(({ id, attributes, relationships }) => {
    return { id, ...attributes, groups: (relationships['userGroups'] ?? []).map((group) => group.id).sort() };
  });
  return { users: users.sort((a, b) => (a.id < b.id ? -1 : 1)), groups: [...state.userGroups.keys()].sort() };
}

interface Expected {
  readonly state: unknown;
  readonly writes: number;
}

/** The two rounds without a kill: what they lead to, and how many writes each takes. */
async function undisturbed(people: number): Promise<readonly Expected[]> {
  const scene = await startScene(people);
  try {
    const rounds: Expected[] = [];
    for (const round of [1, 2]) {
      const before = writes(scene);
      await finish(scene, round);
      rounds.push({ state: shown(scene), writes: writes(scene) - before });
    }
    return rounds;
  } finally {
    await scene.close();
  }
}

async function killed(people: number, round: number, at: number, expected: readonly Expected[]): Promise<void> {
  const scene = await startScene(people);
  try {
    if (round === 2) await finish(scene, 1);
    await killAt(scene, round, at);
    expect({ at, state: shown(scene) }).toEqual({ at, state: expected[round - 1]?.state });
  } finally {
    await scene.close();
  }
}

async function inTurn(
  kills: readonly (readonly [number, number])[],
  kill: (round: number, at: number) => Promise<void>,
) {
  const left = [...kills];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) await kill(...next);
    }),
  );
}

it(
  'a run of 20 people that is killed at any of its writes ends in the same state the next time',
  async () => {
    const expected = await undisturbed(20);
    const kills = expected.flatMap((round, at) =>
      Array.from({ length: round.writes }, (_, write) => [at + 1, write + 1] as const),
    );
    expect(kills.length).toBeGreaterThan(20);
    await inTurn(kills, (round, at) => killed(20, round, at, expected));
  },
  LIMIT_MS,
);

it(
  'a run of 200 people that is killed at 20 of its writes ends in the same state the next time',
  async () => {
    const expected = await undisturbed(200);
    const kills = Array.from({ length: 20 }, (_, one) => {
      const round = one % 2;
      return [round + 1, 1 + randomInt(expected[round]?.writes ?? 1)] as const;
    });
    await inTurn(kills, (round, at) => killed(200, round, at, expected));
  },
  LIMIT_MS,
);
