import type { Options } from './options.ts';
import { GROUP, USER } from './schema.ts';
import { type ScimEmulator, startScimEmulator } from './server.ts';

const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
const BULK = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';

/** Where the emulator is stricter than the reference server, as RFC 7643 and RFC 7644 let a service be. */
let emulator: ScimEmulator;
afterEach(() => emulator.close());

async function start(options: Partial<Options> = {}) {
  emulator = await startScimEmulator(options);
  const call = async (method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) => {
    const answer = await fetch(`${emulator.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${emulator.token}`, 'content-type': 'application/scim+json', ...headers },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.text();
    const json = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
    return { status: answer.status, scimType: json['scimType'], json };
  };
  const make = async (path: string, body: Readonly<Record<string, unknown>>) =>
    `${path}/${(await call('POST', path, body)).json['id']}`;
  return { call, make };
}

it('wants the schema of what it is sent, and no attribute that is not in it', async () => {
  const { call } = await start();
  for (const body of [
    { userName: 'x' },
    { schemas: [GROUP], userName: 'x' },
    { schemas: [USER], userName: 'x', shoeSize: '44' },
    { schemas: [USER], userName: 'x', active: 'true' },
    { schemas: [USER], userName: 'x', emails: 'a@example.com' },
  ]) {
    expect([body, (await call('POST', '/Users', body)).status]).toEqual([body, 400]);
  }
  const body = { schemas: [USER], userName: 'x' };
  expect(await call('POST', '/Users', body, { 'content-type': 'text/plain' })).toMatchObject({ status: 415 });
  expect(await call('GET', '/Users?page=1')).toMatchObject({ status: 400 });
});

it('wants members to be there, those who come and those who go', async () => {
  const { call, make } = await start();
  const group = { schemas: [GROUP], displayName: 'team' };
  const nobody = [{ value: 'u999999' }];
  expect(await call('POST', '/Groups', { ...group, members: nobody })).toMatchObject({ scimType: 'invalidValue' });
  const path = await make('/Groups', group);
  for (const [operation, scimType] of [
    [{ op: 'add', path: 'members', value: nobody }, 'invalidValue'],
    [{ op: 'remove', path: 'members[value eq "u999999"]' }, 'noTarget'],
    [{ op: 'Add', path: 'members', value: nobody }, 'invalidSyntax'],
  ] as const) {
    expect(await call('PATCH', path, { schemas: [PATCH], Operations: [operation] })).toMatchObject({
      status: 400,
      scimType,
    });
  }
});

it('does not do what it says that it cannot', async () => {
  const { call, make } = await start({ patch: false, filter: false, me: false, deletes: false });
  const path = await make('/Users', { schemas: [USER], userName: 'x' });
  const Operations = [{ op: 'replace', path: 'active', value: false }];
  expect(await call('PATCH', path, { schemas: [PATCH], Operations })).toMatchObject({ status: 501 });
  expect(await call('GET', '/Users?filter=userName%20eq%20%22x%22')).toMatchObject({ status: 501 });
  expect(await call('GET', '/Me')).toMatchObject({ status: 501 });
  expect(await call('DELETE', path)).toMatchObject({ status: 405 });
  expect(await call('POST', '/Bulk', { schemas: [BULK], Operations: [] })).toMatchObject({ status: 501 });
});

it('writes nothing without a version where it demands one', async () => {
  const { call, make } = await start({ etag: 'required' });
  const path = await make('/Users', { schemas: [USER], userName: 'x' });
  expect(await call('DELETE', path)).toMatchObject({ status: 428 });
  expect(await call('DELETE', path, undefined, { 'if-match': 'W/"0"' })).toMatchObject({ status: 412 });
  const { meta } = (await call('GET', path)).json as { readonly meta: { readonly version: string } };
  expect(await call('DELETE', path, undefined, { 'if-match': meta.version })).toMatchObject({ status: 204 });
});

it('takes in Bulk as much as it says, and answers each for itself', async () => {
  const { call } = await start({ bulk: { maxOperations: 2, maxPayloadSize: 10_000 } });
  const post = (bulkId: string, userName: string) => ({
    method: 'POST',
    path: '/Users',
    bulkId,
    data: { schemas: [USER], userName },
  });
  const bulk = (...Operations: readonly unknown[]) => call('POST', '/Bulk', { schemas: [BULK], Operations });
  expect(await bulk(post('a', 'x'), post('b', 'X'))).toMatchObject({
    status: 200,
    json: {
      Operations: [
        { bulkId: 'a', status: '201', location: expect.stringMatching(/\/Users\/u\d+$/) },
        { bulkId: 'b', status: '409' },
      ],
    },
  });
  expect(await bulk(post('a', 'p'), post('b', 'q'), post('c', 'r'))).toMatchObject({ status: 413 });
  expect(await bulk(post('a', 'x'.repeat(10_000)))).toMatchObject({ status: 413 });
});

it('says of a page that it is everything, gives everything for a page, and leaves members out, as it is told', async () => {
  const { call, make } = await start({ pageSize: 2, countsPage: true, listsMembers: false });
  const user = await make('/Users', { schemas: [USER], userName: 'x' });
  await make('/Users', { schemas: [USER], userName: 'y' });
  await make('/Groups', { schemas: [GROUP], displayName: 'team', members: [{ value: user.slice('/Users/'.length) }] });
  expect((await call('GET', '/Users?count=100')).json).toMatchObject({ totalResults: 2, itemsPerPage: 2 });
  const { Resources } = (await call('GET', '/Groups')).json as { readonly Resources: readonly unknown[] };
  expect(Resources).toEqual([expect.not.objectContaining({ members: expect.anything() })]);
});
