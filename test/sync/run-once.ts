/*
 * One run of a sync as a process of its own, which a test may kill: `run-once.ts DATABASE TARGET TOKEN PEOPLE ROUND`.
 * Applies to the GoodData at TARGET, then plans again, and prints `applied OUTCOME, LEFT left`.
 */
import { toLatchgateError } from '../../src/model/errors.ts';
import { createHttpClient } from '../../src/ops/http.ts';
import { createGoodDataTarget } from '../../src/targets/gooddata/target.ts';
import { addPeople } from './rounds.ts';
import { SyncWorld } from './world.ts';

const [database = '', url = '', token = '', people = '0', round = '1'] = process.argv.slice(2);
const http = createHttpClient();
const config = {
  url,
  token,
  timeout: 30_000,
  missing: { users: 'create', groups: 'create', roles: 'refuse' },
  workspaces: {},
} as const;
const target = createGoodDataTarget({ name: 'bi', config, http, log: { warn: () => {} } });
const world = await new SyncWorld().open({
  database,
  target,
  clock: { now: () => Date.now() },
  leaseMs: 1_000,
  rules: { teams: { when: { groups: '*' }, grant: { bi: { groups: ['${match}'] } } } },
});
addPeople(world.hr, Number(people), Number(round));
console.log('up');
// A busy machine may let it stand still for longer than a lease that is so short.
const goesOn = (thrown: unknown) => {
  if (toLatchgateError(thrown).code !== 'run_stalled') throw thrown;
  return world.apply('hr', { approve: true });
};
const { outcome } = await world.apply('hr', { approve: true }).catch(goesOn);
const { changes } = await world.plan('hr');
console.log(`applied ${outcome}, ${changes.length} left`);
await world.close();
await http.close();
