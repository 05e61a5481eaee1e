import type { ActualEntitlement } from '../../model/entitlement.ts';
import { LatchgateError } from '../../model/errors.ts';
import type { Clock } from '../../ops/clock.ts';
import { itemsOf, type Resource } from '../../ops/scim/documents.ts';
import { textAt, toEntitlement } from './documents.ts';
import type { Discovery } from './features.ts';
import type { Search } from './search.ts';

/** Which groups users are in, directly: what a group in a group gives is not ours to take. */
export interface Memberships {
  of(user: Resource, signal: AbortSignal): Promise<readonly ActualEntitlement[]>;
  all(signal: AbortSignal): Promise<{
    readonly whole: boolean;
    readonly of: (user: Resource) => readonly ActualEntitlement[];
  }>;
}

/** Services filter by members, refuse to, or say that nobody is in any group: tried out, and believed for so long. */
const KEPT_MS = 600_000;
const NOBODY = 'latchgate.nobody';

export function createMemberships(search: Search, discovery: Discovery, clock: Clock): Memberships {
  let trusted: { readonly filter: boolean; readonly until: number } | undefined;

  const holding = (groups: string, member: string, signal: AbortSignal) =>
    search.filtered(groups, { attribute: 'members.value', value: member, without: 'members' }, signal);

  const tryFilter = async (endpoint: string, groups: readonly Resource[], signal: AbortSignal): Promise<void> => {
    const { filter } = await discovery.features(signal);
    const group = groups.find((one) => memberIds(one).length > 0);
    const member = group === undefined ? undefined : memberIds(group)[0];
    if (!filter || group === undefined || member === undefined) return;
    const [theirs, nobodys] = [await holding(endpoint, member, signal), await holding(endpoint, NOBODY, signal)];
    const works = theirs?.some(({ id }) => id === group.id) === true && nobodys?.length === 0;
    trusted = { filter: works, until: clock.now() + KEPT_MS };
  };

  const all: Memberships['all'] = async (signal) => {
    const { groups: endpoint } = await discovery.features(signal);
    if (endpoint === undefined) return { whole: true, of: () => [] };
    const { items, whole } = await search.all(endpoint, {}, signal);
    if (trusted === undefined || trusted.until <= clock.now()) await tryFilter(endpoint, items, signal);
    return { whole, of: membershipsIn(items) };
  };

  return {
    all,
    of: async (user, signal) => {
      const { groups: endpoint } = await discovery.features(signal);
      if (endpoint !== undefined && trusted?.filter === true && trusted.until > clock.now()) {
        const found = await holding(endpoint, user.id, signal);
        if (found !== undefined) return found.map(toEntitlement);
        trusted = undefined;
      }
      const memberships = await all(signal);
      // Who seems to be in no group would be put into it again, and nothing would ever be taken.
      if (!memberships.whole) {
        throw new LatchgateError('target_unavailable', 'the groups of the SCIM service were others each time');
      }
      return memberships.of(user);
    },
  };
}

/**
 * By the members that groups list. A group that comes without may be empty, or the service leaves members out of lists:
 * then what a user says of it counts.
 */
function membershipsIn(groups: readonly Resource[]): (user: Resource) => readonly ActualEntitlement[] {
  const byMember = new Map<string, Resource[]>();
  const silent = new Map<string, Resource>();
  for (const group of groups) {
    if (!Array.isArray(group['members'])) silent.set(group.id, group);
    for (const id of memberIds(group)) {
      const known = byMember.get(id);
      if (known === undefined) byMember.set(id, [group]);
      else known.push(group);
    }
  }
  return (user) => {
    const said = itemsOf(user['groups']).flatMap(({ value, type }) => {
      const isDirect = typeof type !== 'string' || type.toLowerCase() !== 'indirect';
      const group = isDirect && typeof value === 'string' ? silent.get(value) : undefined;
      return group === undefined ? [] : [group];
    });
    const found = [...(byMember.get(user.id) ?? []), ...said];
    return [...new Map(found.map((group) => [group.id, toEntitlement(group)])).values()];
  };
}

export function memberIds(group: Resource): readonly string[] {
  return itemsOf(group['members']).flatMap((member) => textAt(member, 'value') ?? []);
}
