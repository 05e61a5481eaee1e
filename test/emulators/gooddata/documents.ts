import type { Collection, View } from './collections.ts';
import { type Call, numberFrom, Refusal, type Reply } from './exchange.ts';
import { compileFilter } from './rsql.ts';
import { type Attributes, byId, type Entity, type Ref } from './state.ts';

interface Resource {
  readonly attributes: Attributes;
  readonly id: string;
  readonly links?: { readonly self: string };
  readonly meta?: Attributes;
  readonly relationships?: Readonly<Record<string, unknown>>;
  readonly type: string;
}

const COLLECTION_OF: Readonly<Record<string, string>> = {
  user: 'users',
  userGroup: 'userGroups',
  label: 'labels',
  workspace: 'workspaces',
  identityProvider: 'identityProviders',
};

/** The document of one entity. Relationships are shown only when `include` asks for them, and never empty ones. */
export function single(call: Call, collection: Collection, entity: Entity, status = 200): Reply {
  const included = wantedRelations(call, collection);
  const view = viewOf(call, collection, entity);
  const self =
    call.method === 'POST'
      ? `${call.url.origin}${call.url.pathname}/${entity.id}`
      : `${call.url.origin}${pathAndQuery(call.url)}`;
  return {
    status,
    json: {
      data: resource(collection, entity.id, view, included),
      ...inclusion(call, [view], included),
      links: { self },
    },
  };
}

/**
 * One page of a collection, in the order asked for, else by id. `links.next` is there on the last page and beyond it too:
 * who follows it until it is gone never ends.
 */
export function page(call: Call, collection: Collection, entities: Iterable<Entity>): Reply {
  const size = numberFrom(call.url, 'size', 20);
  const number = numberFrom(call.url, 'page', 0);
  if (size === 0) throw new Refusal(400, "Query parameter 'size' must be positive.");
  const all = sorted(call, collection, filtered(call, collection, [...entities]));
  const shown = all.slice(number * size, (number + 1) * size);
  const included = wantedRelations(call, collection);
  const views = shown.map((entity) => viewOf(call, collection, entity));
  const base = `${call.url.origin}${call.url.pathname}`;
  const data = shown.map((entity, index) => {
    const view = views[index] as View;
    return resource(collection, entity.id, view, included, `${base}/${entity.id}`);
  });
  const at = (index: number) => {
    const query = new URLSearchParams(call.url.searchParams);
    query.set('page', String(index));
    query.set('size', String(size));
    return `${base}?${query.toString()}`;
  };
  const counts = { number, size, totalElements: all.length, totalPages: Math.ceil(all.length / size) };
  const meta = metaIncludes(call, collection).has('page') ? { meta: { page: counts } } : {};
  return {
    status: 200,
    json: { data, ...inclusion(call, views, included), links: { next: at(number + 1), self: at(number) }, ...meta },
  };
}

function pathAndQuery(url: URL): string {
  return `${url.pathname}${url.search}`;
}

function viewOf(call: Call, collection: Collection, entity: Entity): View {
  return collection.view?.(call, entity) ?? { attributes: entity.attributes, relationships: entity.relationships };
}

function resource(
  collection: Collection,
  id: string,
  view: View,
  included: ReadonlySet<string>,
  self?: string,
): Resource {
  const relationships: Record<string, unknown> = {};
  for (const [name, refs] of Object.entries(view.relationships)) {
    if (!included.has(name) || refs.length === 0) continue;
    relationships[name] = { data: collection.relationships[name]?.many === false ? refs[0] : refs };
  }
  return {
    attributes: view.attributes,
    id,
    ...(self === undefined ? {} : { links: { self } }),
    ...(view.meta ? { meta: view.meta } : {}),
    ...(Object.keys(relationships).length === 0 ? {} : { relationships }),
    type: collection.type,
  };
}

function listed(call: Call, name: string, allowed: readonly string[]): string[] {
  const values = (call.url.searchParams.get(name) ?? '').split(',').filter((value) => value !== '');
  const unknown = values.find((value) => !allowed.includes(value));
  if (unknown !== undefined) throw new Refusal(400, `'${unknown}' is not a value of '${name}'.`);
  return values;
}

function wantedRelations(call: Call, collection: Collection): Set<string> {
  const values = listed(call, 'include', [...Object.keys(collection.includes), 'ALL']);
  if (values.includes('ALL')) return new Set(Object.values(collection.includes).flat());
  return new Set(values.flatMap((value) => collection.includes[value] ?? []));
}

function metaIncludes(call: Call, collection: Collection): Set<string> {
  const values = listed(call, 'metaInclude', ['page', 'all', 'ALL', ...(collection.metaIncludes ?? [])]);
  return new Set(values.some((value) => value.toLowerCase() === 'all') ? ['page'] : values);
}

function inclusion(call: Call, views: readonly View[], included: ReadonlySet<string>): { included?: unknown[] } {
  const found = new Map<string, Resource>();
  for (const view of views) {
    for (const [name, refs] of Object.entries(view.relationships)) {
      for (const ref of included.has(name) ? refs : []) {
        const attributes = attributesOf(call, ref);
        if (!attributes) continue;
        const scope =
          /^\/api\/v1\/entities\/workspaces\/[^/]+(?=\/)/.exec(call.url.pathname)?.[0] ?? '/api/v1/entities';
        const self = `${call.url.origin}${scope}/${COLLECTION_OF[ref.type]}/${ref.id}`;
        found.set(`${ref.type}/${ref.id}`, { attributes, id: ref.id, links: { self }, type: ref.type });
      }
    }
  }
  return found.size === 0 ? {} : { included: [...found.values()] };
}

function attributesOf(call: Call, ref: Ref): Attributes | undefined {
  const { state } = call;
  if (ref.type === 'user') return state.users.get(ref.id)?.attributes;
  if (ref.type === 'userGroup') return state.userGroups.get(ref.id)?.attributes;
  if (ref.type === 'identityProvider') return state.identityProviders.get(ref.id)?.attributes;
  if (ref.type === 'label') return state.workspaces.get(call.params['workspaceId'] ?? '')?.labels.get(ref.id);
  const workspace = state.workspaces.get(ref.id);
  return workspace && { name: workspace.name };
}

/** What an entity has under a selector of a filter or a sort; undefined = the collection has no such property. */
function values(call: Call, collection: Collection, entity: Entity, selector: string): readonly unknown[] | undefined {
  if (selector === 'id') return [entity.id];
  if (Object.hasOwn(collection.attributes, selector)) {
    const value = entity.attributes[selector];
    return value === undefined ? [] : [value].flat();
  }
  const [relation = '', property, ...rest] = selector.split('.');
  if (!Object.hasOwn(collection.relationships, relation) || property === undefined || rest.length > 0) return undefined;
  const refs = entity.relationships[relation] ?? [];
  return refs.flatMap((ref) => (property === 'id' ? ref.id : (attributesOf(call, ref)?.[property] ?? [])));
}

function filtered(call: Call, collection: Collection, entities: Entity[]): Entity[] {
  const filter = call.url.searchParams.get('filter');
  if (filter === null) return entities;
  return entities.filter(compileFilter(filter, (entity, selector) => values(call, collection, entity, selector)));
}

/** True when the `filter` of a request for one entity lets it through. */
export function passesFilter(call: Call, collection: Collection, entity: Entity): boolean {
  return filtered(call, collection, [entity]).length === 1;
}

function sorted(call: Call, collection: Collection, entities: Entity[]): Entity[] {
  const criteria = call.url.searchParams.getAll('sort').map((criterion) => {
    const [property = '', direction = 'asc', ...rest] = criterion.split(',');
    const known = property === 'id' || Object.hasOwn(collection.attributes, property);
    if (!known || !['asc', 'desc'].includes(direction.toLowerCase()) || rest.length > 0) {
      throw new Refusal(400, `'${criterion}' is not a sorting criterion.`);
    }
    return { property, sign: direction.toLowerCase() === 'desc' ? -1 : 1 };
  });
  const key = (entity: Entity, property: string) => String(values(call, collection, entity, property)?.[0] ?? '');
  return entities.sort((a, b) => {
    for (const { property, sign } of criteria) {
      const [left, right] = [key(a, property), key(b, property)];
      if (left !== right) return left < right ? -sign : sign;
    }
    return byId(a, b);
  });
}
