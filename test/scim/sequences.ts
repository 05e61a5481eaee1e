import { randomUUID } from 'node:crypto';
import { GOODDATA, gooddataUser } from '../journey/company.ts';
import { type Journey, startJourney } from '../journey/harness.ts';
import { patchOf, type ScimCaller, scimOf, scimSection, scimUser } from '../journey/scim-client.ts';

const LIST = 'urn:ietf:params:scim:api:messages:2.0:ListResponse';
const ERROR = 'urn:ietf:params:scim:api:messages:2.0:Error';
const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
const ADSCIM = 'http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group';

function filtered(filter: string): string {
  return `/Users?filter=${encodeURIComponent(filter)}`;
}

/** What Okta and Entra ID send, step by step, on one kind of database. `state` is the section of the config. */
export function describeSequences(name: string, state: () => Promise<string | undefined>): void {
  let journey: Journey;
  let scim: ScimCaller;

  beforeAll(async () => {
    const database = await state();
    const sections = { ...GOODDATA, scim: scimSection(), ...(database === undefined ? {} : { state: database }) };
    journey = await startJourney({ sections });
    scim = scimOf(journey);
  });
  afterAll(() => journey.close());

  const inGoodData = (id: string) => gooddataUser(journey.gooddata.state, id);

  describe(`the SPEC test of Okta on ${name}`, () => {
    const random = `okta-${randomUUID()}`;
    let first: { id: string };
    let made: { id: string };

    it('lists one user with all that Okta looks for', async () => {
      await scim.call('POST', '/Users', scimUser('first'));
      const { status, body } = await scim.call('GET', '/Users?count=1&startIndex=1');
      expect(status).toBe(200);
      expect(body.schemas).toContain(LIST);
      expect([typeof body.itemsPerPage, typeof body.startIndex, typeof body.totalResults]).toEqual(
        new Array(3).fill('number'),
      );
      expect(body.Resources).toHaveLength(1);
      [first] = body.Resources;
      expect(first).toMatchObject({
        id: expect.any(String),
        name: { familyName: expect.any(String), givenName: expect.any(String) },
        userName: expect.any(String),
        active: true,
        emails: [{ value: expect.any(String) }],
      });
    });

    it('answers a user by its id alike', async () => {
      const { status, body } = await scim.call('GET', `/Users/${first.id}`);
      expect({ status, body }).toEqual({ status: 200, body: first });
    });

    it('finds nobody by a name that nobody has', async () => {
      const { status, body } = await scim.call('GET', filtered('userName eq "nobody@example.com"'));
      expect({ status, body }).toMatchObject({ status: 200, body: { schemas: [LIST], totalResults: 0 } });
    });

    it('answers 404 for an id that nobody has', async () => {
      const { status, body } = await scim.call('GET', '/Users/00919288221112222');
      expect(status).toBe(404);
      expect(body).toMatchObject({ schemas: [ERROR], status: '404', detail: expect.stringMatching(/./) });
    });

    it('makes a user, whose type says application/json', async () => {
      expect((await scim.call('GET', filtered(`userName eq "${random}@acme.test"`))).body.totalResults).toBe(0);
      const { status, body } = await scim.call('POST', '/Users', scimUser(random), {
        'content-type': 'application/json',
        accept: 'application/scim+json; charset=utf-8',
      });
      expect(status).toBe(201);
      made = body;
      expect(body).toMatchObject({ id: expect.any(String), active: true, userName: `${random}@acme.test` });
      expect(body.schemas).toContain(USER);
      expect((await scim.call('GET', `/Users/${made.id}`)).body).toEqual(made);
    });

    it('refuses the same user a second time', async () => {
      const { status, body } = await scim.call('POST', '/Users', scimUser(random));
      expect({ status, body }).toMatchObject({ status: 409, body: { scimType: 'uniqueness', status: '409' } });
    });

    it('finds a user by the name in capitals', async () => {
      const { body } = await scim.call('GET', filtered(`userName eq "${random.toUpperCase()}@ACME.TEST"`));
      expect(body).toMatchObject({ totalResults: 1, Resources: [{ id: made.id }] });
    });

    it('lists groups', async () => {
      const { status, body } = await scim.call('GET', '/Groups');
      expect(status).toBe(200);
      expect(body.schemas).toContain(LIST);
    });

    it('tells whoever has no good token so', async () => {
      const { status, body, headers } = await scim.call('GET', '/Users', undefined, { authorization: 'non-token' });
      expect(status).toBe(401);
      expect(body).toMatchObject({ schemas: [ERROR], status: '401', detail: expect.stringMatching(/./) });
      expect(headers.get('www-authenticate')).toMatch(/^Bearer/);
    });
  });

  describe(`the CRUD test of Okta on ${name}`, () => {
    let id: string;
    const read = async () => (await scim.call('GET', `/Users/${id}`)).body;

    it('makes, renames, deactivates and reactivates a user by PUT, and by PATCH without a path', async () => {
      id = (await scim.call('POST', '/Users', scimUser('crud'))).body.id;
      expect(inGoodData('crud')).toMatchObject({ firstname: 'Crud' });
      const whole = { ...(await read()), name: { givenName: 'Other', familyName: 'Adams' }, groups: [] };
      expect((await scim.call('PUT', `/Users/${id}`, whole)).status).toBe(200);
      expect(inGoodData('crud')).toMatchObject({ firstname: 'Other' });
      expect((await scim.call('PUT', `/Users/${id}`, { ...whole, active: false })).body.active).toBe(false);
      expect((await read()).active).toBe(false);
      const again = await scim.call('PATCH', `/Users/${id}`, patchOf({ op: 'replace', value: { active: true } }));
      expect(again.body.active).toBe(true);
      expect(await read()).toMatchObject({ active: true, name: { givenName: 'Other' } });
    });

    it('keeps by a PUT that says neither externalId nor active who it is, and whether they are in', async () => {
      const { schemas, userName, name, emails, externalId } = await read();
      const put = async () => (await scim.call('PUT', `/Users/${id}`, { schemas, userName, name, emails })).status;
      expect(await put()).toBe(200);
      expect(await read()).toMatchObject({ externalId, active: true });
      expect(inGoodData('crud')).toBeDefined();
      await scim.call('PATCH', `/Users/${id}`, patchOf({ op: 'replace', value: { active: false } }));
      expect(await put()).toBe(200);
      expect(await read()).toMatchObject({ externalId, active: false });
      await scim.call('PATCH', `/Users/${id}`, patchOf({ op: 'replace', value: { active: true } }));
    });

    it('takes nobody for gone whose externalId another user has by the end of the request', async () => {
      const older = (await scim.call('POST', '/Users', scimUser('older'))).body.id;
      const younger = (await scim.call('POST', '/Users', scimUser('younger'))).body.id;
      const { externalId } = (await scim.call('GET', `/Users/${younger}`)).body;
      const to = (user: string, value: string) => ({
        method: 'PATCH',
        path: `/Users/${user}`,
        data: patchOf({ op: 'replace', path: 'externalId', value }),
      });
      const left = async () =>
        (await journey.cli('audit', 'list', '--json')).out.split('\n').filter((line) => line.includes('"person.left"'));
      const before = (await left()).length;
      const { body } = await scim.call('POST', '/Bulk', {
        schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'],
        Operations: [to(younger, 'another-id'), to(older, externalId)],
      });
      expect(body.Operations.map(({ status }: { status: string }) => status)).toEqual(['200', '200']);
      // Whom the older one was, and nobody else.
      expect((await left()).length).toBe(before + 1);
    });

    it('changes members by removal and addition in one request, and by replacement', async () => {
      const other = (await scim.call('POST', '/Users', scimUser('other'))).body.id;
      const group = (await scim.call('POST', '/Groups', { displayName: 'okta-team', members: [{ value: id }] })).body
        .id;
      await scim.call(
        'PATCH',
        `/Groups/${group}`,
        patchOf(
          { op: 'remove', path: `members[value eq "${id}"]` },
          { op: 'add', path: 'members', value: [{ value: other, display: 'other@acme.test' }] },
        ),
      );
      expect([inGoodData('crud')?.groups, inGoodData('other')?.groups]).toEqual([[], ['okta-team']]);
      await scim.call('PATCH', `/Groups/${group}`, patchOf({ op: 'replace', path: 'members', value: [{ value: id }] }));
      expect([inGoodData('crud')?.groups, inGoodData('other')?.groups]).toEqual([['okta-team'], []]);
      await scim.call(
        'PATCH',
        `/Groups/${group}`,
        patchOf({ op: 'replace', value: { id: group, displayName: 'okta-two' } }),
      );
      expect(inGoodData('crud')?.groups).toEqual(['okta-two']);
      expect((await scim.call('GET', `/Groups/${group}`)).body.members).toEqual([
        expect.objectContaining({ value: id, type: 'User' }),
      ]);
    });
  });

  describe(`Entra ID on ${name}`, () => {
    let id: string;
    let second: string;
    let group: string;

    it('tests the connection by a filter for nobody', async () => {
      const { status, body, headers } = await scim.call('GET', filtered(`userName eq "${randomUUID()}"`));
      expect({ status, total: body.totalResults, resources: body.Resources ?? [] }).toEqual({
        status: 200,
        total: 0,
        resources: [],
      });
      expect(headers.get('content-type')).toMatch(/^application\/scim\+json/);
    });

    it('makes a user out of a body full of nulls, with a manager as text and a false that is text', async () => {
      const { status, body } = await scim.call('POST', '/Users', {
        schemas: [USER, ENTERPRISE],
        externalId: 'entra-ann',
        userName: 'entra-ann@acme.test',
        active: 'True',
        displayName: 'Entra Ann',
        emails: [{ primary: true, type: 'work', value: 'entra-ann@acme.test' }],
        meta: { resourceType: 'User' },
        name: { formatted: 'Entra Ann', familyName: 'Ann', givenName: 'Entra' },
        addresses: null,
        phoneNumbers: null,
        title: null,
        department: null,
        manager: null,
        [ENTERPRISE]: { department: 'Sales', manager: 'boss' },
      });
      expect({ status, body }).toMatchObject({
        status: 201,
        body: { active: true, [ENTERPRISE]: { department: 'Sales' } },
      });
      id = body.id;
      second = (await scim.call('POST', '/Users', scimUser('entra-ben'))).body.id;
      expect(inGoodData('entra-ann')).toMatchObject({ firstname: 'Entra', lastname: 'Ann' });
    });

    it('finds it by all that it filters by', async () => {
      for (const filter of [
        'externalId eq "entra-ann"',
        'emails[type eq "work"].value eq "entra-ann@acme.test"',
        'userName eq "entra-ann@acme.test" and active eq true',
      ]) {
        const { body } = await scim.call('GET', filtered(filter));
        expect({ filter, total: body.totalResults, id: body.Resources?.[0]?.id }).toEqual({ filter, total: 1, id });
      }
    });

    it('changes attributes by capitalised operations and by paths of every form', async () => {
      const { status, body } = await scim.call(
        'PATCH',
        `/Users/${id}`,
        patchOf(
          { op: 'Replace', path: 'displayName', value: 'Other' },
          { op: 'Add', path: 'phoneNumbers[type eq "mobile"].value', value: '+49 30 1' },
          { op: 'Replace', path: `${ENTERPRISE}:department`, value: 'Finance' },
          { op: 'Replace', value: { 'name.givenName': 'Andrea', [`${ENTERPRISE}:employeeNumber`]: '7' } },
        ),
      );
      expect({ status, body }).toMatchObject({
        status: 200,
        body: {
          displayName: 'Other',
          name: { givenName: 'Andrea', familyName: 'Ann' },
          phoneNumbers: [{ type: 'mobile', value: '+49 30 1' }],
          [ENTERPRISE]: { department: 'Finance', employeeNumber: '7' },
        },
      });
      expect(inGoodData('entra-ann')).toMatchObject({ firstname: 'Andrea' });
    });

    it('makes a group with a schema of its own, adds several members at once, and is answered without them', async () => {
      const made = await scim.call('POST', '/Groups', {
        schemas: ['urn:ietf:params:scim:schemas:core:2.0:Group', ADSCIM],
        externalId: randomUUID(),
        displayName: 'entra-team',
      });
      expect(made.status).toBe(201);
      group = made.body.id;
      const { status, body } = await scim.call(
        'PATCH',
        `/Groups/${group}`,
        patchOf({
          op: 'Add',
          path: 'members',
          value: [
            { $ref: null, value: id },
            { $ref: null, value: second },
          ],
        }),
      );
      expect([status, body]).toEqual([204, undefined]);
      expect([inGoodData('entra-ann')?.groups, inGoodData('entra-ben')?.groups]).toEqual([
        ['entra-team'],
        ['entra-team'],
      ]);
      const { body: shown } = await scim.call('GET', `/Groups/${group}?excludedAttributes=members`);
      expect(shown).not.toHaveProperty('members');
    });

    it('removes only the members that it names, though it names them in the value', async () => {
      const { status } = await scim.call(
        'PATCH',
        `/Groups/${group}`,
        patchOf({ op: 'Remove', path: 'members', value: [{ $ref: null, value: id }] }),
      );
      expect(status).toBe(204);
      expect([inGoodData('entra-ann')?.groups, inGoodData('entra-ben')?.groups]).toEqual([[], ['entra-team']]);
    });

    it('disables a user by a text, and sees it afterwards', async () => {
      await scim.call('PATCH', `/Users/${second}`, patchOf({ op: 'Replace', path: 'active', value: 'False' }));
      expect((await scim.call('GET', `/Users/${second}`)).body.active).toBe(false);
      expect(inGoodData('entra-ben')?.groups).toEqual([]);
    });

    it('deletes a user, and a second time there is none', async () => {
      expect((await scim.call('DELETE', `/Users/${second}`)).status).toBe(204);
      expect((await scim.call('DELETE', `/Users/${second}`)).status).toBe(404);
      expect((await scim.call('GET', `/Groups/${group}`)).body.members).toBeUndefined();
    });
  });

  describe(`pages on ${name}`, () => {
    const idsFrom = async (startIndex: number, count: number, more = ''): Promise<string[]> => {
      const { body } = await scim.call('GET', `/Users?startIndex=${startIndex}&count=${count}&attributes=id${more}`);
      return (body.Resources ?? []).map(({ id }: { id: string }) => id);
    };

    it('hold each user once and in its place, though one before them went or came since the page before', async () => {
      for (const at of [1, 2, 3, 4, 5, 6]) await scim.call('POST', '/Users', scimUser(`page${at}`));
      const all = await idsFrom(1, 500, '&sortBy=id');
      for (const at of [3, 5]) expect(await idsFrom(at, 2)).toEqual(all.slice(at - 1, at + 1));
      await scim.call('DELETE', `/Users/${all[0]}`);
      const [, ...left] = all;
      for (const at of [5, 2, 4]) expect(await idsFrom(at, 2)).toEqual(left.slice(at - 1, at + 1));
      const { id } = (await scim.call('POST', '/Users', scimUser('page7'))).body;
      expect(await idsFrom(6, 500)).toEqual([...left.slice(5), id]);
    });
  });

  describe(`sixteen connections on ${name}`, () => {
    const AT_ONCE = 16;
    const all = <T>(work: (at: number) => Promise<T>): Promise<T[]> =>
      Promise.all(Array.from({ length: AT_ONCE }, (_, at) => work(at)));
    const versionOf = (etag: string | null): number => Number(/^W\/"(\d+)"$/.exec(etag ?? '')?.[1]);

    it('lose nothing of what each writes to the same user', async () => {
      const { id } = (await scim.call('POST', '/Users', scimUser('busy'))).body;
      const answers = await all((at) =>
        scim.call(
          'PATCH',
          `/Users/${id}`,
          patchOf({ op: 'add', path: 'emails', value: [{ type: `t${at}`, value: `busy${at}@acme.test` }] }),
        ),
      );
      expect(answers.map(({ status }) => status)).toEqual(new Array(AT_ONCE).fill(200));
      const etags = answers.map(({ headers }) => versionOf(headers.get('etag')));
      expect(etags.sort((a, b) => a - b)).toEqual(Array.from({ length: AT_ONCE }, (_, at) => at + 2));
      const { body } = await scim.call('GET', `/Users/${id}`);
      expect(body.emails).toHaveLength(AT_ONCE + 1);
      expect(body.meta.version).toBe(`W/"${AT_ONCE + 1}"`);
    });

    it('write once over a version that each of them has read', async () => {
      const { id, meta } = (await scim.call('POST', '/Users', scimUser('once'))).body;
      const answers = await all((at) =>
        scim.call('PATCH', `/Users/${id}`, patchOf({ op: 'replace', path: 'title', value: `t${at}` }), {
          'if-match': meta.version,
        }),
      );
      const statuses = answers.map(({ status }) => status).sort();
      expect(statuses).toEqual([200, ...new Array(AT_ONCE - 1).fill(412)]);
      const winner = answers.findIndex(({ status }) => status === 200);
      expect((await scim.call('GET', `/Users/${id}`)).body.title).toBe(`t${winner}`);
    });

    it('are all members of the group that each adds one to, and none when each removes its own', async () => {
      const ids = await all(
        async (at) => (await scim.call('POST', '/Users', scimUser(`crowd${at}`))).body.id as string,
      );
      const group = (await scim.call('POST', '/Groups', { displayName: 'crowd' })).body.id;
      const change = (op: string) =>
        all((at) =>
          scim.call(
            'PATCH',
            `/Groups/${group}`,
            patchOf(
              op === 'add'
                ? { op, path: 'members', value: [{ value: ids[at] }] }
                : { op, path: `members[value eq "${ids[at]}"]` },
            ),
          ),
        );
      expect((await change('add')).map(({ status }) => status)).toEqual(new Array(AT_ONCE).fill(204));
      expect((await scim.call('GET', `/Groups/${group}`)).body.members).toHaveLength(AT_ONCE);
      expect(ids.map((_, at) => inGoodData(`crowd${at}`)?.groups)).toEqual(new Array(AT_ONCE).fill(['crowd']));
      expect((await change('remove')).map(({ status }) => status)).toEqual(new Array(AT_ONCE).fill(204));
      const { body } = await scim.call('GET', `/Groups/${group}`);
      expect([body.members, body.meta.version]).toEqual([undefined, `W/"${2 * AT_ONCE + 1}"`]);
      expect(ids.map((_, at) => inGoodData(`crowd${at}`)?.groups)).toEqual(new Array(AT_ONCE).fill([]));
    });

    it('make one user of one name', async () => {
      const answers = await all(() => scim.call('POST', '/Users', scimUser('one')));
      const statuses = answers.map(({ status }) => status).sort();
      expect(statuses).toEqual([201, ...new Array(AT_ONCE - 1).fill(409)]);
    });
  });
}
