import { ENTERPRISE, GROUP, USER } from './schema.ts';

/** A running service, the emulator or a real one. */
export interface ContractSubject {
  /** The base address. */
  readonly url: string;
  readonly token: string;
  stop(): Promise<void>;
}

const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

type Json = Readonly<Record<string, unknown>>;

interface Answer {
  readonly status: number;
  readonly scimType: unknown;
  readonly json: Json;
  readonly headers: Headers;
}

/** What the emulator does as the reference server of the scim2 packages does it. Run against both. */
export function describeContract(name: string, start: () => Promise<ContractSubject>): void {
  describe(`SCIM as ${name} speaks it`, () => {
    let subject: ContractSubject;
    let users = 0;
    beforeAll(async () => {
      subject = await start();
    }, 600_000);
    afterAll(() => subject?.stop());

    const call = async (method: string, path: string, body?: unknown, token = subject.token): Promise<Answer> => {
      const answer = await fetch(`${subject.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json' },
        body: body === undefined ? null : JSON.stringify(body),
      });
      const text = await answer.text();
      const json = (text === '' ? {} : JSON.parse(text)) as Json;
      return { status: answer.status, scimType: json['scimType'], json, headers: answer.headers };
    };
    const patch = (path: string, ...Operations: readonly Json[]) =>
      call('PATCH', path, { schemas: [PATCH], Operations });
    const newUser = async (more: Json = {}) => {
      users += 1;
      const body = { schemas: [USER], userName: `User-${users}-${Date.now()}`, active: true, ...more };
      const { json } = await call('POST', '/Users', body);
      return { id: String(json['id']), path: `/Users/${json['id']}`, body };
    };
    const newGroup = async (members: readonly string[] = []) => {
      users += 1;
      const body = { schemas: [GROUP], displayName: `Group ${users} ${Date.now()}` };
      const listed = members.length === 0 ? {} : { members: members.map((value) => ({ value })) };
      const { json } = await call('POST', '/Groups', { ...body, ...listed });
      return { id: String(json['id']), path: `/Groups/${json['id']}`, body };
    };
    const filtered = (endpoint: string, filter: string) =>
      call('GET', `/${endpoint}?filter=${encodeURIComponent(filter)}`);
    const idsIn = ({ json }: Answer) => ((json['Resources'] ?? []) as Json[]).map(({ id }) => id);

    it('lets nobody in without the token', async () => {
      expect(await call('GET', '/Users', undefined, 'another')).toMatchObject({ status: 401 });
    });

    it('says what it can do', async () => {
      const { status, json } = await call('GET', '/ServiceProviderConfig');
      expect([status, json['patch'], json['etag']]).toEqual([200, { supported: true }, { supported: true }]);
      for (const path of ['/ResourceTypes', '/Schemas']) {
        expect(await call('GET', path)).toMatchObject({ status: 200, json: { Resources: expect.any(Array) } });
      }
      expect(await call('GET', '/Nothing')).toMatchObject({ status: 404 });
    });

    it('makes a user, shows it and takes it away', async () => {
      const { path, body } = await newUser({ externalId: 'e1' });
      const shown = await call('GET', path);
      expect(shown).toMatchObject({ status: 200, json: { userName: body.userName, externalId: 'e1', active: true } });
      expect(shown.headers.get('content-type')).toMatch(/^application\/scim\+json/);
      expect(shown.headers.get('etag')).toBe((shown.json['meta'] as Json)['version']);
      expect(await call('DELETE', path)).toMatchObject({ status: 204 });
      expect(await call('GET', path)).toMatchObject({ status: 404, json: { status: '404' } });
      expect(await call('DELETE', path)).toMatchObject({ status: 404 });
    });

    it('refuses a user that cannot be', async () => {
      const { body } = await newUser();
      const taken = { ...body, userName: body.userName.toUpperCase() };
      expect(await call('POST', '/Users', taken)).toMatchObject({ status: 409, scimType: 'uniqueness' });
      const bodies = [{ schemas: [USER] }, { ...body, userName: 'y', active: 'sometimes' }, []];
      for (const one of bodies) expect([one, (await call('POST', '/Users', one)).status]).toEqual([one, 400]);
    });

    it('finds by filters, in any case where case does not count', async () => {
      const email = `mail-${Date.now()}@example.com`;
      const { id, body } = await newUser({ externalId: 'Ext', emails: [{ value: email, primary: true }] });
      expect(idsIn(await filtered('Users', `userName eq "${body.userName.toUpperCase()}"`))).toEqual([id]);
      expect(idsIn(await filtered('Users', `emails.value eq "${email}"`))).toEqual([id]);
      expect(idsIn(await filtered('Users', 'externalId eq "EXT"'))).toEqual([]);
      expect(idsIn(await filtered('Users', 'userName eq "a\\"b"'))).toEqual([]);
      for (const filter of ['userName eq', 'userName eq "x', 'nothing eq "x"', 'userName xx "x"']) {
        expect([filter, await filtered('Users', filter)]).toMatchObject([
          filter,
          { status: 400, scimType: 'invalidFilter' },
        ]);
      }
    });

    it('gives a list in pages', async () => {
      await newUser();
      await newUser();
      const first = await call('GET', '/Users?startIndex=1&count=1');
      const total = Number(first.json['totalResults']);
      expect(first.json).toMatchObject({ itemsPerPage: 1, startIndex: 1 });
      expect(total).toBeGreaterThan(1);
      const second = await call('GET', '/Users?startIndex=2&count=1');
      expect(idsIn(second)).not.toEqual(idsIn(first));
      expect(idsIn(await call('GET', `/Users?startIndex=${total + 1}&count=5`))).toEqual([]);
    });

    it('changes single attributes by PATCH', async () => {
      const { path } = await newUser({ name: { givenName: 'Ada', familyName: 'L' }, displayName: 'Ada L' });
      const { status } = await patch(
        path,
        { op: 'replace', path: 'name.givenName', value: 'Augusta' },
        { op: 'replace', path: 'active', value: false },
        { op: 'remove', path: 'displayName' },
        { op: 'replace', path: 'emails', value: [{ value: 'a@example.com', primary: true }] },
      );
      expect([200, 204]).toContain(status);
      const { json } = await call('GET', path);
      expect(json).toMatchObject({ name: { givenName: 'Augusta', familyName: 'L' }, active: false });
      expect(json['displayName']).toBeUndefined();
      expect(json['emails']).toEqual([{ value: 'a@example.com', primary: true }]);
    });

    it('changes attributes of the enterprise extension by their URN', async () => {
      const { path } = await newUser();
      const department = `${ENTERPRISE}:department`;
      await patch(
        path,
        { op: 'replace', path: department, value: 'Engines' },
        { op: 'replace', path: 'title', value: 'Countess' },
      );
      expect((await call('GET', path)).json).toMatchObject({
        schemas: [USER, ENTERPRISE],
        title: 'Countess',
        [ENTERPRISE]: { department: 'Engines' },
      });
      await patch(path, { op: 'remove', path: department });
      expect((await call('GET', path)).json[ENTERPRISE] ?? {}).toEqual({});
    });

    it('refuses a PATCH that cannot be', async () => {
      const { path } = await newUser();
      expect(await patch(path, { op: 'replace', path: 'nothing', value: 'x' })).toMatchObject({
        status: 400,
        scimType: 'invalidPath',
      });
      expect(await patch(path, { op: 'remove' })).toMatchObject({ status: 400, scimType: 'noTarget' });
      expect(await patch(path, { op: 'replace', path: 'id', value: 'x' })).toMatchObject({
        status: 400,
        scimType: 'mutability',
      });
      for (const one of [
        { op: 'remove', path: 'userName' },
        { op: 'move', path: 'title', value: 'x' },
        { op: 'replace', path: 'active', value: 'sometimes' },
      ]) {
        expect([one, (await patch(path, one)).status]).toEqual([one, 400]);
      }
      expect(await call('PATCH', path, { Operations: [] })).toMatchObject({ status: 400 });
      expect(await patch('/Users/nobody', { op: 'replace', path: 'active', value: false })).toMatchObject({
        status: 404,
      });
    });

    it('writes over one version alone', async () => {
      const { path, body } = await newUser();
      const headers = { authorization: `Bearer ${subject.token}`, 'content-type': 'application/scim+json' };
      const put = (version: string) =>
        fetch(`${subject.url}${path}`, {
          method: 'PUT',
          headers: { ...headers, 'if-match': version },
          body: JSON.stringify({ ...body, title: 'Countess' }),
        });
      const version = String((await call('GET', path)).headers.get('etag'));
      expect((await put('W/"of another time"')).status).toBe(412);
      expect((await put(version)).status).toBe(200);
      expect((await put(version)).status).toBe(412);
    });

    it('adds and removes single members of a group', async () => {
      const [ada, bob] = [await newUser(), await newUser()];
      const group = await newGroup([ada.id]);
      await patch(group.path, { op: 'add', path: 'members', value: [{ value: bob.id }] });
      await patch(group.path, { op: 'add', path: 'members', value: [{ value: bob.id }] });
      const members = async () =>
        (((await call('GET', group.path)).json['members'] ?? []) as Json[]).map(({ value }) => value);
      expect(await members()).toEqual([ada.id, bob.id]);
      expect(idsIn(await filtered('Groups', `members.value eq "${bob.id}"`))).toEqual([group.id]);
      await patch(group.path, { op: 'remove', path: `members[value eq "${ada.id}"]` });
      expect(await members()).toEqual([bob.id]);
      const without = await call('GET', `${group.path}?excludedAttributes=members`);
      expect(without.json).toMatchObject({ displayName: group.body.displayName });
      expect(without.json['members']).toBeUndefined();
    });
  });
}
