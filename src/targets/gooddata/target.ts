import type { HttpClient } from '../../ops/http-client.ts';
import type { Log } from '../../ops/log.ts';
import type { TargetConfig } from '../schema.ts';
import type { Capabilities, Target } from '../target.ts';
import { createAccounts } from './accounts.ts';
import { adaptAccount } from './adapt.ts';
import { createGoodDataApi } from './api.ts';
import { type ApplyParts, applyChanges } from './apply.ts';
import { applyMany } from './apply-many.ts';
import { PROFILE_MEMBERS } from './documents.ts';
import { createGroupWorkspaces, type WorkspacesConfig } from './group-workspaces.ts';
import { createGroups } from './groups.ts';
import { createPersonPermissions } from './permissions.ts';
import { readWithPermissions } from './with-permissions.ts';
import { createWorkspaces } from './workspaces.ts';

export type GoodDataTargetConfig = Extract<TargetConfig, { readonly type: 'gooddata' }>;

export interface GoodDataTargetOptions {
  /** Name of the target in the config. */
  readonly name: string;
  readonly config: Pick<GoodDataTargetConfig, 'url' | 'token' | 'timeout' | 'missing'> & {
    readonly workspaces: WorkspacesConfig;
  };
  /**
   * Whether people are given permissions of their own here, or were once: then accounts are read with them, which takes
   * a further call. Default: not.
   */
  readonly givesPermissions?: () => Promise<boolean>;
  readonly http: HttpClient;
  readonly log: Pick<Log, 'warn'>;
}

const CAN: Capabilities = {
  kinds: ['group', 'permission'],
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
 * name is the group's id, its label the text that the id was derived from, or a permission with a workspace as its scope.
 * Never replaces a whole entity or layout.
 */
export function createGoodDataTarget(options: GoodDataTargetOptions): Target {
  const { name, config, http, log, givesPermissions = async () => false } = options;
  const api = createGoodDataApi({ url: config.url, token: config.token, timeoutMs: config.timeout, http });
  const accounts = createAccounts(api, name, log);
  const groups = createGroups(api);
  const workspaces = createWorkspaces(api);
  const permissions = createPersonPermissions(workspaces);
  const groupWorkspaces = createGroupWorkspaces({ target: name, config: config.workspaces, workspaces, log });
  const reader = readWithPermissions(accounts, permissions, givesPermissions);
  const parts: ApplyParts = {
    api,
    accounts,
    groups,
    workspaces,
    permissions,
    groupWorkspaces,
    missingGroups: config.missing.groups,
  };
  return {
    name,
    type: 'gooddata',
    can: CAN,
    adapt: adaptAccount,
    read: async (scope, signal) =>
      scope.kind === 'all'
        ? reader.all(signal)
        : { complete: true, accounts: await reader.byLookup(scope.lookup, signal) },
    find: async (entitlements, signal) =>
      (await Promise.all([groups.find(entitlements, signal), permissions.find(entitlements, signal)])).flat(),
    apply: (changes, signal, stillOurs) => applyChanges({ ...parts, stillOurs }, changes, signal),
    applyMany: (sets, signal, stillOurs) => applyMany({ ...parts, stillOurs }, sets, signal),
    prepare: (signal) => groupWorkspaces.ensureAll(signal),
    probe: async (signal) => ({ account: await accounts.probe(signal) }),
  };
}
