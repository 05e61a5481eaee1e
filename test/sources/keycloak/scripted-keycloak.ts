import type { SuitePerson } from '../../conformance/source.ts';
import {
  type ScriptedAnswer,
  type ScriptedRequest,
  type ScriptedServer,
  startScriptedServer,
} from '../scripted-server.ts';

export const SECRET = 'client-secret-that-nobody-may-see';

export const PEOPLE: readonly SuitePerson[] = [
  { email: 'ada@example.com', groups: ['/Admin', '/company/team'], active: true },
  { email: 'Grace@Example.com', groups: ['/company'], active: true },
  { email: 'carol@example.com', groups: [], active: true },
  { email: 'jürgen@example.com', groups: ['/company/team/Bücher'], active: true },
  { email: 'gone@example.com', groups: ['/Admin'], active: false },
  ...Array.from({ length: 20 }, (_, index) => ({ email: `p${index}@example.com`, groups: ['/crowd'], active: true })),
];

export interface ScriptedUser {
  readonly id: string;
  readonly [member: string]: unknown;
}

interface ScriptedGroup {
  readonly id: string;
  readonly path: string;
}

/** A realm with the Admin API's paths; tests change it while it runs. */
export interface ScriptedKeycloak {
  readonly server: ScriptedServer;
  /** As in the issuer. */
  readonly url: string;
  users: ScriptedUser[];
  /** What `/users/count` says. Default: as many as there are. */
  count: () => number;
  /** Seconds that a token lives; default 60. */
  lifetime: number;
  /** Tokens that are not taken any more. */
  readonly revoked: Set<string>;
  /** An answer of its own takes the place of what would be said. */
  before: (request: ScriptedRequest) => ScriptedAnswer | undefined;
}

const GROUPS: readonly ScriptedGroup[] = ['/Admin', '/company', '/company/team', '/company/team/Bücher', '/crowd'].map(
  (path, index) => ({ id: `g${index}`, path }),
);

export async function startScriptedKeycloak(): Promise<ScriptedKeycloak> {
  let tokens = 0;
  const server = await startScriptedServer((request) => {
    const own = realm.before(request);
    if (own !== undefined) return own;
    if (request.path === '/realms/bi/protocol/openid-connect/token') {
      const isRight = new URLSearchParams(request.body).get('client_secret') === SECRET;
      if (request.method !== 'POST' || !isRight) return { status: 401, body: { error: 'unauthorized_client' } };
      tokens += 1;
      return { body: { access_token: `token-${tokens}`, expires_in: realm.lifetime } };
    }
    const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
    if (token !== `token-${tokens}` || realm.revoked.has(token)) return { status: 401, body: {} };
    if (request.method !== 'GET') return { status: 405, body: {} };
    return answer(realm, request);
  });
  const users = PEOPLE.map(({ email, active, groups }, index): ScriptedUser => {
    const ids = GROUPS.filter(({ path }) => groups.includes(path)).map(({ id }) => id);
    return { id: `u${index}`, username: `user${index}`, email, enabled: active, memberOf: ids };
  });
  const realm: ScriptedKeycloak = {
    server,
    url: `${server.url}/realms/bi`,
    users,
    count: () => realm.users.length,
    lifetime: 60,
    revoked: new Set(),
    before: () => undefined,
  };
  return realm;
}

function answer(realm: ScriptedKeycloak, { path, query }: ScriptedRequest): ScriptedAnswer {
  const [kind = '', id = '', part = ''] = path.slice('/admin/realms/bi/'.length).split('/').map(decodeURIComponent);
  const first = Number(query.get('first'));
  const page = (items: readonly unknown[]): ScriptedAnswer => ({
    body: items.slice(first, first + Number(query.get('max'))),
  });
  const withCount = (group: ScriptedGroup) => ({ ...group, subGroups: [], subGroupCount: below(group.path).length });
  if (kind === 'users' && id === 'count') return { body: realm.count() };
  if (kind === 'users' && id === '') return page(realm.users.map(({ memberOf: _, ...user }) => user));
  if (kind === 'groups' && id === '') return page(below('').map(withCount));
  if (kind === 'users') {
    const user = realm.users.find((one) => one['id'] === id);
    if (user === undefined) return { status: 404, body: {} };
    const { memberOf, ...shown } = user;
    if (part === '') return { body: shown };
    if (part !== 'groups') return { status: 404, body: {} };
    return page(GROUPS.filter((group) => (memberOf as string[]).includes(group.id)));
  }
  const group = GROUPS.find((one) => one.id === id);
  if (kind !== 'groups' || group === undefined) return { status: 404, body: {} };
  if (part === 'children') return page(below(group.path).map(withCount));
  if (part === 'members') return page(realm.users.filter((user) => (user['memberOf'] as string[]).includes(id)));
  return { status: 404, body: {} };
}

function below(parent: string): readonly ScriptedGroup[] {
  return GROUPS.filter(({ path }) => path.slice(0, path.lastIndexOf('/')) === parent);
}
