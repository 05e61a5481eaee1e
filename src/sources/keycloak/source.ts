import { z } from 'zod';
import { LatchgateError } from '../../model/errors.ts';
import type { Clock } from '../../ops/clock.ts';
import type { HttpClient } from '../../ops/http-client.ts';
import { givenUp } from '../failure.ts';
import { readPages } from '../pages.ts';
import type { ListedPerson, ListingEnd, Source } from '../source.ts';
import { createKeycloakApi, type KeycloakApi } from './api.ts';
import { membershipsOf, membershipsOfOne } from './memberships.ts';
import type { KeycloakSourceConfig } from './schema.ts';

export interface KeycloakSourceOptions {
  readonly name: string;
  readonly config: KeycloakSourceConfig;
  readonly http: HttpClient;
  readonly clock: Clock;
}

const userShape = z.looseObject({ id: z.string().min(1), enabled: z.boolean().optional() });
const countShape = z.number().int().nonnegative();
type User = z.output<typeof userShape>;

const ATTEMPTS = 3;
/** Members of a user that are long, or nobody's claim. */
const LEFT_OUT = new Set([
  'id',
  'enabled',
  'access',
  'credentials',
  'federatedIdentities',
  'groups',
  'roles',
  'userProfileMetadata',
]);

/**
 * The people of a realm of Keycloak. Groups and roles are read group by group and role by role, which takes far fewer
 * calls than person by person, and only those that a claim of the config names.
 */
export function createKeycloakSource({ name, config, http, clock }: KeycloakSourceOptions): Source {
  const { url, client_id: clientId, client_secret: clientSecret, timeout: timeoutMs, page_size: limit } = config;
  const api = createKeycloakApi({ url, clientId, clientSecret, timeoutMs, http, clock });
  const named = new Set(Object.values(config.claims).flat());
  const wanted = { named, limit, realm: config.url.slice(config.url.lastIndexOf('/') + 1) };

  return {
    name,
    type: 'keycloak',
    list: async function* (signal): AsyncGenerator<ListedPerson, ListingEnd, undefined> {
      const { groups, roles } = await membershipsOf(api, wanted, signal);
      const { users, complete, why } = await allUsers(api, limit, signal);
      for (const user of users) {
        if (signal.aborted) throw givenUp(signal);
        yield personOf(user, { groups: groups?.(user.id), roles: roles?.(user.id) });
      }
      return { complete, ...(why === undefined ? {} : { why }), unreadable: 0, notes: [] };
    },
    // Who changes from one group to another while the groups are read one after the other is listed in neither.
    lookUp: async (subjects, signal) => {
      const found: ListedPerson[] = [];
      for (const id of subjects) {
        if (signal.aborted) throw givenUp(signal);
        const user = await userById(api, id, signal);
        if (user !== undefined) found.push(personOf(user, await membershipsOfOne(api, id, wanted, signal)));
      }
      return found;
    },
    probe: async (signal) => void (await api.get(['users', 'count'], {}, countShape, signal)),
    // Nothing is kept between two listings.
    close: async () => {},
  };
}

async function userById(api: KeycloakApi, id: string, signal: AbortSignal): Promise<User | undefined> {
  try {
    return await api.get(['users', id], {}, userShape, signal);
  } catch (thrown) {
    if (thrown instanceof LatchgateError && thrown.detail?.['status'] === 404) return undefined;
    throw thrown;
  }
}

interface AllUsers {
  readonly users: readonly User[];
  readonly complete: boolean;
  readonly why?: string;
}

/** Complete when the list held still and is as long as Keycloak's own count, before and after. */
async function allUsers(api: KeycloakApi, limit: number, signal: AbortSignal): Promise<AllUsers> {
  const count = (): Promise<number> => api.get(['users', 'count'], {}, countShape, signal);
  let users: readonly User[] = [];
  let after = 0;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const before = await count();
    const list = await readPages<User>({
      page: async (first, max) => ({
        items: await api.get(
          ['users'],
          { first: String(first), max: String(max), briefRepresentation: 'false' },
          z.array(userShape),
          signal,
        ),
      }),
      idOf: ({ id }) => id,
      limit,
    });
    users = list.items;
    after = await count();
    if (list.whole && before === after && users.length === after) return { users, complete: true };
  }
  const why = `Keycloak counts ${after} people and listed ${users.length}, or they changed while they were read`;
  return { users, complete: false, why };
}

interface Memberships {
  readonly groups: readonly string[] | undefined;
  readonly roles: readonly string[] | undefined;
}

function personOf(user: User, { groups, roles }: Memberships): ListedPerson {
  const members = Object.entries(user).filter(([member]) => !LEFT_OUT.has(member));
  return {
    subject: user.id,
    active: user.enabled !== false,
    claims: {
      ...Object.fromEntries(members),
      ...(groups === undefined ? {} : { groups }),
      ...(roles === undefined ? {} : { roles }),
    },
  };
}
