import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type UsersShowDeps, usersShow } from '../../src/cli/users-show.ts';
import { compileMapping } from '../../src/mapping/mapping.ts';
import { configOf } from '../mapping/config-of.ts';
import { makeTerminal, type Terminal } from './terminal.ts';
import { ISSUER, makeWorld, type World } from './world.ts';

/* UPDATE_GOLDEN=1 writes what is shown anew: look at the difference before it is committed. */
const GOLDEN = join(import.meta.dirname, '../golden/users');

let world: World;
let terminal: Terminal;
let alice: string;
let deps: UsersShowDeps;

beforeEach(async () => {
  world = await makeWorld();
  ({ alice } = world);
  terminal = makeTerminal();
  const config = configOf({ origins: { okta: { claims: { title: 'title' } }, staff: {} } });
  deps = {
    ...world,
    mapping: compileMapping(config),
    targets: Object.keys(config.targets),
    origins: new Set(Object.keys(config.origins)),
  };
});
afterEach(() => world.close());

/** Ids are made up: each stands under the name of whose it is. */
function golden(
  name: string,
  ids: Readonly<Record<string, string>>,
): { readonly shown: string; readonly kept: string } {
  const shown = Object.entries(ids).reduce(
    (text, [id, word]) => text.replaceAll(id, `p_${word.padEnd(26, '0')}`),
    `${terminal.lines.join('\n')}\n`,
  );
  const file = join(GOLDEN, name);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, shown);
  return { shown, kept: existsSync(file) ? readFileSync(file, 'utf8') : 'no such file: run once with UPDATE_GOLDEN=1' };
}

async function liveOnOkta(): Promise<void> {
  const at = new Date(world.clock.now());
  await world.people.addSubject(alice, { issuer: 'latchgate:scim:okta', subject: 'u-7' }, 'okta');
  const claims = {
    email: 'alice@example.com',
    given_name: 'Alice',
    family_name: 'Liddell',
    title: 'Analyst',
    secret: 'c',
  };
  const assertion = { issuer: 'latchgate:scim:okta', subject: 'u-7', origin: 'okta', active: true, at, claims };
  const description = { displayName: 'Alice Liddell', email: 'alice@example.com' };
  await world.listings.save([{ person: alice, assertion, description, owner: 'okta' }]);
  const account = { person: alice, created: true, state: 'ready' } as const;
  await world.accounts.save({ ...account, target: 'superset', accountId: '7', userName: 'alice' });
  await world.accounts.save({ ...account, target: 'gooddata', accountId: 'alice', userName: 'alice', created: false });
  const grant = { person: alice, target: 'superset', kind: 'role', name: 'Alpha', rule: 'analysts' } as const;
  await world.ledger.intend([
    { ...grant, origin: 'okta' },
    { ...grant, origin: 'staff' },
    { ...grant, target: 'gooddata', kind: 'permission', name: 'VIEW', scope: 'sales', rule: 'sales', origin: 'staff' },
  ]);
  await world.ledger.confirm(alice, 'superset', [{ key: 'role:Alpha' }]);
}

async function decided(code: string | undefined, more: object = {}): Promise<void> {
  world.clock.fastForward(60_000);
  const requestId = `req-${world.clock.now() % 1_000_000}`;
  const outcome = code === undefined ? 'allow' : 'deny';
  const at = new Date(world.clock.now());
  const about = { person: alice, origin: 'staff', requestId, ...(code === undefined ? {} : { code }) };
  await world.decisions.save({ ...about, at, outcome, ...more });
  const event = code === undefined ? 'login.allowed' : 'login.refused';
  await world.audit.append([{ ...about, event, actor: alice, target: 'superset' }]);
}

describe('users show', () => {
  it('tells the whole story of somebody who lives with several doors', async () => {
    await liveOnOkta();
    const change = { op: 'grant', type: 'user', key: 'alice', reason: 'rule admins' } as const;
    const entitlement = { kind: 'role', name: 'Admins' } as const;
    await decided(undefined, { held: [{ ...change, entitlement, code: 'role_missing', target: 'superset' }] });
    const pin = { person: alice, target: 'superset', kind: 'role', name: 'sql_lab', effect: 'withheld' } as const;
    await world.pins.set({ ...pin, by: 'review rv_1', reason: 'no SQL for analysts', at: new Date(world.clock.now()) });
    await world.retries.put(alice, 'gooddata', 'target_unavailable', new Date(world.clock.now() + 5_000));
    expect(await usersShow('alice@example.com', {}, deps, terminal)).toBe(0);
    const { shown, kept } = golden('several-doors.txt', { [alice]: 'ALICE' });
    expect(kept).toBe(shown);
    expect(shown).not.toContain('secret');
  });

  it('says of somebody who left by whose word, and of whoever is taken for another what to do', async () => {
    await liveOnOkta();
    const gone = { issuer: 'latchgate:scim:okta', subject: 'u-7', person: alice, owner: 'okta' };
    await world.listings.saveGone('okta', [gone], new Date(world.clock.now()));
    await decided('account_taken', { detail: { owner: world.bob } });
    await world.people.setDisabled(alice, true);
    await usersShow(alice, {}, deps, terminal);
    const { shown, kept } = golden('left.txt', { [alice]: 'ALICE', [world.bob]: 'BOB' });
    expect(kept).toBe(shown);
  });

  it('says that nothing is there where nothing is', async () => {
    await usersShow(world.bob, {}, deps, terminal);
    const { shown, kept } = golden('nothing.txt', { [world.bob]: 'BOB' });
    expect(kept).toBe(shown);
  });

  it('prints the same as one JSON object, with no claim that is no attribute', async () => {
    await liveOnOkta();
    await decided('no_access');
    await usersShow(alice, { json: true }, deps, terminal);
    expect(terminal.json()).toMatchObject([
      {
        id: alice,
        owner: 'okta',
        attributes: expect.arrayContaining([
          { name: 'email', value: 'alice@example.com', origin: 'okta' },
          { name: 'title', value: 'Analyst', origin: 'okta' },
        ]),
        subjects: expect.arrayContaining([{ issuer: ISSUER, subject: 'sub-a', origin: 'staff' }]),
        accounts: expect.arrayContaining([expect.objectContaining({ target: 'superset', accountId: '7' })]),
        grants: expect.arrayContaining([expect.objectContaining({ name: 'Alpha', rule: 'analysts', origin: 'staff' })]),
        assertions: expect.arrayContaining([expect.objectContaining({ origin: 'okta', active: true })]),
        waiting: [],
        held: [],
        recent: [expect.objectContaining({ event: 'login.refused', code: 'no_access' })],
      },
    ]);
    expect(terminal.lines.join()).not.toContain('secret');
  });

  it('shows the last ten of what was decided', async () => {
    for (let times = 0; times < 12; times += 1) await decided(undefined);
    await usersShow(alice, { json: true }, deps, terminal);
    const [{ recent }] = terminal.json() as [{ recent: { at: string }[] }];
    expect(recent).toHaveLength(10);
    expect(new Date(recent.at(-1)?.at ?? '').getTime()).toBe(world.clock.now());
  });

  it.each(['sub-a', 'ALICE', 'ali', 'alice'])('finds the one that %s means', async (who) => {
    await liveOnOkta();
    await world.people.saveAssertion(alice, (await world.people.assertions(alice))[0] as never, [], {
      displayName: 'Alice',
    });
    await usersShow(who, { json: true }, deps, terminal);
    expect(terminal.json()).toMatchObject([{ id: alice }]);
  });

  it('prefers whom the text names exactly, and asks when several fit', async () => {
    await world.people.ensure({ issuer: ISSUER, subject: 'x' }, 'staff', 'Alice Two');
    await usersShow('alice', { json: true }, deps, terminal);
    expect(terminal.json()).toMatchObject([{ id: alice }]);
    await expect(usersShow('alic', {}, deps, terminal)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining(alice),
    });
    await expect(usersShow('nobody', {}, deps, terminal)).rejects.toMatchObject({ code: 'not_found' });
  });
});
