import type { GrantedEntitlement } from './entitlement.ts';
import type { Attributes, PersonId, Profile } from './person.ts';

export type { Attributes, AttributeValue } from './person.ts';

/** What the mapping says an account in one target should be. */
export interface DesiredAccount {
  readonly person: PersonId;
  readonly target: string;
  /** The identity provider's id of this person as this target is to know it (GoodData: authenticationId). */
  readonly externalId: string;
  /** Whether an account that is already there may be found by `externalId`: only for the one origin whose ids the target keeps. */
  readonly matchExternalId: boolean;
  /** The raw subject-like id from which ids in a target are derived (`external_id` claim, else `sub`). */
  readonly key: string;
  /** Candidates for the user name of a new account, best first. An account that exists keeps its own. */
  readonly userNames: readonly string[];
  readonly active: boolean;
  /** What was said: absent members of an existing account stay as they are. */
  readonly profile: Profile;
  /** The same with fallbacks filled in, for an account that has to be created. */
  readonly profileIfNew: Profile;
  /** Whether `profile.email` may be used to find an account that is already there. */
  readonly emailTrusted: boolean;
  readonly entitlements: readonly GrantedEntitlement[];
  /**
   * Origins whose groups are not known and are to be left as they are: nothing of theirs is added to, or taken from, an
   * account that exists, but as `groupRules` says. A new account gets `entitlements` whole.
   */
  readonly leaveAlone: readonly string[];
  /** Of `leaveAlone`, which rules it is about. Absent: all. */
  readonly groupRules?: GroupRules;
}

/**
 * By origin that sent no groups, names of the rules that cannot be decided without them. What others give is given, and what
 * they gave and give no more is taken, also of rules that are not there any more.
 */
export type GroupRules = Readonly<Record<string, readonly string[]>>;

/** Whether what a rule gives or gave by the word of an origin stays as it is, because that origin could not be heard. */
export function isLeftAlone(
  { leaveAlone, groupRules }: Pick<DesiredAccount, 'leaveAlone' | 'groupRules'>,
  { origin, rule }: { readonly origin: string; readonly rule: string },
): boolean {
  return leaveAlone.includes(origin) && groupRules?.[origin]?.includes(rule) !== false;
}

/** What the mapping decided about one person. */
export interface Decision {
  readonly decision: 'allow' | 'deny';
  /** Reason code when denied. */
  readonly code?: string;
  /** Sentence of the config's `deny`, for the person to read. */
  readonly message?: string;
  /** Accounts by target. A target without an entry: nothing to give there. */
  readonly accounts: ReadonlyMap<string, DesiredAccount>;
  /**
   * Origins that could not be heard this time: they sent no groups that count, or what they sent earlier is refused by
   * now. Also where nothing is given, nothing of theirs is taken away, but as `groupRules` says.
   */
  readonly leaveAlone: readonly string[];
  readonly groupRules?: GroupRules;
  readonly attributes: Attributes;
  /** Groups after strip, rename, allow: for headers, assertions and `when` of routes. */
  readonly groups: readonly string[];
  readonly trace: Trace;
}

/** Why a decision is what it is. One per person; `explain`, deny pages, `why` and audit are views of it. */
export interface Trace {
  readonly origins: readonly OriginTrace[];
  readonly rules: readonly RuleTrace[];
  /** Which origin gave each attribute that accounts are made of. Absent: one origin speaks alone. */
  readonly authority?: readonly { readonly name: string; readonly origin: string }[];
  /** Lines such as "familyName: taken from name, because family_name was not sent". */
  readonly notes: readonly string[];
}

export interface OriginTrace {
  readonly origin: string;
  readonly attributes: readonly {
    readonly name: string;
    readonly claim: string | null;
    readonly by: 'name' | 'path' | 'absent';
  }[];
  readonly groups: readonly GroupTrace[];
  /** Why there is no list of groups: claim not sent, and what `groups_absent` made of it. */
  readonly groupsAbsent?: 'keep' | 'empty' | 'unheard';
}

export interface GroupTrace {
  /** As it arrived. */
  readonly value: string;
  /** After strip and rename. */
  readonly name: string;
  readonly kept: boolean;
  /** The line of the config that decided: `groups.allow[1]`, `groups.rename`, or why it was dropped. */
  readonly by: string;
}

export interface RuleTrace {
  readonly name: string;
  readonly origin: string;
  readonly matched: boolean;
  /** One line for each condition: `groups: "bi-admins" is bi-admins (exact)`, `title: not one of Analyst, Senior Analyst`. */
  readonly because: readonly string[];
  /** `superset:role:Alpha` that this rule gave; a privileged one that it may not give stands in `refused`. */
  readonly gave: readonly string[];
  /** The sentence of `deny`, when the rule has one and fits. */
  readonly denies?: string;
  readonly refused: readonly { readonly entitlement: string; readonly code: string; readonly why: string }[];
}
