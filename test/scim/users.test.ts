import { type Database, openDatabase } from '../../src/directory/database.ts';
import { Lookups } from '../../src/scim/lookups.ts';
import { ScimError } from '../../src/scim/protocol/error.ts';
import { type RawQuery, readQuery } from '../../src/scim/protocol/query.ts';
import { userType } from '../../src/scim/protocol/resource-types.ts';
import type { Push, Pushed } from '../../src/scim/push.ts';
import type { StoredUser } from '../../src/scim/store/users.ts';
import { createUser, patchUser, replaceUserBy } from '../../src/scim/users.ts';
import { patchOf, scimUser } from '../journey/scim-client.ts';

let database: Database;
let clock = 0;
let notes: Parameters<Parameters<Parameters<Push['write']>[0]>[0]['note']>[0][] = [];
beforeEach(async () => {
  database = await openDatabase('sqlite::memory:');
  notes = [];
});
afterEach(() => database.close());

function push(): Push {
  return {
    client: { name: 'okta', config: {} as Push['client']['config'], ownerOf: () => 'okta' },
    now: () => ++clock,
    read: (work) => database.run(work),
    write: (work) =>
      database.transaction((db) => work({ db, note: (entry) => notes.push(entry), lock: false, tells: false })),
  };
}

describe('a request that switches a user off', () => {
  let ann: string;
  beforeEach(async () => {
    ann = (await createUser(push(), scimUser('ann'))).resource.id;
    await createUser(push(), scimUser('ben'));
  });

  const twice = [
    { value: 'a@acme.test', primary: true },
    { value: 'b@acme.test', primary: true },
  ];

  it.each([
    ['two primary addresses', { emails: twice }, 'emails (refused)', { emails: scimUser('ann')['emails'] }],
    ['a title that is no text', { title: 7 }, 'title (refused)', {}],
    ['the name of another user', { userName: 'BEN@acme.test' }, 'userName (refused)', { userName: 'ann@acme.test' }],
    ['the externalId of another user', { externalId: 'ben' }, 'externalId (refused)', { externalId: 'ann' }],
  ])('by PUT does so beside %s, and changes what else can be', async (_what, wrong, dropped, kept) => {
    const leaving = { ...scimUser('ann'), nickName: 'Annie', ...wrong };
    await expect(replaceUserBy(push(), ann, leaving)).rejects.toBeInstanceOf(ScimError);
    const { resource, users } = await replaceUserBy(push(), ann, { ...leaving, active: 'False' });
    expect(resource.attributes).toEqual({
      ...scimUser('ann'),
      schemas: undefined,
      ...kept,
      nickName: 'Annie',
      active: false,
    });
    expect([users, notes.at(-1)?.dropped]).toEqual([[ann], [dropped]]);
  });

  it('by PATCH does so beside the name of another user', async () => {
    const rename = { op: 'replace', path: 'userName', value: 'ben@acme.test' };
    await expect(patchUser(push(), ann, patchOf(rename))).rejects.toMatchObject({ code: 'scim_taken' });
    const { resource } = await patchUser(push(), ann, patchOf(rename, { op: 'replace', value: { active: false } }));
    expect(resource.attributes).toMatchObject({ userName: 'ann@acme.test', active: false });
  });

  it('is refused where it does so to nobody: who is out by now, or is another kind of thing', async () => {
    const refused = async (work: () => Promise<Pushed<StoredUser>>) =>
      expect(work()).rejects.toMatchObject({ status: expect.any(Number) });
    const off = { ...scimUser('ann'), active: false };
    await refused(() => replaceUserBy(push(), ann, [off]));
    await refused(() => replaceUserBy(push(), 'nobody', { ...off, title: 7 }));
    await replaceUserBy(push(), ann, off);
    await refused(() => replaceUserBy(push(), ann, { ...off, title: 7 }));
    await refused(() => replaceUserBy(push(), ann, { ...off, userName: 'ben@acme.test' }));
  });
});

it('users may all have an empty externalId, which is none', async () => {
  for (const name of ['ann', 'ben']) {
    const { resource } = await createUser(push(), scimUser(name, { externalId: '' }));
    expect(resource.attributes).toMatchObject({ externalId: '' });
  }
  await expect(createUser(push(), scimUser('cara', { externalId: 'c' }))).resolves.toBeDefined();
  await expect(createUser(push(), scimUser('dora', { externalId: 'c' }))).rejects.toMatchObject({ code: 'scim_taken' });
  const raw = { filter: 'externalId eq ""' } as unknown as RawQuery;
  const query = readQuery(userType, raw, { defaultCount: 100, maxCount: 100 });
  const found = await new Lookups(database, 'https://x').users('okta', query, new AbortController().signal);
  expect(found.total).toBe(2);
});

describe('what is large', () => {
  const photos = (length: number, letter: string) => [{ value: `https://acme.test/${letter.repeat(length)}` }];

  it('is in the audit by its hash alone', async () => {
    const { id } = (await createUser(push(), scimUser('ann', { photos: photos(60_000, 'a') }))).resource;
    await patchUser(push(), id, patchOf({ op: 'replace', value: { photos: photos(60_000, 'b'), title: 'Lead' } }));
    const said = expect.stringMatching(/^60\d{3} characters, SHA-256 [\w-]{43}$/);
    expect(notes.at(-1)).toMatchObject({ before: { photos: said }, after: { photos: said, title: 'Lead' } });
    const { before, after } = notes.at(-1) as { before: StoredUser['attributes']; after: StoredUser['attributes'] };
    expect(before['photos']).not.toEqual(after['photos']);
  });

  it('is refused as one user', async () => {
    const many = Array.from({ length: 5 }, (_, at) => photos(60_000, String(at))[0]);
    const tooLarge = { status: 413 };
    await expect(createUser(push(), scimUser('ann', { photos: many }))).rejects.toMatchObject(tooLarge);
    const { id } = (await createUser(push(), scimUser('ann', { photos: many.slice(1) }))).resource;
    const one = patchOf({ op: 'add', path: 'photos', value: many[0] });
    await expect(patchUser(push(), id, one)).rejects.toMatchObject(tooLarge);
    // As a version without the limit left it.
    const body = JSON.stringify({ ...scimUser('ann'), photos: many });
    await database.run((db) => db.updateTable('scim_users').set({ body }).where('id', '=', id).execute());
    const off = await patchUser(push(), id, patchOf({ op: 'replace', value: { active: false } }));
    expect(off.resource.attributes).toMatchObject({ active: false });
  });
});
