import { createConsoleLogins } from '../../src/console/login.ts';
import { compileRoles } from '../../src/console/roles.ts';
import { type ConsoleSessions, createConsoleSessions, isFormToken, type Operator } from '../../src/console/sessions.ts';
import { createConsoleSessionRows } from '../../src/directory/console-sessions.ts';
import type { Identity } from '../../src/model/person.ts';
import { createSessionCookies, type LiveSession } from '../../src/session/cookie.ts';
import { newSessionId } from '../../src/session/seal.ts';
import type { Session } from '../../src/session/store.ts';
import { ISSUER, makeWorld, type World } from '../cli/world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ADMIN = 'https://ops.example';
const PUBLIC = 'https://bi.example';

let world: World;
let sessions: ConsoleSessions;
/** What the provider says at a check of the session; by default it goes on as it is. */
let current: (live: LiveSession) => LiveSession | undefined;
let gatewayId: string;

beforeEach(async () => {
  world = await makeWorld();
  current = (live) => live;
  sessions = createConsoleSessions({
    adminUrl: ADMIN,
    config: { idle: 15 * MINUTE, absolute: 8 * HOUR },
    rows: createConsoleSessionRows(world.database),
    roleOf: compileRoles({ viewer: { when: { groups: ['looks'] } }, operator: { when: { groups: ['acts'] } } }),
    gateway: { store: world.sessions, config: { idle: HOUR }, current: (live) => current(live) },
    people: world.people,
    clock: world.clock,
  });
  gatewayId = newSessionId();
  await world.sessions.save(gatewayId, sessionOf(['acts']), HOUR);
});
afterEach(() => world.close());

function sessionOf(groups: readonly string[]): Session {
  const who = { person: world.alice, issuer: ISSUER, subject: 'sub-a', origin: 'staff' };
  const identity: Identity = { ...who, displayName: 'Alice', emailVerified: true, groups, attributes: {} };
  return { identity, createdAt: world.clock.now(), endsAt: world.clock.now() + 12 * HOUR };
}

async function begin(): Promise<string> {
  const [pair = ''] = (await sessions.begin(gatewayId)).split(';');
  return pair;
}

it('is used until its idle limit, which each use puts off, and never past its absolute one', async () => {
  const cookie = await begin();
  for (let at = 0; at < 47; at += 1) {
    world.clock.fastForward(10 * MINUTE);
    expect(await sessions.find(cookie)).toMatchObject({ person: world.alice, role: 'operator' });
  }
  world.clock.fastForward(10 * MINUTE);
  expect(await sessions.find(cookie)).toBe('ended');
});

it('ends when nobody used it for as long as the idle limit, though the gateway’s own goes on', async () => {
  const cookie = await begin();
  world.clock.fastForward(15 * MINUTE);
  expect(await sessions.find(cookie)).toBe('ended');
  expect(await world.sessions.load(gatewayId)).toBeDefined();
  expect(await sessions.find(cookie)).toBe('ended');
});

it('counts as a use of the session that it came from', async () => {
  const cookie = await begin();
  for (let at = 0; at < 8; at += 1) {
    world.clock.fastForward(14 * MINUTE);
    expect(await sessions.find(cookie)).toMatchObject({ role: 'operator' });
  }
});

it('ends with the session that it came from, and when its provider says so', async () => {
  const [one, other] = [await begin(), await begin()];
  current = () => undefined;
  expect(await sessions.find(one)).toBe('ended');
  current = (live) => live;
  expect(await sessions.find(other)).toMatchObject({ role: 'operator' });
  await world.sessions.destroyFor({ person: world.alice });
  expect(await sessions.find(other)).toBe('ended');
});

it('ends at once for somebody who is disabled', async () => {
  const cookie = await begin();
  await world.people.setDisabled(world.alice, true);
  expect(await sessions.find(cookie)).toBe('ended');
  await world.people.setDisabled(world.alice, false);
  expect(await sessions.find(cookie)).toBe('ended');
});

it('has the role that the login says now: less, none, and never again what it was', async () => {
  const cookie = await begin();
  current = (live) => ({ ...live, session: sessionOf(['looks']) });
  expect(await sessions.find(cookie)).toMatchObject({ role: 'viewer' });
  current = (live) => ({ ...live, session: sessionOf(['nothing']) });
  expect(await sessions.find(cookie)).toBe('refused');
  current = (live) => live;
  expect(await sessions.find(cookie)).toBe('ended');
});

it('has tokens for forms that hold for it alone', async () => {
  const [one, other] = (await Promise.all([begin(), begin()].map(async (pair) => sessions.find(await pair)))) as [
    Operator,
    Operator,
  ];
  expect(isFormToken(one, one.formToken)).toBe(true);
  for (const token of [other.formToken, '', undefined, `${one.formToken}=`])
    expect(isFormToken(one, token)).toBe(false);
});

it('sets its cookie for its own host, https and no script, and the gateway sends it to no backend', async () => {
  const line = await sessions.begin(gatewayId);
  expect(line).toMatch(/^__Host-latchgate-console=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
  const { names } = createSessionCookies({
    publicUrl: PUBLIC,
    secrets: ['a secret of at least thirty-two characters'],
    store: world.sessions,
    config: { idle: HOUR },
    clock: world.clock,
  });
  for (const name of ['latchgate-console', '__Host-latchgate-console', '__Host-latchgate-console-login']) {
    expect(names).toContain(name);
  }
});

it('finds no session that was moved or put off in the database', async () => {
  const [one, other] = [await begin(), await begin()];
  const all = await world.database.run((db) => db.selectFrom('console_sessions').selectAll().execute());
  const [first, second] = all;
  await world.database.run((db) =>
    db
      .updateTable('console_sessions')
      .set({ sealed: first?.sealed ?? '' })
      .where('handle', '=', second?.handle ?? '')
      .execute(),
  );
  await world.database.run((db) =>
    db
      .updateTable('console_sessions')
      .set({ ends_at: Number.MAX_SAFE_INTEGER })
      .where('handle', '=', first?.handle ?? '')
      .execute(),
  );
  expect([await sessions.find(one), await sessions.find(other)]).toEqual(['ended', 'ended']);
});

it('takes a handle for a minute, once, at whatever instance, and with the cookie of who began', async () => {
  const instance = () =>
    createConsoleLogins({ adminUrl: ADMIN, publicUrl: PUBLIC, handovers: world.handovers, clock: world.clock });
  const start = () => {
    const { location, cookie } = instance().begin(undefined, '/plans/p?x=1');
    return { query: new URL(location).searchParams, cookie: cookie.split(';')[0] ?? '', location };
  };
  const handleOf = async (query: URLSearchParams) =>
    new URL((await instance().handOver(gatewayId, query)) ?? ADMIN).searchParams.get('handle') ?? undefined;
  const one = start();
  expect(one.location).toMatch(/^https:\/\/bi\.example\/\.latchgate\/console\?challenge=/);
  const handle = await handleOf(one.query);
  expect(await instance().finish(handle, start().cookie)).toBeUndefined();
  expect(await instance().finish(handle, one.cookie)).toBeUndefined();
  expect(await instance().finish(await handleOf(one.query), one.cookie)).toMatchObject({
    gatewayId,
    returnTo: '/plans/p?x=1',
  });
  const late = await handleOf(one.query);
  world.clock.fastForward(MINUTE);
  expect(await instance().finish(late, one.cookie)).toBeUndefined();
  for (const wrong of [undefined, '', 'x'.repeat(43)])
    expect(await instance().finish(wrong, one.cookie)).toBeUndefined();
  expect(await instance().handOver(gatewayId, new URLSearchParams({ challenge: '' }))).toBeUndefined();
});

it('leaves nothing in the database by which a handle could be used', async () => {
  const logins = createConsoleLogins({
    adminUrl: ADMIN,
    publicUrl: PUBLIC,
    handovers: world.handovers,
    clock: world.clock,
  });
  const { location } = logins.begin(undefined, '/');
  const address = new URL((await logins.handOver(gatewayId, new URL(location).searchParams)) ?? ADMIN);
  const rows = JSON.stringify(await world.database.run((db) => db.selectFrom('handovers').selectAll().execute()));
  expect(rows).not.toContain(address.searchParams.get('handle') ?? 'there is none');
  expect(rows).not.toContain(gatewayId);
});
