import { LatchgateError } from '../model/errors.ts';
import type { Answer } from './answer.ts';
import type { Call } from './call.ts';
import { createGroup, deleteGroup, patchGroup, replaceGroupBy } from './groups.ts';
import type { Lookups } from './lookups.ts';
import type { ScimObject } from './protocol/attribute.ts';
import { etagOf, namesEtag } from './protocol/etag.ts';
import { type Projection, readProjection } from './protocol/projection.ts';
import { locationOf } from './protocol/resource.ts';
import { groupType, type ResourceType, userType } from './protocol/resource-types.ts';
import type { Push, Pushed } from './push.ts';
import type { About, NotIn } from './standing.ts';
import type { StoredGroup } from './store/groups.ts';
import type { OwedTable } from './store/owed.ts';
import type { StoredUser } from './store/users.ts';
import { createUser, deleteUser, patchUser, replaceUserBy } from './users.ts';

/** What is done to one kind of resource. */
export interface Kind<Stored extends { readonly id: string; readonly version: number }> {
  readonly type: ResourceType;
  readonly table: OwedTable;
  read(client: string, id: string): Promise<Stored | undefined>;
  /** `isNew`: nobody but us has heard of it yet. */
  show(client: string, stored: Stored, projection: Projection, isNew: boolean): Promise<ScimObject>;
  readonly create: (push: Push, json: unknown) => Promise<Pushed<Stored>>;
  readonly replace: (push: Push, id: string, json: unknown) => Promise<Pushed<Stored>>;
  readonly patch: (push: Push, id: string, json: unknown) => Promise<Pushed<Stored>>;
  readonly remove: (push: Push, id: string) => Promise<Pushed<Stored>>;
}

export function userKind(lookups: Lookups): Kind<StoredUser> {
  return {
    type: userType,
    table: 'scim_users',
    read: (client, id) => lookups.user(client, id),
    // Of a new one no group can know.
    show: async (client, user, projection, isNew) =>
      only(await lookups.showUsers(client, [user], !isNew && projection.has('groups'))),
    create: createUser,
    replace: replaceUserBy,
    patch: patchUser,
    remove: deleteUser,
  };
}

export function groupKind(lookups: Lookups): Kind<StoredGroup> {
  return {
    type: groupType,
    table: 'scim_groups',
    read: (client, id) => lookups.group(client, id),
    show: (client, group, { has }) =>
      lookups.showGroup(client, group, { members: has('members'), displays: has('members.display') }),
    create: createGroup,
    replace: replaceGroupBy,
    patch: patchGroup,
    remove: deleteGroup,
  };
}

function only(shown: readonly ScimObject[]): ScimObject {
  return shown[0] as ScimObject;
}

/** What a write says to the targets, and what becomes of it there. Answers with what the client has to be told of. */
export type CarryOut = (call: Call, pushed: About & Pick<Pushed<unknown>, 'settled'>) => Promise<NotIn | undefined>;

/** Remembers whether a client has still to hear that what it made is there. */
export type Owe = (table: OwedTable, call: Call, id: string, isOwed: boolean) => Promise<void>;

export interface ResourceParts<Stored extends { readonly id: string; readonly version: number }> {
  readonly kind: Kind<Stored>;
  readonly base: string;
  readonly pushOf: (call: Call) => Push;
  readonly carryOut: CarryOut;
  readonly owe: Owe;
}

/** Requests for the resources of one kind by their ids, and for new ones. All throw. */
export class Resources<Stored extends { readonly id: string; readonly version: number }> {
  readonly #parts: ResourceParts<Stored>;

  constructor(parts: ResourceParts<Stored>) {
    this.#parts = parts;
  }

  async read(call: Call, id: string): Promise<Answer> {
    const { kind } = this.#parts;
    const stored = await kind.read(call.client.name, id);
    if (stored === undefined) throw new LatchgateError('not_found', 'there is no such resource');
    const etag = etagOf(stored.version);
    if (call.ifNoneMatch !== undefined && namesEtag(call.ifNoneMatch, etag)) return { status: 304, etag };
    return this.#shown(call, stored, 200);
  }

  async create(call: Call): Promise<Answer> {
    const { kind, pushOf } = this.#parts;
    const projection = this.#projection(call);
    const pushed = await kind.create(pushOf(call), await call.json());
    await this.#carriedOut(call, pushed, true);
    return this.#shown(call, pushed.resource, 201, projection, true);
  }

  async replace(call: Call, id: string): Promise<Answer> {
    const { kind, pushOf } = this.#parts;
    const projection = this.#projection(call);
    const pushed = await kind.replace(pushOf(call), id, await call.json());
    await this.#carriedOut(call, pushed);
    return this.#shown(call, pushed.resource, 200, projection);
  }

  async patch(call: Call, id: string): Promise<Answer> {
    const { kind, pushOf } = this.#parts;
    const projection = this.#projection(call);
    const pushed = await kind.patch(pushOf(call), id, await call.json());
    await this.#carriedOut(call, pushed);
    // Nobody who adds one member wants to hear of ten thousand.
    const isSilent = kind.type === groupType && !call.query.has('attributes') && !call.query.has('excludedAttributes');
    return isSilent
      ? { status: 204, etag: etagOf(pushed.resource.version) }
      : this.#shown(call, pushed.resource, 200, projection);
  }

  async remove(call: Call, id: string): Promise<Answer> {
    const { kind, pushOf } = this.#parts;
    await this.#carriedOut(call, await kind.remove(pushOf(call), id));
    return { status: 204 };
  }

  /** Throws `target_unavailable` when the client is to try again. */
  async #carriedOut(call: Call, pushed: Pushed<Stored>, isMade = false): Promise<void> {
    const { kind, carryOut, owe } = this.#parts;
    const owing = isMade ? (isOwed: boolean) => owe(kind.table, call, pushed.resource.id, isOwed) : undefined;
    if (call.later !== undefined) {
      call.later({ ...pushed, owing });
      return;
    }
    const notIn = await carryOut(call, pushed);
    if (notIn !== undefined) {
      // What it makes once more has to be known again.
      await owing?.(true);
      throw notIn.error;
    }
    if (pushed.isOwed === true) await owing?.(false);
  }

  /** To be read before anything is done: it may be refused. */
  #projection({ query }: Call): Projection {
    const { type } = this.#parts.kind;
    return readProjection(type, query.get('attributes') ?? undefined, query.get('excludedAttributes') ?? undefined);
  }

  async #shown(
    call: Call,
    stored: Stored,
    status: number,
    projection = this.#projection(call),
    isNew = false,
  ): Promise<Answer> {
    const { kind, base } = this.#parts;
    const head = { status, etag: etagOf(stored.version), location: locationOf(base, kind.type, stored.id) };
    // Of one operation among several nobody reads more than which resource it is.
    if (call.later !== undefined) return { ...head, body: { id: stored.id } };
    const resource = await kind.show(call.client.name, stored, projection, isNew);
    return { ...head, body: projection.apply(resource) };
  }
}
