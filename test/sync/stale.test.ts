import { SyncWorld, type SyncWorldOptions } from './world.ts';

/** A plan that somebody has seen is applied while all that it was made of is as it was, and not a moment longer. */
let world: SyncWorld;
const OPTIONS: SyncWorldOptions = { stopIf: { removals: { people: 3 } } };
const RULES = {
  users: { when: { groups: 'User' }, grant: { bi: { groups: ['analysts'] } } },
  teams: { when: { groups: 'team-*' }, grant: { bi: { groups: ['${match}'] } } },
};

beforeEach(async () => {
  world = await new SyncWorld().open({ ...OPTIONS, rules: RULES });
  for (let at = 0; at < 6; at += 1) world.hr.add(`p${at}`, { groups: ['User'] });
  await world.apply();
});
afterEach(() => world.close());

/** Four lose a group: the brake holds it. */
async function seen() {
  for (let at = 0; at < 4; at += 1) world.hr.add(`p${at}`, { groups: ['team-a'] });
  const plan = await world.plan();
  expect(plan.brake).toMatchObject({ code: 'too_many_removals' });
  return plan.fingerprint;
}

async function applied(expect: string) {
  const before = world.accounts();
  const { outcome } = await world.apply('hr', { approve: true, expect });
  return { outcome, isWritten: JSON.stringify(world.accounts()) !== JSON.stringify(before) };
}

const STALE = { outcome: 'stale', isWritten: false };

it('is applied when nothing is any different', async () => {
  expect(await applied(await seen())).toEqual({ outcome: 'applied', isWritten: true });
});

it.each<[string, () => void]>([
  [
    'the brake holds it for another reason',
    () => {
      world.hr.end = { complete: false, why: 'page 2 was missing', unreadable: 0, notes: [] };
    },
  ],
  ['the brake does not hold it any more', () => world.configure({ rules: RULES, stopIf: { removals: { people: 5 } } })],
  [
    'another rule gives the same',
    () => {
      const { users, teams } = RULES;
      world.configure({ ...OPTIONS, rules: { users, squads: teams } });
    },
  ],
  [
    'the rules give something else',
    () => {
      const { users, teams } = RULES;
      world.configure({ ...OPTIONS, rules: { users, teams: { ...teams, grant: { bi: { groups: ['t'] } } } } });
    },
  ],
  ['somebody in the source is another', () => world.hr.add('p5', { groups: ['User', 'team-b'] })],
  ['somebody in the source has another name', () => world.hr.add('p5', { groups: ['User'], given_name: 'Pat' })],
  [
    'an account in the target is switched off',
    () => {
      const p0 = [...world.bi.accounts.values()].find(({ userName }) => userName === 'p0');
      if (p0 !== undefined) p0.active = false;
    },
  ],
  [
    'what was to be taken is gone from the target',
    () => {
      const p0 = [...world.bi.accounts.values()].find(({ userName }) => userName === 'p0');
      p0?.entitlements.clear();
    },
  ],
  ['the group that was to be made is there', () => void world.bi.addEntitlement({ kind: 'group', name: 'team-a' })],
])('is stale when %s', async (_, change) => {
  const fingerprint = await seen();
  change();
  expect(await applied(fingerprint)).toEqual(STALE);
});

it('that the brake let go is stale when it holds it by now', async () => {
  for (let at = 0; at < 3; at += 1) world.hr.add(`p${at}`, { groups: ['team-a'] });
  const plan = await world.plan();
  expect(plan.brake).toBeUndefined();
  world.configure({ rules: RULES, stopIf: { removals: { people: 2 } } });
  expect((await world.plan()).brake).toMatchObject({ code: 'too_many_removals' });
  expect(await applied(plan.fingerprint)).toEqual(STALE);
});
