import { LatchgateError } from '../../model/errors.ts';
import { createAuth0Api } from '../../ops/auth0/api.ts';
import { rolesPage } from '../../ops/auth0/documents.ts';
import { type Clock, systemClock } from '../../ops/clock.ts';
import type { HttpClient } from '../../ops/http-client.ts';
import type { Log } from '../../ops/log.ts';
import type { TargetConfig } from '../schema.ts';
import type { Capabilities, Target } from '../target.ts';
import { createAccounts } from './accounts.ts';
import { adaptAccount } from './adapt.ts';
import { applyMany, applyOne } from './apply.ts';
import { compileKept, PROFILE_MEMBERS } from './documents.ts';
import type { Invitation, WriteParts } from './parts.ts';
import { createRoles } from './roles.ts';

export type Auth0TargetConfig = Omit<
  Extract<TargetConfig, { readonly type: 'auth0' }>,
  'type' | 'external_ids' | 'user_name'
>;

export interface Auth0TargetOptions {
  /** Name of the target in the config. */
  readonly name: string;
  readonly config: Auth0TargetConfig;
  readonly http: HttpClient;
  readonly log: Pick<Log, 'warn'>;
  /** Takes what `invite` asks for. */
  readonly deliver?: (invitation: Invitation) => Promise<void>;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/** Auth0 speaks of seconds, and promises nothing: its search is eventually consistent. */
const LIST_LAG_MS = 600_000;

const CAN: Capabilities = {
  kinds: ['role'],
  creates: ['role'],
  disable: true,
  delete: true,
  needsEntitlement: false,
  uniqueEmail: true,
  requiredProfile: ['email'],
  profile: PROFILE_MEMBERS,
  listLagMs: LIST_LAG_MS,
};

/**
 * Accounts of one database connection of an Auth0 tenant, and the tenant's roles, through the Management API v2. An
 * account's id is its `user_id`, its user name its e-mail; those that we made carry the external id in `app_metadata`.
 * The switch is `blocked`. Accounts without an identity in the connection are not seen; those that go by another
 * connection's are protected; those with further identities are blocked where others would be deleted.
 */
export function createAuth0Target(options: Auth0TargetOptions): Target {
  const { name, config, http, clock = systemClock } = options;
  const { url, client_id: clientId, client_secret: clientSecret, timeout: timeoutMs, retry, connection } = config;
  const api = createAuth0Api({ role: 'target', url, clientId, clientSecret, timeoutMs, retry, http, clock });
  const view = { connection, isKept: compileKept(config.never_delete) };
  const roles = createRoles(api, clock);
  const accounts = createAccounts(api, roles, view);
  const parts: WriteParts = { api, accounts, roles, view, ...writingOf(options, clock) };
  return {
    name,
    type: 'auth0',
    can: CAN,
    adapt: adaptAccount,
    read: async (scope, signal) =>
      scope.kind === 'all'
        ? accounts.all(signal)
        : { complete: true, accounts: await accounts.byLookup(scope.lookup, signal) },
    find: (entitlements, signal) => roles.find(entitlements, signal),
    apply: (changes, signal, stillOurs) => applyOne({ ...parts, stillOurs }, changes, signal),
    applyMany: (sets, signal, stillOurs) => applyMany({ ...parts, stillOurs }, sets, signal),
    probe: async (signal) => {
      refuseLacking(await api.scopes(signal), config, clientId);
      const call = { method: 'GET', path: ['roles'], query: { per_page: 1, include_totals: true }, signal } as const;
      api.parse(rolesPage, await api.call(call, [200]));
      return { account: clientId };
    },
  };
}

function writingOf(
  { config, log, deliver }: Auth0TargetOptions,
  clock: Clock,
): Pick<WriteParts, 'verifyEmail' | 'emailVerified' | 'missingRoles' | 'invite' | 'now' | 'log'> {
  const { invite, verify_email: verifyEmail, email_verified: emailVerified, missing } = config;
  return {
    verifyEmail,
    emailVerified,
    missingRoles: missing.roles,
    invite:
      invite === undefined || deliver === undefined
        ? undefined
        : { validMs: invite.valid, returnTo: invite.return_to, deliver },
    now: () => clock.now(),
    log,
  };
}

/** Throws `target_refused` when our client may not do what the config makes it do. Deleting is found out when it comes to it. */
function refuseLacking(scopes: ReadonlySet<string> | undefined, config: Auth0TargetConfig, clientId: string): void {
  if (scopes === undefined) return;
  const needed = [
    'read:users',
    'update:users',
    'read:roles',
    'read:role_members',
    'create:role_members',
    'delete:role_members',
    ...(config.missing.users === 'create' ? ['create:users'] : []),
    ...(config.missing.roles === 'create' ? ['create:roles'] : []),
    ...(config.invite === undefined ? [] : ['create:user_tickets']),
  ];
  const lacking = needed.filter((scope) => !scopes.has(scope));
  if (lacking.length === 0) return;
  throw new LatchgateError('target_refused', `our client lacks the scope ${lacking.join(', ')}`, {
    detail: { client: clientId, scopes: lacking.join(' ') },
  });
}
