import fc from 'fast-check';
import { auth0Backend, type Backend, goodDataBackend, memoryBackend } from './backends.ts';
import { policy, Scene, stepOf } from './never-wrong-scene.ts';
import type { SyncWorld } from './world.ts';

/*
 * Whatever sources say, however a run breaks off, whatever the policy: nothing is taken that an origin still gives, that
 * is not ours, or that a short or failed reading lacks. What is true of the sources is kept beside what a reading of them
 * shows.
 */

const RUNS = Number(process.env['SYNC_RUNS'] ?? 30);
/** About how many calls of the state, the audit and the target the sync of six people makes. */
const CALLS = 150;
const LIMIT_MS = 600_000;

const BACKENDS: Readonly<Record<string, { readonly start: () => Promise<Backend>; readonly runs: number }>> = {
  memory: { start: memoryBackend, runs: RUNS },
  'an Auth0 tenant': { start: auth0Backend, runs: Math.ceil(RUNS / 6) },
  'a GoodData organisation': { start: goodDataBackend, runs: Math.ceil(RUNS / 6) },
};

describe.each(Object.entries(BACKENDS))('in %s', (_where, { start, runs }) => {
  it(
    'takes nothing that it may not take, whatever happens, and comes to rest',
    async () => {
      const steps = fc.array(stepOf(CALLS), { minLength: 4, maxLength: 12 });
      const property = fc.asyncProperty(policy, steps, async (chosen, all) => {
        const scene = await new Scene(await start(), chosen).start();
        try {
          for (const one of all) await scene.step(one);
          await scene.settle();
        } finally {
          await scene.close();
        }
      });
      await fc.assert(property, { numRuns: runs });
    },
    LIMIT_MS,
  );
});

it(
  'writes nothing anywhere to plan',
  async () => {
    const steps = fc.array(stepOf(CALLS), { minLength: 2, maxLength: 8 });
    const property = fc.asyncProperty(policy, steps, async (chosen, all) => {
      const scene = await new Scene(await memoryBackend(), chosen).start();
      try {
        for (const one of all) await scene.play(one);
        const [before, accounts] = [await dump(scene.world), scene.accounts()];
        await scene.world.plan('hr');
        await scene.world.plan('crm');
        expect(await dump(scene.world)).toEqual(before);
        expect(scene.accounts()).toEqual(accounts);
      } finally {
        await scene.close();
      }
    });
    await fc.assert(property, { numRuns: Math.ceil(RUNS / 4) });
  },
  LIMIT_MS,
);

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
