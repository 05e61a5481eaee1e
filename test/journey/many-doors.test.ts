import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startScimEmulator } from '../emulators/scim/server.ts';
import { plant } from '../emulators/scim/state.ts';
import { refusalOn } from './browser.ts';
import { BOTH, claimsOf, gooddataUser, person, supersetUser } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';
import { patchOf, scimOf, scimSection, scimUser } from './scim-client.ts';

/*
 * One person, whom a login, a SCIM client and a list of people speak of, each in words of its own. Whichever comes first,
 * the same has to come of it in every target.
 */

type Door = 'login' | 'scim' | 'sync';
const DOORS: readonly Door[] = ['login', 'scim', 'sync'];
const ORDERS = DOORS.flatMap((first) =>
  DOORS.filter((door) => door !== first).map((second) => {
    const third = DOORS.find((door) => door !== first && door !== second) as Door;
    return [first, second, third] as const;
  }),
);
const GROUPS = ['team', 'web', 'pushed', 'listed'];
const TARGETS = ['superset', 'gooddata', 'hub'];

type Hub = Awaited<ReturnType<typeof startScimEmulator>>;

class Company {
  readonly journey: Journey;
  readonly hub: Hub;
  #user = '';
  readonly #groups = new Map<string, string>();

  constructor(journey: Journey, hub: Hub) {
    this.journey = journey;
    this.hub = hub;
  }

  static async start(): Promise<Company> {
    const hub = await startScimEmulator();
    for (const displayName of GROUPS) plant(hub.state, 'Group', { displayName, members: [] });
    const gooddata = { groups: GROUPS.map((id) => ({ id, name: id })) };
    const claims = { name: 'Annie A.', groups: ['team', 'web'], given_name: undefined };
    const journey = await startJourney({
      people: [person('ann', claims)],
      gooddata,
      sections: {
        ...BOTH,
        targets: `
  superset: { type: superset, url: "\${SUPERSET_URL}", user_name: external_id }
  gooddata: { type: gooddata, url: "\${GOODDATA_URL}", token: "\${GOODDATA_TOKEN}" }
  hub: { type: scim, url: "${hub.url}", token: ${hub.token}, user_name: external_id }`,
        rules: `
  same-name:
    when: { groups: "*" }
    grant:
      superset: { groups: ["\${match}"] }
      gooddata: { groups: ["\${match}"] }
      hub: { groups: ["\${match}"] }
  everybody:
    grant: { superset: { roles: [Gamma] }, gooddata: {}, hub: {} }`,
        identity: '{ authority: { family_name: hr } }',
        scim: scimSection(),
        sources: '{ hr: { type: file, path: people.csv, key: id, login: acme, groups_separator: ";" } }',
        sync: `{ ${TARGETS.map((target) => `hr-to-${target}: { from: hr, to: ${target} }`).join(', ')} }`,
      },
    });
    for (const [at, name] of GROUPS.entries()) {
      journey.superset.state.groups.set(at + 1, { id: at + 1, name, label: null, description: null, roles: [] });
    }
    const company = new Company(journey, hub);
    company.list(['team', 'listed']);
    return company;
  }

  list(groups: readonly string[], others = ''): void {
    const row = `ann,Anna,Adams-Lee,ann.adams@acme.test,${groups.join(';')}`;
    const text = `id,given_name,family_name,email,groups\n${row}\nzoe,Zoe,Zed,zoe@acme.test,\n${others}`;
    writeFileSync(join(this.journey.folder, 'people.csv'), text);
  }

  async sync(): Promise<void> {
    for (const target of TARGETS) {
      const { code, err } = await this.journey.cli('apply', `hr-to-${target}`);
      expect({ target, code, err }).toMatchObject({ code: 0 });
    }
  }

  async push(): Promise<void> {
    const scim = scimOf(this.journey);
    const { status, body } = await scim.call('POST', '/Users', scimUser('ann', { displayName: 'Ann of Okta' }));
    expect(status).toBe(201);
    this.#user = body.id;
    for (const displayName of ['team', 'pushed']) {
      const made = await scim.call('POST', '/Groups', { displayName, members: [{ value: this.#user }] });
      expect(made.status).toBe(201);
      this.#groups.set(displayName, made.body.id);
    }
  }

  async leaveGroup(name: string): Promise<void> {
    const change = patchOf({ op: 'remove', path: `members[value eq "${this.#user}"]` });
    const { status } = await scimOf(this.journey).call('PATCH', `/Groups/${this.#groups.get(name)}`, change);
    expect(status).toBe(204);
  }

  async deactivate(): Promise<void> {
    const change = patchOf({ op: 'replace', path: 'active', value: false });
    expect((await scimOf(this.journey).call('PATCH', `/Users/${this.#user}`, change)).status).toBe(200);
  }

  async pushAgain(): Promise<void> {
    const { body } = await scimOf(this.journey).call('GET', `/Users/${this.#user}`);
    const { id: _, meta: _meta, groups: _groups, ...user } = body;
    expect((await scimOf(this.journey).call('PUT', `/Users/${this.#user}`, user)).status).toBe(200);
  }

  /** All targets have what the login gives, or nothing more to do. */
  async logIn(group = 'web'): Promise<void> {
    expect((await this.journey.logIn('ann')).status).toBe(200);
    await until(`${group} in every target`, () => this.groups().every((groups) => groups.includes(group)) || undefined);
  }

  async come(door: Door): Promise<void> {
    if (door === 'login') await this.logIn();
    else if (door === 'scim') await this.push();
    else await this.sync();
  }

  /** Of Ann, target by target. */
  groups(): readonly (readonly string[])[] {
    const { superset, gooddata } = this.journey;
    const inHub = [...this.hub.state.groups.values()].filter(({ document }) => membersOf(document).length > 0);
    return [
      supersetUser(superset.state, 'ann')?.groups ?? [],
      gooddataUser(gooddata.state, 'ann')?.groups ?? [],
      inHub.map(({ document }) => String(document['displayName'])).sort(),
    ];
  }

  /** Byte for byte, but for numbers that count accounts and a password that is made up; lists that are sets to the service are in order. */
  state(): Readonly<Record<string, string>> {
    const { superset, gooddata } = this.journey;
    const users = [...superset.state.users.values()].map(({ id: _, password: _made, ...user }) => user);
    const sorted = (one: unknown) =>
      JSON.stringify(one, (_, value) => (Array.isArray(value) ? [...value].sort(byText) : value));
    return {
      superset: sorted([users, [...superset.state.groups], [...superset.state.roles]]),
      gooddata: sorted([[...gooddata.state.users], [...gooddata.state.userGroups]]),
      hub: sorted([
        [...this.hub.state.users.values()].map(({ document }) => document),
        [...this.hub.state.groups.values()].map(({ document }) => document['displayName']),
        this.groups()[2],
      ]),
    };
  }

  async story(): Promise<{ grants: Record<string, unknown>[] } & Record<string, unknown>> {
    return JSON.parse((await this.journey.cli('users', 'show', 'ann', '--json')).out);
  }

  /** The ledger, but for the moment in which each row was written. */
  async ledger(): Promise<readonly string[]> {
    const { grants } = await this.story();
    return grants
      .map(
        ({ target, kind, name, rule, origin, confirmed }) => `${target} ${kind}:${name} ${rule} ${origin} ${confirmed}`,
      )
      .sort();
  }

  writes(): number {
    const { superset, gooddata } = this.journey;
    const all = [superset.requests, gooddata.requests, this.hub.requests].flat();
    return all.filter(({ method }) => method !== 'GET').length;
  }

  async close(): Promise<void> {
    await this.journey.close();
    await this.hub.close();
  }
}

function membersOf(document: Readonly<Record<string, unknown>>): readonly unknown[] {
  return (document['members'] as readonly unknown[] | undefined) ?? [];
}

function byText(one: unknown, other: unknown): number {
  return JSON.stringify(one) < JSON.stringify(other) ? -1 : 1;
}

const EVERY_GRANT = TARGETS.flatMap((target) => [
  ...['acme', 'hr', 'okta'].map((origin) => `${target} group:team same-name ${origin} true`),
  `${target} group:web same-name acme true`,
  `${target} group:pushed same-name okta true`,
  `${target} group:listed same-name hr true`,
  ...(target === 'superset'
    ? ['acme', 'hr', 'okta'].map((origin) => `superset role:Gamma everybody ${origin} true`)
    : []),
]).sort();

let first: Readonly<Record<string, string>> | undefined;

describe.each(ORDERS)('somebody who comes by %s, then by %s, then by %s', (...order) => {
  let company: Company;
  beforeAll(async () => {
    company = await Company.start();
    for (const door of order) await company.come(door);
  });
  afterAll(() => company.close());

  it('is one person, with the same accounts and the same ledger as in any other order', async () => {
    const { journey } = company;
    expect(await company.ledger()).toEqual(EVERY_GRANT);
    expect(company.groups()).toEqual(TARGETS.map(() => [...GROUPS].sort()));
    const names = { first_name: 'Ann', last_name: 'Adams-Lee', email: 'ann@acme.test' };
    expect(supersetUser(journey.superset.state, 'ann')).toMatchObject({ ...names, roles: ['Gamma'], active: true });
    first ??= company.state();
    expect(company.state()).toEqual(first);
    const people = (await journey.cli('users', 'list', '--json')).out.split('\n');
    expect(people).toHaveLength(2);
  });

  it('is left as they are by every door that says once more what it said', async () => {
    const [state, writes] = [company.state(), company.writes()];
    for (const target of TARGETS) {
      const { code } = await company.journey.cli('plan', `hr-to-${target}`, '--detailed-exitcode');
      expect([target, code]).toEqual([target, 0]);
    }
    await company.logIn();
    await company.pushAgain();
    await company.sync();
    expect([company.state(), company.writes()]).toEqual([state, writes]);
  });

  it('keeps what another door gives of what one has taken away', async () => {
    company.list([]);
    await company.sync();
    expect(company.groups()).toEqual(TARGETS.map(() => ['pushed', 'team', 'web']));
    await company.leaveGroup('team');
    expect(company.groups()).toEqual(TARGETS.map(() => ['pushed', 'team', 'web']));
    company.journey.idp.setClaims('ann', claimsOf('ann', { groups: ['web'] }));
    expect((await company.journey.logIn('ann')).status).toBe(200);
    await until('the last one', () => company.groups().every((groups) => !groups.includes('team')) || undefined);
    expect(company.groups()).toEqual(TARGETS.map(() => ['pushed', 'web']));
  });

  it('is out by every door when the one that owns them lets them go', async () => {
    const { journey } = company;
    const browser = journey.browser();
    expect((await browser.logIn(`${journey.url}/`, 'ann')).status).toBe(200);
    const owner = order.find((door) => door !== 'login');
    if (owner === 'scim') await company.deactivate();
    else {
      writeFileSync(
        join(journey.folder, 'people.csv'),
        'id,given_name,family_name,email,groups\nzoe,Zoe,Zed,zoe@acme.test,\n',
      );
      await company.sync();
    }
    await until('the end of the session', async () => {
      return (await browser.call(`${journey.url}/`)).status === 401 || undefined;
    });
    await until('the accounts to be off', () => isOut(company) || undefined);
    const state = company.state();
    expect(refusalOn(await journey.logIn('ann'))).toMatchObject({ status: 403, code: 'person_left' });
    if (owner === 'scim') {
      company.list(['team', 'listed']);
      await company.sync();
    } else await company.pushAgain();
    expect(company.state()).toEqual(state);
    expect(isOut(company)).toBe(true);
  });
});

/** Where the service has a switch it is off, and where it has none nothing of ours is left. */
function isOut({ journey, hub }: Company): boolean {
  const inHub = [...hub.state.users.values()].find(({ document }) => document['userName'] === 'ann');
  return (
    supersetUser(journey.superset.state, 'ann')?.active === false &&
    gooddataUser(journey.gooddata.state, 'ann')?.groups.length === 0 &&
    inHub?.document['active'] === false
  );
}
