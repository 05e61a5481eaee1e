import type { OriginTrace } from '../model/desired.ts';
import type { Assertion } from '../model/person.ts';
import type { ReadAttributes } from './attributes.ts';
import type { FilteredGroups } from './groups.ts';
import type { Refusal } from './refusal.ts';

/** An assertion as the directory remembers it. */
export type RememberedAssertion = Assertion & {
  /** Groups that this origin last sent, raw: used when the claim is absent and `groups_absent` is `keep`. */
  readonly rememberedGroups?: readonly string[];
};

/** What one assertion comes to. */
export interface Reading {
  readonly assertion: Assertion;
  readonly read: ReadAttributes;
  readonly groups: FilteredGroups;
  readonly groupsAbsent: OriginTrace['groupsAbsent'] | undefined;
  /** Groups were not sent, and what was given by them is to be kept. */
  readonly isGroupless: boolean;
  readonly refusals: readonly Refusal[];
}
