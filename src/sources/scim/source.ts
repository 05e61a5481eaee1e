import { LatchgateError } from '../../model/errors.ts';
import type { HttpClient } from '../../ops/http-client.ts';
import { isFalse, primaryEmail, type Resource } from '../../ops/scim/documents.ts';
import { givenUp } from '../failure.ts';
import { readPages, type WholeList } from '../pages.ts';
import type { ListedPerson, ListingEnd, Source } from '../source.ts';
import { createScimApi, type ScimApi } from './api.ts';
import { type GroupsOf, groupsByMembers, groupsByUsers, saysGroups } from './groups.ts';
import type { ScimSourceConfig } from './schema.ts';

export interface ScimSourceOptions {
  readonly name: string;
  readonly config: ScimSourceConfig;
  readonly http: HttpClient;
}

const MAX_SUBJECT_CHARACTERS = 255;

/** The people of any service that lists Users and Groups by SCIM 2.0 (RFC 7643, RFC 7644 §3.4.2). */
export function createScimSource({ name, config, http }: ScimSourceOptions): Source {
  const { url, token, timeout: timeoutMs } = config;
  const api = createScimApi({ url, token, timeoutMs, http });

  const list = (signal: AbortSignal) => everybody(config, api, signal);

  return {
    name,
    type: 'scim',
    list,
    // Only where groups are another list than people: what users say of themselves is of one moment.
    ...(config.memberships === 'auto' ? { lookUp: (subjects, signal) => readAgain(list(signal), subjects) } : {}),
    probe: async (signal) => {
      if ((await api.page('Users', 0, 1, signal)) === undefined) throw noUsers();
    },
    // Nothing is kept between two listings.
    close: async () => {},
  };
}

async function* everybody(
  config: ScimSourceConfig,
  api: ScimApi,
  signal: AbortSignal,
): AsyncGenerator<ListedPerson, ListingEnd, undefined> {
  const users = await allOf(api, 'Users', config.page_size, signal);
  if (users === undefined) throw noUsers();
  const { groupsOf, doubt } = await membershipsOf(config, api, users.items, signal);
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
  const changing = 'the users changed each time they were read, or are fewer than the service counts';
  const why = users.whole ? doubt : changing;
  return why === undefined ? { complete: true, unreadable, notes } : { complete: false, why, unreadable, notes };
}

/**
 * These of a second listing. A person's groups in groups are found in the members of all groups only, and a filter by
 * member is more than many services know, so that nobody is asked for alone. Who changed groups during the first is
 * in the right ones by now.
 */
async function readAgain(
  listing: AsyncGenerator<ListedPerson, ListingEnd, undefined>,
  subjects: readonly string[],
): Promise<readonly ListedPerson[]> {
  const wanted = new Set(subjects);
  const found: ListedPerson[] = [];
  let next = await listing.next();
  while (next.done !== true) {
    if (wanted.has(next.value.subject)) found.push(next.value);
    next = await listing.next();
  }
  if (next.value.complete && next.value.unreadable === 0) return found;
  throw new LatchgateError('source_unavailable', 'the SCIM service changed while it was read a second time');
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

interface Memberships {
  readonly groupsOf?: GroupsOf;
  /** Why these may not be all groups that people have. */
  readonly doubt?: string;
}

async function membershipsOf(
  { memberships, page_size: limit }: ScimSourceConfig,
  api: ScimApi,
  users: readonly Resource[],
  signal: AbortSignal,
): Promise<Memberships> {
  if (memberships === 'none') return {};
  if (memberships === 'users') return { groupsOf: groupsByUsers(users) ?? refuseGroupless() };
  const groups = await allOf(api, 'Groups', limit, signal);
  if (groups === undefined) {
    const groupsOf = groupsByUsers(users) ?? refuseGroupless();
    const names = await api.namesGroups(signal);
    return names === false ? { groupsOf } : { groupsOf, doubt: names === true ? NOT_FOUND : NOT_SAID };
  }
  // Half of a list would look like people who left a group.
  if (!groups.whole) {
    throw new LatchgateError('source_unavailable', 'the groups of the SCIM service changed each time they were read');
  }
  const isContradicted = groups.items.length === 0 && users.some(saysGroups);
  return { groupsOf: groupsByMembers(groups.items), ...(isContradicted ? { doubt: CONTRADICTED } : {}) };
}

const NOT_FOUND = 'the service says that it has groups, and there was no /Groups';
const NOT_SAID =
  'there was no /Groups, and the service does not say in /ResourceTypes that it has none; `memberships: users` says so';
const CONTRADICTED = 'no group was listed, and users say that they are in some';

function refuseGroupless(): never {
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
