import type { WorkspacesConfig } from '../../../src/targets/gooddata/group-workspaces.ts';
import { calls, changes, given, group, on } from './organisation.ts';
import { type Organisation, type OrganisationOptions, startOrganisation } from './subject.ts';

const SEED = {
  groups: [{ id: 'analysts' }, { id: 'viewers' }, { id: 'others' }],
  users: [{ id: 'ann' }],
  workspaces: [
    { id: 'company', permissions: [on('others', 'userGroup', 'VIEW'), on('analysts', 'userGroup', 'EXPORT')] },
    { id: 'east', parent: 'company' },
    { id: 'east-1', parent: 'east' },
    { id: 'lab', hierarchyPermissions: [on('ann', 'user', 'MANAGE')] },
  ],
};
const BY_HAND = ['company: group analysts EXPORT', 'company: group others VIEW', 'lab: user ann >MANAGE'];

let organisation: Organisation;
const signal = AbortSignal.timeout(120_000);

async function start(workspaces: WorkspacesConfig, more: OrganisationOptions = {}) {
  organisation = await startOrganisation({ seed: SEED, workspaces, ...more });
  await organisation.target.probe(signal);
  calls(organisation);
  const prepare = async () => organisation.target.prepare?.(signal);
  return { ...organisation, state: organisation.emulator.state, prepare };
}

afterEach(() => organisation.close());

describe('what the config gives to groups', () => {
  it('is there afterwards, beside everything that was there before', async () => {
    const { state, prepare } = await start({ analysts: { company: ['ANALYZE'], lab: ['VIEW', 'EXPORT'] } });
    await prepare();
    expect(given(state)).toEqual(
      [...BY_HAND, 'company: group analysts ANALYZE', 'lab: group analysts EXPORT', 'lab: group analysts VIEW'].sort(),
    );
  });

  it('takes one read for a group that has it all', async () => {
    const { prepare } = await start({ analysts: { company: ['EXPORT'] } });
    await prepare();
    expect(calls(organisation)).toEqual(['GET actions/userManagement/userGroups/analysts/permissions']);
  });

  it('takes a read, a write for each workspace that lacks something, and a read back', async () => {
    const { prepare } = await start({ analysts: { company: ['EXPORT'], lab: ['VIEW'] } });
    await prepare();
    expect(calls(organisation)).toEqual([
      'GET actions/userManagement/userGroups/analysts/permissions',
      'POST actions/workspaces/lab/managePermissions',
      'GET actions/userManagement/userGroups/analysts/permissions',
    ]);
  });

  it('reaches every workspace from those that are below no other', async () => {
    const { state, prepare } = await start({ viewers: { '*': ['VIEW'] } });
    await prepare();
    expect(given(state)).toEqual([...BY_HAND, 'company: group viewers >VIEW', 'lab: group viewers >VIEW'].sort());
    expect(calls(organisation)).toContain('GET entities/workspaces?page=0&size=500&sort=id&include=parent');
    await prepare();
    expect(calls(organisation).filter((line) => line.startsWith('POST'))).toEqual([]);
  });

  it('turns the pages of more workspaces than one holds', async () => {
    const many = Array.from({ length: 501 }, (_, at) => ({ id: `w${String(at).padStart(3, '0')}` }));
    const { state, prepare } = await start({ viewers: { '*': ['VIEW'] } }, { seed: { ...SEED, workspaces: many } });
    await prepare();
    expect(given(state)).toEqual(many.map(({ id }) => `${id}: group viewers >VIEW`));
  }, 60_000);

  it('counts what reaches the workspaces below as there in the workspace itself', async () => {
    const seed = { ...SEED, workspaces: [{ id: 'lab', hierarchyPermissions: [on('viewers', 'userGroup', 'VIEW')] }] };
    const { prepare } = await start({ viewers: { lab: ['VIEW'] } }, { seed });
    await prepare();
    expect(calls(organisation).filter((line) => line.startsWith('POST'))).toEqual([]);
  });

  it('goes by the id of a group whose name is none', async () => {
    const { state, target } = await start({ 'Sales EU': { lab: ['VIEW'] } });
    const [wanted] = target.adapt({
      ...changes('bob').desired,
      entitlements: [{ kind: 'group', name: 'Sales EU', rule: 'r', origin: 'o' }],
    }).entitlements;
    if (wanted === undefined) throw new Error('the group is not given');
    await target.apply(changes('bob', { create: [wanted], add: [wanted] }), signal);
    expect(given(state)).toContain(`lab: group ${wanted.name} VIEW`);
  });

  it('leaves a group alone that is not there', async () => {
    const { state, prepare } = await start({ ghosts: { lab: ['VIEW'] }, viewers: { lab: ['VIEW'] } });
    await prepare();
    expect(state.userGroups.has('ghosts')).toBe(false);
    expect(given(state)).toEqual([...BY_HAND, 'lab: group viewers VIEW'].sort());
  });

  it('says which workspace is not there, and gives the others', async () => {
    const { state, prepare, warnings } = await start({ viewers: { nowhere: ['VIEW'], lab: ['VIEW'] } });
    await prepare();
    expect(given(state)).toEqual([...BY_HAND, 'lab: group viewers VIEW'].sort());
    expect(warnings.join('\n')).toContain('"group":"viewers","workspace":"nowhere"');
  });

  it('fails when GoodData does, tries the other groups, and is done by the next time', async () => {
    const { state, prepare, emulator } = await start({ analysts: { lab: ['VIEW'] }, viewers: { lab: ['VIEW'] } });
    emulator.faults.set({ match: (_method, path) => path.includes('/userGroups/analysts/'), status: 503 });
    await expect(prepare()).rejects.toMatchObject({ code: 'target_unavailable' });
    expect(given(state)).toEqual([...BY_HAND, 'lab: group viewers VIEW'].sort());
    emulator.faults.clear();
    await prepare();
    expect(given(state)).toContain('lab: group analysts VIEW');
  });
});

describe('giving somebody a group', () => {
  it('gives the group what the config says before anybody is in it', async () => {
    const { state, target } = await start({ analysts: { lab: ['ANALYZE'] } });
    await target.apply(changes('bob', { add: [group('analysts')] }), signal);
    expect(given(state)).toContain('lab: group analysts ANALYZE');
    const order = calls(organisation);
    expect(order.indexOf('POST actions/workspaces/lab/managePermissions')).toBeLessThan(
      order.findIndex((line) => line.startsWith('POST entities/users')),
    );
  });

  it('asks once however many people are given it', async () => {
    const { target } = await start({ analysts: { lab: ['ANALYZE'] } });
    await Promise.all(
      Array.from({ length: 10 }, (_, at) => target.apply(changes(`p${at}`, { add: [group('analysts')] }), signal)),
    );
    expect(calls(organisation).filter((line) => line.includes('managePermissions'))).toHaveLength(1);
  });

  it('asks anew for a group that was made anew', async () => {
    const { state, target } = await start({ analysts: { lab: ['ANALYZE'] } });
    await target.apply(changes('bob', { add: [group('analysts')] }), signal);
    state.userGroups.delete('analysts');
    for (const workspace of state.workspaces.values()) workspace.permissions = [];
    await target.apply(changes('eve', { create: [group('analysts')], add: [group('analysts')] }), signal);
    expect(given(state)).toContain('lab: group analysts ANALYZE');
  });

  it('asks nothing for a group of which the config says nothing', async () => {
    const { target } = await start({ analysts: { lab: ['ANALYZE'] } });
    await target.apply(changes('bob', { add: [group('others')] }), signal);
    expect(calls(organisation)).toEqual(['POST entities/users?include=userGroups']);
  });

  it('fails while the group cannot get what the config says, and lets nobody in with less', async () => {
    const { state, target, emulator } = await start({ analysts: { lab: ['ANALYZE'] } });
    emulator.faults.set({ match: (_method, path) => path.includes('managePermissions'), status: 503 });
    const set = changes('bob', { add: [group('analysts')] });
    await expect(target.apply(set, signal)).rejects.toMatchObject({ code: 'target_unavailable' });
    expect(state.users.has('bob')).toBe(false);
    emulator.faults.clear();
    await target.apply(set, signal);
    expect(given(state)).toContain('lab: group analysts ANALYZE');
  });
});
