import { GOODDATA, gooddataPeople, gooddataUser, person } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';
import { patchOf, SCIM_TOKEN, type ScimCaller, scimClient, scimOf, scimSection, scimUser } from './scim-client.ts';

const TRUSTED_TOKEN = 'trusted-token-that-only-tests-know-0123456';

const RULES = `
  admins:
    when: { groups: [bi-admins, other-admins] }
    grant: { gooddata: { groups: [adminGroup] } }
  same-name:
    when: { groups: "team-*" }
    grant: { gooddata: { groups: ["\${match}"] } }`;

describe('accounts that were there before', () => {
  let journey: Journey;
  let scim: ScimCaller;
  beforeAll(async () => {
    const clients = [
      `okta: { tokens: ["${SCIM_TOKEN}"] }`,
      `trusted: { tokens: ["${TRUSTED_TOKEN}"], trust_email: true, email_domains: [acme.test] }`,
    ];
    const safety = '{ privileged: ["gooddata:group:adminGroup"] }';
    journey = await startJourney({ sections: { ...GOODDATA, safety, scim: `{ clients: { ${clients.join(', ')} } }` } });
    scim = scimOf(journey);
    const had = (id: string, groups: readonly string[] = []) =>
      journey.gooddata.state.users.set(id, {
        id,
        attributes: { email: `${id}@acme.test`, firstname: 'Had', lastname: 'Before' },
        relationships: { userGroups: groups.map((group) => ({ id: group, type: 'userGroup' })) },
      });
    had('ann');
    had('boss', ['adminGroup']);
  });
  afterAll(() => journey.close());

  it('are left alone, and the push is refused', async () => {
    const { status, body } = await scim.call('POST', '/Users', scimUser('ann'));
    expect({ status, detail: body.detail }).toEqual({ status: 409, detail: expect.stringContaining('trust_email') });
    expect((await scim.call('GET', '/Users')).body.totalResults).toBe(0);
    expect(gooddataUser(journey.gooddata.state, 'ann')).toMatchObject({ firstname: 'Had' });
  });

  it('are left alone when a user becomes active later, too', async () => {
    const { id } = (await scim.call('POST', '/Users', scimUser('ann', { active: false }))).body;
    const active = patchOf({ op: 'replace', path: 'active', value: true });
    expect((await scim.call('PATCH', `/Users/${id}`, active)).status).toBe(409);
    expect((await scim.call('PUT', `/Users/${id}`, scimUser('ann'))).status).toBe(409);
    expect((await scim.call('GET', `/Users/${id}`)).body.active).toBe(false);
    expect(gooddataUser(journey.gooddata.state, 'ann')).toMatchObject({ firstname: 'Had' });
    expect((await scim.call('DELETE', `/Users/${id}`)).status).toBe(204);
  });

  it('are linked by their e-mail for a client whose addresses are trusted', async () => {
    const trusted = scimClient(journey.url, TRUSTED_TOKEN);
    expect((await trusted.call('POST', '/Users', scimUser('ann'))).status).toBe(201);
    expect(gooddataUser(journey.gooddata.state, 'ann')).toMatchObject({ firstname: 'Ann' });
    expect(gooddataPeople(journey.gooddata.state)).toEqual(['ann', 'boss']);
  });

  it('are never linked when they are privileged', async () => {
    const trusted = scimClient(journey.url, TRUSTED_TOKEN);
    expect((await trusted.call('POST', '/Users', scimUser('boss'))).status).toBe(409);
    expect(gooddataUser(journey.gooddata.state, 'boss')).toMatchObject({ firstname: 'Had', groups: ['adminGroup'] });
  });
});

describe('groups that make administrators', () => {
  let journey: Journey;
  let scim: ScimCaller;
  let id: string;
  beforeAll(async () => {
    const sections = {
      ...GOODDATA,
      rules: RULES,
      safety: '{ privileged: ["gooddata:group:adminGroup"] }',
      scim: scimSection('privileged_groups: [bi-admins]'),
    };
    journey = await startJourney({ sections });
    scim = scimOf(journey);
    id = (await scim.call('POST', '/Users', scimUser('ann'))).body.id;
  });
  afterAll(() => journey.close());

  const groups = () => gooddataUser(journey.gooddata.state, 'ann')?.groups;
  const members = () => [{ value: id }];

  it('do so by the name that the config lists, and by no other that a rule has', async () => {
    await scim.call('POST', '/Groups', { displayName: 'other-admins', members: members() });
    expect(groups()).toEqual([]);
    const { body } = await scim.call('POST', '/Groups', { displayName: 'bi-admins', members: members() });
    expect(groups()).toEqual(['adminGroup']);
    await scim.call('DELETE', `/Groups/${body.id}`);
    expect(groups()).toEqual([]);
  });

  it('do not when a client has renamed a group to that name', async () => {
    const { body } = await scim.call('POST', '/Groups', { displayName: 'team-a', members: members() });
    expect(groups()).toEqual(['team-a']);
    await scim.call('PATCH', `/Groups/${body.id}`, patchOf({ op: 'replace', path: 'displayName', value: 'bi-admins' }));
    expect(groups()).toEqual([]);
  });
});

describe('with safety.leaver: delete', () => {
  let journey: Journey;
  let scim: ScimCaller;
  const ids: string[] = [];
  beforeAll(async () => {
    const sections = { ...GOODDATA, safety: '{ leaver: delete, stop_if: { removals: 2 } }', scim: scimSection() };
    journey = await startJourney({ sections });
    scim = scimOf(journey);
    for (let at = 0; at < 5; at += 1) ids.push((await scim.call('POST', '/Users', scimUser(`p${at}`))).body.id);
  });
  afterAll(() => journey.close());

  it('deletes the accounts of a few, and switches off those beyond the threshold until somebody approves', async () => {
    const group = { displayName: 'team', members: ids.map((value) => ({ value })) };
    await scim.call('POST', '/Groups', group);
    for (const id of ids.slice(0, 4)) expect((await scim.call('DELETE', `/Users/${id}`)).status).toBe(204);
    expect(gooddataPeople(journey.gooddata.state)).toEqual(['p2', 'p3', 'p4']);
    expect(gooddataUser(journey.gooddata.state, 'p2')?.groups).toEqual([]);
    const held = (await journey.cli('scim', 'held', '--json')).out.split('\n').map((line) => JSON.parse(line));
    expect(held).toEqual([expect.objectContaining({ client: 'okta' }), expect.objectContaining({ client: 'okta' })]);
    expect(await journey.cli('scim', 'approve', '--client', 'okta')).toMatchObject({
      code: 0,
      out: 'the accounts of 2 people are being deleted',
    });
    await until('the deletion', () => gooddataPeople(journey.gooddata.state).length === 1 || undefined, 20_000);
    expect(gooddataPeople(journey.gooddata.state)).toEqual(['p4']);
  });
});

describe('people who logged in before anybody pushed them', () => {
  let journey: Journey;
  beforeAll(async () => {
    journey = await startJourney({
      people: [person('ann')],
      start: false,
      sections: { ...GOODDATA, scim: scimSection() },
    });
  });
  afterAll(() => journey.close());

  it('are the same person when they are pushed', async () => {
    const before = await journey.start();
    await journey.logIn('ann');
    await before.stop();
    // As a database of a version that knew nothing of SCIM has it.
    const { openDatabase } = await import('../../src/directory/database.ts');
    const database = await openDatabase(`sqlite:${journey.folder}/latchgate.db`);
    await database.run((db) => db.deleteFrom('subjects').where('issuer', 'like', 'latchgate:%').execute());
    await database.close();
    await journey.start();
    const scim = scimOf(journey);
    const { body } = await scim.call('POST', '/Users', scimUser('ann'));
    await scim.call('PATCH', `/Users/${body.id}`, patchOf({ op: 'replace', value: { active: false } }));
    const people = (await journey.cli('users', 'list', '--json')).out.split('\n');
    expect(people).toHaveLength(1);
    expect((await journey.logIn('ann')).status).toBe(403);
  });
});
