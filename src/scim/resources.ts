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
import type { StoredGroup } from './store/groups.ts';
import type { StoredUser } from './store/users.ts';
import { createUser, deleteUser, patchUser, replaceUserBy } from './users.ts';

/** What is done to one kind of resource. */
export interface Kind<Stored extends { readonly id: string; readonly version: number }> {
  readonly type: ResourceType;
  read(client: string, id: string): Promise<Stored | undefined>;
  show(client: string, stored: Stored, projection: Projection): Promise<ScimObject>;
  readonly create: (push: Push, json: unknown) => Promise<Pushed<Stored>>;
  readonly replace: (push: Push, id: string, json: unknown) => Promise<Pushed<Stored>>;
  readonly patch: (push: Push, id: string, json: unknown) => Promise<Pushed<Stored>>;
  readonly remove: (push: Push, id: string) => Promise<Pushed<Stored>>;
}

export function userKind(lookups: Lookups): Kind<StoredUser> {
  return {
    type: userType,
    read: (client, id) => lookups.user(client, id),
    show: async (client, user) => only(await lookups.showUsers(client, [user])),
    create: createUser,
    replace: replaceUserBy,
    patch: patchUser,
    remove: deleteUser,
  };
}

export function groupKind(lookups: Lookups): Kind<StoredGroup> {
  return {
    type: groupType,
    read: (client, id) => lookups.group(client, id),
    show: async (client, group, { has }) =>
      only(await lookups.showGroups(client, [group], has('members'), has('members.display'))),
    create: createGroup,
    replace: replaceGroupBy,
    patch: patchGroup,
    remove: deleteGroup,
  };
}

function only(shown: readonly ScimObject[]): ScimObject {
  return shown[0] as ScimObject;
}

/** What a write says to the targets, and what becomes of it there. */
export type CarryOut = (call: Call, pushed: Pick<Pushed<unknown>, 'users' | 'settled'>) => Promise<void>;

export interface ResourceParts<Stored extends { readonly id: string; readonly version: number }> {
  readonly kind: Kind<Stored>;
  readonly base: string;
  readonly pushOf: (call: Call) => Push;
  readonly carryOut: CarryOut;
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
    const { kind, pushOf, carryOut } = this.#parts;
    const projection = this.#projection(call);
    const pushed = await kind.create(pushOf(call), await call.json());
    await carryOut(call, pushed);
    return this.#shown(call, pushed.resource, 201, projection);
  }

  async replace(call: Call, id: string): Promise<Answer> {
    const { kind, pushOf, carryOut } = this.#parts;
    const projection = this.#projection(call);
    const pushed = await kind.replace(pushOf(call), id, await call.json());
    await carryOut(call, pushed);
    return this.#shown(call, pushed.resource, 200, projection);
  }

  async patch(call: Call, id: string): Promise<Answer> {
    const { kind, pushOf, carryOut } = this.#parts;
    const projection = this.#projection(call);
    const pushed = await kind.patch(pushOf(call), id, await call.json());
    await carryOut(call, pushed);
    // Nobody who adds one member wants to hear of ten thousand.
    const isSilent = kind.type === groupType && !call.query.has('attributes') && !call.query.has('excludedAttributes');
    return isSilent
      ? { status: 204, etag: etagOf(pushed.resource.version) }
      : this.#shown(call, pushed.resource, 200, projection);
  }

  async remove(call: Call, id: string): Promise<Answer> {
    const { kind, pushOf, carryOut } = this.#parts;
    const pushed = await kind.remove(pushOf(call), id);
    await carryOut(call, pushed);
    return { status: 204 };
  }

  /** To be read before anything is done: it may be refused. */
  #projection({ query }: Call): Projection {
    const { type } = this.#parts.kind;
    return readProjection(type, query.get('attributes') ?? undefined, query.get('excludedAttributes') ?? undefined);
  }

  async #shown(call: Call, stored: Stored, status: number, projection = this.#projection(call)): Promise<Answer> {
    const { kind, base } = this.#parts;
    const { client } = call;
    const resource = await kind.show(client.name, stored, projection);
    return {
      status,
      body: projection.apply(resource),
      etag: etagOf(stored.version),
      location: locationOf(base, kind.type, stored.id),
    };
  }
}
