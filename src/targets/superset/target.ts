import { LatchgateError } from '../../model/errors.ts';
import { type Clock, systemClock } from '../../ops/clock.ts';
import type { HttpClient } from '../../ops/http-client.ts';
import type { Signer } from '../../ops/keys.ts';
import type { TargetConfig } from '../schema.ts';
import type { Capabilities, Target } from '../target.ts';
import { createAccounts } from './accounts.ts';
import { adaptAccount } from './adapt.ts';
import { createSupersetApi, parseAnswer, type Resource, type SupersetApi } from './api.ts';
import { applyChanges } from './apply.ts';
import { assertionCredentials, type Credentials, passwordCredentials } from './credentials.ts';
import { infoAnswer, PROFILE_MEMBERS } from './documents.ts';
import { createEntitlements } from './entitlements.ts';

export type SupersetTargetConfig = Pick<
  Extract<TargetConfig, { readonly type: 'superset' }>,
  'url' | 'sign_in' | 'service_account' | 'service_password' | 'timeout' | 'missing'
>;

export interface SupersetTargetOptions {
  /** Name of the target in the config: the audience of our assertions. */
  readonly name: string;
  readonly config: SupersetTargetConfig;
  readonly http: HttpClient;
  /** ES256. */
  readonly signer: Signer;
  /** `public_url`: the issuer of our assertions. */
  readonly publicUrl: string;
  /** Default: the system's. */
  readonly clock?: Clock;
}

const CAN: Capabilities = {
  kinds: ['group', 'role'],
  creates: ['group', 'role'],
  disable: true,
  delete: true,
  needsEntitlement: true,
  uniqueEmail: true,
  requiredProfile: PROFILE_MEMBERS,
  profile: PROFILE_MEMBERS,
};

/**
 * Users, roles and groups of an Apache Superset through its security API, as its service account: by assertion or, with
 * `sign_in: header`, by password. An entitlement's id has its kind in it (`role:4`, `group:4`). With `sign_in: header`
 * nobody is ever deleted: Superset may give the id, and with it a cookie that still lives, to the next account.
 */
export function createSupersetTarget(options: SupersetTargetOptions): Target {
  const { name, config, http } = options;
  const { url, sign_in: signIn, service_account: serviceAccount, timeout: timeoutMs, missing } = config;
  const api = createSupersetApi({ url, timeoutMs, http, credentials: credentialsFor(options) });
  const accounts = createAccounts(api, serviceAccount);
  const entitlements = createEntitlements(api);
  const mayDelete = signIn === 'assertion';
  const parts = { api, accounts, entitlements, missing, mayDelete };
  return {
    name,
    type: 'superset',
    can: { ...CAN, delete: mayDelete },
    adapt: (desired) => adaptAccount(desired, signIn),
    read: async (scope, signal) =>
      scope.kind === 'all'
        ? accounts.all(signal)
        : { complete: true, accounts: await accounts.byLookup(scope.lookup, signal) },
    find: (wanted, signal) => entitlements.find(wanted, signal),
    apply: (changes, signal, stillOurs) => applyChanges({ ...parts, stillOurs }, changes, signal),
    probe: async (signal) => {
      await Promise.all(
        (['users', 'roles', 'groups'] as const).map((resource) => refuseLacking(api, resource, missing, signal)),
      );
      return { account: serviceAccount };
    },
  };
}

function credentialsFor({
  name,
  config,
  http,
  signer,
  publicUrl,
  clock = systemClock,
}: SupersetTargetOptions): Credentials {
  const { url, sign_in: signIn, service_account: userName, service_password: password, timeout: timeoutMs } = config;
  if (signIn === 'assertion') {
    return assertionCredentials({ signer, issuer: publicUrl, audience: name, userName, clock });
  }
  if (password === undefined) {
    throw new LatchgateError('config_invalid', 'sign_in: header needs service_password', { detail: { target: name } });
  }
  return passwordCredentials({ url, userName, password, timeoutMs, http, clock });
}

/** Throws `target_refused` when the service account may not do what the config makes it do. */
async function refuseLacking(
  api: SupersetApi,
  resource: Resource,
  missing: SupersetTargetConfig['missing'],
  signal: AbortSignal,
): Promise<void> {
  const query = 'q=(keys:!(permissions))';
  const { response } = await api.call({ method: 'GET', path: `${resource}/_info`, query, signal }, [200]);
  const { permissions } = parseAnswer(infoAnswer, response);
  const creates = { users: missing.users, roles: missing.roles, groups: missing.groups }[resource] === 'create';
  const needed = ['can_get', ...(creates ? ['can_post'] : []), ...(resource === 'users' ? ['can_put'] : [])];
  const lacking = needed.find((permission) => !permissions.includes(permission));
  if (lacking === undefined) return;
  throw new LatchgateError('target_refused', `our service account lacks ${lacking} on ${resource}`, {
    detail: { permission: lacking, resource },
  });
}
