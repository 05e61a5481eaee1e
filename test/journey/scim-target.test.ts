import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from '../emulators/scim/options.ts';
import { USER } from '../emulators/scim/schema.ts';
import { type ScimEmulator, startScimEmulator } from '../emulators/scim/server.ts';
import { membersOf, plant } from '../emulators/scim/state.ts';
import { refusalOn } from './browser.ts';
import { claimsOf, person, SUPERSET } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';

type Shown = Readonly<Record<string, unknown>> & { readonly groups: readonly unknown[] };

/** Someone of the service as one looks at them. */
function shown(hub: ScimEmulator, userName: string): Shown | undefined {
  const stored = [...hub.state.users.values()].find(({ document }) => document['userName'] === userName);
  if (stored === undefined) return undefined;
  const { schemas: _schemas, ...document } = stored.document;
  const groups = [...hub.state.groups.values()]
    .filter((group) => membersOf(group).some(({ value }) => value === stored.id))
    .map((group) => group.document['displayName']);
  return { ...document, groups: groups.sort() };
}

const writes = (hub: ScimEmulator) => hub.requests.filter(({ method }) => method !== 'GET').map(({ method }) => method);

const sectionsFor = (hub: ScimEmulator) => ({
  targets: `${SUPERSET['targets']}
  hub:
    type: scim
    url: ${hub.url}
    token: ${hub.token}
    timeout: 20s`,
  rules: `
  teams:
    when: { groups: "team-*" }
    grant: { hub: { groups: ["\${match}"] } }
  everybody:
    grant: { superset: { roles: [Gamma] }, hub: {} }`,
  routes: '[{ path: /, to: superset }]',
});

const SERVICES: Readonly<Record<string, Partial<Options>>> = {
  'a SCIM service that can do everything': { bulk: { maxOperations: 10, maxPayloadSize: 100_000 } },
  'a SCIM service that can do little': { patch: false, filter: false, etag: false, discovery: false, pageSize: 2 },
};

describe.each(Object.entries(SERVICES))('logins in front of %s', (_, options) => {
  let hub: ScimEmulator;
  let journey: Journey;
  beforeAll(async () => {
    hub = await startScimEmulator(options);
    const people = ['ann', 'ben'].map((sub) => person(sub, { groups: ['team-a', 'team-b'] }));
    journey = await startJourney({ people, sections: sectionsFor(hub) });
  });
  afterAll(async () => {
    await journey?.close();
    await hub.close();
  });
  const inHub = (sub: string, groups: readonly string[]) =>
    until(`${sub} in the service`, () => {
      const found = shown(hub, sub);
      return JSON.stringify(found?.groups) === JSON.stringify(groups) ? found : undefined;
    });

  it('make the account and its groups there, and once only', async () => {
    expect((await journey.logIn('ann')).status).toBe(200);
    expect(await inHub('ann', ['team-a', 'team-b'])).toEqual({
      userName: 'ann',
      externalId: 'ann',
      active: true,
      name: { givenName: 'Ann', familyName: 'Adams' },
      displayName: 'Ann Adams',
      emails: [{ value: 'ann@acme.test', type: 'work', primary: true }],
      groups: ['team-a', 'team-b'],
    });
    const [asked, written] = [hub.requests.length, writes(hub).length];
    await journey.logIn('ann');
    await until('the second look at the service', () => hub.requests.length > asked + 1 || undefined);
    await journey.logIn('ann');
    expect(writes(hub)).toHaveLength(written);
  });

  it('follow what the provider says, and leave what somebody gave by hand', async () => {
    await journey.logIn('ben');
    await inHub('ben', ['team-a', 'team-b']);
    const [ben] = [...hub.state.users.values()].filter(({ document }) => document['userName'] === 'ben');
    plant(hub.state, 'Group', { displayName: 'by hand', members: [{ value: ben?.id }] });
    journey.idp.setClaims('ben', claimsOf('ben', { groups: ['team-b'], family_name: 'Brown' }));
    await journey.logIn('ben');
    expect(await inHub('ben', ['by hand', 'team-b'])).toMatchObject({
      name: { givenName: 'Ben', familyName: 'Brown' },
    });
    expect(shown(hub, 'ann')?.groups).toEqual(['team-a', 'team-b']);
  });

  it('end for a leaver, whose account is switched off, until the person is enabled again', async () => {
    const { code, out } = await journey.cli('users', 'disable', 'ann@acme.test');
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('hub: done') });
    expect(shown(hub, 'ann')).toMatchObject({ active: false });
    expect(refusalOn(await journey.logIn('ann'))).toMatchObject({ status: 403, code: 'person_disabled' });
    expect(shown(hub, 'ann')).toMatchObject({ active: false });
    expect((await journey.cli('users', 'enable', 'ann@acme.test')).code).toBe(0);
    await journey.logIn('ann');
    await until('the account to be switched on', () => shown(hub, 'ann')?.['active'] === true || undefined);
  });
});

describe.each(Object.entries(SERVICES))('a sync to %s', (_, options) => {
  let hub: ScimEmulator;
  let journey: Journey;
  beforeAll(async () => {
    hub = await startScimEmulator(options);
    const sections = {
      ...sectionsFor(hub),
      sources: '{ hr: { type: file, path: people.csv } }',
      sync: '{ hr-to-hub: { from: hr, to: hub } }',
    };
    journey = await startJourney({ sections, start: false });
  });
  afterAll(async () => {
    await journey?.close();
    await hub.close();
  });
  const people = (...rows: readonly string[]) =>
    writeFileSync(
      join(journey.folder, 'people.csv'),
      `email,given_name,family_name,preferred_username,role\n${rows.join('\n')}\n`,
    );
  const plan = async () => (await journey.cli('plan', 'hr-to-hub', '--detailed-exitcode')).code;

  it('makes who is missing, plans nothing the second time, and switches off who has left', async () => {
    plant(hub.state, 'User', { schemas: [USER], userName: 'by-hand', active: true });
    const names = ['ann', 'ben', 'eve', 'joe', 'kim'];
    const row = (name: string, team: string) => `${name}@acme.test,${name},Adams,${name},${team}`;
    people(...names.map((name) => row(name, 'team-a')));
    expect(await plan()).toBe(10);
    expect(writes(hub)).toEqual([]);
    expect((await journey.cli('apply', 'hr-to-hub')).code).toBe(0);
    expect(names.map((name) => shown(hub, name)?.groups)).toEqual(names.map(() => ['team-a']));
    expect(await plan()).toBe(0);

    people(...names.slice(1).map((name) => row(name, name === 'ben' ? 'team-b' : 'team-a')));
    expect((await journey.cli('apply', 'hr-to-hub', '--approve')).code).toBe(0);
    expect(shown(hub, 'ann')).toMatchObject({ active: false });
    expect(shown(hub, 'ben')).toMatchObject({ active: true, groups: ['team-b'] });
    expect(shown(hub, 'by-hand')).toEqual({ userName: 'by-hand', active: true, groups: [] });
    expect(await plan()).toBe(0);
  });
});
