import type { HttpClient } from '../../ops/http-client.ts';
import type { Log } from '../../ops/log.ts';
import type { TargetConfig } from '../schema.ts';
import type { Capabilities, Target } from '../target.ts';
import { createAccounts } from './accounts.ts';
import { adaptAccount } from './adapt.ts';
import { createGoodDataApi } from './api.ts';
import { applyChanges } from './apply.ts';
import { PROFILE_MEMBERS } from './documents.ts';
import { createGroups } from './groups.ts';

export type GoodDataTargetConfig = Extract<TargetConfig, { readonly type: 'gooddata' }>;

export interface GoodDataTargetOptions {
  /** Name of the target in the config. */
  readonly name: string;
  readonly config: Pick<GoodDataTargetConfig, 'url' | 'token' | 'timeout' | 'missing'>;
  readonly http: HttpClient;
  readonly log: Pick<Log, 'warn'>;
}

const CAN: Capabilities = {
  kinds: ['group'],
  creates: ['group'],
  disable: false,
  delete: true,
  needsEntitlement: false,
  uniqueEmail: false,
  requiredProfile: [],
  profile: PROFILE_MEMBERS,
};

/**
 * Users and groups of a GoodData organisation through its entities API. A user's id is its user name; an entitlement's
 * name is the group's id, its label the text that the id was derived from. Never replaces a whole entity or layout.
 */
export function createGoodDataTarget({ name, config, http, log }: GoodDataTargetOptions): Target {
  const api = createGoodDataApi({ url: config.url, token: config.token, timeoutMs: config.timeout, http });
  const accounts = createAccounts(api, name, log);
  const groups = createGroups(api);
  const parts = { api, accounts, groups, missingGroups: config.missing.groups };
  return {
    name,
    type: 'gooddata',
    can: CAN,
    adapt: adaptAccount,
    read: async (scope, signal) =>
      scope.kind === 'all'
        ? accounts.all(signal)
        : { complete: true, accounts: await accounts.byLookup(scope.lookup, signal) },
    find: (entitlements, signal) => groups.find(entitlements, signal),
    apply: (changes, signal) => applyChanges(parts, changes, signal),
    probe: async (signal) => ({ account: await accounts.probe(signal) }),
  };
}
