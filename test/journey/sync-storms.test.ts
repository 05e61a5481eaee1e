import { makeTerminal } from '../cli/terminal.ts';
import type { RequestRecord } from '../emulators/auth0/server.ts';
import type { Fault } from '../emulators/gooddata/faults.ts';
import { type ReadyConfig, type ReadySyncs, type Row, startReadySyncs } from './ready-syncs.ts';

const PEOPLE: readonly Row[] = Array.from({ length: 24 }, (_, at) => ({
  email: `p${String(at).padStart(2, '0')}@acme.test`,
  role: at % 3 === 0 ? 'Admin' : 'User',
  given_name: `P${at}`,
}));
/** A scheduler tries again, but not for ever. */
const MOST_RUNS = 5;

const isWrite = (method: string) => method !== 'GET';
const isUser = (method: string, path: string) => isWrite(method) && path.endsWith('/users');

const STORMS: Readonly<Record<string, readonly Fault[]>> = {
  'refuses for the rate again and again': [
    { match: isWrite, status: 429, times: 2 },
    { match: isWrite, status: 429, times: 2 },
  ],
  'fails now and then': [
    { match: isUser, status: 503, times: 3 },
    { match: (method) => !isWrite(method), status: 502, times: 2 },
  ],
  'fails for good in the middle of a run': [{ match: isUser, status: 500, times: 40 }],
  'resets connections': [{ match: isWrite, reset: true, times: 6 }],
  'does what it is asked and gives no answer': [{ match: isUser, dropAfterApply: true, times: 5 }],
  'is slow': [{ match: isWrite, delayMs: 150 }],
};

let world: ReadySyncs;
afterEach(() => world.close());

describe.each(Object.entries(STORMS))(
  'with a service that %s nothing is lost and nothing done twice',
  (_what, faults) => {
    it('from a table to a tenant', async () => {
      world = await startReadySyncs({ env: { AUTH0_BACKOFF_FACTOR: '0.05' } });
      world.people(PEOPLE);
      world.auth0.faults.set(...faults);
      expect(await runs('sql-to-auth0', 'users-to-auth0')).toBe(0);
      world.auth0.faults.clear();
      expect(usersOfTenant()).toEqual(PEOPLE.map(({ email, role, given_name }) => `${email} ${given_name} [${role}]`));
      expect(doneTwice(world.auth0.requests)).toEqual([]);
      expect(made(world.auth0.requests).size).toBe(PEOPLE.length);
      expect(await changesLeft('sql-to-auth0', 'users-to-auth0')).toEqual([]);
    });

    it('from a tenant to an organisation', async () => {
      const users = PEOPLE.map(({ email, role, given_name }, at) => ({
        user_id: `auth0|p${at}`,
        email: email ?? '',
        given_name,
        roles: [role ?? ''],
      }));
      world = await startReadySyncs({ auth0: { seed: { users } } });
      world.gooddata.faults.set(...faults);
      expect(await runs('auth0-to-gooddata', 'auth0-to-gooddata')).toBe(0);
      world.gooddata.faults.clear();
      const wanted = users.map(({ email, roles }) => `${email} [${roles[0] === 'Admin' ? 'adminGroup' : 'userGroup'}]`);
      expect(usersOfOrganisation()).toEqual(wanted);
      expect(doneTwice(world.gooddata.requests)).toEqual([]);
      expect(made(world.gooddata.requests).size).toBe(PEOPLE.length);
      expect(await changesLeft('auth0-to-gooddata', 'auth0-to-gooddata')).toEqual([]);
    });
  },
);

it('within a small allowance no call is refused right after one that was', async () => {
  world = await startReadySyncs({ auth0: { rateLimit: { perSecond: 30, burst: 3 } } });
  world.people(PEOPLE);
  expect(await runs('sql-to-auth0', 'users-to-auth0')).toBe(0);
  expect(refusedInARow(world.auth0.requests)).toBeLessThan(2);
  expect(usersOfTenant()).toHaveLength(PEOPLE.length);
});

/** Until nobody fails. */
async function runs(config: ReadyConfig, sync: string): Promise<number> {
  let code = 1;
  for (let run = 0; run < MOST_RUNS && code !== 0; run += 1) {
    code = await world.command(config, ['apply', sync], makeTerminal());
  }
  return code;
}

async function changesLeft(config: ReadyConfig, sync: string): Promise<unknown> {
  const terminal = makeTerminal();
  await world.command(config, ['plan', sync, '--json'], terminal);
  return (JSON.parse(terminal.lines.join('\n')) as { changes: unknown }).changes;
}

function usersOfTenant(): string[] {
  const { users, roles } = world.auth0.state;
  const lines = [...users.values()].map(({ user_id: id, email, given_name: name }) => {
    const held = [...roles.values()].filter(({ members }) => members.has(id)).map((role) => role.name);
    return `${email} ${name} [${held}]`;
  });
  return lines.sort();
}

function usersOfOrganisation(): string[] {
  const lines = [...world.gooddata.state.users.values()].flatMap(({ id, attributes, relationships }) =>
    id === 'admin' ? [] : `${attributes.email} [${(relationships['userGroups'] ?? []).map((group) => group.id)}]`,
  );
  return lines.sort();
}

type Carried = Pick<RequestRecord, 'method' | 'path' | 'status' | 'body'>;

/** Writes that the service carried out, as far as it answered; and those to which nobody knows the answer. */
function carriedOut(requests: readonly Carried[]): readonly Carried[] {
  const isDone = ({ status }: Carried) => status === 0 || (status >= 200 && status < 300);
  // What a fault kept from being worked on has no body here.
  return requests.filter((one) => isWrite(one.method) && one.body !== undefined && isDone(one));
}

/** Who was made. */
function made(requests: readonly Carried[]): ReadonlySet<string> {
  const isCreation = ({ method, path }: Carried) => method === 'POST' && /\/(api\/v2|entities)\/users(\?|$)/.test(path);
  return new Set(carriedOut(requests).filter(isCreation).map(subjectOf));
}

/** What a write gave somebody, for each of those whom it names; or whom it made or changed. */
function deedsOf({ method, path, body }: Carried): readonly string[] {
  const { users, members } = body as { users?: readonly string[]; members?: readonly { readonly id: string }[] };
  const given = users ?? members?.map(({ id }) => id);
  return given?.map((one) => `${method} ${path} ${one}`) ?? [`${method} ${path} ${subjectOf({ method, path, body })}`];
}

function subjectOf({ body }: Pick<Carried, 'body' | 'method' | 'path'>): string {
  const { email, data } = body as { email?: string; data?: { readonly id?: string } };
  return email ?? data?.id ?? JSON.stringify(body);
}

/** What was carried out more often than once, though every answer to it arrived. */
function doneTwice(requests: readonly Carried[]): readonly string[] {
  const answered = new Map<string, number>();
  for (const one of carriedOut(requests)) {
    if (one.status === 0) continue;
    for (const deed of deedsOf(one)) answered.set(deed, (answered.get(deed) ?? 0) + 1);
  }
  return [...answered].flatMap(([deed, times]) => (times > 1 ? `${deed}: ${times} times` : []));
}

/** The longest row of calls that were refused for their rate. */
function refusedInARow(requests: readonly RequestRecord[]): number {
  let longest = 0;
  let row = 0;
  for (const { path, status } of requests) {
    if (!path.startsWith('/api/')) continue;
    row = status === 429 ? row + 1 : 0;
    longest = Math.max(longest, row);
  }
  return longest;
}
