import { createAudit } from '../../src/audit/log.ts';
import { type Database, inOneTransaction, openDatabase } from '../../src/directory/database.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { mappingConfigOf } from '../../src/mapping/config.ts';
import { compileMapping } from '../../src/mapping/mapping.ts';
import { defaultSchema, groupsSchema, identitySchema, rulesSchema } from '../../src/mapping/schema.ts';
import { LatchgateError } from '../../src/model/errors.ts';
import type { ScimClient } from '../../src/scim/client.ts';
import { Existing } from '../../src/scim/existing.ts';
import type { Push } from '../../src/scim/push.ts';
import { Pushes } from '../../src/scim/pushes.ts';
import { scimSchema } from '../../src/scim/schema.ts';
import { settleWithin } from '../../src/scim/settle.ts';
import { touchRefused } from '../../src/scim/store/users.ts';
import { createUser, deleteUser, patchUser } from '../../src/scim/users.ts';
import { patchOf, SCIM_TOKEN, scimUser } from '../journey/scim-client.ts';

const WAIT_MS = 200;
const RULES = { leads: { when: { title: 'Lead' }, grant: { bi: { groups: ['leads'] } } } };

type Look = ConstructorParameters<typeof Pushes>[0]['again'];

/** What clients push into one directory in memory; of the targets only which are looked at. */
class Pushing {
  readonly looks: string[] = [];
  /** What comes of a look at a target. */
  inTarget: (target: string) => ReturnType<Look> = async () => ({ status: 'none' });
  readonly warned: unknown[] = [];
  readonly database: Database;
  readonly pushes: Pushes;
  readonly #clients: ReadonlyMap<string, ScimClient>;
  #now = 1_700_000_000_000;

  constructor(database: Database, clients: Readonly<Record<string, object>>, require: readonly string[] = []) {
    this.database = database;
    const tokens = [SCIM_TOKEN];
    const scim = scimSchema.parse({
      clients: Object.fromEntries(Object.entries(clients).map(([name, more]) => [name, { tokens, ...more }])),
    });
    this.#clients = new Map(
      Object.entries(scim.clients).map(([name, config]) => [name, { name, config, ownerOf: (owner) => owner ?? name }]),
    );
    const clock = { now: () => ++this.#now };
    const config = {
      login: {},
      scim,
      identity: identitySchema.parse({ require }),
      groups: groupsSchema.parse({}),
      rules: rulesSchema.parse(RULES),
      default: defaultSchema.parse({ grant: {} }),
      targets: { bi: { type: 'superset' as const } },
      safety: { privileged: [] },
    };
    const look: Look = (person, target) => {
      this.looks.push(`${person} ${target}`);
      return this.inTarget(target);
    };
    this.pushes = new Pushes({
      together: (work) =>
        inOneTransaction(database, (within) =>
          work({ database: within, directory: createDirectory(within, clock), audit: createAudit(within, clock) }),
        ),
      mapping: compileMapping(mappingConfigOf(config)),
      privileged: [],
      clock,
      targets: ['bi', 'side'],
      database,
      clients: this.#clients,
      again: look,
      leave: look,
      endSessions: async () => {},
      waitMs: WAIT_MS,
      log: { warn: (_, fields) => void this.warned.push(fields) },
    });
  }

  client(name = 'okta'): ScimClient {
    return this.#clients.get(name) as ScimClient;
  }

  /** Stores only: nobody is told of it yet. */
  push(client = 'okta'): Push {
    return {
      client: this.client(client),
      now: () => ++this.#now,
      read: (work) => this.database.run(work),
      write: (work) => this.database.transaction((db) => work({ db, note: () => {}, lock: false, tells: false })),
    };
  }

  /** Stores, and tells the directory in the same transaction. `before`: once it is foreseen what becomes of the user. */
  telling(before: () => Promise<void> = async () => {}, client = 'okta'): Push {
    const { deps } = this.pushes;
    const by = this.client(client);
    const existing = new Existing({
      ...deps,
      database: this.database,
      directory: createDirectory(this.database, deps.clock),
      targets: new Map(),
      preview: () => Promise.reject(new Error('there is no target')),
      waitMs: 5_000,
    });
    return {
      ...this.push(client),
      beforeUser: async (coming) => {
        const foreseen = await existing.refuse(by, coming);
        await before();
        return foreseen;
      },
      write: (work) =>
        deps.together(async ({ database, directory }) => {
          const pushed = await database.run((db) => work({ db, note: () => {}, lock: false, tells: true }));
          const told = await settleWithin(deps, { database, directory }, by, pushed.users, 'request', pushed.made);
          return { ...pushed, settled: told.settled };
        }),
    };
  }

  async people(): Promise<readonly { readonly id: string; readonly left: boolean }[]> {
    const rows = await this.database.run((db) =>
      db.selectFrom('people').select(['id', 'left_at']).orderBy('id').execute(),
    );
    return rows.map(({ id, left_at: left }) => ({ id, left: left !== null }));
  }

  async events(event: string): Promise<number> {
    const rows = await this.database.run((db) => db.selectFrom('audit_records').selectAll().execute());
    return rows.filter((row) => JSON.stringify(row).includes(event)).length;
  }
}

let database: Database;
beforeEach(async () => {
  database = await openDatabase('sqlite::memory:');
});
afterEach(() => database.close());

it('looks at every target that something which is said at once leads to', async () => {
  const pushing = new Pushing(database, { okta: { login: 'staff', claims: { title: 'title' } } });
  const { externalId, ...unnamed } = scimUser('ann');
  const { id } = (await createUser(pushing.push(), unnamed)).resource;
  await pushing.pushes.carryOutDue();
  expect(pushing.looks).toEqual([]);
  await patchUser(pushing.push(), id, patchOf({ op: 'replace', value: { externalId, title: 'Lead' } }));
  await pushing.pushes.carryOutDue();
  const [ann] = await pushing.people();
  expect(pushing.looks).toEqual([`${ann?.id} bi`]);
});

describe('somebody whom a client deleted', () => {
  it('is who they were when the client makes them again by the same externalId', async () => {
    const pushing = new Pushing(database, { okta: {} });
    const { id } = (await createUser(pushing.push(), scimUser('ann'))).resource;
    await pushing.pushes.carryOutDue();
    await deleteUser(pushing.push(), id);
    await pushing.pushes.carryOutDue();
    expect(await pushing.people()).toEqual([{ id: expect.any(String), left: true }]);
    await createUser(pushing.push(), { ...scimUser('annie'), externalId: 'ann' });
    await pushing.pushes.carryOutDue();
    expect(await pushing.people()).toEqual([{ id: expect.any(String), left: false }]);
  });

  it('is not whoever has the same name and address by now, or comes from another client', async () => {
    const pushing = new Pushing(database, { okta: {}, other: {} });
    const { id } = (await createUser(pushing.push(), scimUser('ann'))).resource;
    await pushing.pushes.carryOutDue();
    await deleteUser(pushing.push(), id);
    await pushing.pushes.carryOutDue();
    await createUser(pushing.push(), scimUser('ann', { externalId: 'ann-2' }));
    await createUser(pushing.push('other'), scimUser('ann'));
    await pushing.pushes.carryOutDue();
    expect((await pushing.people()).map(({ left }) => left)).toEqual([true, false, false]);
  });
});

it('goes on with all the others where one user cannot be carried on', async () => {
  const pushing = new Pushing(database, { alpha: {}, okta: {} });
  const { id } = (await createUser(pushing.push('alpha'), scimUser('broken'))).resource;
  await createUser(pushing.push('alpha'), scimUser('ann'));
  await createUser(pushing.push(), scimUser('ben'));
  await database.run((db) => db.updateTable('scim_users').set({ body: '{' }).where('id', '=', id).execute());
  await pushing.pushes.carryOutDue();
  expect(await pushing.people()).toHaveLength(2);
  expect(pushing.warned).toEqual([expect.objectContaining({ client: 'alpha', user: id })]);
});

it('looks again at those whom the mapping refused, and says so once', async () => {
  const strict = new Pushing(database, { okta: {} }, ['email']);
  const { emails, ...unreachable } = scimUser('ann');
  expect(emails).toBeDefined();
  await createUser(strict.push(), unreachable);
  await strict.pushes.carryOutDue();
  await database.run((db) => touchRefused(db, ['okta']));
  await strict.pushes.carryOutDue();
  expect(await strict.people()).toEqual([]);
  expect(await strict.events('scim.not_taken')).toBe(1);
  const lax = new Pushing(database, { okta: {} });
  await database.run((db) => touchRefused(db, ['okta']));
  await lax.pushes.carryOutDue();
  expect(await lax.people()).toHaveLength(1);
  await database.run((db) => touchRefused(db, ['okta']));
  expect(
    await database.run((db) => db.selectFrom('scim_users').select('id').whereRef('pushed', '>', 'settled').execute()),
  ).toEqual([]);
});

describe('a user of whom the directory is told as they are stored', () => {
  const storedAs = () =>
    database.run((db) => db.selectFrom('scim_users').select(['issuer', 'refused', 'settled']).execute());

  it('is decided on by what others say who were heard meanwhile', async () => {
    const staff = { login: 'staff', claims: { title: 'title' } };
    const pushing = new Pushing(database, { okta: staff, other: staff });
    const { settled } = await createUser(
      pushing.telling(async () => {
        await createUser(pushing.push('other'), scimUser('ann', { title: 'Lead' }));
        await pushing.pushes.carryOutDue();
      }),
      scimUser('ann', { title: undefined }),
    );
    const people = await pushing.people();
    expect(people).toHaveLength(1);
    expect(settled?.concerned).toEqual([expect.objectContaining({ person: people[0]?.id, targets: ['bi'] })]);
  });

  it('is known to the directory, and waits for nothing', async () => {
    const pushing = new Pushing(database, { okta: { login: 'staff', claims: { title: 'title' } } });
    const { settled } = await createUser(pushing.telling(), scimUser('ann', { title: 'Lead' }));
    expect(settled?.concerned).toEqual([expect.objectContaining({ targets: ['bi'] })]);
    expect(await storedAs()).toEqual([{ issuer: expect.stringContaining('staff'), refused: null, settled: 1 }]);
    await pushing.pushes.carryOutDue();
    expect(pushing.looks).toEqual([]);
  });

  it('is nobody to the directory where the mapping cannot read them', async () => {
    const pushing = new Pushing(database, { okta: {} }, ['email']);
    const { emails, ...unreachable } = scimUser('ann');
    const { settled } = await createUser(pushing.telling(), unreachable);
    expect([emails, settled?.concerned, await pushing.people()]).toEqual([expect.anything(), [], []]);
    expect(await storedAs()).toEqual([{ issuer: null, refused: 'email_missing', settled: 1 }]);
  });
});

describe('somebody who leaves several targets', () => {
  const leaves = async (pushing: Pushing) => {
    const { id } = (await createUser(pushing.push(), scimUser('ann'))).resource;
    await pushing.pushes.carryOutDue();
    await patchUser(pushing.push(), id, patchOf({ op: 'replace', value: { active: false } }));
    return id;
  };

  it('is out of one while another does not answer, and nobody waits for that longer than they wait', async () => {
    const pushing = new Pushing(database, { okta: {} });
    const id = await leaves(pushing);
    let release = () => {};
    const hanging = new Promise<void>((resolve) => (release = resolve));
    pushing.inTarget = async (target) => {
      if (target === 'bi') await hanging;
      return { status: 'none' };
    };
    expect(await pushing.pushes.carryOut(pushing.client(), [id], 'r1')).toEqual({ failures: [], isDone: false });
    expect(pushing.looks.map((look) => look.split(' ')[1])).toEqual(['bi', 'side']);
    release();
    await pushing.pushes.close();
  });

  it('is not in one that fails, which is said of it alone, and of whoever was pushed', async () => {
    const pushing = new Pushing(database, { okta: {} });
    const id = await leaves(pushing);
    pushing.inTarget = async (target) => {
      if (target === 'bi') throw new LatchgateError('target_unavailable', 'down');
      return { status: 'none' };
    };
    const failure = { target: 'bi', code: 'target_unavailable', users: [id] };
    expect(await pushing.pushes.carryOut(pushing.client(), [id], 'r1')).toEqual({ failures: [failure], isDone: true });
    const waiting = await database.run((db) => db.selectFrom('retries').select(['target', 'code']).execute());
    expect(waiting).toEqual(['bi', 'side'].map((target) => ({ target, code: 'target_pending' })));
  });
});
