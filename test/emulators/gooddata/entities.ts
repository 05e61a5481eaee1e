import { type Check, identifier, list, nullable, oneOf, record, reference } from './check.ts';
import type { Collection } from './collections.ts';
import { page, passesFilter, single } from './documents.ts';
import { type Call, notFound, Refusal, type Reply } from './exchange.ts';
import type { Route } from './routes.ts';
import type { Attributes, Entity, Ref, State } from './state.ts';

interface Document {
  readonly data: {
    readonly id?: string;
    readonly attributes?: Attributes;
    readonly relationships?: Readonly<Record<string, { readonly data: Ref | readonly Ref[] | null }>>;
  };
}

/** The routes of a collection: list and read always, writes as the collection allows. */
export function entityRoutes(collection: Collection): Route[] {
  const member = `${collection.path}/{id}`;
  const listing = ['filter', 'include', 'page', 'size', 'sort', 'metaInclude'];
  const common = { media: 'entities' } as const;
  const routes: Route[] = [
    {
      ...common,
      method: 'GET',
      path: collection.path,
      needs: collection.read,
      query: listing,
      handle: (call) => page(call, collection, collection.store(call).values()),
    },
    {
      ...common,
      method: 'GET',
      path: member,
      needs: collection.read,
      query: ['filter', 'include', 'metaInclude'],
      handle: (call) => read(call, collection),
    },
  ];
  const writing = { ...common, needs: collection.write };
  const query = ['include', 'metaInclude'];
  for (const method of collection.methods) {
    if (method === 'POST') {
      const handle = (call: Call) => create(call, collection);
      routes.push({ ...writing, method, path: collection.path, query, body: true, handle });
    } else if (method === 'DELETE') {
      routes.push({ ...writing, method, path: member, handle: (call) => remove(call, collection) });
    } else {
      const handle = (call: Call) => update(call, collection, method === 'PATCH');
      routes.push({ ...writing, method, path: member, query: ['filter', ...query], body: true, handle });
    }
  }
  return routes;
}

function existing(call: Call, collection: Collection): Entity {
  const entity = collection.store(call).get(call.params['id'] ?? '');
  if (!entity) throw notFound();
  return entity;
}

function read(call: Call, collection: Collection): Reply {
  const entity = existing(call, collection);
  if (!passesFilter(call, collection, entity)) throw notFound();
  return single(call, collection, entity);
}

function create(call: Call, collection: Collection): Reply {
  const store = collection.store(call);
  const { data } = checked(call, collection, false);
  if (data.id === undefined) throw new Refusal(400, "data: 'id' is missing");
  if (store.has(data.id)) throw new Refusal(409, `The ${collection.type} with id '${data.id}' already exists.`);
  const entity: Entity = {
    id: data.id,
    attributes: { ...data.attributes },
    relationships: relations(call.state, data.relationships),
  };
  collection.examine?.(call, entity);
  collection.complete?.(entity);
  store.set(entity.id, entity);
  return single(call, collection, entity, 201);
}

/** PUT replaces the whole entity, so what is left out is lost; PATCH changes what is sent, a sent list as a whole. */
function update(call: Call, collection: Collection, partial: boolean): Reply {
  const before = existing(call, collection);
  const { data } = checked(call, collection, partial);
  if (data.id !== before.id) throw new Refusal(400, `data.id: must be '${before.id}' as in the path`);
  const sent = relations(call.state, data.relationships);
  const after: Entity = {
    id: before.id,
    attributes: partial ? { ...before.attributes, ...data.attributes } : { ...data.attributes },
    relationships: partial ? { ...before.relationships, ...sent } : sent,
  };
  collection.examine?.(call, after);
  refuseCycle(call.state, collection, after);
  before.attributes = after.attributes;
  before.relationships = after.relationships;
  return single(call, collection, before);
}

function remove(call: Call, collection: Collection): Reply {
  const { id } = existing(call, collection);
  if (collection.remove) collection.remove(call, id);
  else collection.store(call).delete(id);
  return { status: 204 };
}

function checked(call: Call, collection: Collection, partial: boolean): Document {
  const relationships: Record<string, Check> = {};
  for (const [name, { type, many }] of Object.entries(collection.relationships)) {
    const linkage = many ? list(reference([type])) : nullable(reference([type]));
    relationships[name] = record({ data: linkage }, ['data']);
  }
  const required = partial ? [] : (collection.required ?? []);
  const members = {
    id: identifier,
    type: oneOf([collection.type]),
    attributes: record(collection.attributes, required),
    relationships: record(relationships),
  };
  const mandatory = ['type', ...(required.length > 0 ? ['attributes'] : [])];
  record({ data: record(members, mandatory) }, ['data'])(call.body, 'document');
  return call.body as Document;
}

function relations(state: State, sent: Document['data']['relationships']): Record<string, Ref[]> {
  const result: Record<string, Ref[]> = {};
  for (const [name, { data }] of Object.entries(sent ?? {})) {
    const refs = data === null ? [] : [data].flat();
    refuseUnknown(state, refs);
    result[name] = refs.filter((ref, index) => refs.findIndex(({ id }) => id === ref.id) === index);
  }
  return result;
}

/** @throws Refusal 400 when one of the users, groups or identity providers pointed at does not exist. */
export function refuseUnknown(state: State, refs: readonly Ref[]): void {
  for (const { id, type } of refs) {
    const store: ReadonlyMap<string, unknown> =
      type === 'user' ? state.users : type === 'userGroup' ? state.userGroups : state.identityProviders;
    if (!store.has(id)) throw new Refusal(400, `The ${type} with id '${id}' does not exist.`);
  }
}

function refuseCycle(state: State, collection: Collection, entity: Entity): void {
  if (collection.type !== 'userGroup') return;
  const open = [...(entity.relationships['parents'] ?? [])];
  const seen = new Set<string>();
  for (let ref = open.pop(); ref; ref = open.pop()) {
    if (ref.id === entity.id) throw new Refusal(400, `The userGroup '${entity.id}' cannot be its own ancestor.`);
    if (seen.has(ref.id)) continue;
    seen.add(ref.id);
    open.push(...(state.userGroups.get(ref.id)?.relationships['parents'] ?? []));
  }
}
