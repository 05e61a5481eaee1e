import { once } from 'node:events';
import type { ListedPerson, ListingEnd } from '../../src/sources/source.ts';
import { applySync, reportSync } from '../../src/sync/runs.ts';
import { SyncWorld } from './world.ts';

/** What the history says of runs that were stopped. */
let world: SyncWorld;
beforeEach(async () => {
  world = await new SyncWorld().open();
  world.hr.add('ann', { groups: ['User'] });
});
afterEach(() => world.close());

const deps = () => ({ ...world.directory, clock: { now: () => world.now }, syncs: world.syncs });
const last = async () => (await world.directory.syncRuns.recent('hr', 1))[0];

/** The source is never done; as soon as it is read, the run is stopped. */
function stoppedWhileReading(): AbortSignal {
  const stop = new AbortController();
  world.hr.list = async function* (signal?: AbortSignal): AsyncGenerator<ListedPerson, ListingEnd, undefined> {
    yield { subject: 'ann', active: true, claims: {} };
    stop.abort();
    if (signal !== undefined && !signal.aborted) await once(signal, 'abort');
    throw signal?.reason;
  };
  return stop.signal;
}

it('one that was stopped while it still read is stopped, and no failure', async () => {
  const stop = stoppedWhileReading();
  const options = { actor: 'operator', requestId: 'r', approve: false, stop };
  await expect(applySync('hr', options, deps())).rejects.toThrow();
  expect(await last()).toMatchObject({ outcome: 'stopped', counts: {} });
  expect((await last())?.code).toBeUndefined();
  expect(await world.directory.people.list(10)).toEqual([]);
});

it('the same of one that only plans', async () => {
  const signal = stoppedWhileReading();
  await expect(reportSync('hr', { actor: 'scheduler', requestId: 'r', signal }, deps())).rejects.toThrow();
  expect(await last()).toMatchObject({ outcome: 'stopped' });
});

it('one that breaks while it writes has failed, stopped or not', async () => {
  const stop = new AbortController();
  const options = { actor: 'operator', requestId: 'r', approve: false, stop: stop.signal };
  const onPlan = () => {
    stop.abort();
    world.onCall = (call) => {
      if (call.startsWith('together.')) throw new Error('broken');
    };
  };
  await expect(applySync('hr', { ...options, onPlan }, deps())).rejects.toMatchObject({ code: 'state_unavailable' });
  expect(await last()).toMatchObject({ outcome: 'failed', code: 'state_unavailable' });
});
