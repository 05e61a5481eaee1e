import type { ClaimsConfig, LoginConfig } from '../login/schema.ts';
import type { SafetyConfig } from '../provisioning/schema.ts';
import type { TargetConfig } from '../targets/schema.ts';
import type { DefaultConfig, GroupsConfig, IdentityConfig, RulesConfig } from './schema.ts';

/** How what one origin says is read. */
export interface OriginConfig {
  readonly claims: ClaimsConfig;
  /** Claim for groups not sent: `keep` leaves memberships as they are, `empty` means member of none. */
  readonly groups_absent: 'keep' | 'empty';
  readonly groups_separator?: string | undefined;
  readonly trust_email: boolean;
  readonly email_domains: readonly string[];
}

/** What the mapping has to know of a target. */
export interface MappedTarget {
  readonly type: TargetConfig['type'];
  readonly user_name?: readonly string[] | undefined;
  /** The one origin whose external_id this target keeps as it is. */
  readonly external_ids?: string | undefined;
}

/** The parts of the config that the mapping is made of. */
export interface MappingConfig {
  readonly origins: Readonly<Record<string, OriginConfig>>;
  readonly identity: IdentityConfig;
  readonly groups: GroupsConfig;
  readonly rules: RulesConfig;
  readonly default: DefaultConfig;
  readonly targets: Readonly<Record<string, MappedTarget>>;
  /** `safety.privileged`. */
  readonly privileged: readonly string[];
}

/** The sections of a config file from which a MappingConfig is put together. */
export interface MappingSections {
  readonly login: LoginConfig;
  readonly identity: IdentityConfig;
  readonly groups: GroupsConfig;
  readonly rules: RulesConfig;
  readonly default: DefaultConfig;
  readonly targets: Readonly<Record<string, MappedTarget>>;
  readonly safety: Pick<SafetyConfig, 'privileged'>;
}

export function mappingConfigOf(sections: MappingSections): MappingConfig {
  const { login, identity, groups, rules, targets, safety } = sections;
  return { origins: login, identity, groups, rules, default: sections.default, targets, privileged: safety.privileged };
}
