import { z } from 'zod';
import { LatchgateError } from '../../model/errors.ts';
import { readPages } from '../pages.ts';
import type { KeycloakApi } from './api.ts';

/** The names that a person has, in the order in which they were read. */
type NamesOf = (id: string) => readonly string[];

export interface Memberships {
  /** Paths of groups, such as `/company/team`. Undefined: no claim names them, so they were not read. */
  readonly groups: NamesOf | undefined;
  /** Names of realm roles that people have by themselves, not through a group or another role. */
  readonly roles: NamesOf | undefined;
}

export interface MembershipsWanted {
  /** The claims of the config. */
  readonly named: ReadonlySet<string>;
  /** Members asked for at once. */
  readonly limit: number;
  readonly realm: string;
}

const groupShape = z.object({
  id: z.string().min(1),
  path: z.string().min(1),
  subGroupCount: z.number().optional(),
  get subGroups() {
    return z.array(groupShape).optional();
  },
});
const roleShape = z.object({ id: z.string().min(1), name: z.string().min(1) });
const memberShape = z.object({ id: z.string().min(1) });
type Group = z.output<typeof groupShape>;

/** Who is in which group and has which role, read by group and by role. Throws rather than give a part. */
export async function membershipsOf(
  api: KeycloakApi,
  { named, limit, realm }: MembershipsWanted,
  signal: AbortSignal,
): Promise<Memberships> {
  const reader = new Reader(api, limit, signal);
  return {
    groups: named.has('groups') ? await reader.groups() : undefined,
    roles: named.has('roles') ? await reader.roles(realm) : undefined,
  };
}

/** The same of one person, read by their id. */
export async function membershipsOfOne(
  api: KeycloakApi,
  id: string,
  { named, limit, realm }: MembershipsWanted,
  signal: AbortSignal,
): Promise<{ readonly groups: readonly string[] | undefined; readonly roles: readonly string[] | undefined }> {
  const reader = new Reader(api, limit, signal);
  return {
    groups: named.has('groups') ? await reader.groupsOf(id) : undefined,
    roles: named.has('roles') ? await reader.rolesOf(id, realm) : undefined,
  };
}

class Reader {
  readonly #api: KeycloakApi;
  readonly #limit: number;
  readonly #signal: AbortSignal;

  constructor(api: KeycloakApi, limit: number, signal: AbortSignal) {
    this.#api = api;
    this.#limit = limit;
    this.#signal = signal;
  }

  async groups(): Promise<NamesOf> {
    const names = new Map<string, string[]>();
    for (const { id, path } of await this.#tree(['groups'])) {
      await this.#add(names, path, ['groups', id, 'members']);
    }
    return (id) => names.get(id) ?? [];
  }

  async roles(realm: string): Promise<NamesOf> {
    const names = new Map<string, string[]>();
    for (const { name } of await this.#list(['roles'], roleShape)) {
      // Everybody has it; it says nothing and is as long as the realm.
      if (isDefault(name, realm)) continue;
      await this.#add(names, name, ['roles', name, 'users']);
    }
    return (id) => names.get(id) ?? [];
  }

  async groupsOf(id: string): Promise<readonly string[]> {
    return (await this.#list(['users', id, 'groups'], groupShape)).map(({ path }) => path);
  }

  /** All at once: Keycloak has no pages of these. */
  async rolesOf(id: string, realm: string): Promise<readonly string[]> {
    const path = ['users', id, 'role-mappings', 'realm'];
    const roles = await this.#api.get(path, {}, z.array(roleShape), this.#signal);
    return roles.map(({ name }) => name).filter((name) => !isDefault(name, realm));
  }

  /** The groups of one place and all below. Before Keycloak 23 they come nested, since then each level is asked for. */
  async #tree(path: readonly string[]): Promise<readonly Group[]> {
    const all: Group[] = [];
    for (const group of await this.#list(path, groupShape)) {
      all.push(group);
      const { subGroups = [], subGroupCount = 0 } = group;
      if (subGroups.length > 0 && subGroups.length >= subGroupCount) all.push(...flat(subGroups));
      else if (subGroupCount > 0) all.push(...(await this.#tree(['groups', group.id, 'children'])));
    }
    return all;
  }

  async #add(names: Map<string, string[]>, name: string, path: readonly string[]): Promise<void> {
    for (const { id } of await this.#list(path, memberShape)) {
      const known = names.get(id);
      if (known === undefined) names.set(id, [name]);
      else known.push(name);
    }
  }

  async #list<T extends z.ZodType<{ readonly id: string }>>(
    path: readonly string[],
    shape: T,
  ): Promise<readonly z.output<T>[]> {
    const { items, whole } = await readPages<z.output<T>>({
      page: async (first, max) => ({
        items: await this.#api.get(
          path,
          { first: String(first), max: String(max), briefRepresentation: 'true' },
          z.array(shape),
          this.#signal,
        ),
      }),
      idOf: ({ id }) => id,
      limit: this.#limit,
    });
    if (whole) return items;
    // A short list of members would look like people who left.
    throw new LatchgateError('source_unavailable', `the ${path.at(-1)} of Keycloak changed each time they were read`);
  }
}

function isDefault(role: string, realm: string): boolean {
  return role === `default-roles-${realm.toLowerCase()}`;
}

function flat(groups: readonly Group[]): readonly Group[] {
  return groups.flatMap((group) => [group, ...flat(group.subGroups ?? [])]);
}
