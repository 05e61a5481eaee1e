import { account, calls, changes, given, group, on, permission } from './organisation.ts';
import { type Organisation, type OrganisationOptions, startOrganisation } from './subject.ts';

const SEED = {
  groups: [{ id: 'sales' }],
  users: [
    { id: 'ann', authenticationId: 'ann', groups: ['sales'] },
    { id: 'bot', authenticationId: 'bot', systemAccount: true },
  ],
  workspaces: [
    {
      id: 'lab',
      permissions: [on('ann', 'user', 'VIEW'), on('sales', 'userGroup', 'ANALYZE'), on('bot', 'user', 'MANAGE')],
      hierarchyPermissions: [on('ann', 'user', 'EXPORT')],
    },
    { id: 'shop' },
  ],
};

let organisation: Organisation;
const signal = AbortSignal.timeout(120_000);

async function start(more: OrganisationOptions = {}) {
  organisation = await startOrganisation({ seed: SEED, givesPermissions: true, ...more });
  await organisation.target.probe(signal);
  calls(organisation);
  return { ...organisation, state: organisation.emulator.state };
}

afterEach(() => organisation.close());

describe("reading a person's permissions", () => {
  it('takes one call more for an account, and reads what was given to the user itself', async () => {
    await start();
    expect((await account(organisation, 'ann')).entitlements).toEqual([group('sales'), permission('VIEW', 'lab')]);
    expect(calls(organisation).sort()).toEqual([
      'GET actions/userManagement/users/ann/permissions',
      'GET entities/users/ann?include=userGroups',
    ]);
  });

  it('takes none where nobody is given any', async () => {
    await start({ givesPermissions: false });
    expect((await account(organisation, 'ann')).entitlements).toEqual([group('sales')]);
    expect(calls(organisation)).toEqual(['GET entities/users/ann?include=userGroups']);
  });

  it('takes a page of users and a page of their permissions for everybody', async () => {
    const { target } = await start();
    const { complete, accounts } = await target.read({ kind: 'all' }, signal);
    expect(complete).toBe(true);
    expect(accounts.find(({ id }) => id === 'ann')?.entitlements).toEqual([group('sales'), permission('VIEW', 'lab')]);
    expect(calls(organisation)).toEqual([
      'GET actions/userManagement/users?page=0&size=500',
      expect.stringMatching(/^GET entities\/users\?.*size=500.*include=userGroups/),
    ]);
  });

  it('is not complete when the permissions of somebody are not known', async () => {
    const { target, emulator } = await start();
    emulator.faults.set({ match: (_method, path) => path.endsWith('/entities/users'), stale: true });
    emulator.state.users.delete('ann');
    const { complete, accounts } = await target.read({ kind: 'all' }, signal);
    expect(accounts.map(({ id }) => id)).toContain('ann');
    expect(complete).toBe(false);
    emulator.faults.clear();
    expect((await target.read({ kind: 'all' }, signal)).complete).toBe(true);
  });

  it('does not take a refusal to say for nothing given', async () => {
    const { target, emulator } = await start();
    emulator.faults.set({ match: (_method, path) => path.endsWith('/permissions'), status: 404 });
    const lookup = { accountId: 'ann', userNames: [] };
    await expect(target.read({ kind: 'person', lookup }, signal)).rejects.toMatchObject({ code: 'target_conflict' });
  });
});

describe("giving and taking a person's permissions", () => {
  it('touches nobody else and nothing else of the user', async () => {
    const { target, state } = await start();
    const actual = await account(organisation, 'ann');
    const set = changes(actual, {
      add: [permission('MANAGE', 'shop'), permission('EXPORT', 'lab')],
      drop: [permission('VIEW', 'lab')],
    });
    const { outcome, account: after } = await target.apply(set, signal);
    expect(outcome).toBe('applied');
    expect(after.entitlements).toEqual([group('sales'), permission('EXPORT', 'lab'), permission('MANAGE', 'shop')]);
    expect(given(state)).toEqual([
      'lab: group sales ANALYZE',
      'lab: user ann >EXPORT',
      'lab: user ann EXPORT',
      'lab: user bot MANAGE',
      'shop: user ann MANAGE',
    ]);
    expect((await target.apply(set, signal)).outcome).toBe('already');
  });

  it('goes with a new account', async () => {
    const { target, state } = await start();
    const { account: made } = await target.apply(
      changes('bob', { add: [group('sales'), permission('VIEW', 'shop')] }),
      signal,
    );
    expect(made.entitlements).toEqual([group('sales'), permission('VIEW', 'shop')]);
    expect(given(state)).toContain('shop: user bob VIEW');
  });

  it('says so when the workspace is gone, and has nothing to take where it is gone', async () => {
    const { target, state } = await start();
    const actual = await account(organisation, 'ann');
    state.workspaces.delete('shop');
    await expect(target.apply(changes(actual, { add: [permission('VIEW', 'shop')] }), signal)).rejects.toMatchObject({
      code: 'permission_missing',
    });
    state.workspaces.delete('lab');
    const { outcome } = await target.apply(changes(actual, { drop: [permission('VIEW', 'lab')] }), signal);
    expect(outcome).toBe('already');
  });

  it('believes what it reads back, not the status', async () => {
    const { target, state, emulator } = await start();
    const actual = await account(organisation, 'ann');
    emulator.faults.set({ match: (_method, path) => path.includes('managePermissions'), status: 204 });
    await expect(target.apply(changes(actual, { add: [permission('VIEW', 'shop')] }), signal)).rejects.toMatchObject({
      code: 'target_conflict',
    });
    expect(given(state)).not.toContain('shop: user ann VIEW');
  });

  it('is never done to a service account', async () => {
    const { target, state } = await start();
    const before = given(state);
    const bot = await account(organisation, 'bot');
    await expect(target.apply(changes(bot, { drop: [permission('MANAGE', 'lab')] }), signal)).rejects.toMatchObject({
      code: 'account_protected',
    });
    expect(given(state)).toEqual(before);
  });

  it('finds those of workspaces that are there and of names that there are', async () => {
    const { target } = await start();
    const wanted = [
      permission('VIEW', 'lab'),
      permission('view', 'lab'),
      permission('VIEW', 'LAB'),
      permission('VIEW', '*'),
      permission('VIEW', "lab'"),
      permission('MANAGE', 'shop'),
    ];
    expect(await target.find(wanted, signal)).toEqual([permission('VIEW', 'lab'), permission('MANAGE', 'shop')]);
  });
});
