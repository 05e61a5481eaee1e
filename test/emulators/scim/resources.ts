import { cleanDocument, type Document } from './documents.ts';
import type { Options } from './options.ts';
import { patched, refuseLacking } from './patch.ts';
import { listFilter } from './paths.ts';
import { Refusal, type Reply } from './refusal.ts';
import { CORE, type Kind } from './schema.ts';
import { membersOf, plant, rewrite, type State, type Stored, shelf, take } from './state.ts';

/** A request for resources, by itself or out of a Bulk. */
export interface Call {
  readonly method: string;
  readonly kind: Kind;
  readonly id: string | undefined;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly ifMatch: string | undefined;
}

export interface World {
  readonly state: State;
  readonly options: Options;
  /** Of the service. */
  readonly base: string;
}

const PARAMETERS = ['filter', 'startIndex', 'count', 'attributes', 'excludedAttributes', 'sortBy', 'sortOrder'];

/** @throws Refusal */
export function handleResource(world: World, call: Call): Reply {
  const { method, id } = call;
  for (const name of call.query.keys()) {
    if (!PARAMETERS.includes(name)) throw new Refusal(400, `no parameter ${name}`, 'invalidSyntax');
  }
  if (id === undefined) {
    if (method === 'GET') return list(world, call);
    if (method === 'POST') return create(world, call);
    throw new Refusal(405, 'not on a list');
  }
  const stored = shelf(world.state, call.kind).get(id);
  if (stored === undefined) throw new Refusal(404, `no ${call.kind} ${id}`);
  if (method === 'GET') return { status: 200, json: shown(world, call, stored), headers: headersOf(world, stored) };
  refuseOtherVersion(world.options, call, stored);
  if (method === 'DELETE') {
    if (!world.options.deletes) throw new Refusal(405, 'nobody is deleted');
    take(world.state, call.kind, id);
    return { status: 204 };
  }
  return change(world, call, stored);
}

function change(world: World, call: Call, stored: Stored): Reply {
  const { state, options } = world;
  if (call.method === 'PUT') {
    write(world, call.kind, stored, cleanDocument(call.body, call.kind));
  } else if (call.method === 'PATCH') {
    if (!options.patch) throw new Refusal(501, 'PATCH is not supported');
    if (!options.valuePaths && /"path":"[^"[]*\[/.test(JSON.stringify(call.body))) {
      throw new Refusal(400, 'no filters in paths', 'invalidPath');
    }
    const after = patched(stored.document, call.body, call.kind);
    refuseLacking(after, call.kind);
    // What changes nothing leaves the version as it is (RFC 7644 §3.5.2.1).
    if (JSON.stringify(after) !== JSON.stringify(stored.document)) write(world, call.kind, stored, after);
    if (options.patchAnswer === 204) return { status: 204, headers: headersOf(world, stored) };
  } else {
    throw new Refusal(405, 'not on a resource');
  }
  return { status: 200, json: shown({ ...world, state }, call, stored), headers: headersOf(world, stored) };
}

function create(world: World, call: Call): Reply {
  const document = cleanDocument(call.body, call.kind);
  refuseTaken(world, call.kind, document, undefined);
  const stored = plant(world.state, call.kind, withMembers(world.state, document));
  return { status: 201, json: shown(world, call, stored), headers: headersOf(world, stored) };
}

function write(world: World, kind: Kind, stored: Stored, document: Document): void {
  refuseTaken(world, kind, document, stored.id);
  rewrite(world.state, stored, withMembers(world.state, document));
}

/** @throws Refusal 409 `uniqueness` */
function refuseTaken({ state, options }: World, kind: Kind, document: Document, own: string | undefined): void {
  if (kind === 'Group' && !options.uniqueGroups) return;
  const name = kind === 'User' ? 'userName' : 'displayName';
  const wanted = String(document[name]).toLowerCase();
  for (const { id, document: other } of shelf(state, kind).values()) {
    if (id === own || String(other[name]).toLowerCase() !== wanted) continue;
    throw new Refusal(409, `${name} is taken`, 'uniqueness');
  }
}

/** Each once, and nobody who is not there. @throws Refusal 400 `invalidValue` */
function withMembers(state: State, document: Document): Document {
  if (document['members'] === undefined) return document;
  const members = document['members'] as readonly { readonly value?: string }[];
  const known = members.find(({ value = '' }) => !state.users.has(value) && !state.groups.has(value));
  if (known !== undefined) throw new Refusal(400, `no member ${known.value}`, 'invalidValue');
  return { ...document, members: [...new Map(members.map((member) => [member.value, member])).values()] };
}

/** @throws Refusal 412, 428 */
function refuseOtherVersion({ etag }: Options, { ifMatch }: Call, { version }: Stored): void {
  if (etag === false) return;
  if (ifMatch === undefined) {
    if (etag === 'required') throw new Refusal(428, 'If-Match is required');
    return;
  }
  if (ifMatch !== '*' && ifMatch !== `W/"${version}"`) throw new Refusal(412, 'another version');
}

function headersOf({ base, options }: World, stored: Stored): Readonly<Record<string, string>> {
  const location = `${base}/${stored.id.startsWith('u') ? 'Users' : 'Groups'}/${stored.id}`;
  return { location, ...(options.etag === false ? {} : { etag: `W/"${stored.version}"` }) };
}

function shown(world: World, call: Call, stored: Stored, isListed = false): Document {
  const { options, base } = world;
  const { kind, query } = call;
  const { id, created, version, document } = stored;
  const { password: _password, ...visible } = document;
  const location = `${base}/${kind}s/${id}`;
  const versioned = options.etag === false ? {} : { version: `W/"${version}"` };
  const meta = { resourceType: kind, created, lastModified: created, location, ...versioned };
  const groups = kind === 'User' && options.userGroups ? groupsOf(world, id) : [];
  const whole: Document = { ...visible, id, ...(groups.length === 0 ? {} : { groups }), meta };
  const without = new Set((query.get('excludedAttributes') ?? '').split(',').map((name) => name.trim().toLowerCase()));
  if (!options.showsMembers || (isListed && !options.listsMembers)) without.add('members');
  const only = query
    .get('attributes')
    ?.split(',')
    .map((name) => name.trim().toLowerCase());
  const always = new Set(['id', 'schemas', 'meta']);
  return Object.fromEntries(
    Object.entries(whole).filter(([name]) => {
      const key = name.toLowerCase();
      return always.has(key) || (!without.has(key) && (only === undefined || only.includes(key)));
    }),
  );
}

function groupsOf({ state, base }: World, id: string): readonly Document[] {
  return [...state.groups.values()]
    .filter((group) => membersOf(group).some(({ value }) => value === id))
    .map((group) => ({
      value: group.id,
      display: group.document['displayName'],
      $ref: `${base}/Groups/${group.id}`,
      type: 'direct',
    }));
}

function list(world: World, call: Call): Reply {
  const { state, options } = world;
  const { query, kind } = call;
  const filter = query.get('filter');
  let all = [...shelf(state, kind).values()];
  if (filter !== null && options.filter !== 'ignored') {
    if (!options.filter) throw new Refusal(501, 'filters are not supported');
    if (!options.memberFilter && /members/i.test(filter)) throw new Refusal(400, 'not by members', 'invalidFilter');
    const fits = listFilter(filter, kind);
    all = all.filter(({ id, document }) => fits({ ...document, id }));
  }
  const startIndex = Math.max(1, wholeNumber(query.get('startIndex')) ?? 1);
  const count = Math.min(options.pageSize, Math.max(0, wholeNumber(query.get('count')) ?? options.pageSize));
  const page = options.pages ? all.slice(startIndex - 1, startIndex - 1 + count) : all;
  return {
    status: 200,
    json: {
      schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'],
      totalResults: options.countsPage ? page.length : all.length,
      startIndex: options.pages ? startIndex : 1,
      itemsPerPage: page.length,
      ...(page.length === 0 ? {} : { Resources: page.map((stored) => shown(world, call, stored, true)) }),
    },
  };
}

function wholeNumber(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (!/^-?\d{1,9}$/.test(text)) throw new Refusal(400, 'not a number', 'invalidValue');
  return Number(text);
}

/** The kind of an endpoint, `/Users` or `/Groups`. */
export function kindOf(endpoint: string | undefined): Kind | undefined {
  return (Object.keys(CORE) as Kind[]).find((kind) => `${kind}s` === endpoint);
}
