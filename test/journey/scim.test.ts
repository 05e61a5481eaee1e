import { refusalOn } from './browser.ts';
import { GOODDATA, gooddataPeople, gooddataUser, person } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';
import { patchOf, type ScimCaller, scimOf, scimSection, scimUser } from './scim-client.ts';

let journey: Journey;
let scim: ScimCaller;
let id: string;
let group: string;

beforeAll(async () => {
  journey = await startJourney({ people: [person('ann')], sections: { ...GOODDATA, scim: scimSection() } });
  scim = scimOf(journey);
});
afterAll(() => journey.close());

describe('a person who is pushed', () => {
  it('has an account before they ever log in', async () => {
    const { status, body, headers } = await scim.call('POST', '/Users', scimUser('ann'));
    expect({ status, body }).toMatchObject({ status: 201, body: { userName: 'ann@acme.test', active: true } });
    id = body.id;
    expect(headers.get('location')).toBe(`${journey.url}/scim/v2/Users/${id}`);
    expect(headers.get('etag')).toBe(body.meta.version);
    expect(gooddataUser(journey.gooddata.state, 'ann')).toMatchObject({ firstname: 'Ann', lastname: 'Adams' });
  });

  it('is in the groups that are pushed, and in no other', async () => {
    const made = await scim.call('POST', '/Groups', { displayName: 'finance', members: [{ value: id }] });
    expect(made).toMatchObject({
      status: 201,
      body: { displayName: 'finance', members: [{ value: id, type: 'User' }] },
    });
    group = made.body.id;
    expect(gooddataUser(journey.gooddata.state, 'ann')?.groups).toEqual(['finance']);
    const removed = await scim.call(
      'PATCH',
      `/Groups/${group}`,
      patchOf({ op: 'remove', path: `members[value eq "${id}"]` }),
    );
    expect(removed.status).toBe(204);
    expect(gooddataUser(journey.gooddata.state, 'ann')?.groups).toEqual([]);
    await scim.call('PATCH', `/Groups/${group}`, patchOf({ op: 'add', path: 'members', value: [{ value: id }] }));
    expect(gooddataUser(journey.gooddata.state, 'ann')?.groups).toEqual(['finance']);
  });

  it('is in the group of the new name when a group is renamed', async () => {
    await scim.call(
      'PATCH',
      `/Groups/${group}`,
      patchOf({ op: 'replace', value: { id: group, displayName: 'money' } }),
    );
    expect(gooddataUser(journey.gooddata.state, 'ann')?.groups).toEqual(['money']);
  });

  it('gets the name that is pushed', async () => {
    const { status } = await scim.call(
      'PATCH',
      `/Users/${id}`,
      patchOf({ op: 'replace', path: 'name.familyName', value: 'Berg' }),
    );
    expect(status).toBe(200);
    expect(gooddataUser(journey.gooddata.state, 'ann')).toMatchObject({ lastname: 'Berg' });
  });

  it('is the same person who logs in', async () => {
    expect((await journey.logIn('ann')).status).toBe(200);
    expect(gooddataPeople(journey.gooddata.state)).toEqual(['ann']);
    expect(JSON.parse((await journey.cli('users', 'show', 'ann', '--json')).out)).toMatchObject({
      subjects: expect.arrayContaining([
        expect.objectContaining({ origin: 'acme' }),
        expect.objectContaining({ origin: 'okta' }),
      ]),
    });
  });

  it('is out at once when they are deactivated: session, account, and no way back in', async () => {
    const browser = journey.browser();
    expect((await browser.logIn(`${journey.url}/`, 'ann')).status).toBe(200);
    const { status } = await scim.call('PATCH', `/Users/${id}`, patchOf({ op: 'replace', value: { active: false } }));
    expect(status).toBe(200);
    expect((await browser.call(`${journey.url}/`)).status).toBe(401);
    expect(gooddataUser(journey.gooddata.state, 'ann')?.groups).toEqual([]);
    expect(refusalOn(await journey.logIn('ann'))).toMatchObject({ status: 403, code: 'person_left' });
    expect(gooddataUser(journey.gooddata.state, 'ann')?.groups).toEqual([]);
  });

  it('is back when they are activated again', async () => {
    await scim.call('PATCH', `/Users/${id}`, patchOf({ op: 'Replace', path: 'active', value: 'True' }));
    expect(gooddataUser(journey.gooddata.state, 'ann')?.groups).toEqual(['money']);
    expect((await journey.logIn('ann')).status).toBe(200);
  });

  it('is gone when they are deleted, and a login brings nothing back', async () => {
    expect((await scim.call('DELETE', `/Users/${id}`)).status).toBe(204);
    expect((await scim.call('GET', `/Users/${id}`)).status).toBe(404);
    expect(gooddataUser(journey.gooddata.state, 'ann')?.groups).toEqual([]);
    expect(refusalOn(await journey.logIn('ann'))).toMatchObject({ status: 403, code: 'person_left' });
    expect((await journey.cli('users', 'list')).out).toMatch(/ann@acme\.test +left /);
    expect((await scim.call('GET', `/Groups/${group}`)).body.members).toBeUndefined();
  });

  it('is there in the audit with everything that was done', async () => {
    const { out } = await journey.cli('audit', 'list', '--json');
    const events = out.split('\n').map((line) => JSON.parse(line).event);
    expect(events).toEqual(
      expect.arrayContaining(['scim.user.created', 'scim.group.changed', 'person.left', 'scim.user.deleted']),
    );
    expect((await journey.cli('audit', 'verify')).code).toBe(0);
  });
});

it('keeps what is pushed while a target is down, and brings it there later', async () => {
  journey.gooddata.faults.set({ status: 503 });
  const { status, body } = await scim.call('POST', '/Users', scimUser('ben'));
  expect(status).toBe(201);
  journey.gooddata.faults.clear();
  await until('the account', () => gooddataUser(journey.gooddata.state, 'ben'), 30_000);
  expect(body.userName).toBe('ben@acme.test');
});
