import type { Attribute, ScimObject } from './attribute.ts';
import { ScimError } from './error.ts';
import { compileFilter } from './evaluate.ts';
import { type Filter, termsOf } from './filter.ts';
import type { Report } from './report.ts';
import { invalid, mergeComplex } from './value.ts';

/** One member as a client named it. */
export interface Member {
  /** Id of the user or group, as it was sent: whether there is one is for the store to say. */
  readonly value: string;
  readonly type?: 'User' | 'Group';
}

/**
 * How the members of a group change. To be done in this order: all go (`replaceAll`), or those that fit a filter of
 * `removeWhere` and those in `remove` go; then those in `add` are there. Nobody else is touched.
 */
export interface MembersChange {
  readonly replaceAll: boolean;
  readonly removeWhere: readonly Filter[];
  readonly remove: ReadonlySet<string>;
  /** By id. One that is a member already stays one. Never also in `remove`. */
  readonly add: ReadonlyMap<string, Member>;
}

/** Comparisons of all `removeWhere` together: a store makes them of every member. */
const MAX_REMOVE_TERMS = 50;

/** Gathers what the operations of one request do to members, without knowing who the members are. */
export class MembersDraft implements MembersChange {
  replaceAll = false;
  readonly removeWhere: Filter[] = [];
  readonly remove = new Set<string>();
  readonly add = new Map<string, Member>();
  #terms = 0;

  addAll(members: readonly Member[]): void {
    for (const member of members) {
      this.remove.delete(member.value);
      this.add.set(member.value, member);
    }
  }

  /** An empty list is a group without members. */
  replaceBy(members: readonly Member[]): void {
    this.replaceAll = true;
    this.removeWhere.length = 0;
    this.remove.clear();
    this.add.clear();
    this.addAll(members);
  }

  removeIds(ids: Iterable<string>): void {
    for (const id of ids) {
      this.add.delete(id);
      if (!this.replaceAll) this.remove.add(id);
    }
  }

  /** `spend`: told how many values are looked at, before they are. */
  removeFitting(filter: Filter, spend: (steps: number) => void): void {
    const ids = idsNamedBy(filter);
    if (ids !== undefined) {
      spend(ids.length);
      this.removeIds(ids);
      return;
    }
    spend(this.add.size * termsOf(filter));
    const fits = compileFilter(filter);
    for (const member of [...this.add.values()]) if (fits({ ...member })) this.add.delete(member.value);
    if (this.replaceAll) return;
    this.removeWhere.push(filter);
    this.#terms += termsOf(filter);
    if (this.#terms > MAX_REMOVE_TERMS) {
      throw new ScimError('scim_too_large', 'the filters by which members are removed compare too much');
    }
  }
}

/** `value eq "a"`, or several of them joined by `or`. */
function idsNamedBy(filter: Filter): readonly string[] | undefined {
  const parts = filter.kind === 'or' ? filter.operands : [filter];
  const ids = parts.flatMap((part) =>
    part.kind === 'compare' && part.operator === 'eq' && part.path.attribute.name === 'value'
      ? [String(part.value)]
      : [],
  );
  return ids.length === parts.length ? ids : undefined;
}

/**
 * Members of a body or an operation: a list, one alone, ids as texts, and ids wrapped once more. `$ref` and `display`
 * are ours to say. Throws ScimError for one that names nobody.
 */
export function readMembers(attribute: Attribute, json: unknown, report: Report): readonly Member[] {
  const list: readonly unknown[] = Array.isArray(json) ? json : [json];
  return list.map((one) => memberOf(mergeComplex(attribute, {}, one, attribute.name, report)));
}

function memberOf({ value, type }: ScimObject): Member {
  if (typeof value !== 'string' || value === '') throw invalid('members.value', 'is missing');
  const lower = typeof type === 'string' ? type.toLowerCase() : undefined;
  if (lower === 'user') return { value, type: 'User' };
  return lower === 'group' ? { value, type: 'Group' } : { value };
}

export function memberIsFixed(): ScimError {
  return new ScimError('scim_mutability', 'a member is added or removed, not changed');
}
