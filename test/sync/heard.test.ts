import { lines, SyncWorld, type SyncWorldOptions } from './world.ts';

/** When a source counts as heard, where more is managed than what is recorded. */
let world: SyncWorld;

async function start(options: SyncWorldOptions) {
  world = await new SyncWorld().open({ shared: true, joined: ['hr', 'crm'], ...options });
  world.hr.add('p', { groups: ['team-a'] });
  addAccounts('p');
}
afterEach(() => world.close());

function addAccounts(...names: readonly string[]) {
  for (const userName of names) {
    const email = `${userName.replace(/\d$/, '')}@acme.test`;
    world.bi.addAccount({ userName, profile: { email } }, [{ kind: 'group', name: 'team-b' }]);
  }
}

async function takenByHr(): Promise<readonly string[]> {
  const { outcome, plan } = await world.run('hr');
  expect(outcome).toBe('applied');
  return lines(plan.changes).filter((line) => /revoke|disable/.test(line));
}

const NOT_WHOLE: Readonly<Record<string, () => void>> = {
  'refuses what is said of somebody': () => world.crm.add('p', { groups: ['team-b'], email: 5 }),
  'has somebody twice': () => {
    world.crm.add('p', { groups: ['team-b'] });
    world.crm.again = [{ subject: 'p', active: true, claims: { email: 'p@acme.test', groups: ['team-b'] } }];
  },
  'lists a part, and a person lets it pass': () => {
    world.crm.add('p', { groups: ['team-b'] });
    world.crm.cutTo = 0;
    world.crm.end = { complete: false, why: 'cut', unreadable: 0, notes: [] };
  },
};

it.each(Object.keys(NOT_WHOLE))('takes nothing that is not recorded while the other source %s', async (what) => {
  await start({ manage: 'mapped' });
  NOT_WHOLE[what]?.();
  expect(await world.run('crm', { approve: true })).toMatchObject({ outcome: 'applied' });
  expect(await takenByHr()).toEqual([]);
  Object.assign(world.crm, {
    again: [],
    cutTo: Number.POSITIVE_INFINITY,
    end: { complete: true, unreadable: 0, notes: [] },
  });
  world.crm.add('p', { groups: ['team-c'] });
  expect(await world.run('crm', { approve: true })).toMatchObject({ outcome: 'applied' });
  expect((await world.run('hr')).plan.notes).toEqual([]);
  expect(world.accounts()).toEqual({ p: 'group:team-a group:team-c' });
});

it('leaves the accounts of whom the other source lists and the target cannot place', async () => {
  await start({ manage: 'all' });
  world.crm.add('p', { groups: ['team-a'] });
  expect(await world.run('crm')).toMatchObject({ outcome: 'applied' });
  addAccounts('bob1', 'bob2', 'stray');
  world.crm.add('bob', { groups: ['team-b'] });
  const crm = await world.run('crm');
  expect(lines(crm.plan.held)).toEqual([expect.stringContaining('account_ambiguous')]);
  expect(await takenByHr()).toEqual(['disable stray', 'revoke p group:team-b']);
});

it('leaves the accounts of whom a login speaks for and could not place, and no others', async () => {
  await start({ manage: 'all', shared: false, joined: [] });
  addAccounts('bob1', 'bob2', 'eve');
  await expect(world.login('bob', { groups: ['team-b'] })).rejects.toMatchObject({ code: 'account_ambiguous' });
  await expect(world.login('eve', { groups: [] })).rejects.toMatchObject({ code: 'no_access' });
  expect(await takenByHr()).toEqual(['disable eve', 'revoke p group:team-b']);
  expect(world.accounts()).toMatchObject({ bob1: 'group:team-b', bob2: 'group:team-b', eve: '(group:team-b)' });
});

describe.each(['mapped', 'all'] as const)('under %s, once both sources were heard', (manage) => {
  beforeEach(async () => {
    await start({ manage });
    world.crm.add('p', { groups: ['team-b'] });
    world.crm.add('q', { groups: ['team-a'] });
    for (const sync of ['hr', 'crm', 'hr', 'crm']) await world.run(sync);
    addAccounts('r');
    const q = [...world.bi.accounts.values()].find(({ userName }) => userName === 'q');
    const team = [...world.bi.entitlements.values()].find(({ name }) => name === 'team-b');
    q?.entitlements.add(team?.id ?? '');
  });
  const takes = manage === 'all' ? ['disable r', 'revoke q group:team-b'] : ['revoke q group:team-b'];
  const takenByCrm = async () => {
    const { plan } = await world.run('crm');
    return lines(plan.changes).filter((line) => /revoke|disable/.test(line));
  };
  const NEW: Readonly<Record<string, () => void>> = {
    'refuses what is said of them': () => {
      for (const who of ['q', 'r']) world.hr.add(who, { groups: ['team-b'], email: 5 });
    },
    'has entries that name nobody': () => {
      world.hr.end = { complete: true, unreadable: 2, notes: [] };
    },
    'has them twice': () => {
      for (const who of ['q', 'r']) world.hr.add(who, { groups: ['team-b'] });
      world.hr.again = ['q', 'r'].map((subject) => ({ subject, active: true, claims: {} }));
    },
  };

  it.each(Object.keys(NEW))(
    'leaves to people who are new to the other source what they have while it %s',
    async (what) => {
      NEW[what]?.();
      await world.run('hr');
      const { notes } = await world.plan('crm');
      expect(notes).toEqual([expect.stringContaining('the sync hr was not applied whole')]);
      expect(await takenByCrm()).toEqual([]);
      expect(world.accounts()).toMatchObject({ q: 'group:team-a group:team-b', r: 'group:team-b' });
      Object.assign(world.hr, { again: [], end: { complete: true, unreadable: 0, notes: [] } });
      for (const who of ['q', 'r']) world.hr.add(who, { groups: ['team-b'] });
      expect(await world.run('hr')).toMatchObject({ outcome: 'applied' });
      expect(await takenByCrm()).toEqual([]);
      for (const who of ['q', 'r']) world.hr.people.delete(who);
      await world.run('hr', { approve: true });
      expect(world.accounts()).toMatchObject({ q: 'group:team-a' });
    },
  );

  it('goes by what the other source said last of people whom it refuses now', async () => {
    world.hr.add('p', { email: 5 });
    await world.run('hr');
    expect(await takenByCrm()).toEqual(takes);
    expect(world.accounts()).toMatchObject({ p: 'group:team-a group:team-b' });
  });

  it('takes what nobody gives', async () => {
    expect(await takenByCrm()).toEqual(takes);
  });
});
