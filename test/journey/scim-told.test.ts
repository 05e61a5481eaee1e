import { GOODDATA, gooddataUser } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';
import { patchOf, type ScimCaller, scimOf, scimSection, scimUser } from './scim-client.ts';

let journey: Journey;
let scim: ScimCaller;
beforeAll(async () => {
  const told = scimSection('target_down: refuse').replace(/\}$/, ', wait: 1s }');
  journey = await startJourney({ sections: { ...GOODDATA, scim: told } });
  scim = scimOf(journey);
});
afterEach(() => journey.gooddata.faults.clear());
afterAll(() => journey.close());

const down = () => journey.gooddata.faults.set({ status: 503 });
const isIn = (name: string) => () => gooddataUser(journey.gooddata.state, name);

/** Tries once more until the answer is another one than 503. */
async function again(method: string, path: string, body: unknown) {
  return until(
    'the push',
    async () => {
      const answer = await scim.call(method, path, body);
      return answer.status === 503 ? undefined : answer;
    },
    30_000,
  );
}

function bulkOf(...Operations: readonly unknown[]) {
  return { schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'], Operations };
}

describe('a client that is to be told what is not in every target yet', () => {
  it('is told so of a target that takes longer than a push waits', async () => {
    journey.gooddata.faults.set({ delayMs: 2_500 });
    expect((await scim.call('POST', '/Users', scimUser('slow'))).status).toBe(503);
  });

  it('makes the user by the same push when it tries again, and once', async () => {
    down();
    expect((await scim.call('POST', '/Users', scimUser('ann'))).status).toBe(503);
    expect((await scim.call('POST', '/Users', scimUser('ann'))).status).toBe(503);
    journey.gooddata.faults.clear();
    const { status, body } = await again('POST', '/Users', { ...scimUser('ann'), title: 'Lead' });
    expect({ status, body }).toMatchObject({ status: 201, body: { userName: 'ann@acme.test', title: 'Lead' } });
    expect(isIn('ann')()).toBeDefined();
    expect((await scim.call('POST', '/Users', scimUser('ann'))).status).toBe(409);
    const made = `/Users?filter=${encodeURIComponent('userName eq "ann@acme.test"')}`;
    expect((await scim.call('GET', made)).body).toMatchObject({ totalResults: 1, Resources: [{ id: body.id }] });
  });

  it('is refused a user of another id under the same name, whatever it was told before', async () => {
    down();
    expect((await scim.call('POST', '/Users', scimUser('ben'))).status).toBe(503);
    expect((await scim.call('POST', '/Users', scimUser('ben', { externalId: 'other' }))).status).toBe(409);
  });

  it('is told so of what it says once more, until it is in', async () => {
    const { id } = (await scim.call('POST', '/Users', scimUser('cara'))).body;
    const rename = patchOf({ op: 'replace', path: 'name.familyName', value: 'Berg' });
    down();
    expect((await scim.call('PATCH', `/Users/${id}`, rename)).status).toBe(503);
    expect((await scim.call('PATCH', `/Users/${id}`, rename)).status).toBe(503);
    journey.gooddata.faults.clear();
    expect((await again('PATCH', `/Users/${id}`, rename)).status).toBe(200);
    expect(isIn('cara')()).toMatchObject({ lastname: 'Berg' });
  });

  it('makes the group by the same push, too, and hears of members who are not out yet', async () => {
    const { id } = (await scim.call('POST', '/Users', scimUser('dora'))).body;
    const group = { displayName: 'told', members: [{ value: id }] };
    down();
    expect((await scim.call('POST', '/Groups', group)).status).toBe(503);
    journey.gooddata.faults.clear();
    const made = await again('POST', '/Groups', group);
    expect(made.status).toBe(201);
    expect(isIn('dora')()?.groups).toEqual(['told']);
    expect((await scim.call('POST', '/Groups', group)).status).toBe(409);
    down();
    const path = `/Groups/${made.body.id}`;
    const out = patchOf({ op: 'remove', path: `members[value eq "${id}"]` });
    for (const patch of [out, out, patchOf({ op: 'replace', path: 'members', value: [] })]) {
      expect((await scim.call('PATCH', path, patch)).status).toBe(503);
    }
    journey.gooddata.faults.clear();
    expect((await again('PATCH', path, out)).status).toBe(204);
    expect(isIn('dora')()?.groups).toEqual([]);
  });

  it('is told so of those operations of a bulk request that are not in, and of no others', async () => {
    const { id } = (await scim.call('POST', '/Users', scimUser('erin'))).body;
    const make = { method: 'POST', path: '/Users', bulkId: 'u', data: scimUser('fred') };
    const note = { method: 'PATCH', path: `/Users/${id}`, data: patchOf({ op: 'replace', value: { title: 'Lead' } }) };
    const nobody = { method: 'DELETE', path: '/Users/nobody' };
    const statuses = ({ body }: Awaited<ReturnType<ScimCaller['call']>>) =>
      body.Operations.map((one: { status: string }) => one.status);
    down();
    expect(statuses(await scim.call('POST', '/Bulk', bulkOf(make, nobody)))).toEqual(['503', '404']);
    journey.gooddata.faults.clear();
    const done = await until(
      'the bulk request',
      async () => {
        const answer = await scim.call('POST', '/Bulk', bulkOf(make, nobody, note));
        return statuses(answer).includes('503') ? undefined : answer;
      },
      30_000,
    );
    expect(statuses(done)).toEqual(['201', '404', '200']);
    expect(isIn('fred')()).toBeDefined();
  });
});
