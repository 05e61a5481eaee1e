import { SyncWorld } from './world.ts';

let world: SyncWorld;
afterEach(() => world.close());

it.each([{ disable: true }, { disable: false }])(
  'accounts of nobody that earlier runs took something from count one each, be it switched off or emptied (%o)',
  async (can) => {
    world = await new SyncWorld(can).open({ manage: 'all', stopIf: { removals: { percent: 10 } } });
    for (let at = 0; at < 40; at += 1) world.hr.add(`p${at}`, { groups: ['team-a'] });
    await world.run();
    const nobodys = (run: number): void => {
      for (let at = 0; at < 3; at += 1)
        world.bi.addAccount({ userName: `x${run}${at}` }, [
          { kind: 'group', name: 'team-a' },
          { kind: 'group', name: 'team-b' },
        ]);
    };
    nobodys(0);
    expect(await world.run()).toMatchObject({ outcome: 'applied' });
    nobodys(1);
    const { outcome, plan } = await world.run();
    expect(outcome).toBe('held');
    expect(plan.brake?.message).toContain('after 3 others within the last 24 hours');
  },
);
