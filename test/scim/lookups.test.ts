import { type Database, openDatabase } from '../../src/directory/database.ts';
import { createGroup } from '../../src/scim/groups.ts';
import { Lookups } from '../../src/scim/lookups.ts';
import { type RawQuery, readQuery } from '../../src/scim/protocol/query.ts';
import { groupType, userType } from '../../src/scim/protocol/resource-types.ts';
import type { Push } from '../../src/scim/push.ts';
import { createUser } from '../../src/scim/users.ts';
import { scimUser } from '../journey/scim-client.ts';

const GROUPS = 12;
const LIMITS = { defaultCount: 100, maxCount: 1_000 };

let database: Database;
let lookups: Lookups;
let turns = 0;
let clock = 0;
beforeAll(async () => {
  database = await openDatabase('sqlite::memory:');
  lookups = new Lookups(database, 'https://bi.example.com/scim/v2');
  const ids: string[] = [];
  for (const name of ['ann', 'ben', 'cara']) ids.push((await createUser(push(), scimUser(name))).resource.id);
  for (let at = 0; at < GROUPS; at += 1) {
    const members = ids.slice(0, 1 + (at % 3)).map((value) => ({ value }));
    await createGroup(push(), { displayName: `team ${String(at).padStart(2, '0')}`, members });
  }
});
beforeEach(() => {
  turns = 0;
  const count = (): void => {
    turns += 1;
    counting = setImmediate(count);
  };
  let counting = setImmediate(count);
  stop = () => clearImmediate(counting);
});
let stop = (): void => {};
afterEach(() => stop());
afterAll(() => database.close());

function push(): Push {
  return {
    client: { name: 'okta', config: {} as Push['client']['config'], ownerOf: () => 'okta' },
    now: () => ++clock,
    read: (work) => database.run(work),
    write: (work) => database.transaction((db) => work({ db, note: () => {}, lock: false, tells: false })),
  };
}

function groups(query: Partial<RawQuery>) {
  const read = readQuery(groupType, query as RawQuery, LIMITS);
  return lookups.groups('okta', read, new AbortController().signal);
}

/** Names and how many members each has. */
async function namesIn(query: Partial<RawQuery>): Promise<readonly (readonly [unknown, number | undefined])[]> {
  const found: (readonly [unknown, number | undefined])[] = [];
  for await (const some of (await groups(query)).resources) {
    for (const { displayName, members } of some) found.push([displayName, (members as unknown[] | undefined)?.length]);
  }
  return found;
}

describe('groups with their members', () => {
  it('are read one after another, and others get their turn in between', async () => {
    expect(await namesIn({})).toHaveLength(GROUPS);
    expect(turns).toBeGreaterThanOrEqual(GROUPS);
  });

  it('are read when they are asked for, and no more of them', async () => {
    const { total, count, resources } = await groups({});
    const before = turns;
    for await (const [first] of resources) {
      expect(first).toMatchObject({ displayName: 'team 00', members: [{ type: 'User' }] });
      break;
    }
    expect([total, count]).toEqual([GROUPS, GROUPS]);
    expect(turns - before).toBeLessThan(GROUPS);
  });

  it('are not read for a filter or an order that looks at something else', async () => {
    expect(await namesIn({ filter: 'displayName ew "07"' })).toEqual([['team 07', 2]]);
    expect(await namesIn({ sortBy: 'meta.resourceType', count: 1 })).toEqual([['team 00', 1]]);
    expect(turns).toBeLessThan(GROUPS);
  });

  it('are found by them, and put in order by the first', async () => {
    const three = { filter: 'members.type eq "User" and displayName sw "team 0"', startIndex: 3, count: 2 };
    expect(await namesIn(three)).toEqual([
      ['team 02', 3],
      ['team 03', 1],
    ]);
    expect(await namesIn({ sortBy: 'members', startIndex: GROUPS })).toEqual([['team 11', 3]]);
    expect(await namesIn({ filter: 'members.display co "CARA"', excludedAttributes: 'members' })).toEqual(
      ['02', '05', '08', '11'].map((at) => [`team ${at}`, undefined]),
    );
  });
});

it('users are found by their groups, and shown without them', async () => {
  const query = { filter: 'groups.display eq "team 01"', attributes: 'userName' } as unknown as RawQuery;
  const read = readQuery(userType, query, LIMITS);
  const { total, resources } = await lookups.users('okta', read, new AbortController().signal);
  expect([total, resources.map((one) => [one['userName'], one['groups']])]).toEqual([
    2,
    [
      ['ann@acme.test', undefined],
      ['ben@acme.test', undefined],
    ],
  ]);
});
