import { apply } from '../../src/cli/apply.ts';
import { newPerson } from '../sync/example-plans.ts';
import { makeSyncWorld, SYNC } from './sync-world.ts';

// A process of its own for signals: applies thirty people, each of whom takes as long as the argument says.
const world = await makeSyncWorld();
world.syncs.changes = Array.from({ length: 30 }, (_, at) => newPerson(`person ${at}`)).flat();
world.syncs.rowMs = Number(process.argv[2]);
world.syncs.readMs = Number(process.argv[3] ?? 0);
if (world.syncs.readMs > 0) process.stdout.write('{"reading":true}\n');
const io = {
  out: (line: string) => void process.stdout.write(`${line}\n`),
  err: (line: string) => void process.stderr.write(`${line}\n`),
  env: {},
  isTTY: false,
};
process.exitCode = await apply(SYNC, {}, world, io);
const [run] = await world.syncRuns.recent(SYNC, 1);
process.stderr.write(`run: ${run?.outcome}\n`);
await world.close();
