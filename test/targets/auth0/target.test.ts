import type { ActualAccount, ChangeSet } from '../../../src/model/change.ts';
import type { DesiredAccount } from '../../../src/model/desired.ts';
import { LatchgateError } from '../../../src/model/errors.ts';
import { createLimiters } from '../../../src/ops/limiter.ts';
import { CONNECTION, MISSING, startTenant, type Tenant, type TenantOptions } from './subject.ts';

const signal = new AbortController().signal;
const role = (name: string) => ({ kind: 'role', name }) as const;
const OTHER = 'google-oauth2';
const CONNECTIONS = [{ name: CONNECTION }, { name: OTHER, strategy: OTHER }];
const ROLES = [
  { id: 'rol_viewer', name: 'Viewer' },
  { id: 'rol_editor', name: 'Editor' },
  { id: 'rol_admin', name: 'Admin' },
];

const open: Tenant[] = [];
afterEach(async () => {
  for (const tenant of open.splice(0)) await tenant.close();
});

async function start({ emulated, ...options }: TenantOptions = {}): Promise<Tenant> {
  const tenant = await startTenant({
    emulated: { seed: { connections: CONNECTIONS, roles: ROLES }, ...emulated },
    ...options,
  });
  open.push(tenant);
  return tenant;
}

function desiredFor(email: string, externalId = email): DesiredAccount {
  const profile = { givenName: 'Ada', familyName: 'Lovelace', displayName: 'Ada Lovelace', email };
  return {
    person: 'p_1',
    target: 'auth0',
    externalId,
    matchExternalId: true,
    key: externalId,
    userNames: [email],
    active: true,
    profile,
    profileIfNew: profile,
    emailTrusted: true,
    entitlements: [],
    leaveAlone: [],
  };
}

function creation(email: string, more: Partial<ChangeSet> = {}): ChangeSet {
  const desired = desiredFor(email);
  return {
    desired,
    profile: desired.profileIfNew,
    userName: email,
    add: [],
    drop: [],
    create: [],
    changes: [],
    ...more,
  };
}

function change(actual: ActualAccount, more: Partial<ChangeSet>): ChangeSet {
  const desired = desiredFor(actual.profile.email ?? '');
  const nothing = { profile: {}, add: [], drop: [], create: [], changes: [] };
  return { ...nothing, desired, actual, userName: actual.userName, ...more };
}

async function byEmail({ target }: Tenant, email: string): Promise<readonly ActualAccount[]> {
  return (await target.read({ kind: 'person', lookup: { userNames: [], email } }, signal)).accounts;
}

async function accountOf(tenant: Tenant, email: string): Promise<ActualAccount> {
  const [account] = await byEmail(tenant, email);
  if (account === undefined) throw new Error(`no account ${email}`);
  return account;
}

const identity = (connection: string, id: string) => ({
  connection,
  user_id: id,
  provider: connection,
  isSocial: true,
});

describe('accounts of other connections', () => {
  it('are not seen, also with the same e-mail', async () => {
    const tenant = await start();
    tenant.plant({ user_id: 'google-oauth2|1', connection: OTHER, email: 'ada@example.com' });
    const own = tenant.plant({ user_id: 'auth0|1', email: 'ada@example.com' });
    expect((await byEmail(tenant, 'ada@example.com')).map(({ id }) => id)).toEqual([own.user_id]);
    const { accounts } = await tenant.target.read({ kind: 'all' }, signal);
    expect(accounts.map(({ id }) => id)).toEqual([own.user_id]);
    const lookup = { accountId: 'google-oauth2|1', userNames: [] };
    expect((await tenant.target.read({ kind: 'person', lookup }, signal)).accounts).toEqual([]);
  });

  it('are protected when one of ours is linked to them', async () => {
    const tenant = await start();
    const linked = { connection: CONNECTION, user_id: '7', provider: 'auth0', isSocial: false };
    tenant.plant({ user_id: 'google-oauth2|1', connection: OTHER, email: 'ada@example.com', linked: [linked] });
    const account = await accountOf(tenant, 'ada@example.com');
    expect(account).toMatchObject({ id: 'google-oauth2|1', isProtected: true });
    tenant.calls();
    for (const more of [
      { active: false },
      { remove: true },
      { add: [role('Viewer')] },
      { profile: { givenName: 'X' } },
    ]) {
      await expect(tenant.target.apply(change(account, more), signal)).rejects.toMatchObject({
        code: 'account_protected',
      });
    }
    expect(tenant.calls().filter((call) => !call.startsWith('GET'))).toEqual([]);
  });
});

describe('an account that goes', () => {
  it('is deleted when all its identities are of the connection, after one more look', async () => {
    const tenant = await start();
    tenant.plant({ user_id: 'auth0|1', email: 'ada@example.com' });
    const account = await accountOf(tenant, 'ada@example.com');
    tenant.calls();
    expect((await tenant.target.apply(change(account, { remove: true }), signal)).outcome).toBe('applied');
    expect(tenant.calls()).toEqual(['GET users/ID', 'DELETE users/ID']);
    expect(tenant.emulator.state.users.size).toBe(0);
  });

  it('is only blocked when it has further identities, and says so beforehand', async () => {
    const tenant = await start();
    tenant.plant({ user_id: 'auth0|1', email: 'ada@example.com', linked: [identity(OTHER, '9')] });
    const account = await accountOf(tenant, 'ada@example.com');
    expect(account).toMatchObject({ isProtected: false, never: 'delete' });
    await tenant.target.apply(change(account, { remove: true }), signal);
    expect(await accountOf(tenant, 'ada@example.com')).toMatchObject({ id: 'auth0|1', active: false });
    expect((await tenant.target.apply(change(account, { remove: true }), signal)).outcome).toBe('already');
  });

  it('is not deleted when it was linked, or got another e-mail, since it was read', async () => {
    const tenant = await start();
    tenant.plant({ user_id: 'auth0|1', email: 'ada@example.com' });
    const account = await accountOf(tenant, 'ada@example.com');
    const { state } = tenant.emulator;
    const user = state.users.get('auth0|1');
    if (user === undefined) throw new Error('no user');
    state.users.set('auth0|1', { ...user, identities: [...user.identities, identity(OTHER, '9')] });
    await tenant.target.apply(change(account, { remove: true }), signal);
    expect(state.users.get('auth0|1')).toMatchObject({ blocked: true });
    state.users.set('auth0|1', { ...user, email: 'eve@example.com' });
    await expect(tenant.target.apply(change(account, { remove: true }), signal)).rejects.toMatchObject({
      code: 'target_conflict',
    });
    expect(state.users.has('auth0|1')).toBe(true);
  });

  it('is kept by a line of never_delete whose accents are put together in another way', async () => {
    const tenant = await start({ config: { never_delete: ['Jose\u0301@example.com'] } });
    tenant.plant({ user_id: 'auth0|1', email: 'jos\u00e9@example.com' });
    const { accounts } = await tenant.target.read({ kind: 'all' }, signal);
    expect(accounts.map(({ never }) => never)).toEqual(['disable']);
  });

  it.each([
    ['its e-mail in any case', 'Ada@Example.COM'],
    ['its id', 'auth0|1'],
  ])('is neither deleted nor blocked when never_delete has %s; names and roles still follow', async (_what, line) => {
    const tenant = await start({ config: { never_delete: [line, 'other@example.com'] } });
    tenant.plant({ user_id: 'auth0|1', email: 'ada@example.com', roles: ['Viewer'] });
    const account = await accountOf(tenant, 'ada@example.com');
    expect(account).toMatchObject({ never: 'disable', isProtected: false });
    for (const more of [{ remove: true }, { active: false }]) {
      await expect(tenant.target.apply(change(account, more), signal)).rejects.toMatchObject({
        code: 'account_protected',
      });
    }
    const drop = account.entitlements;
    await tenant.target.apply(change(account, { profile: { givenName: 'Ada' }, add: [role('Editor')], drop }), signal);
    const after = await accountOf(tenant, 'ada@example.com');
    expect(after).toMatchObject({ active: true, profile: { givenName: 'Ada' } });
    expect(after.entitlements.map(({ name }) => name)).toEqual(['Editor']);
  });
});

describe('a new account', () => {
  it('gets a password that nobody knows, no mail, and the mark of its person', async () => {
    const tenant = await start();
    for (const email of ['ada@example.com', 'eve@example.com']) await tenant.target.apply(creation(email), signal);
    const { state, requests } = tenant.emulator;
    expect(new Set(state.passwords.values()).size).toBe(2);
    for (const password of state.passwords.values()) expect(password.length).toBeGreaterThanOrEqual(40);
    expect(state.mails).toEqual([]);
    expect(await accountOf(tenant, 'ada@example.com')).toMatchObject({ externalId: 'ada@example.com' });
    expect(requests.filter(({ path }) => path === '/oauth/token')).toHaveLength(1);
  });

  it('is verified, or sent the mail that verifies it, as the config says', async () => {
    const mailed = await start({ config: { verify_email: true } });
    await mailed.target.apply(creation('ada@example.com'), signal);
    expect(mailed.emulator.state.mails).toHaveLength(1);
    const trusted = await start({ config: { email_verified: true } });
    await trusted.target.apply(creation('ada@example.com'), signal);
    const [user] = [...trusted.emulator.state.users.values()];
    expect([user?.email_verified, trusted.emulator.state.mails]).toEqual([true, []]);
  });

  it('is invited by a link, once, and stands without one', async () => {
    const invite = { file: '/unused', valid: 7 * 86_400_000, return_to: 'https://bi.example.com' };
    const tenant = await start({ config: { invite } });
    const set = creation('ada@example.com');
    const { account } = await tenant.target.apply(set, signal);
    expect(tenant.invitations).toEqual([
      expect.objectContaining({
        email: 'ada@example.com',
        accountId: account.id,
        link: expect.stringMatching(/^http/),
      }),
    ]);
    expect(tenant.emulator.state.tickets[0]?.body).toMatchObject({ ttl_sec: 604_800, result_url: invite.return_to });
    await tenant.target.apply(set, signal);
    tenant.emulator.faults.set({ match: (_method, path) => path.includes('/tickets/'), status: 403 });
    await tenant.target.apply(creation('eve@example.com'), signal);
    expect(tenant.invitations).toHaveLength(1);
    expect(tenant.warnings).toEqual([expect.stringContaining('could not be invited')]);
    expect(tenant.warnings.join()).not.toContain('eve@example.com');
  });

  it('that a run of ours had made before is taken up again, though no list shows it yet', async () => {
    const tenant = await start({ emulated: { lagMs: 3_600_000 } });
    const set = creation('ada@example.com', { add: [role('Viewer')] });
    const first = await tenant.target.apply(creation('ada@example.com'), signal);
    expect((await tenant.target.read({ kind: 'all' }, signal)).accounts).toEqual([]);
    const second = await tenant.target.apply(set, signal);
    expect([second.outcome, second.account.id]).toEqual(['already', first.account.id]);
    expect((await accountOf(tenant, 'ada@example.com')).entitlements).toHaveLength(1);
  });

  it('is no reason to take over one that somebody else made meanwhile', async () => {
    const tenant = await start();
    tenant.plant({ user_id: 'auth0|1', email: 'ada@example.com' });
    await expect(
      tenant.target.apply(creation('ada@example.com', { add: [role('Admin')] }), signal),
    ).rejects.toMatchObject({
      code: 'target_conflict',
    });
    expect((await accountOf(tenant, 'ada@example.com')).entitlements).toEqual([]);
  });

  it.each(['reset', 'dropAfterApply'])('is made once when its call ends in %s', async (fault) => {
    const tenant = await start();
    const match = (method: string, path: string) => method === 'POST' && path.endsWith('/users');
    tenant.emulator.faults.set({ match, times: 1, [fault]: true });
    expect((await tenant.target.apply(creation('ada@example.com'), signal)).outcome).toBe('applied');
    expect(await byEmail(tenant, 'ada@example.com')).toHaveLength(1);
  });

  it('with an e-mail that Auth0 does not take is refused by name, not retried', async () => {
    const tenant = await start();
    await expect(tenant.target.apply(creation('a"b@example.com'), signal)).rejects.toMatchObject({
      code: 'profile_invalid',
    });
    expect(tenant.calls()).toEqual(['POST users']);
  });
});

describe('an update', () => {
  it('sends names and switch together, and the e-mail in a call of its own', async () => {
    const tenant = await start();
    tenant.plant({ user_id: 'auth0|1', email: 'ada@example.com', blocked: true });
    const account = await accountOf(tenant, 'ada@example.com');
    const profile = { givenName: 'Augusta', displayName: null, email: 'augusta@example.com' };
    const { account: after } = await tenant.target.apply(change(account, { profile, active: true }), signal);
    const patches = tenant.emulator.requests.filter(({ method }) => method === 'PATCH').map(({ body }) => body);
    expect(patches).toEqual([
      { given_name: 'Augusta', name: null, blocked: false },
      { connection: CONNECTION, email: 'augusta@example.com', verify_email: false },
    ]);
    expect(after).toEqual(await accountOf(tenant, 'augusta@example.com'));
    expect(after).toMatchObject({ active: true, userName: 'augusta@example.com' });
  });

  it('to the e-mail of another account of the connection is a conflict', async () => {
    const tenant = await start();
    tenant.plant({ user_id: 'auth0|1', email: 'ada@example.com' });
    tenant.plant({ user_id: 'auth0|2', email: 'eve@example.com' });
    const account = await accountOf(tenant, 'ada@example.com');
    await expect(
      tenant.target.apply(change(account, { profile: { email: 'eve@example.com' } }), signal),
    ).rejects.toMatchObject({ code: 'target_conflict' });
  });

  it('does not give a role that vanished where roles are not made', async () => {
    const tenant = await start({ config: { missing: { ...MISSING, roles: 'refuse' } } });
    tenant.plant({ user_id: 'auth0|1', email: 'ada@example.com' });
    const account = await accountOf(tenant, 'ada@example.com');
    await tenant.target.find([role('Viewer')], signal);
    tenant.emulator.state.roles.delete('rol_viewer');
    const add = [role('Viewer'), role('Editor')];
    await expect(tenant.target.apply(change(account, { add }), signal)).rejects.toMatchObject({ code: 'role_missing' });
    expect(await tenant.target.find(add, signal)).toEqual([{ kind: 'role', name: 'Editor', id: 'rol_editor' }]);
  });
});

describe('many accounts at once', () => {
  it('take one call each, one for each role, and none to ask', async () => {
    const tenant = await start();
    const sets = Array.from({ length: 40 }, (_, at) =>
      creation(`p${at}@example.com`, { add: at % 4 === 0 ? [role('Viewer'), role('Editor')] : [role('Viewer')] }),
    );
    const results = await tenant.target.applyMany?.(sets, signal);
    expect(results?.map((one) => (one instanceof LatchgateError ? one.code : one.outcome))).toEqual(
      sets.map(() => 'applied'),
    );
    const calls = [...tenant.calls()].sort();
    const creations = sets.map(() => 'POST users');
    expect(calls).toEqual(['GET roles', 'POST roles/ID/users', 'POST roles/ID/users', ...creations]);
    const { accounts } = await tenant.target.read({ kind: 'all' }, signal);
    expect(accounts.filter(({ entitlements }) => entitlements.length === 2)).toHaveLength(10);
  });

  it('fail one by one', async () => {
    const tenant = await start({ config: { never_delete: ['kept@example.com'] } });
    for (const name of ['kept', 'gone', 'good'])
      tenant.plant({ user_id: `auth0|${name}`, email: `${name}@example.com` });
    const [kept, gone, good] = await Promise.all(
      ['kept', 'gone', 'good'].map((name) => accountOf(tenant, `${name}@example.com`)),
    );
    if (!kept || !gone || !good) throw new Error('no accounts');
    tenant.emulator.state.users.delete('auth0|gone');
    const results = await tenant.target.applyMany?.(
      [
        change(kept, { active: false }),
        change(gone, { add: [role('Viewer')] }),
        change(good, { add: [role('Viewer')] }),
        creation('new@example.com', { add: [role('Viewer')] }),
      ],
      signal,
    );
    expect(results?.map((one) => (one instanceof LatchgateError ? one.code : one.outcome))).toEqual([
      'account_protected',
      'target_conflict',
      'applied',
      'applied',
    ]);
    expect([...(tenant.emulator.state.roles.get('rol_viewer')?.members.keys() ?? [])]).toHaveLength(2);
  });
});

describe('the list of all', () => {
  it('goes past a thousand users, with roles role by role', async () => {
    const tenant = await start();
    for (let at = 0; at < 2_350; at += 1) {
      // Several in one millisecond, and some on the edge between two queries.
      const created = new Date(Date.UTC(2026, 0, 1) + Math.floor(at / 7)).toISOString();
      tenant.plant({
        user_id: `auth0|${at}`,
        email: `p${at}@example.com`,
        created_at: created,
        roles: at < 250 ? ['Viewer', 'Editor'] : ['Viewer'],
      });
    }
    tenant.plant({ user_id: 'google-oauth2|1', connection: OTHER, email: 'p1@example.com', roles: ['Viewer'] });
    tenant.calls();
    const { accounts, complete } = await tenant.target.read({ kind: 'all' }, signal);
    expect([complete, accounts.length, new Set(accounts.map(({ id }) => id)).size]).toEqual([true, 2_350, 2_350]);
    expect(accounts.filter(({ entitlements }) => entitlements.length === 2)).toHaveLength(250);
    const calls = tenant.calls();
    // Viewer has 24 pages of members, Editor three, Admin one; three queries of users overlap by what one millisecond has.
    expect(calls.filter((call) => call === 'GET roles/ID/users')).toHaveLength(28);
    expect(calls.filter((call) => call === 'GET users').length).toBeLessThanOrEqual(25);
    expect(calls).toHaveLength(28 + 1 + calls.filter((call) => call === 'GET users').length);
  });

  it('is not complete when fewer are shown than counted', async () => {
    const tenant = await start();
    for (const name of ['a', 'b', 'c']) tenant.plant({ user_id: `auth0|${name}`, email: `${name}@example.com` });
    tenant.emulator.state.search.lost.add('auth0|b');
    const { accounts, complete } = await tenant.target.read({ kind: 'all' }, signal);
    expect([complete, accounts.length]).toEqual([false, 2]);
  });
});

describe('the way there', () => {
  it('is walked again with a new token when the old one does not count any more', async () => {
    const tenant = await start();
    tenant.plant({ user_id: 'auth0|1', email: 'ada@example.com' });
    await accountOf(tenant, 'ada@example.com');
    tenant.emulator.endTokens();
    await expect(accountOf(tenant, 'ada@example.com')).resolves.toMatchObject({ id: 'auth0|1' });
    expect(tenant.emulator.requests.filter(({ path }) => path === '/oauth/token')).toHaveLength(2);
  });

  it('is refused by name when the client lacks a scope', async () => {
    const clients = [{ id: 'emulator-client', secret: 'emulator-secret', scopes: ['read:users', 'read:roles'] }];
    const tenant = await start({ emulated: { clients } });
    await expect(tenant.target.probe(signal)).rejects.toMatchObject({
      code: 'target_refused',
      message: expect.stringContaining('update:users'),
    });
  });

  it('is refused by name when the secret is wrong', async () => {
    const tenant = await start({ config: { client_secret: 'wrong' } });
    await expect(tenant.target.probe(signal)).rejects.toMatchObject({ code: 'target_refused' });
  });

  it('keeps to the limit of the tenant: nothing is refused, and nothing lost', async () => {
    const tenant = await start({
      emulated: { rateLimit: { perSecond: 50, burst: 10 } },
      http: { limiters: createLimiters() },
    });
    const sets = Array.from({ length: 40 }, (_, at) => creation(`p${at}@example.com`, { add: [role('Viewer')] }));
    const results = await tenant.target.applyMany?.(sets, signal);
    expect(results?.filter((one) => one instanceof LatchgateError)).toEqual([]);
    const statuses = tenant.emulator.requests.map(({ status }) => status);
    expect(statuses.filter((status) => status === 429)).toEqual([]);
    expect(tenant.emulator.state.users.size).toBe(40);
  }, 30_000);

  it('waits out a storm of refusals, one call at a time', async () => {
    const tenant = await start({ http: { limiters: createLimiters() } });
    await tenant.target.probe(signal);
    tenant.emulator.faults.set({ match: (_method, path) => path.startsWith('/api/'), times: 2, status: 429 });
    const sets = Array.from({ length: 4 }, (_, at) => creation(`p${at}@example.com`));
    const results = await tenant.target.applyMany?.(sets, signal);
    expect(results?.filter((one) => one instanceof LatchgateError)).toEqual([]);
    expect(tenant.emulator.state.users.size).toBe(4);
  }, 30_000);
});
