import { apply } from '../../src/cli/apply.ts';
import { newPerson } from '../sync/example-plans.ts';
import { makeSyncWorld, SYNC } from './sync-world.ts';

// A process of its own for signals: applies thirty people, each of whom takes as long as the argument says.
const world = await makeSyncWorld();
world.syncs.changes = Array.from({ length: 30 }, (_, at) => newPerson(`person ${at}`)).flat();
world.syncs.rowMs = Number(process.argv[2]);
const io = {
  out: (line: string) => void process.stdout.write(`${line}\n`),
  err: (line: string) => void process.stderr.write(`${line}\n`),
  env: {},
  isTTY: false,
};
process.exitCode = await apply(SYNC, {}, world, io);
await world.close();
