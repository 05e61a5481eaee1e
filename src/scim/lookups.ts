import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Database } from '../directory/database.ts';
import type { ScimGroupRow, ScimUserRow } from '../directory/tables.ts';
import { createSemaphore } from '../ops/semaphore.ts';
import { List } from './listing.ts';
import type { ScimObject } from './protocol/attribute.ts';
import { attributesOf } from './protocol/filter.ts';
import type { Query } from './protocol/query.ts';
import { type Reference, resourceOf } from './protocol/resource.ts';
import { groupType, userType } from './protocol/resource-types.ts';
import { groupCondition, userCondition } from './store/conditions.ts';
import { groupById, type StoredGroup, toGroup } from './store/groups.ts';
import { groupsOf, type Member, membersAfter } from './store/members.ts';
import { Milestones } from './store/milestones.ts';
import { type Found, groupTable, userTable } from './store/queries.ts';
import { displaysOf, type StoredUser, toUser, userById } from './store/users.ts';

/** Lists that look at every resource, at the same time. */
const SCANS_AT_ONCE = 2;

/** What is read between two turns of the event loop: members of a group, users with their groups. */
const MEMBERS_AT_ONCE = 5_000;
const USERS_AT_ONCE = 100;

/** What is read of a group, beside itself. */
interface GroupParts {
  readonly members: boolean;
  /** The names of the members, too. */
  readonly displays: boolean;
}

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

  async showGroup(client: string, group: StoredGroup, parts: GroupParts): Promise<ScimObject> {
    if (!parts.members) return resourceOf(groupType, timesOf(group), this.#base);
    const references: Reference[] = [];
    for await (const members of this.#membersOf(client, group.id)) {
      const users = parts.displays ? members.filter(({ kind }) => kind === 'User').map(({ id }) => id) : [];
      const displays = await this.#database.run((db) => displaysOf(db, client, users));
      for (const { id, kind } of members) references.push({ id, type: kind, display: displays.get(id) });
    }
    return resourceOf(groupType, { ...timesOf(group), members: references }, this.#base);
  }

  /** Others get their turn in between: groups of ten thousand members are read and shown one after another. */
  async *#groupsInTurn(
    client: string,
    groups: readonly StoredGroup[],
    parts: GroupParts,
  ): AsyncGenerator<readonly ScimObject[], void> {
    if (!parts.members) yield await Promise.all(groups.map((group) => this.showGroup(client, group, parts)));
    else for (const group of groups) yield [await this.showGroup(client, group, parts)];
  }

  async *#membersOf(client: string, group: string): AsyncGenerator<readonly Member[], void> {
    for (let after = ''; ; ) {
      const from = after;
      const members = await this.#database.run((db) => membersAfter(db, client, group, from, MEMBERS_AT_ONCE));
      if (members.length > 0) yield members;
      await nextTurn();
      if (members.length < MEMBERS_AT_ONCE) return;
      after = members.at(-1)?.id ?? '';
    }
  }

  /** The same: each may be in a thousand groups. */
  async *#usersInTurn(
    client: string,
    rows: readonly ScimUserRow[],
    withGroups: boolean,
  ): AsyncGenerator<readonly ScimObject[], void> {
    const atOnce = withGroups ? USERS_AT_ONCE : rows.length;
    for (let from = 0; from < rows.length; from += atOnce) {
      if (from > 0) await nextTurn();
      yield await this.showUsers(client, rows.slice(from, from + atOnce).map(toUser), withGroups);
    }
  }

  async users(
    client: string,
    query: Query,
    signal: AbortSignal,
  ): Promise<{ readonly total: number; readonly resources: readonly ScimObject[] }> {
    const looksAtGroups = isLookedAt('groups', query);
    const list = new List<ScimUserRow>({
      table: userTable(this.#database, client, this.#milestonesOf(client)),
      condition: (filter) => userCondition(filter, client),
      columns: { ...COLUMNS, userName: 'user_name' },
      look: (rows) => this.#usersInTurn(client, rows, looksAtGroups),
    });
    const { total, rows } = await this.#list(list, query, signal);
    const resources: ScimObject[] = [];
    for await (const some of this.#usersInTurn(client, rows, query.projection.has('groups'))) resources.push(...some);
    return { total, resources };
  }

  /** `resources`: as many as `count` says, read when they are asked for. */
  async groups(
    client: string,
    query: Query,
    signal: AbortSignal,
  ): Promise<{
    readonly total: number;
    readonly count: number;
    readonly resources: AsyncIterable<readonly ScimObject[]>;
  }> {
    const looked: GroupParts = { members: isLookedAt('members', query), displays: isLookedAt('members', query) };
    const { has } = query.projection;
    const list = new List<ScimGroupRow>({
      table: groupTable(this.#database, client),
      condition: (filter) => groupCondition(filter, client),
      columns: { ...COLUMNS, displayName: 'name_key' },
      look: (rows) => this.#groupsInTurn(client, rows.map(toGroup), looked),
    });
    const { total, rows } = await this.#list(list, query, signal);
    const shown: GroupParts = { members: has('members'), displays: has('members.display') };
    return { total, count: rows.length, resources: this.#groupsInTurn(client, rows.map(toGroup), shown) };
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
  ): Promise<Found<Row>> {
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

/** What is not looked at is not read, unless it is shown. */
function isLookedAt(name: string, { filter, sort }: Query): boolean {
  return (filter !== undefined && attributesOf(filter).has(name)) || sort?.path.attribute.name === name;
}

function timesOf({ id, attributes, createdAt, modifiedAt, version }: StoredUser | StoredGroup) {
  return { id, attributes, created: new Date(createdAt), lastModified: new Date(modifiedAt), version };
}
