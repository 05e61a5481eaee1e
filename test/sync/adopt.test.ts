import { createAdoption } from '../../src/sync/adopt.ts';
import type { Adoption } from '../../src/sync/sync.ts';
import { lines, SyncWorld } from './world.ts';

let world: SyncWorld;
let adoption: Adoption;
const signal = AbortSignal.timeout(60_000);
const options = { actor: 'operator', requestId: 'r', signal };

/** A target that was filled by a gateway whose state is lost. */
beforeEach(async () => {
  world = await new SyncWorld().open({ stopIf: { removals: { percent: 100 } } });
  const given = [
    { kind: 'role', name: 'Alpha' },
    { kind: 'group', name: 'analysts' },
    { kind: 'group', name: 'made by hand' },
  ] as const;
  for (const userName of ['ann', 'bob']) {
    world.bi.addAccount({ userName, profile: { email: `${userName}@acme.test` } }, given);
    world.hr.add(userName, { groups: ['User'] });
  }
  world.hr.add('cyd', { groups: ['User'] });
  adoption = createAdoption({ ...world.deps, openTargets: async () => [world.adoptSetup()] });
});
afterEach(() => world.close());

it('shows what it would take for ours, and writes nothing', async () => {
  const plan = await adoption.plan(undefined, signal);
  expect(plan.targets).toEqual(['bi']);
  expect(plan.rows.map(({ key, link, grants }) => [key, link, grants.map(({ name }) => name).sort()])).toEqual([
    ['ann', true, ['Alpha', 'analysts']],
    ['bob', true, ['Alpha', 'analysts']],
  ]);
  expect(await world.directory.people.list(10)).toEqual([]);
  expect(await world.directory.ledger.count('bi')).toBe(0);
});

it('lets a sync take away afterwards what rules gave, and nothing that was made by hand', async () => {
  expect((await adoption.apply(undefined, options)).rows).toHaveLength(2);
  expect((await adoption.plan(undefined, signal)).rows).toEqual([]);
  const audited = (await world.events()).map(({ event, key }) => `${event} ${key}`);
  expect(audited.sort()).toEqual([
    'account.adopted ann',
    'account.adopted bob',
    'grant.adopted group:analysts',
    'grant.adopted group:analysts',
    'grant.adopted role:Alpha',
    'grant.adopted role:Alpha',
  ]);
  expect(lines((await world.plan()).changes)).toEqual([
    'create cyd',
    'grant cyd group:analysts',
    'grant cyd role:Alpha',
  ]);
  world.hr.add('ann', { groups: ['team-a'] });
  expect(await world.apply()).toMatchObject({ outcome: 'applied' });
  expect(world.accounts()).toMatchObject({ ann: 'group:made by hand group:team-a' });
});

it('leaves what it cannot be sure of, and says so', async () => {
  world.bi.addAccount({ userName: 'bob-2', profile: { email: 'BOB@acme.test' } });
  const plan = await adoption.apply(undefined, options);
  expect(plan.rows.map(({ key }) => key)).toEqual(['ann']);
  expect(plan.held).toEqual([{ target: 'bi', key: 'bob', code: 'account_ambiguous' }]);
  expect(await world.directory.accounts.count('bi')).toBe(1);
});
