import { previewChanges } from '../../src/preview/preview.ts';
import { World, type WorldOptions } from '../provisioning/world.ts';
import { facts, foretold, moved, side } from './told.ts';

/*
 * What a preview says is held against what happens: the people log in by the old config, the preview is made, the new
 * config goes live, and they log in again with the same claims.
 */

const BASE = {
  admins: { when: { groups: 'Admin' }, grant: { bi: { roles: ['Admin'] } } },
  users: { when: { groups: 'User' }, grant: { bi: { roles: ['Alpha'], groups: ['analysts'] } } },
  side: { when: { groups: 'User' }, grant: { side: { groups: ['side'] } } },
  suspended: { when: { groups: 'suspended' }, deny: 'You are suspended.' },
};

interface Person {
  readonly who: string;
  readonly claims: Record<string, unknown>;
  readonly origin?: string;
}

const STAFF: readonly Person[] = [
  { who: 'ann', claims: { groups: ['User'] } },
  { who: 'ben', claims: { groups: ['User', 'Admin'] } },
  { who: 'cat', claims: { groups: [] } },
  { who: 'dan', claims: { groups: ['Other'] } },
  { who: 'eve', claims: { groups: ['User', 'Other'], department: 'Sales' } },
];

let world: World;
afterEach(() => world.close());

async function open(options: WorldOptions, people: readonly Person[] = STAFF): Promise<void> {
  world = await new World().open(options);
  await logIn(people);
}

/** Whether they get in does not matter: what becomes of their accounts does. */
async function logIn(people: readonly Person[]): Promise<void> {
  for (const { who, claims, origin = 'staff' } of people) {
    world.now += 1_000;
    await world.login(who, claims, 'bi', origin).catch(() => undefined);
    await world.settled();
  }
}

function preview(before: WorldOptions, after: WorldOptions, more: { renamed?: ReadonlyMap<string, string> } = {}) {
  return previewChanges({
    directory: world.directory,
    clock: { now: () => world.now },
    before: side(before),
    after: side(after),
    renamed: new Map(),
    notes: [],
    ...more,
  });
}

async function happens(after: WorldOptions, people: readonly Person[] = STAFF): Promise<string[]> {
  const before = facts(world);
  world.restart(after);
  await logIn(people);
  return moved(before, facts(world));
}

const OTHERS = {
  ...BASE,
  users: { when: { groups: 'User' }, grant: { bi: { roles: ['Gamma'], groups: ['analysts'] } } },
};

const CHANGES: readonly (readonly [string, WorldOptions, WorldOptions])[] = [
  ['a rule that gives another role', {}, { rules: OTHERS }],
  ['a rule that is gone', {}, { rules: { admins: BASE.admins, suspended: BASE.suspended } }],
  [
    'a rule that is new',
    {},
    { rules: { ...BASE, more: { when: { groups: 'Other' }, grant: { side: { groups: ['x'] } } } } },
  ],
  ['a rule by another name', {}, { rules: { people: BASE.users, side: BASE.side, admins: BASE.admins } }],
  ['a rule that denies', {}, { rules: { ...BASE, no: { when: { groups: 'Other' }, deny: 'No.' } } }],
  ['a rule that denies no more', { rules: { ...BASE, no: { when: { groups: 'Other' }, deny: 'No.' } } }, {}],
  [
    'a rule that gives what is privileged',
    {},
    { rules: { ...BASE, boss: { when: { groups: 'Other' }, grant: { bi: { roles: ['Admin'] } } } } },
  ],
  ['no default', {}, { byDefault: {} }],
  ['a default where there was none', { byDefault: {} }, {}],
  ['more that is required', {}, { require: ['email', 'department'] }],
  ['fewer groups at most', {}, { maxGroups: 1 }],
];

describe('what a preview says', () => {
  it.each(CHANGES)('of %s is what happens', async (_, before, after) => {
    await open(before);
    const said = await preview(before, after);
    expect(foretold(said)).toEqual(await happens(after));
  });

  // Whom the old config cannot read is not recorded by it.
  const readable = CHANGES.filter(([, , { require, maxGroups }]) => require === undefined && maxGroups === undefined);

  it.each(readable)('of %s the other way round is what happens', async (_, before, after) => {
    await open(after);
    const said = await preview(after, before);
    expect(foretold(said)).toEqual(await happens(before));
  });

  it('is nothing when nothing was changed', async () => {
    await open({});
    expect(await preview({}, {})).toEqual({
      looked: 5,
      people: [],
      summary: { gain: 0, lose: 0, shutOut: 0, privileged: 0, profile: 0, otherRule: 0 },
      notes: [],
    });
  });

  it('names who gains something privileged, and by which rule', async () => {
    const rules = { ...BASE, boss: { when: { groups: 'Other' }, grant: { bi: { roles: ['Admin'] } } } };
    await open({});
    const said = await preview({}, { rules });
    expect(said.summary).toMatchObject({ privileged: 2 });
    expect(said.people.map(({ email }) => email)).toEqual(['dan@acme.test', 'eve@acme.test']);
    const grant = said.people[1]?.changes.find(({ op }) => op === 'grant');
    expect(grant).toMatchObject({ privileged: true, before: null, after: { rule: 'boss', origin: 'staff' } });
  });

  it('is that somebody gains what an account has kept, when it is switched on again', async () => {
    const rules = { ...BASE, no: { when: { groups: 'Admin' }, deny: 'No.' } };
    await open({});
    world.restart({ rules });
    await logIn(STAFF);
    const said = await preview({ rules }, {});
    expect(foretold(said)).toEqual(['+ bi ben on', '+ side ben on']);
    expect(said.summary).toMatchObject({ privileged: 1 });
    expect(await happens({})).toEqual(['+ bi ben on', '+ side ben on']);
  });

  it('is why somebody is not let in any more', async () => {
    await open({});
    const rules = { ...BASE, no: { when: { groups: 'Other' }, deny: 'Not here.' } };
    const said = await preview({}, { rules });
    expect(said.people.map(({ email, shutOut }) => [email, shutOut])).toEqual([
      ['dan@acme.test', { code: 'denied_by_rule', message: 'Not here.', rule: 'no' }],
      ['eve@acme.test', { code: 'denied_by_rule', message: 'Not here.', rule: 'no' }],
    ]);
    const unreadable = await preview({}, { require: ['email', 'department'] });
    expect(unreadable.people.map(({ shutOut }) => shutOut?.code)).toEqual(Array(5).fill('attribute_missing'));
    // What cannot be read takes nothing away.
    expect(foretold(unreadable)).toEqual([]);
  });

  it('names whose profile is written anew, field by field, and calls no rule another', async () => {
    const people = [
      { who: 'ann', claims: { groups: ['User'], alias: 'Other', mail2: 'boss@acme.test' } },
      { who: 'ben', claims: { groups: ['User'], alias: 'ben', mail2: 'ben@acme.test' } },
    ];
    const after = { claims: { email: ['mail2'], given_name: ['alias'] } };
    await open({}, people);
    const profiles = () => [...world.side.accounts.values()].map(({ userName, profile }) => ({ userName, ...profile }));
    const was = profiles();
    const said = await preview({}, after);
    await happens(after, people);
    const rewritten = profiles().flatMap(({ userName, ...is }, at) =>
      Object.entries(is).flatMap(([field, value]) =>
        Object.entries(was[at] ?? {}).some(([name, old]) => name === field && old === value)
          ? []
          : [`${userName} ${field}`],
      ),
    );
    expect(rewritten).toContain('ann email');
    const told = said.people.flatMap(({ email, changes }) =>
      changes
        .filter(({ op, target }) => op === 'update' && target === 'side')
        .flatMap(({ fields = [] }) => fields.map((field) => `${email?.replace('@acme.test', '')} ${field}`)),
    );
    expect(told.sort()).toEqual(rewritten.sort());
    expect(said.summary).toMatchObject({ gain: 0, lose: 0, otherRule: 0 });
    expect(said.summary.profile).toBe(new Set(told.map((line) => line.split(' ')[0])).size);
  });

  it('counts who has the same by another rule', async () => {
    await open({});
    const said = await preview({}, { rules: { people: BASE.users, side: BASE.side, admins: BASE.admins } });
    expect(said).toMatchObject({ people: [], summary: { profile: 0, otherRule: 3 } });
  });

  it('leaves alone what an origin gave that did not send its groups', async () => {
    const options = { groupsAbsent: 'keep' } as const;
    const people = [{ who: 'ann', claims: { groups: ['User'] } }];
    await open(options, people);
    const silent = [{ who: 'ann', claims: {} }];
    await logIn(silent);
    const said = await preview(options, { ...options, rules: OTHERS });
    expect(said.people).toEqual([]);
    expect(await happens({ ...options, rules: OTHERS }, silent)).toEqual([]);
  });

  it('counts what any origin gives', async () => {
    const options = { origins: ['staff', 'partner'] };
    const people = [
      { who: 'ann', claims: { groups: ['User'] } },
      { who: 'ann', claims: { groups: ['User'] }, origin: 'partner' },
      { who: 'ben', claims: { groups: ['User'] } },
    ];
    const rules = { ...BASE, users: { when: { groups: 'User', origin: 'partner' }, grant: BASE.users.grant } };
    await open(options, people);
    const said = await preview(options, { ...options, rules });
    expect(said.people.map(({ email }) => email)).toEqual(['ben@acme.test']);
    expect(foretold(said)).toEqual(await happens({ ...options, rules }, people));
  });

  it('is decided by a door that can be read, whichever spoke last', async () => {
    const options = { origins: ['staff', 'partner'], byDefault: {} };
    const people = [
      { who: 'ann', claims: { groups: ['User'] } },
      { who: 'ann', claims: { groups: ['User', 'Other', 'More'] }, origin: 'partner' },
      { who: 'ben', claims: { groups: ['User', 'Other', 'More'] } },
    ];
    const rules = { ...BASE, boss: { when: { groups: 'User' }, grant: { bi: { roles: ['Admin'] } } } };
    const after = { ...options, rules, maxGroups: 2 };
    await open(options, people);
    const said = await preview(options, after);
    expect(said.summary).toMatchObject({ gain: 1, shutOut: 1, privileged: 1 });
    expect(said.people.map(({ email, shutOut }) => [email, shutOut?.code])).toEqual([
      ['ann@acme.test', undefined],
      ['ben@acme.test', 'groups_too_many'],
    ]);
    expect(said.notes[0]).toBe(
      'what "partner" last said of 1 person cannot be read by the new config (groups_too_many): what others say of them decides',
    );
    expect(foretold(said)).toEqual(['+ bi ann role:Admin']);
    expect(await happens(after, people)).toEqual(['+ bi ann role:Admin']);
  });

  it('is that nobody gets in by an origin that is gone, and loses what it gave when another still speaks', async () => {
    const options = { origins: ['staff', 'partner'] };
    const both = [
      { who: 'ann', claims: { groups: ['User'] } },
      { who: 'ann', claims: { groups: [] }, origin: 'partner' },
    ];
    await open(options, [...both, { who: 'ben', claims: { groups: ['User'] } }]);
    const after = { origins: ['partner'] };
    const said = await preview(options, after);
    expect(said.people.map(({ email, shutOut }) => [email, shutOut?.code])).toEqual([
      ['ann@acme.test', undefined],
      ['ben@acme.test', 'login_unknown'],
    ]);
    expect(foretold(said)).toEqual(await happens(after, both.slice(1)));
  });

  it('is that nobody moves when an origin gets another name', async () => {
    await open({});
    const after = { origins: ['people'] };
    const said = await preview({}, after, { renamed: new Map([['staff', 'people']]) });
    expect(said.people).toEqual([]);
    expect(
      await happens(
        after,
        STAFF.map((person) => ({ ...person, origin: 'people' })),
      ),
    ).toEqual([]);
  });

  it('is nothing of somebody who is out already', async () => {
    await open({});
    await world.disable(await world.idOf('ann'));
    const said = await preview({}, { rules: OTHERS });
    expect(said.people.map(({ email }) => email)).toEqual(['ben@acme.test', 'eve@acme.test']);
  });

  it('writes nothing and asks no target', async () => {
    await open({});
    const before = { calls: world.bi.calls.length, audit: world.audit.length };
    const written: string[] = [];
    world.onCall = (call) => void written.push(call);
    await preview({}, { rules: OTHERS, byDefault: {} });
    expect(world.bi.calls).toHaveLength(before.calls);
    expect(world.audit).toHaveLength(before.audit);
    expect([...new Set(written)].filter((call) => !/\.(list|assertionsOf|ofTarget)$/.test(call))).toEqual([]);
  });
});
