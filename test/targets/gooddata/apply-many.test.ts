import { LatchgateError } from '../../../src/model/errors.ts';
import { must } from '../../conformance/target-subject.ts';
import { account, calls, changes, given, group, permission } from './organisation.ts';
import { type Organisation, type OrganisationOptions, startOrganisation } from './subject.ts';

const IDS = Array.from({ length: 40 }, (_, at) => `u${String(at).padStart(2, '0')}`);
const SEED = {
  groups: [{ id: 'old' }, { id: 'next' }],
  users: IDS.map((id) => ({ id, authenticationId: id, groups: ['old'] })),
  workspaces: [{ id: 'lab' }, { id: 'shop' }],
};

let organisation: Organisation;
const signal = AbortSignal.timeout(120_000);

async function start(more: OrganisationOptions = {}) {
  organisation = await startOrganisation({ seed: SEED, givesPermissions: true, ...more });
  const { accounts } = await organisation.target.read({ kind: 'all' }, signal);
  const people = accounts.filter(({ id }) => IDS.includes(id));
  calls(organisation);
  const applyMany = organisation.target.applyMany?.bind(organisation.target);
  if (applyMany === undefined) throw new Error('the target writes one account at a time');
  return { ...organisation, state: organisation.emulator.state, people, applyMany };
}

afterEach(() => organisation.close());

const LOOK = 'GET entities/users of fifty ids';
/** The calls that were made since; a look at many accounts without their ids. */
const made = () =>
  calls(organisation).map((call) => (call.startsWith('GET entities/users?filter=id=in=') ? LOOK : call));

const groupsOf = (id: string) =>
  (organisation.emulator.state.users.get(id)?.relationships['userGroups'] ?? []).map((one) => one.id);
const codes = (results: readonly unknown[]) =>
  results.map((result) => (result instanceof LatchgateError ? result.code : 'fine'));

it('neither gives nor takes anything where an id has come to be somebody else’s', async () => {
  const { people, applyMany, state } = await start();
  const sets = people
    .slice(0, 5)
    .map((actual) => changes(actual, { add: [group('next'), permission('VIEW', 'lab')], drop: [group('old')] }));
  const other = state.users.get('u01');
  if (other !== undefined) other.attributes['authenticationId'] = 'another person';
  state.users.delete('u02');
  const results = await applyMany(sets, signal);
  expect(codes(results)).toEqual(['fine', 'target_conflict', 'target_conflict', 'fine', 'fine']);
  expect(['u00', 'u01', 'u03', 'u04'].map(groupsOf)).toEqual([['next'], ['old'], ['next'], ['next']]);
  expect(given(state)).toEqual(['u00', 'u03', 'u04'].map((id) => `lab: user ${id} VIEW`));
});

describe('writing many accounts', () => {
  it('takes one call for a group, however many people go in, and one for fifty of them to see who they are', async () => {
    const { people, applyMany } = await start();
    const results = await applyMany(
      people.map((actual) => changes(actual, { add: [group('next')] })),
      signal,
    );
    expect(made()).toEqual([LOOK, 'POST actions/userManagement/userGroups/next/addMembers']);
    expect(results.map((result) => (result instanceof LatchgateError ? [] : result.account.entitlements))).toEqual(
      IDS.map(() => [group('old'), group('next')]),
    );
    expect(IDS.map(groupsOf)).toEqual(IDS.map(() => ['old', 'next']));
  });

  it('takes two calls for a change of sides, out first, after the look', async () => {
    const { people, applyMany } = await start();
    await applyMany(
      people.map((actual) => changes(actual, { add: [group('next')], drop: [group('old')] })),
      signal,
    );
    expect(made()).toEqual([
      LOOK,
      'POST actions/userManagement/userGroups/old/removeMembers',
      'POST actions/userManagement/userGroups/next/addMembers',
    ]);
    expect(IDS.map(groupsOf)).toEqual(IDS.map(() => ['next']));
  });

  it('takes three calls for a permission on a workspace, after the look: read, write, read back', async () => {
    const { people, applyMany, state } = await start();
    await applyMany(
      people.map((actual) => changes(actual, { add: [permission('VIEW', 'lab')] })),
      signal,
    );
    expect(made()).toEqual([
      LOOK,
      'GET layout/workspaces/lab/permissions',
      'POST actions/workspaces/lab/managePermissions',
      'GET layout/workspaces/lab/permissions',
    ]);
    expect(given(state)).toEqual(IDS.map((id) => `lab: user ${id} VIEW`));
  });

  it('puts at most five hundred people into a call', async () => {
    const users = Array.from({ length: 501 }, (_, at) => ({ id: `m${at}` }));
    const { applyMany, target } = await start({ seed: { ...SEED, users } });
    const { accounts } = await target.read({ kind: 'all' }, signal);
    const members = accounts.filter(({ isProtected }) => !isProtected);
    calls(organisation);
    await applyMany(
      members.map((actual) => changes(actual, { add: [group('next')] })),
      signal,
    );
    expect(made()).toEqual([
      ...Array(11).fill(LOOK),
      ...Array(2).fill('POST actions/userManagement/userGroups/next/addMembers'),
    ]);
    expect(members.filter(({ id }) => !groupsOf(id).includes('next'))).toEqual([]);
  });

  it('asks of fifty people in one call who they are before it changes their profiles', async () => {
    const { people, applyMany, state } = await start();
    must(state.users.get('u01')).attributes['authenticationId'] = 'another person';
    const results = await applyMany(
      people.slice(0, 3).map((actual) => changes(actual, { profile: { givenName: 'New' } })),
      signal,
    );
    expect(codes(results)).toEqual(['fine', 'target_conflict', 'fine']);
    expect(made()).toEqual([
      LOOK,
      'PATCH entities/users/u00?include=userGroups',
      'PATCH entities/users/u02?include=userGroups',
    ]);
    expect(state.users.get('u01')?.attributes['firstname']).not.toBe('New');
  });

  it('makes a missing group once, with what the config gives it, before anybody is in it', async () => {
    const { people, applyMany, state } = await start({ workspaces: { fresh: { lab: ['VIEW'] } } });
    await applyMany(
      people.map((actual) => changes(actual, { create: [group('fresh')], add: [group('fresh')] })),
      signal,
    );
    expect(made()).toEqual([
      LOOK,
      'POST entities/userGroups',
      'GET actions/userManagement/userGroups/fresh/permissions',
      'POST actions/workspaces/lab/managePermissions',
      'GET actions/userManagement/userGroups/fresh/permissions',
      'POST actions/userManagement/userGroups/fresh/addMembers',
    ]);
    expect(given(state)).toEqual(['lab: group fresh VIEW']);
  });

  it('makes a group again that vanished, and has nobody to take out of one that did', async () => {
    const { people, applyMany, state } = await start();
    state.userGroups.delete('next');
    state.userGroups.delete('old');
    for (const id of IDS) must(state.users.get(id)).relationships['userGroups'] = [];
    const results = await applyMany(
      people.map((actual) => changes(actual, { add: [group('next')], drop: [group('old')] })),
      signal,
    );
    expect(new Set(codes(results))).toEqual(new Set(['fine']));
    expect(IDS.map(groupsOf)).toEqual(IDS.map(() => ['next']));
    expect(state.userGroups.has('old')).toBe(false);
  });

  it('makes none again where missing groups are refused', async () => {
    const { people, applyMany, state } = await start({ missingGroups: 'refuse' });
    state.userGroups.delete('next');
    const sets = people.map((actual, at) =>
      changes(actual, at === 0 ? { drop: [group('old')] } : { add: [group('next')] }),
    );
    expect(codes(await applyMany(sets, signal))).toEqual(['fine', ...IDS.slice(1).map(() => 'group_missing')]);
    expect(state.userGroups.has('next')).toBe(false);
  });

  it('finds the few who are gone among many by halves', async () => {
    const { people, applyMany, state } = await start();
    const gone = ['u03', 'u29'];
    for (const id of gone) state.users.delete(id);
    const sets = people.map((actual) => changes(actual, { add: [group('next'), permission('VIEW', 'lab')] }));
    const results = await applyMany(sets, signal);
    expect(codes(results)).toEqual(IDS.map((id) => (gone.includes(id) ? 'target_conflict' : 'fine')));
    const left = IDS.filter((id) => !gone.includes(id));
    expect(left.map(groupsOf)).toEqual(left.map(() => ['old', 'next']));
    expect(given(state)).toEqual(left.map((id) => `lab: user ${id} VIEW`));
    expect(calls(organisation).filter((line) => line.includes('addMembers')).length).toBeLessThan(25);
  });

  it('fails those alone whose group or workspace fails', async () => {
    const { people, applyMany, emulator } = await start();
    emulator.faults.set({ match: (_method, path) => path.includes('/next/addMembers'), status: 503 });
    const wishes = [{ add: [group('next')] }, { drop: [group('old')] }, { add: [permission('VIEW', 'nowhere')] }];
    const sets = people.slice(0, 3).map((actual, at) => changes(actual, wishes[at] ?? {}));
    expect(codes(await applyMany(sets, signal))).toEqual(['target_unavailable', 'fine', 'permission_missing']);
  });

  it('writes profiles, new accounts and removals one by one among the others', async () => {
    const { people, applyMany, state } = await start();
    const [first, second] = [must(people[0]), must(people[1])];
    const results = await applyMany(
      [
        changes(first, { profile: { email: 'first@example.com' }, add: [group('next'), permission('VIEW', 'shop')] }),
        changes(second, { remove: true }),
        changes('new', { add: [group('next'), permission('VIEW', 'shop')] }),
      ],
      signal,
    );
    expect(codes(results)).toEqual(['fine', 'fine', 'fine']);
    expect(state.users.get('u00')?.attributes.email).toBe('first@example.com');
    expect(state.users.has('u01')).toBe(false);
    expect([groupsOf('u00'), groupsOf('new')]).toEqual([['old', 'next'], ['next']]);
    expect(given(state)).toEqual(['shop: user new VIEW', 'shop: user u00 VIEW']);
    const [written] = results;
    expect(written instanceof LatchgateError ? undefined : written?.account).toEqual(
      await account(organisation, 'u00'),
    );
  });
});
