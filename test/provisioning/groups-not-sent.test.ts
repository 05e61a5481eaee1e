import { World, type WorldOptions } from './world.ts';

/*
 * A login that sends no groups, by `groups_absent: keep`: what was given by groups stays as it is, and what rules give that
 * look at none goes by what is said now.
 */
const OPTIONS: WorldOptions = {
  groupsAbsent: 'keep',
  rules: {
    staff: { when: { email: '*@acme.test' }, grant: { bi: { roles: ['Alpha'] }, side: { groups: ['staff'] } } },
    partners: { when: { email: '*@partner.test' }, grant: { side: { groups: ['partners'] } } },
    analysts: { when: { groups: 'analysts' }, grant: { side: { groups: ['analysts'] } } },
    strangers: { when: { not: { groups: '*' } }, grant: { side: { groups: ['strangers'] } } },
  },
  byDefault: { grant: { bi: { roles: ['Gamma'] } } },
};

let world: World;

beforeEach(async () => {
  world = await new World().open(OPTIONS);
});

afterEach(() => world.close());

const given = () =>
  [world.bi, world.side].map((target) => [...target.accounts.values()].map(({ userName }) => target.given(userName)));

it('who has another address has what rules give by that one, and nothing by the old one', async () => {
  await world.login('ann', { email: 'ann@acme.test' });
  await world.settled();
  expect(given()).toEqual([[['role:Alpha']], [['group:staff', 'group:strangers']]]);
  await world.login('ann', { email: 'ann@partner.test' });
  await world.settled();
  expect(given()).toEqual([[['role:Gamma']], [['group:partners', 'group:strangers']]]);
});

it('what groups gave stays, and comes by no group that is not sent', async () => {
  await world.login('ann', { email: 'ann@acme.test', groups: ['analysts'] });
  await world.settled();
  expect(given()).toEqual([[['role:Alpha']], [['group:analysts', 'group:staff']]]);
  await world.login('ann', { email: 'ann@partner.test' });
  await world.settled();
  expect(given()[1]).toEqual([['group:analysts', 'group:partners']]);
});

it('nothing is there by default any more where a rule gives something', async () => {
  await world.login('ann', { email: 'ann@partner.test' });
  await world.settled();
  expect(given()[0]).toEqual([['role:Gamma']]);
  await world.login('ann', { email: 'ann@acme.test' });
  await world.settled();
  expect(given()[0]).toEqual([['role:Alpha']]);
});

it('a rule that is changed to give less takes, one that is new gives', async () => {
  await world.login('ann', { email: 'ann@acme.test' });
  await world.settled();
  const staff = { when: { email: '*@acme.test' }, grant: { bi: { roles: ['Gamma'] } } };
  const newer = { when: { email: 'ann@*' }, grant: { side: { groups: ['anns'] } } };
  world.restart({ ...OPTIONS, rules: { ...OPTIONS.rules, staff, newer } });
  await world.login('ann', { email: 'ann@acme.test' });
  await world.settled();
  expect(given()).toEqual([[['role:Gamma']], [['group:anns', 'group:strangers']]]);
});

it('where no rule looks at groups, none are missed: who has nothing any more by rules has nothing', async () => {
  const { staff } = OPTIONS.rules ?? {};
  world.restart({ groupsAbsent: 'keep', rules: { staff }, byDefault: { deny: 'Nothing for you.' } });
  await world.login('ann', { email: 'ann@acme.test' });
  await world.settled();
  expect(given()).toEqual([[['role:Alpha']], [['group:staff']]]);
  await world.login('ann', { email: 'ann@partner.test' }).catch(() => undefined);
  await world.settled();
  const accounts = [...world.bi.accounts.values(), ...world.side.accounts.values()];
  expect(accounts.map(({ active }) => active)).toEqual([false, false]);
});

it('a rule by groups that gives more than before does not take the default from who sends none', async () => {
  await world.login('ann', { email: 'ann@partner.test', groups: ['analysts'] });
  await world.settled();
  expect(given()[0]).toEqual([['role:Gamma']]);
  const analysts = {
    when: { groups: 'analysts' },
    grant: { bi: { roles: ['Alpha'] }, side: { groups: ['analysts'] } },
  };
  world.restart({ ...OPTIONS, rules: { ...OPTIONS.rules, analysts } });
  await world.login('ann', { email: 'ann@partner.test' });
  await world.settled();
  expect(given()).toEqual([[['role:Gamma']], [['group:analysts', 'group:partners']]]);
  await world.login('ann', { email: 'ann@partner.test', groups: ['analysts'] });
  await world.settled();
  expect(given()[0]).toEqual([['role:Alpha']]);
});

it('what a rule gave that is not there any more is taken', async () => {
  await world.login('ann', { email: 'ann@acme.test', groups: ['analysts'] });
  await world.settled();
  const { staff: _, ...others } = OPTIONS.rules ?? {};
  world.restart({ ...OPTIONS, rules: others });
  await world.login('ann', { email: 'ann@acme.test' });
  await world.settled();
  expect(given()).toEqual([[['role:Gamma']], [['group:analysts']]]);
});
