import type { Directory } from '../../src/directory/directory.ts';
import type { StoredPlan } from '../../src/directory/sync-history.ts';
import type { State } from './state.ts';

type World = () => { readonly here: Directory; readonly there: Directory; readonly state: State };

const DAY_MS = 86_400_000;

/** Plans that wait for a person, and the runs of syncs. */
export function describeSyncStores(world: World): void {
  describe('plans', () => {
    const planOf = (id: string, more: Partial<StoredPlan> = {}) => ({
      id,
      sync: 'hr',
      target: 'gooddata',
      at: new Date(world().state.clock.now()),
      state: 'held' as const,
      code: 'too_many_removals',
      fingerprint: `print of ${id}`,
      body: JSON.stringify({ id, changes: [{ key: 'Zoë "\u{1f600}"' }] }),
      ...more,
    });
    const keep = async (id: string, more: Partial<StoredPlan> = {}) => {
      world().state.clock.fastForward(1_000);
      return world().here.plans.keep(planOf(id, more));
    };
    const states = async () => (await world().there.plans.list(10)).map(({ id, state }) => [id, state]);

    it('gives a plan back as it was kept, and the list without its body, newest first', async () => {
      const { there } = world();
      const first = await keep('pl_1');
      const second = await keep('pl_2', { sync: 'other' });
      expect(await there.plans.get('pl_1')).toEqual(first);
      const { body, ...summary } = second;
      expect(await there.plans.list(1)).toEqual([summary]);
      expect(JSON.parse(body)).toMatchObject({ id: 'pl_2' });
      expect(await there.plans.get('pl_3')).toBeUndefined();
    });

    it('asks once for one plan, whatever was kept by a clock that was far ahead', async () => {
      const { here, state } = world();
      state.clock.fastForward(1_000 * DAY_MS);
      await keep('pl_1');
      state.clock.fastForward(-1_000 * DAY_MS);
      const { fingerprint } = await keep('pl_2');
      await here.plans.decide('pl_2', { from: ['held'], to: 'rejected', by: 'op', at: new Date(state.clock.now()) });
      expect(await keep('pl_3', { fingerprint })).toMatchObject({ id: 'pl_2', state: 'rejected' });
    });

    it('asks once for one plan, however often it is made again', async () => {
      const first = await keep('pl_1');
      expect(await keep('pl_2', { fingerprint: first.fingerprint })).toEqual(first);
      expect(await states()).toEqual([['pl_1', 'held']]);
    });

    it('replaces what waits of the same sync with what is true now', async () => {
      await keep('pl_1', { state: 'saved' });
      await keep('pl_2');
      await keep('pl_3', { sync: 'other' });
      await keep('pl_4');
      expect(await states()).toEqual([
        ['pl_4', 'held'],
        ['pl_3', 'held'],
        ['pl_2', 'replaced'],
        ['pl_1', 'replaced'],
      ]);
    });

    it('asks again for a plan that was only reported, when the brake holds it', async () => {
      const { fingerprint } = await keep('pl_1', { state: 'saved' });
      await keep('pl_2', { fingerprint });
      expect(await states()).toEqual([
        ['pl_2', 'held'],
        ['pl_1', 'replaced'],
      ]);
    });

    it('does not ask again for what was rejected, until another plan came between', async () => {
      const { here, state } = world();
      const { fingerprint } = await keep('pl_1');
      const no = { from: ['held' as const], to: 'rejected' as const, by: 'operator', at: new Date(state.clock.now()) };
      expect(await here.plans.decide('pl_1', no)).toBe(true);
      expect(await keep('pl_2', { fingerprint })).toMatchObject({
        id: 'pl_1',
        state: 'rejected',
        decidedBy: 'operator',
      });
      await keep('pl_3');
      expect(await keep('pl_4', { fingerprint })).toMatchObject({ id: 'pl_4', state: 'held' });
    });

    it('is decided on by one of two who decide at once', async () => {
      const { here, there, state } = world();
      await keep('pl_1');
      const at = new Date(state.clock.now());
      const decided = await Promise.all(
        [here, there].map((one, index) =>
          one.plans.decide('pl_1', { from: ['held'], to: index === 0 ? 'approved' : 'rejected', by: `${index}`, at }),
        ),
      );
      expect(decided.filter(Boolean)).toHaveLength(1);
      const [state_, by] = decided[0] ? ['approved', '0'] : ['rejected', '1'];
      expect(await here.plans.get('pl_1')).toMatchObject({ state: state_, decidedBy: by, decidedAt: at });
    });

    it('takes what waits for out of date once something was applied', async () => {
      await keep('pl_1', { state: 'saved' });
      await keep('pl_2', { sync: 'other' });
      await world().there.plans.settle('hr');
      expect(await states()).toEqual([
        ['pl_2', 'held'],
        ['pl_1', 'replaced'],
      ]);
    });

    it('forgets old plans, but none that waits', async () => {
      const { here, state } = world();
      await keep('pl_1');
      await keep('pl_2');
      expect(await here.plans.prune(new Date(state.clock.now() + DAY_MS))).toBe(1);
      expect(await states()).toEqual([['pl_2', 'held']]);
    });
  });

  describe('runs of syncs', () => {
    const begin = async (id: string, sync = 'hr') => {
      const { here, state } = world();
      state.clock.fastForward(1_000);
      await here.syncRuns.begin({ id, sync, by: 'schedule', startedAt: new Date(state.clock.now()) });
    };
    const finish = async (id: string, outcome: 'applied' | 'failed') => {
      const { here, state } = world();
      state.clock.fastForward(500);
      const code = outcome === 'failed' ? { code: 'source_unavailable' } : { planId: `pl_${id}` };
      const finishedAt = new Date(state.clock.now());
      await here.syncRuns.finish(id, { finishedAt, outcome, counts: { create: 2 }, ...code });
    };

    it('remembers how each began and ended, newest first', async () => {
      const { there, state } = world();
      await begin('r1');
      await finish('r1', 'applied');
      await begin('r2');
      const now = state.clock.now();
      const run = { sync: 'hr', by: 'schedule' };
      expect(await there.syncRuns.recent('hr', 10)).toEqual([
        { id: 'r2', ...run, startedAt: new Date(now), counts: {} },
        {
          id: 'r1',
          ...run,
          startedAt: new Date(now - 1_500),
          finishedAt: new Date(now - 1_000),
          outcome: 'applied',
          planId: 'pl_r1',
          counts: { create: 2 },
        },
      ]);
      expect(await there.syncRuns.recent('other', 10)).toEqual([]);
    });

    it('knows the last that ended, and the last that ended well', async () => {
      const { there } = world();
      expect(await there.syncRuns.lastFinished('hr')).toBeUndefined();
      await begin('r1');
      await finish('r1', 'applied');
      await begin('r2');
      await finish('r2', 'failed');
      await begin('r3');
      expect(await there.syncRuns.lastFinished('hr')).toMatchObject({ id: 'r2', code: 'source_unavailable' });
      expect(await there.syncRuns.lastFinished('hr', ['applied', 'planned'])).toMatchObject({ id: 'r1' });
    });

    it('takes for the last none that ended by a clock that was far ahead, unless there is no other', async () => {
      const { here, there, state } = world();
      state.clock.fastForward(1_000 * DAY_MS);
      await begin('r1');
      await finish('r1', 'applied');
      state.clock.fastForward(-1_000 * DAY_MS);
      expect(await there.syncRuns.lastFinished('hr')).toMatchObject({ id: 'r1' });
      await begin('r2');
      await finish('r2', 'failed');
      expect(await here.syncRuns.lastFinished('hr')).toMatchObject({ id: 'r2' });
    });

    it('forgets what is older', async () => {
      const { here, state } = world();
      await begin('r1');
      await begin('r2');
      expect(await here.syncRuns.prune(new Date(state.clock.now()))).toBe(1);
      expect((await here.syncRuns.recent('hr', 10)).map(({ id }) => id)).toEqual(['r2']);
    });
  });
}
