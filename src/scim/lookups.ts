import type { Database } from '../directory/database.ts';
import type { ScimGroupRow, ScimUserRow } from '../directory/tables.ts';
import { createSemaphore } from '../ops/semaphore.ts';
import { List, type Listed } from './listing.ts';
import type { ScimObject } from './protocol/attribute.ts';
import { attributesOf, type Filter } from './protocol/filter.ts';
import type { Query } from './protocol/query.ts';
import { type Reference, resourceOf } from './protocol/resource.ts';
import { groupType, userType } from './protocol/resource-types.ts';
import { groupCondition, userCondition } from './store/conditions.ts';
import { groupById, type StoredGroup, toGroup } from './store/groups.ts';
import { groupsOf, membersOf } from './store/members.ts';
import { Milestones } from './store/milestones.ts';
import { groupTable, userTable } from './store/queries.ts';
import { displaysOf, type StoredUser, toUser, userById } from './store/users.ts';

/** Lists that look at every resource, at the same time. */
const SCANS_AT_ONCE = 2;

const COLUMNS = {
  id: 'id',
  externalId: 'external_id',
  'meta.created': 'created_at',
  'meta.lastModified': 'modified_at',
} as const;

/** Reads what a client pushed. `base`: address of the API, without a slash at its end. */
export class Lookups {
  readonly #database: Database;
  readonly #base: string;
  readonly #scans = createSemaphore(SCANS_AT_ONCE);
  /** By client: there are as many as the config names. */
  readonly #milestones = new Map<string, Milestones>();

  constructor(database: Database, base: string) {
    this.#database = database;
    this.#base = base;
  }

  user(client: string, id: string): Promise<StoredUser | undefined> {
    return this.#database.run((db) => userById(db, client, id));
  }

  group(client: string, id: string): Promise<StoredGroup | undefined> {
    return this.#database.run((db) => groupById(db, client, id));
  }

  async showUsers(client: string, users: readonly StoredUser[], withGroups = true): Promise<readonly ScimObject[]> {
    const ids = users.map(({ id }) => id);
    const groups: Awaited<ReturnType<typeof groupsOf>> = withGroups
      ? await this.#database.run((db) => groupsOf(db, client, ids))
      : new Map();
    return users.map((user) => {
      const own = (groups.get(user.id) ?? []).map(
        ({ id, name, type }): Reference => ({ id, type: 'Group', display: name, how: type }),
      );
      return resourceOf(userType, { ...timesOf(user), groups: own }, this.#base);
    });
  }

  async showGroups(
    client: string,
    groups: readonly StoredGroup[],
    withMembers: boolean,
    withDisplays = false,
  ): Promise<readonly ScimObject[]> {
    if (!withMembers) return groups.map((group) => resourceOf(groupType, timesOf(group), this.#base));
    return this.#database.run(async (db) => {
      const shown: ScimObject[] = [];
      for (const group of groups) {
        const members = await membersOf(db, client, group.id);
        const users = withDisplays ? members.filter(({ kind }) => kind === 'User').map(({ id }) => id) : [];
        const displays = await displaysOf(db, client, users);
        const references = members.map(({ id, kind }): Reference => ({ id, type: kind, display: displays.get(id) }));
        shown.push(resourceOf(groupType, { ...timesOf(group), members: references }, this.#base));
      }
      return shown;
    });
  }

  users(client: string, query: Query, signal: AbortSignal): Promise<Listed> {
    const list = new List<ScimUserRow>({
      table: userTable(this.#database, client, this.#milestonesOf(client)),
      condition: (filter) => userCondition(filter, client),
      columns: { ...COLUMNS, userName: 'user_name' },
      show: (rows) => this.showUsers(client, rows.map(toUser), isNeeded('groups', query)),
    });
    return this.#list(list, query, signal);
  }

  groups(client: string, query: Query, signal: AbortSignal): Promise<Listed> {
    const list = new List<ScimGroupRow>({
      table: groupTable(this.#database, client),
      condition: (filter) => groupCondition(filter, client),
      columns: { ...COLUMNS, displayName: 'name_key' },
      show: (rows) =>
        this.showGroups(client, rows.map(toGroup), isNeeded('members', query), isNeeded('members.display', query)),
    });
    return this.#list(list, query, signal);
  }

  #milestonesOf(client: string): Milestones {
    const known = this.#milestones.get(client) ?? new Milestones();
    this.#milestones.set(client, known);
    return known;
  }

  async #list<Row extends { readonly id: string }>(
    list: List<Row>,
    query: Query,
    signal: AbortSignal,
  ): Promise<Listed> {
    const plan = list.plan(query);
    if (plan.isDirect) return list.direct(plan, query.page);
    const release = await this.#scans.acquire(signal);
    try {
      return await list.scanned(plan, query.page, signal);
    } finally {
      release();
    }
  }
}

/** What is neither shown nor looked at is not read. */
function isNeeded(attribute: string, { filter, sort, projection }: Query): boolean {
  const [name = ''] = attribute.split('.', 1);
  const isAsked = (one: Filter | undefined): boolean => one !== undefined && attributesOf(one).has(name);
  return projection.has(attribute) || isAsked(filter) || sort?.path.attribute.name === name;
}

function timesOf({ id, attributes, createdAt, modifiedAt, version }: StoredUser | StoredGroup) {
  return { id, attributes, created: new Date(createdAt), lastModified: new Date(modifiedAt), version };
}
