import type { ClaimsConfig, LoginConfig } from '../login/schema.ts';
import type { SafetyConfig } from '../provisioning/schema.ts';
import type { ScimClientConfig, ScimConfig } from '../scim/schema.ts';
import type { SourceConfig } from '../sources/schema.ts';
import type { TargetConfig } from '../targets/schema.ts';
import type { DefaultConfig, GroupsConfig, IdentityConfig, RulesConfig } from './schema.ts';

/** How what one origin says is read. */
export interface OriginConfig {
  readonly claims: ClaimsConfig;
  /** Claim for groups not sent: `keep` leaves what groups gave as it is, `empty` means member of none. */
  readonly groups_absent: 'keep' | 'empty';
  readonly groups_separator?: string | undefined;
  readonly trust_email: boolean;
  readonly email_domains: readonly string[];
  /** Every address that it says counts as verified, whatever its domain: a source is trusted for whom it lists. */
  readonly trusts_all_emails?: boolean;
  /** Groups by which privileged entitlements are given; all others are not looked at for them. Absent: any group. */
  readonly privileged_groups?: readonly string[];
  /** The login whose people these are: ids in targets are as if that login had said them. */
  readonly speaks_for?: string | undefined;
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
  /** Names of `origins`, those first whose word counts more. Default: as they stand there. */
  readonly ranks?: readonly string[];
}

/** The sections of a config file from which a MappingConfig is put together. */
export interface MappingSections {
  readonly login: LoginConfig;
  readonly sources?: Readonly<Record<string, SourceConfig>>;
  readonly scim?: Pick<ScimConfig, 'clients'> | undefined;
  readonly sync?: Readonly<Record<string, { readonly from: string; readonly to: string }>>;
  readonly identity: IdentityConfig;
  readonly groups: GroupsConfig;
  readonly rules: RulesConfig;
  readonly default: DefaultConfig;
  readonly targets: Readonly<Record<string, MappedTarget>>;
  readonly safety: Pick<SafetyConfig, 'privileged'>;
}

export function mappingConfigOf(sections: MappingSections): MappingConfig {
  const { login, sources = {}, identity, groups, rules, safety } = sections;
  const listed = Object.entries(sources).map(([name, source]) => [name, originOf(source)] as const);
  const pushed = Object.entries(sections.scim?.clients ?? {}).map(([name, client]) => [name, pushing(client)] as const);
  const origins = { ...login, ...Object.fromEntries([...listed, ...pushed]) };
  const targets = Object.entries(sections.targets).map(([name, target]) => {
    const only = target.external_ids ?? onlyFeeder(name, sections);
    return [name, only === undefined ? target : { ...target, external_ids: only }] as const;
  });
  return {
    origins,
    identity,
    groups,
    rules,
    default: sections.default,
    targets: Object.fromEntries(targets),
    privileged: safety.privileged,
    ranks: ranksOf(identity.owner, [...pushed, ...listed].map(([name]) => name).concat(Object.keys(login))),
  };
}

/** Whoever can list people knows more of them than whoever sees them log in. */
function ranksOf(owner: string | undefined, names: readonly string[]): readonly string[] {
  return owner === undefined ? names : [...new Set([owner, ...names])];
}

/**
 * The one origin that feeds a target, a source or SCIM client counting as the login whose people it lists; undefined:
 * there are several.
 */
function onlyFeeder(target: string, { login, sources = {}, sync = {}, scim }: MappingSections): string | undefined {
  const synced = Object.values(sync).filter(({ to }) => to === target);
  const pushed = Object.entries(scim?.clients ?? {}).map(([name, client]) => client.login ?? name);
  const listed = synced.map(({ from }) => sources[from]?.login ?? from);
  const feeders = new Set([...Object.keys(login), ...listed, ...pushed]);
  return feeders.size === 1 ? [...feeders][0] : undefined;
}

function originOf(source: SourceConfig): OriginConfig {
  const { claims, groups_absent, groups_separator, login } = source;
  return {
    claims,
    groups_absent,
    groups_separator,
    trust_email: true,
    email_domains: [],
    trusts_all_emails: true,
    speaks_for: login,
  };
}

/** Groups are always said: whoever is pushed is a member of those that were pushed, and of no others. */
function pushing({ claims, trust_email, email_domains, privileged_groups, login }: ScimClientConfig): OriginConfig {
  return {
    claims,
    groups_absent: 'empty',
    trust_email,
    email_domains,
    trusts_all_emails: trust_email && email_domains.length === 0,
    privileged_groups,
    speaks_for: login,
  };
}
