import { LatchgateError } from '../../model/errors.ts';
import { type Auth0Api, createAuth0Api } from '../../ops/auth0/api.ts';
import { type Auth0User, userRecord } from '../../ops/auth0/documents.ts';
import { listRolesOf } from '../../ops/auth0/roles.ts';
import { listUsers, type UserListingEnd } from '../../ops/auth0/users.ts';
import type { Clock } from '../../ops/clock.ts';
import type { HttpClient } from '../../ops/http-client.ts';
import { createHttpStreams } from '../../ops/http-stream.ts';
import { givenUp } from '../failure.ts';
import type { ListedPerson, ListingEnd, Source } from '../source.ts';
import { exportUsers } from './export.ts';
import { type Memberships, readMemberships } from './memberships.ts';
import type { Auth0SourceConfig } from './schema.ts';

export interface Auth0SourceOptions {
  readonly name: string;
  readonly config: Auth0SourceConfig;
  readonly http: HttpClient;
  readonly clock: Clock;
  /** Between two looks at an export job, in milliseconds. Default 1 s, then longer. */
  readonly pollMs?: number;
}

/** Of a user, what does not change with every login. */
const FIELDS: readonly string[] = [
  'email',
  'email_verified',
  'name',
  'given_name',
  'family_name',
  'nickname',
  'username',
  'phone_number',
  'blocked',
  'identities',
  'app_metadata',
  'user_metadata',
];
/** What `list` needs; Auth0 tells what it gave. */
const SCOPES = ['read:users', 'read:roles'] as const;
/** Members of roles whom the list of users does not have yet and who are asked for one by one. */
const MOST_ASKED = 100;

/**
 * The people of a tenant, one for each `user_id`, whatever identities are linked to it, with the names of their roles in
 * the claim `roles` and the names of their connections in `connections`. Blocked users are listed as inactive. About
 * (roles x pages of 100 members) + users/99 calls.
 */
export function createAuth0Source({ name, config, http, clock, pollMs }: Auth0SourceOptions): Source {
  const api = createAuth0Api({
    role: 'source',
    url: config.url,
    clientId: config.client_id,
    clientSecret: config.client_secret,
    timeoutMs: config.timeout,
    retry: config.retry,
    http,
    clock,
  });
  const streams = createHttpStreams();
  const { connection, timeout: timeoutMs } = config;
  const exporting = { api, streams, timeoutMs, ...(pollMs === undefined ? {} : { pollMs }) };

  return {
    name,
    type: 'auth0',
    list: async function* (signal): AsyncGenerator<ListedPerson, ListingEnd, undefined> {
      await demandScopes(api, signal);
      const memberships = await readMemberships(api, signal);
      const listing = { connection, fields: FIELDS };
      const pages =
        config.list === 'export' ? exportUsers(exporting, listing, signal) : listUsers(api, listing, signal);
      const listed = new Set<string>();
      const end = yield* people(pages, memberships, listed, signal);
      const late = memberships.others(listed);
      // Of one connection: whoever is not listed is of another.
      if (connection !== undefined || late.length === 0) return { ...end, unreadable: 0, notes: [] };
      const found = yield* lateComers(api, late.slice(0, MOST_ASKED), memberships, signal);
      const note = `${found} people have a role and were not in the list yet; they were read one by one`;
      const notes = found === 0 ? [] : [note];
      if (late.length <= MOST_ASKED || !end.complete) return { ...end, unreadable: 0, notes };
      const why = `${late.length} people have a role and are not in the list, which lags far behind`;
      return { complete: false, why, unreadable: 0, notes };
    },
    lookUp: async (subjects, signal) => {
      const found: ListedPerson[] = [];
      for (const id of subjects) {
        const user = await userById(api, id, signal);
        const isOurs = user?.identities.some(
          (identity) => connection === undefined || identity.connection === connection,
        );
        if (user === undefined || isOurs !== true) continue;
        const roles = await listRolesOf(api, id, signal);
        found.push(personOf(user, roles.map(({ name }) => name).sort()));
      }
      return found;
    },
    probe: async (signal) => {
      await demandScopes(api, signal);
      await api.call({ method: 'GET', path: ['roles'], query: { per_page: 1 }, signal }, [200]);
    },
    close: () => streams.close(),
  };
}

async function* people(
  pages: AsyncGenerator<readonly Auth0User[], UserListingEnd, undefined>,
  memberships: Memberships,
  listed: Set<string>,
  signal: AbortSignal,
): AsyncGenerator<ListedPerson, UserListingEnd, undefined> {
  for (;;) {
    const { value, done } = await pages.next();
    if (done === true) return value;
    for (const user of value) {
      if (signal.aborted) throw givenUp(signal);
      listed.add(user.user_id);
      yield personOf(user, memberships.rolesOf(user.user_id));
    }
  }
}

/** The list lags behind: who was given a role a moment after being created is read alone, which does not. */
async function* lateComers(
  api: Auth0Api,
  ids: readonly string[],
  memberships: Memberships,
  signal: AbortSignal,
): AsyncGenerator<ListedPerson, number, undefined> {
  let found = 0;
  for (const id of ids) {
    const user = await userById(api, id, signal);
    if (user === undefined) continue;
    found += 1;
    yield personOf(user, memberships.rolesOf(id));
  }
  return found;
}

async function userById(api: Auth0Api, id: string, signal: AbortSignal): Promise<Auth0User | undefined> {
  const query = { fields: ['user_id', 'created_at', ...FIELDS].join(','), include_fields: true };
  // 400: what Auth0 takes for no id is nobody's.
  const response = await api.call({ method: 'GET', path: ['users', id], query, signal }, [200, 400, 404]);
  return response.status === 200 ? api.parse(userRecord, response) : undefined;
}

function personOf({ user_id: subject, blocked, ...profile }: Auth0User, roles: readonly string[]): ListedPerson {
  // By its address Auth0 itself calls whoever has no name.
  const isName = (key: string, value: unknown) => key !== 'name' || value !== profile.email;
  const told = Object.entries(profile).filter(
    ([key, value]) => value !== null && value !== undefined && isName(key, value),
  );
  const connections = [...new Set(profile.identities.map(({ connection }) => connection))];
  const ids = profile.identities.map(({ provider, user_id: id }) => `${provider}|${id}`);
  const aliases = ids.filter((id) => id !== subject);
  return {
    subject,
    active: blocked !== true,
    claims: { ...Object.fromEntries(told), connections, roles },
    ...(aliases.length === 0 ? {} : { aliases }),
  };
}

/** Before the first call: what a missing scope leaves out must not look like nobody. */
async function demandScopes(api: Auth0Api, signal: AbortSignal): Promise<void> {
  const scopes = await api.scopes(signal);
  const missing = SCOPES.filter((scope) => scopes !== undefined && !scopes.has(scope));
  if (missing.length === 0) return;
  throw new LatchgateError('source_refused', `our client lacks ${missing.join(' and ')} of the Management API`, {
    detail: { missing: missing.join(' ') },
  });
}
