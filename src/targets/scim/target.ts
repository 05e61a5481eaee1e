import { type Clock, systemClock } from '../../ops/clock.ts';
import type { HttpClient } from '../../ops/http-client.ts';
import { listResponse } from '../../ops/scim/documents.ts';
import type { TargetConfig } from '../schema.ts';
import type { Capabilities, Target } from '../target.ts';
import { createAccounts } from './accounts.ts';
import { adaptAccount } from './adapt.ts';
import { createScimApi } from './api.ts';
import { applyMany, applyOne } from './apply.ts';
import { PROFILE_EVERYWHERE } from './documents.ts';
import { createDiscovery } from './features.ts';
import { createGroups } from './groups.ts';
import { createMembers } from './members.ts';
import { createMemberships } from './memberships.ts';
import { createOneAtATime } from './one-at-a-time.ts';
import type { WriteParts } from './parts.ts';
import { createSearch } from './search.ts';

export type ScimTargetConfig = Pick<
  Extract<TargetConfig, { readonly type: 'scim' }>,
  'url' | 'token' | 'timeout' | 'missing'
>;

export interface ScimTargetOptions {
  /** Name of the target in the config. */
  readonly name: string;
  readonly config: ScimTargetConfig;
  readonly http: HttpClient;
  /** Default: the system's. */
  readonly clock?: Clock;
}

const CAN: Capabilities = {
  kinds: ['group'],
  creates: ['group'],
  disable: true,
  delete: true,
  needsEntitlement: false,
  uniqueEmail: false,
  requiredProfile: [],
  profile: PROFILE_EVERYWHERE,
};

/**
 * Users and groups of any service that speaks SCIM 2.0 (RFC 7643, RFC 7644). What it can do it is asked for, and what it
 * refuses is done in another way: PUT for PATCH, the whole list for a filter, one by one for Bulk. Accounts that we make
 * carry the external id; the switch is `active`. The account of our own token is protected where the service tells it.
 */
export function createScimTarget({ name, config, http, clock = systemClock }: ScimTargetOptions): Target {
  const { url, token, timeout: timeoutMs, missing } = config;
  const api = createScimApi({ url, token, timeoutMs, http });
  const discovery = createDiscovery(api, clock);
  const search = createSearch(api, discovery);
  const oneAtATime = createOneAtATime();
  const accounts = createAccounts(api, discovery, search, createMemberships(search, discovery, clock));
  const groups = createGroups(api, discovery, search, oneAtATime);
  const members = createMembers({ api, discovery, search, oneAtATime });
  const parts: WriteParts = { api, discovery, accounts, groups, members, oneAtATime, missingGroups: missing.groups };
  return {
    name,
    type: 'scim',
    // Plans are made after something was read, so the service has been asked by then.
    get can() {
      const { profile, requiredProfile } = discovery.known() ?? CAN;
      return { ...CAN, profile, requiredProfile };
    },
    adapt: adaptAccount,
    read: async (scope, signal) =>
      scope.kind === 'all'
        ? accounts.all(signal)
        : { complete: true, accounts: await accounts.byLookup(scope.lookup, signal) },
    find: (entitlements, signal) => groups.find(entitlements, signal),
    apply: (changes, signal, stillOurs) => applyOne({ ...parts, stillOurs }, changes, signal),
    applyMany: (sets, signal, stillOurs) => applyMany({ ...parts, stillOurs }, sets, signal),
    probe: async (signal) => {
      const { users, ownId } = await discovery.features(signal);
      const call = { method: 'GET', path: [users], query: { startIndex: 1, count: 1 }, signal } as const;
      api.parse(listResponse, await api.call(call, [200]));
      return { account: ownId ?? 'the owner of the token' };
    },
  };
}
