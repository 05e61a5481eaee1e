import type { Attributes, AttributeValue } from '../model/desired.ts';
import type { MappingConfig } from './config.ts';
import { isSameEmail } from './email.ts';
import type { Reading } from './reading.ts';

/** The attributes of a person as all origins that speak for them say them. */
export interface Merged {
  readonly attributes: Attributes;
  /** Which origin gave each of them. Empty: one speaks alone. */
  readonly from: ReadonlyMap<string, string>;
  /** Some origin vouches for the address that is taken, whichever gave it. */
  readonly emailTrusted: boolean;
}

export interface Authority {
  /** Pure, and the same in whatever order the readings come. There is at least one. */
  merge(readings: readonly Reading[]): Merged;
  /** The reading by whose ids the person is known, of those that there are: at least one. */
  identified(readings: readonly Reading[]): Reading;
  /** What rules see of one origin: attributes that `identity.authority` names are as it says, whoever gives the groups. */
  seenByRules(own: Attributes, merged: Merged): Attributes;
}

const BY_ONE: Merged['from'] = new Map();

/** The line of `identity.authority` for attributes without one of their own. */
export const DEFAULT_LINE = 'default';

/**
 * Whose word counts for which attribute: the origins of its line in `identity.authority`, then those of `default`, then
 * all others: `identity.owner`, SCIM clients, sources, logins, as they stand in the config. When somebody spoke counts for
 * nothing, or two origins would take turns in changing an account.
 */
export function compileAuthority({ identity, origins, ranks }: MappingConfig): Authority {
  const { authority } = identity;
  const rest = [...(authority[DEFAULT_LINE] ?? []), ...(ranks ?? Object.keys(origins))];
  const byDefault = rankOf(rest);
  const named = new Map(
    Object.entries(authority).flatMap(([name, first]) =>
      name === DEFAULT_LINE ? [] : [[name, rankOf([...first, ...rest])] as const],
    ),
  );
  const ranksOf = (name: string): Ranks => named.get(name) ?? byDefault;
  const best = (readings: readonly Reading[], name: string): Reading | undefined =>
    readings.reduce<Reading | undefined>((found, one) => {
      const isBetter = found === undefined || compare(ranksOf(name), one, found) < 0;
      return isBetter ? one : found;
    }, undefined);
  const merge = (readings: readonly Reading[]): Merged => {
    const [only] = readings;
    if (only !== undefined && readings.length === 1) {
      return { attributes: only.read.attributes, from: BY_ONE, emailTrusted: only.read.emailTrusted };
    }
    const attributes = new Map<string, AttributeValue>();
    const from = new Map<string, string>();
    for (const name of new Set(readings.flatMap(({ read }) => Object.keys(read.attributes)))) {
      const giver = best(
        readings.filter(({ read }) => Object.hasOwn(read.attributes, name)),
        name,
      );
      if (giver === undefined) continue;
      attributes.set(name, giver.read.attributes[name] ?? null);
      from.set(name, giver.assertion.origin);
    }
    if (!named.has('name')) keepNameWhole(attributes, from, byDefault);
    return { ...withVerified(readings, attributes, from), from };
  };
  return {
    merge,
    identified: (readings) => best(readings, 'external_id') as Reading,
    seenByRules: (own, merged) => {
      if (merged.from.size === 0 || named.size === 0) return own;
      const governed = [...named.keys()].filter((name) => Object.hasOwn(merged.attributes, name));
      return { ...own, ...Object.fromEntries(governed.map((name) => [name, merged.attributes[name] ?? null])) };
    },
  };
}

type Ranks = ReadonlyMap<string, number>;

function rankOf(names: readonly string[]): Ranks {
  return new Map([...new Set(names)].map((name, at) => [name, at]));
}

/** Of two subjects of one origin the one counts of which it spoke last. */
function compare(ranks: Ranks, { assertion: one }: Reading, { assertion: other }: Reading): number {
  const last = ranks.size;
  const byRank = (ranks.get(one.origin) ?? last) - (ranks.get(other.origin) ?? last);
  if (byRank !== 0) return byRank;
  const byTime = other.at.getTime() - one.at.getTime();
  if (byTime !== 0) return byTime;
  return keyOf(one) < keyOf(other) ? -1 : 1;
}

function keyOf({ origin, issuer, subject }: Reading['assertion']): string {
  return JSON.stringify([origin, issuer, subject]);
}

/** Whoever has both halves of a name has the whole: that of somebody who counts less may be the one before a marriage. */
function keepNameWhole(attributes: Map<string, AttributeValue>, from: Map<string, string>, ranks: Ranks): void {
  const [given, family] = [attributes.get('given_name'), attributes.get('family_name')];
  const giver = from.get('given_name') ?? '';
  const whole = from.get('name');
  if (typeof given !== 'string' || typeof family !== 'string' || from.get('family_name') !== giver) return;
  if (whole === undefined || (ranks.get(whole) ?? ranks.size) <= (ranks.get(giver) ?? ranks.size)) return;
  attributes.set('name', `${given} ${family}`);
  from.set('name', giver);
}

/** An address is as good as the best that somebody says of the same one. */
function withVerified(
  readings: readonly Reading[],
  attributes: Map<string, AttributeValue>,
  from: Map<string, string>,
): Pick<Merged, 'attributes' | 'emailTrusted'> {
  const email = attributes.get('email');
  const same = readings.filter(({ read }) => isSameEmail(read.attributes['email'], email));
  const said = same.filter(({ read }) => Object.hasOwn(read.attributes, 'email_verified'));
  const vouching = said.find(({ read }) => read.attributes['email_verified'] === true) ?? said[0];
  attributes.delete('email_verified');
  from.delete('email_verified');
  if (vouching !== undefined) {
    attributes.set('email_verified', vouching.read.attributes['email_verified'] ?? false);
    from.set('email_verified', vouching.assertion.origin);
  }
  return {
    attributes: Object.fromEntries(attributes),
    emailTrusted: same.some(({ read }) => read.emailTrusted),
  };
}
