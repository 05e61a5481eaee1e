import type { Assertion } from '../model/person.ts';
import { type AttributeReader, compileAttributes } from './attributes.ts';
import { compileClaimName } from './claims.ts';
import type { MappingConfig, OriginConfig } from './config.ts';
import {
  checkGroups,
  compileGroupFilter,
  type GroupFilter,
  type ReadGroupsOptions,
  readGroups,
  type SentGroups,
} from './groups.ts';
import { filled } from './profile.ts';
import type { Reading, RememberedAssertion } from './reading.ts';
import type { Refusal } from './refusal.ts';

/** Of each origin of the config how its assertions are read. Throws `config_invalid`. */
export function originReaders(config: MappingConfig): ReadonlyMap<string, OriginReader> {
  const filter = compileGroupFilter(config.groups);
  return new Map(
    Object.entries(config.origins).map(([name, origin]) => [name, new OriginReader(origin, config, filter)]),
  );
}

/** Reads what one origin says, as the config says that it is to be read. Never throws because of what was said. */
export class OriginReader {
  readonly #config: OriginConfig;
  readonly #attributes: AttributeReader;
  readonly #groups: ReadGroupsOptions;
  readonly #filter: GroupFilter;
  readonly #needsGroups: boolean;

  constructor(origin: OriginConfig, { identity, groups }: MappingConfig, filter: GroupFilter) {
    const { trust_email, email_domains, trusts_all_emails = false, trust_unverified_email = false } = origin;
    const names = origin.claims.groups.map(compileClaimName);
    this.#config = origin;
    this.#filter = filter;
    this.#needsGroups = identity.require.includes('groups');
    this.#attributes = compileAttributes(origin.claims, {
      trust_email,
      email_domains,
      trusts_all_emails,
      trust_unverified_email,
      require: identity.require.filter((name) => name !== 'groups'),
    });
    this.#groups = { names, separator: origin.groups_separator, max: groups.max, dn: groups.dn };
  }

  read(assertion: RememberedAssertion): Reading {
    const read = this.#attributes(assertion.claims, assertion.subject);
    const sent = readGroups(assertion.claims, this.#groups);
    const remembered = assertion.rememberedGroups;
    const groupsAbsent = notSent(sent, remembered, this.#config);
    const isKept = groupsAbsent === 'keep' || groupsAbsent === 'unheard';
    const used = isKept ? checkGroups(remembered ?? [], this.#groups) : sent;
    const ofGroups = this.#groupRefusals(sent, used);
    const refusals = ofGroups.length === 0 ? read.refusals : [...read.refusals, ...ofGroups];
    const groups = this.#filter(used.kind === 'list' ? used.values : []);
    const isGroupless = groupsAbsent === 'keep';
    return { assertion, read, groups, groupsAbsent, isGroupless, refusals };
  }

  /** As of `Mapping`, and the next two. */
  sentGroups(assertion: Assertion): readonly string[] | undefined {
    const sent = readGroups(assertion.claims, this.#groups);
    return sent.kind === 'list' ? sent.values : undefined;
  }

  externalId(assertion: Assertion): string | undefined {
    const id = this.#attributes(assertion.claims, assertion.subject).attributes['external_id'];
    return typeof id === 'string' ? filled(id) : undefined;
  }

  trustedEmail(assertion: Assertion): string | undefined {
    const read = this.#attributes(assertion.claims, assertion.subject);
    return read.emailTrusted ? filled(read.attributes['email']) : undefined;
  }

  #groupRefusals(sent: SentGroups, used: SentGroups): readonly Refusal[] {
    if (used.kind === 'refused') return [used.refusal];
    if (used.kind === 'unheard') return [{ code: 'groups_unavailable', note: UNHEARD }];
    if (sent.kind !== 'absent' || !this.#needsGroups) return NO_REFUSALS;
    return [{ code: 'attribute_missing', note: 'groups: not sent, and identity.require asks for it' }];
  }
}

const NO_REFUSALS: readonly Refusal[] = [];
const UNHEARD = 'groups: the provider left them out, where they are nobody answers, and there are none of last time';

/** Why there are no groups in what was said. Who was never heard of has nothing to keep: undefined then too. */
function notSent(
  sent: SentGroups,
  remembered: readonly string[] | undefined,
  config: OriginConfig,
): Reading['groupsAbsent'] {
  if (sent.kind === 'unheard') return remembered === undefined ? undefined : 'unheard';
  return sent.kind === 'absent' ? config.groups_absent : undefined;
}
