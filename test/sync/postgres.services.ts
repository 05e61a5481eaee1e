import { postgresState } from '../conformance/postgres-state.ts';
import type { State } from '../conformance/state.ts';
import { type RunningPostgres, startPostgres } from '../services/postgres.ts';
import { lines, SyncWorld } from './world.ts';

let server: RunningPostgres;
let state: State;
let world: SyncWorld;

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
beforeEach(async () => {
  state = await postgresState(server.url);
  world = await new SyncWorld().open({ database: state.url });
});
afterEach(async () => {
  await world.close();
  await state.dispose();
});

describe('a sync on PostgreSQL', () => {
  it('gives, changes, takes and sees off, and plans nothing the second time', async () => {
    for (let at = 0; at < 60; at += 1) world.hr.add(`p${at}`, { groups: at % 2 ? ['User'] : ['team-a'] });
    expect(await world.apply()).toMatchObject({ outcome: 'applied', applied: 60, failed: 0 });
    expect(lines((await world.plan()).changes)).toEqual([]);
    world.hr.people.delete('p0');
    world.hr.add('p1', { groups: ['Admin'] });
    expect(lines((await world.plan()).changes)).toEqual([
      'disable p0',
      'grant p1 role:Admin',
      'revoke p1 group:analysts',
      'revoke p1 role:Alpha',
    ]);
    expect(await world.apply()).toMatchObject({ outcome: 'applied', applied: 2 });
    expect(world.accounts()).toMatchObject({ p0: '(group:team-a)', p1: 'role:Admin', p3: 'group:analysts role:Alpha' });
    expect((await world.personOf('p0'))?.leftAt).toBeDefined();
    expect(await world.audit.verify()).not.toHaveProperty('firstBad');
  });

  it('records all of a batch but the one whose account somebody else was given meanwhile', async () => {
    for (let at = 0; at < 10; at += 1) world.hr.add(`p${at}`, { groups: ['User'] });
    const other = await world.directory.people.ensure({ issuer: 'i', subject: 'other' }, 'staff', 'Other');
    world.bi.hook = async (call) => {
      if (call !== 'applied') return;
      const made = [...world.bi.accounts.values()].find(({ userName }) => userName === 'p3');
      const link = { person: other.id, target: 'bi', userName: 'p3', created: true, state: 'ready' as const };
      if (made !== undefined) await world.directory.accounts.save({ ...link, accountId: made.id });
    };
    expect(await world.apply()).toMatchObject({ outcome: 'partial', applied: 9, failed: 1 });
    expect(world.rows.filter(({ outcome }) => outcome === 'failed')).toMatchObject([
      { key: 'p3', code: 'account_taken' },
    ]);
    expect(await world.directory.accounts.count('bi')).toBe(11);
  });

  it('is done once by two instances that begin together', async () => {
    const other = await new SyncWorld().open({ database: state.url, target: world.bi });
    for (let at = 0; at < 30; at += 1) {
      world.hr.add(`p${at}`, { groups: ['User'] });
      other.hr.add(`p${at}`, { groups: ['User'] });
    }
    other.now = world.now + 500;
    const results = await Promise.all([world.apply(), other.apply()]);
    await other.close();
    expect(results.map(({ applied }) => applied).sort()).toEqual([0, 30]);
    expect(world.bi.accounts.size).toBe(30);
    expect((await world.events()).filter(({ event }) => event === 'account.created')).toHaveLength(30);
  });
});
