import type { Document } from './documents.ts';
import type { Kind } from './schema.ts';

/** One resource as the service keeps it: its attributes without `id` and `meta`. */
export interface Stored {
  readonly id: string;
  readonly created: string;
  version: number;
  document: Document;
}

export interface State {
  readonly users: Map<string, Stored>;
  readonly groups: Map<string, Stored>;
  /** Of ids and versions. */
  count: number;
}

export function emptyState(): State {
  return { users: new Map(), groups: new Map(), count: 0 };
}

export function shelf(state: State, kind: Kind): Map<string, Stored> {
  return kind === 'User' ? state.users : state.groups;
}

/** Puts a resource there, past the API. */
export function plant(state: State, kind: Kind, document: Document): Stored {
  state.count += 1;
  const id = `${kind === 'User' ? 'u' : 'g'}${String(state.count).padStart(6, '0')}`;
  const stored = { id, created: new Date(state.count * 1_000).toISOString(), version: state.count, document };
  shelf(state, kind).set(id, stored);
  return stored;
}

/** Writes what a resource is from now on. */
export function rewrite(state: State, stored: Stored, document: Document): void {
  state.count += 1;
  stored.version = state.count;
  stored.document = document;
}

/** Nobody is in a group any more who is not there. */
export function take(state: State, kind: Kind, id: string): void {
  shelf(state, kind).delete(id);
  for (const group of state.groups.values()) {
    const members = membersOf(group);
    if (!members.some(({ value }) => value === id)) continue;
    const { members: _members, ...rest } = group.document;
    const kept = members.filter(({ value }) => value !== id);
    rewrite(state, group, kept.length === 0 ? rest : { ...rest, members: kept });
  }
}

export function membersOf(group: Stored): readonly { readonly value: string }[] {
  return (group.document['members'] ?? []) as readonly { readonly value: string }[];
}
