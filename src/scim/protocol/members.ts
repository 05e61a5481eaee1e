import type { Filter } from './filter.ts';

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
