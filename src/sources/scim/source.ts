import { LatchgateError } from '../../model/errors.ts';
import type { HttpClient } from '../../ops/http-client.ts';
import { isFalse, primaryEmail, type Resource } from '../../ops/scim/documents.ts';
import { givenUp } from '../failure.ts';
import { readPages, type WholeList } from '../pages.ts';
import type { ListedPerson, ListingEnd, Source } from '../source.ts';
import { createScimApi, type ScimApi } from './api.ts';
import { type GroupsOf, groupsByMembers, groupsByUsers } from './groups.ts';
import type { ScimSourceConfig } from './schema.ts';

export interface ScimSourceOptions {
  readonly name: string;
  readonly config: ScimSourceConfig;
  readonly http: HttpClient;
}

const MAX_SUBJECT_CHARACTERS = 255;

/** The people of any service that lists Users and Groups by SCIM 2.0 (RFC 7643, RFC 7644 §3.4.2). */
export function createScimSource({ name, config, http }: ScimSourceOptions): Source {
  const { url, token, timeout: timeoutMs, page_size: limit } = config;
  const api = createScimApi({ url, token, timeoutMs, http });

  return {
    name,
    type: 'scim',
    list: async function* (signal): AsyncGenerator<ListedPerson, ListingEnd, undefined> {
      const users = await allOf(api, 'Users', limit, signal);
      if (users === undefined) throw noUsers();
      const groupsOf = config.memberships === 'none' ? undefined : await memberships(api, users.items, limit, signal);
      const given = new Set<string>();
      const twice = repeated(users.items.map((user) => user[config.key]));
      for (const user of users.items) {
        if (signal.aborted) throw givenUp(signal);
        const subject = user[config.key];
        if (typeof subject !== 'string' || subject === '' || subject.length > MAX_SUBJECT_CHARACTERS) continue;
        if (twice.has(subject)) continue;
        given.add(subject);
        yield personOf(subject, user, groupsOf);
      }
      const unreadable = users.items.length - given.size;
      const notes = unreadable > 0 ? [`users without ${config.key}, or with that of another user: ${unreadable}`] : [];
      if (users.whole) return { complete: true, unreadable, notes };
      const why = 'the users changed each time they were read, or are fewer than the service counts';
      return { complete: false, why, unreadable, notes };
    },
    probe: async (signal) => {
      if ((await api.page('Users', 0, 1, signal)) === undefined) throw noUsers();
    },
    // Nothing is kept between two listings.
    close: async () => {},
  };
}

/** Of two users with one key nobody knows which is the person: one that was left behind, or the one of today. */
function repeated(keys: readonly unknown[]): ReadonlySet<unknown> {
  const once = new Set<unknown>();
  const twice = new Set<unknown>();
  for (const key of keys) (once.has(key) ? twice : once).add(key);
  return twice;
}

function noUsers(): LatchgateError {
  return new LatchgateError('source_refused', 'there is no /Users at the address of the SCIM service');
}

async function memberships(
  api: ScimApi,
  users: readonly Resource[],
  limit: number,
  signal: AbortSignal,
): Promise<GroupsOf> {
  const groups = await allOf(api, 'Groups', limit, signal);
  // Half of a list would look like people who left a group.
  if (groups?.whole === false) {
    throw new LatchgateError('source_unavailable', 'the groups of the SCIM service changed each time they were read');
  }
  const groupsOf = groups === undefined ? groupsByUsers(users) : groupsByMembers(groups.items);
  if (groupsOf !== undefined) return groupsOf;
  throw new LatchgateError(
    'source_refused',
    'the SCIM service has no /Groups, and no user says its groups; with `memberships: none` people are listed without',
  );
}

async function allOf(
  api: ScimApi,
  endpoint: 'Users' | 'Groups',
  limit: number,
  signal: AbortSignal,
): Promise<WholeList<Resource> | undefined> {
  let isThere = true;
  const list = await readPages<Resource>({
    page: async (offset, count) => {
      const page = await api.page(endpoint, offset, count, signal);
      if (page !== undefined) return page;
      if (offset > 0) throw new LatchgateError('source_answer_invalid', `the list of ${endpoint} ended in nothing`);
      isThere = false;
      return { items: [], total: 0 };
    },
    idOf: ({ id }) => id,
    limit,
  });
  return isThere ? list : undefined;
}

function personOf(subject: string, user: Resource, groupsOf: GroupsOf | undefined): ListedPerson {
  const { groups: _groups, meta: _meta, schemas: _schemas, ...attributes } = user;
  const email = primaryEmail(user['emails']);
  return {
    subject,
    active: !isFalse(user['active']),
    claims: {
      ...attributes,
      ...(email === undefined ? {} : { email }),
      ...(groupsOf === undefined ? {} : { groups: groupsOf(user) }),
    },
  };
}
