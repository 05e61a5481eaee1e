import { itemsOf, type Resource } from '../../ops/scim/documents.ts';

/** Which groups a user is in, by name. */
export type GroupsOf = (user: Resource) => readonly string[];

interface Reference {
  readonly value: string;
  readonly display: string | undefined;
}

/**
 * Groups from the members that groups list, those of groups in groups included (RFC 7643 §4.1.2: indirect). A group that
 * comes without members may be empty, or the service leaves members out of lists: then what users say of it counts.
 */
export function groupsByMembers(groups: readonly Resource[]): GroupsOf {
  const byId = new Map(groups.map((group) => [group.id, group]));
  const parents = new Map<string, string[]>();
  const silent = new Set<string>();
  for (const group of groups) {
    if (!Array.isArray(group['members'])) silent.add(group.id);
    for (const { value } of references(group['members'])) {
      const known = parents.get(value);
      if (known === undefined) parents.set(value, [group.id]);
      else known.push(group.id);
    }
  }
  return (user) => {
    const found = new Set<string>();
    const climb = (id: string): void => {
      for (const parent of parents.get(id) ?? []) {
        if (found.has(parent)) continue;
        found.add(parent);
        climb(parent);
      }
    };
    climb(user.id);
    for (const { value } of references(user['groups'])) if (silent.has(value)) found.add(value);
    return names([...found].map((id) => nameOf(byId.get(id), id)));
  };
}

/** Groups from what each user says of itself; undefined when no user says anything, which is not "no groups". */
export function groupsByUsers(users: readonly Resource[]): GroupsOf | undefined {
  if (!users.some((user) => Array.isArray(user['groups']))) return undefined;
  return (user) => names(references(user['groups']).map(({ value, display }) => display ?? value));
}

/** Whether a user says that it is in a group. */
export function saysGroups(user: Resource): boolean {
  return references(user['groups']).length > 0;
}

function names(all: readonly string[]): readonly string[] {
  return [...new Set(all)];
}

function nameOf(group: Resource | undefined, id: string): string {
  const name = group?.['displayName'];
  return typeof name === 'string' && name !== '' ? name : id;
}

function references(value: unknown): readonly Reference[] {
  return itemsOf(value).flatMap(({ value: id, display }): Reference[] => {
    if (typeof id !== 'string' || id === '') return [];
    return [{ value: id, display: typeof display === 'string' ? display : undefined }];
  });
}
