import { readFileSync, writeFileSync } from 'node:fs';
import { DRIFT_KINDS } from '../../src/drift/kinds.ts';
import { type ScimEmulator, startScimEmulator } from '../emulators/scim/server.ts';
import { membersOf, plant, rewrite } from '../emulators/scim/state.ts';
import { page } from '../markdown.ts';
import { BOTH, person, roleId, supersetRow, supersetUser } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';
import { inDirectory } from './in-directory.ts';
import { answering } from './sick.ts';

// Three targets that people were at by hand. Accounts were made by logins, and nobody else knows what was changed.
const PEOPLE = ['ann', 'bob', 'cid', 'dan', 'eve', 'fay', 'gus', 'hal', 'ida', 'jon', 'kim', 'lou'];
const IN_SHADOW: readonly string[] = ['account_not_made', 'account_shut_out', 'account_held', 'entitlement_not_given'];

let hub: ScimEmulator;
let journey: Journey;

interface Row {
  readonly key: string;
  readonly kind: string;
  readonly target: string;
  readonly account?: string;
  readonly privileged?: boolean;
  readonly seen: string;
}

beforeAll(async () => {
  hub = await startScimEmulator({});
  journey = await startJourney({
    people: PEOPLE.map((sub) => person(sub, { groups: ['team-a', 'team-b'] })),
    sections: {
      ...BOTH,
      targets: `${BOTH['targets']}
  hub: { type: scim, url: "${hub.url}", token: "${hub.token}" }`,
      rules: `
  same-name:
    when: { groups: "team-*" }
    grant: { gooddata: { groups: ["\${match}"] }, superset: { groups: ["\${match}"] }, hub: { groups: ["\${match}"] } }
  readers:
    when: { groups: team-z }
    grant: { superset: { roles: [Reader] } }
  everybody:
    grant: { superset: { roles: [Gamma] }, gooddata: {}, hub: {} }`,
      safety:
        '{ privileged: ["superset:role:Admin", "gooddata:group:adminGroup"], never_touch: [admin], stop_if: { removals: 2 } }',
      drift: '{ idle: 90d }',
    },
  });
  for (const sub of PEOPLE) await journey.logIn(sub);
  await until('everybody everywhere', () => hub.state.users.size > PEOPLE.length || undefined);
  await until('every group', async () => (await rows()).length === 1 || undefined);
});
afterAll(async () => {
  await journey.close();
  await hub.close();
});

async function rows(...args: string[]): Promise<readonly Row[]> {
  const { out, err } = await journey.cli('drift', '--json', ...args);
  if (out === '') throw new Error(err);
  return (JSON.parse(out) as { rows: Row[] }).rows;
}

const told = (found: readonly Row[]) =>
  found
    .map(({ target, kind, account, privileged }) => `${target} ${kind} ${account ?? '-'}${privileged ? ' !' : ''}`)
    .sort();

const idOf = (sub: string) =>
  inDirectory(journey, async ({ people }) => (await people.search(`${sub}@acme.test`, 2))[0]?.id ?? '');

describe('before anybody was at it', () => {
  it('there is nothing but the role that a rule names and nobody made', async () => {
    expect(told(await rows())).toEqual(['superset entitlement_missing -']);
    expect((await journey.cli('drift')).code).toBe(10);
    expect((await journey.cli('drift', '--target', 'gooddata')).code).toBe(0);
  });
});

describe('after that', () => {
  const SEEDED = [
    'gooddata entitlement_by_hand ann !',
    'gooddata account_gone bob',
    'hub account_duplicate jon',
    'hub account_unknown jon2',
    'hub entitlement_gone ann',
    'superset account_disabled eve',
    'superset account_enabled fay',
    'superset account_gone cid',
    'superset account_idle kim',
    'superset account_renamed daniel',
    'superset account_unknown mallory !',
    'superset account_unlinked lou',
    'superset entitlement_by_hand hal !',
    'superset entitlement_gone ida',
    'superset entitlement_missing -',
    'superset entitlement_renamed -',
    'superset profile_changed gus',
    'gooddata account_idle kim',
    'hub account_idle kim',
  ].sort();

  beforeAll(async () => {
    const { state } = journey.superset;
    expect((await journey.cli('users', 'disable', 'fay@acme.test')).code).toBe(0);
    const id = Math.max(...state.users.keys()) + 1;
    state.users.set(id, {
      ...supersetRow(state, 'ann'),
      id,
      username: 'mallory',
      email: 'm@evil.test',
      roles: [roleId(state, 'Admin')],
      groups: [],
    } as never);
    state.users.delete(supersetRow(state, 'cid').id);
    supersetRow(state, 'dan').username = 'daniel';
    supersetRow(state, 'eve').active = false;
    supersetRow(state, 'fay').active = true;
    supersetRow(state, 'gus').last_name = 'Other';
    supersetRow(state, 'hal').roles.push(roleId(state, 'Admin'));
    supersetRow(state, 'ida').groups.pop();
    for (const group of state.groups.values()) if (group.name === 'team-b') group.name = 'team-blue';
    journey.gooddata.state.users.get('ann')?.relationships['userGroups']?.push({ id: 'adminGroup', type: 'userGroup' });
    journey.gooddata.state.users.delete('bob');
    const jon = [...hub.state.users.values()].find(({ document }) => document['userName'] === 'jon');
    plant(hub.state, 'User', { ...jon?.document, userName: 'jon2', externalId: 'jon2' });
    const ann = [...hub.state.users.values()].find(({ document }) => document['userName'] === 'ann');
    const teamA = [...hub.state.groups.values()].find(({ document }) => document['displayName'] === 'team-a');
    if (teamA === undefined) throw new Error('no team-a');
    rewrite(hub.state, teamA, {
      ...teamA.document,
      members: membersOf(teamA).filter(({ value }) => value !== ann?.id),
    });
    const kim = await idOf('kim');
    const lou = await idOf('lou');
    await inDirectory(journey, async ({ accounts, ledger }, database) => {
      await database.run((db) =>
        db
          .updateTable('people')
          .set({ last_seen_at: Date.now() - 100 * 86_400_000 })
          .where('id', '=', kim)
          .execute(),
      );
      await accounts.remove(lou, 'superset');
      const grants = await ledger.ofAccount(lou, 'superset');
      await ledger.withdraw(
        lou,
        'superset',
        grants.map(({ kind, name }) => ({ key: `${kind}:${name}` })),
      );
    });
  });

  it('it says all of it, and nothing else, and writes to no target', async () => {
    const writes = () =>
      [...journey.superset.requests, ...hub.requests].filter(({ method }) => method !== 'GET').length;
    const before = writes();
    const found = await rows();
    expect(told(found)).toEqual(SEEDED);
    expect(writes()).toBe(before);
    const kinds = new Set(found.map(({ kind }) => kind));
    expect(Object.keys(DRIFT_KINDS).filter((kind) => !kinds.has(kind) && !IN_SHADOW.includes(kind))).toEqual([]);
  });

  it('says it to people, and for a ticket, and the same keys each time', async () => {
    const { out } = await journey.cli('drift', '--target', 'superset');
    const keys = (await rows('--target', 'superset')).map(({ key }) => key);
    for (const key of keys) expect(out).toContain(key);
    expect(out).toContain('PRIVILEGED');
    const { out: markdown } = await journey.cli('drift', '--markdown');
    for (const key of keys) expect(markdown).toContain(`| \`${key}\` |`);
  });

  it('repairs one by the one engine, audited', async () => {
    const hal = (await rows()).find(({ kind, account }) => kind === 'entitlement_by_hand' && account === 'hal');
    expect((await journey.cli('drift', 'repair', hal?.key ?? '')).code).toBe(0);
    expect(supersetUser(journey.superset.state, 'hal')?.roles).toEqual(['Gamma']);
    const { out } = await journey.cli('audit', 'list', '--user', 'hal@acme.test');
    expect(out).toMatch(/grant\.withdrawn|grant\.revoked|grant\.taken/);
    expect(out).toContain('drift.repaired');
    expect((await journey.cli('drift', 'repair', hal?.key ?? '')).err).toMatch(/^not_found: /);
  });

  it('adopts what can be: goes by the new name, takes the account, forgets or lets stand the rest', async () => {
    const dan = (await rows()).find(({ kind }) => kind === 'account_renamed');
    expect((await journey.cli('drift', 'adopt', dan?.key ?? '')).code).toBe(0);
    const gus = (await rows()).find(({ kind }) => kind === 'profile_changed');
    expect((await journey.cli('drift', 'adopt', gus?.key ?? '')).code).toBe(1);
    const requests = journey.superset.requests.length;
    for (const kind of ['account_unlinked', 'account_duplicate', 'entitlement_renamed']) {
      const row = (await rows()).find((one) => one.kind === kind);
      expect((await journey.cli('drift', 'adopt', row?.key ?? '')).code).toBe(0);
    }
    expect(journey.superset.requests.slice(requests).filter(({ method }) => method !== 'GET')).toEqual([]);
    const kinds = (await rows()).map(({ kind }) => kind);
    for (const kind of ['account_renamed', 'account_unlinked', 'account_duplicate', 'entitlement_renamed'])
      expect(kinds).not.toContain(kind);
  });

  it('holds a repair of all that takes from too many: 11, nothing written', async () => {
    const { state } = journey.superset;
    for (const sub of ['ann', 'bob', 'gus']) supersetRow(state, sub).roles.push(roleId(state, 'Alpha'));
    const before = JSON.stringify([...state.users]);
    const { code, out } = await journey.cli('drift', 'repair', '--all');
    expect([code, out]).toEqual([11, expect.stringMatching(/^held, too_many_removals: /)]);
    expect(JSON.stringify([...state.users])).toBe(before);
  });

  it('repairs all that is left, then lets the rest stand: only the role that is missing is said on', async () => {
    const { code, out } = await journey.cli('drift', 'repair', '--all', '--approve');
    expect([code, out]).toEqual([0, expect.stringContaining('repaired')]);
    const { state } = journey.superset;
    expect(supersetUser(state, 'eve')?.active).toBe(true);
    expect(supersetUser(state, 'fay')?.active).toBe(false);
    expect(supersetUser(state, 'gus')?.last_name).toBe('Adams');
    expect(supersetUser(state, 'ida')?.groups).toHaveLength(2);
    expect(supersetUser(state, 'cid')).toBeDefined();
    expect(journey.gooddata.state.users.has('bob')).toBe(true);
    expect(told(await rows())).toEqual(
      [
        'gooddata account_idle kim',
        'hub account_idle kim',
        'hub account_unknown jon2',
        'superset account_idle kim',
        'superset account_unknown mallory !',
        'superset entitlement_missing -',
      ].sort(),
    );
    expect((await journey.cli('drift', 'adopt', '--all')).code).toBe(0);
    expect(told(await rows())).toEqual(['superset entitlement_missing -']);
    expect((await journey.cli('drift')).out).toContain('let stand');
  });

  it('wants one key, or --all', async () => {
    expect((await journey.cli('drift', 'repair')).code).toBe(64);
    expect((await journey.cli('drift', 'adopt', 'd_0123456789', '--all')).code).toBe(64);
    expect((await journey.cli('drift', '--target', 'nowhere')).err).toMatch(/^not_found: /);
  });
});

describe('on a schedule', () => {
  it('one instance says it: in the log, as a metric, to a webhook', async () => {
    const told: string[] = [];
    const receiver = await answering((req, res) => {
      req.on('data', (chunk) => told.push(String(chunk)));
      req.on('end', () => void res.writeHead(204).end());
    });
    try {
      const text = readFileSync(journey.configFile, 'utf8');
      writeFileSync(
        journey.configFile,
        text.replace(/^drift: .*$/m, `drift: { every: 3650d, webhook: "${receiver.url}" }`),
      );
      const another = { GATEWAY_LISTEN: '127.0.0.1:0' };
      const instances = [await journey.start(another), await journey.start(another)];
      const said = await until('the review', () => told[0]);
      expect(JSON.parse(said)).toMatchObject({
        type: 'latchgate.drift',
        gateway: journey.url,
        counts: [{ target: 'superset', kind: 'entitlement_missing', count: 1 }],
        rows: [{ kind: 'entitlement_missing', seen: 'role "Reader", given by rule readers, is not there' }],
      });
      for (const { admin } of instances) {
        const metrics = await (await fetch(`${admin}/metrics`)).text();
        expect(metrics).toContain('latchgate_drift_rows{target="superset",kind="entitlement_missing"} 1');
      }
      for (const instance of instances) await instance.stop();
      const lines = journey.log.filter((line) => line.includes('targets were compared with what is known'));
      expect([lines.length, told.length]).toEqual([1, 1]);
    } finally {
      await receiver.close();
    }
  });
});

it('docs/drift.md names every kind', () => {
  const named = [...page('docs/drift.md').text.matchAll(/^\| `((?:account|entitlement|profile)_[a-z_]+)` \|/gm)].map(
    ([, kind]) => kind,
  );
  expect(named.sort()).toEqual(Object.keys(DRIFT_KINDS).sort());
});
