import { type ScriptedAnswer, type ScriptedServer, startScriptedServer } from '../scripted-server.ts';
import { GROUPS, PEOPLE, userResource } from './people.ts';

export const TOKEN = 'scim-token-that-nobody-may-see';

export type ScimResource = Record<string, unknown> & { readonly id: string };

/** What the service holds, and how it behaves; tests change it while it runs. */
export interface ScriptedScim {
  readonly server: ScriptedServer;
  /** The base address. */
  readonly url: string;
  users: ScimResource[];
  groups: ScimResource[];
  /** The most that one page has, whatever was asked. Default 7. */
  most: number;
  /** Names of what `/ResourceTypes` lists; undefined: there is no such endpoint. */
  types: readonly string[] | undefined;
  /** Before each answer to a list; an answer of its own takes the place of the list. */
  before: (endpoint: 'Users' | 'Groups', startIndex: number) => ScriptedAnswer | undefined;
}

export async function startScriptedScim(): Promise<ScriptedScim> {
  const server = await startScriptedServer(({ method, path, query, headers }) => {
    if (headers.authorization !== `Bearer ${TOKEN}`) return { status: 401, body: { status: '401' } };
    const endpoint = path.slice('/scim/v2/'.length);
    if (method === 'GET' && endpoint === 'ResourceTypes' && scim.types !== undefined) {
      const Resources = scim.types.map((name) => ({ name, endpoint: `/${name}s` }));
      return { type: 'application/scim+json', body: listResponse(Resources.length, Resources) };
    }
    if (method !== 'GET' || (endpoint !== 'Users' && endpoint !== 'Groups')) return { status: 404, body: {} };
    const startIndex = Number(query.get('startIndex') ?? 1);
    const own = scim.before(endpoint, startIndex);
    if (own !== undefined) return own;
    const all = endpoint === 'Users' ? scim.users : scim.groups;
    const count = Math.min(scim.most, Number(query.get('count') ?? scim.most));
    const Resources = all.slice(startIndex - 1, startIndex - 1 + count);
    return { type: 'application/scim+json', body: listResponse(all.length, Resources) };
  });
  const scim: ScriptedScim = {
    server,
    url: `${server.url}/scim/v2`,
    users: PEOPLE.map((person, index) => ({ id: `u${index}`, ...userResource(person) })),
    groups: GROUPS.map((displayName, index) => ({
      id: `g${index}`,
      displayName,
      members: PEOPLE.flatMap(({ groups }, user) => (groups.includes(displayName) ? [{ value: `u${user}` }] : [])),
    })),
    most: 7,
    types: ['User', 'Group'],
    before: () => undefined,
  };
  return scim;
}

export function listResponse(totalResults: number, Resources: readonly unknown[]): Record<string, unknown> {
  return {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'],
    totalResults,
    itemsPerPage: Resources.length,
    Resources,
  };
}
