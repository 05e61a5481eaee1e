import { createHttpClient, type HttpClientOptions } from '../../../src/ops/http.ts';
import type { Log } from '../../../src/ops/log.ts';
import type { Invitation } from '../../../src/targets/auth0/parts.ts';
import { type Auth0TargetConfig, createAuth0Target } from '../../../src/targets/auth0/target.ts';
import type { Target } from '../../../src/targets/target.ts';
import type { TargetFault, TargetSubject } from '../../conformance/target-subject.ts';
import { type Auth0Emulator, type Auth0EmulatorOptions, startAuth0Emulator } from '../../emulators/auth0/server.ts';
import { plantUser, removeUser, type SeedUser, type User } from '../../emulators/auth0/state.ts';
import type { Fault } from '../../emulators/gooddata/faults.ts';

export const CONNECTION = 'Username-Password-Authentication';
export const MISSING = { users: 'create', groups: 'create', roles: 'create' } as const;

export interface Tenant {
  readonly emulator: Auth0Emulator;
  readonly target: Target;
  /** What the target logged, as `message` and fields in one line each. */
  readonly warnings: string[];
  readonly invitations: Invitation[];
  /** Puts a user there by hand, past the API. */
  plant(user: SeedUser): User;
  /** Calls of the Management API since the last time, `METHOD path` without ids and query. */
  calls(): readonly string[];
  close(): Promise<void>;
}

export interface TenantOptions {
  readonly emulated?: Auth0EmulatorOptions;
  readonly config?: Partial<Auth0TargetConfig>;
  readonly http?: HttpClientOptions;
}

/** A tenant in memory and the target that manages one connection of it. */
export async function startTenant({ emulated, config, http: client }: TenantOptions = {}): Promise<Tenant> {
  const emulator = await startAuth0Emulator(emulated);
  const http = createHttpClient(client);
  const warnings: string[] = [];
  const invitations: Invitation[] = [];
  const log: Pick<Log, 'warn'> = { warn: (message, fields) => warnings.push(`${message} ${JSON.stringify(fields)}`) };
  const target = createAuth0Target({
    name: 'auth0',
    config: { ...targetConfig(emulator.url), ...config },
    http,
    log,
    deliver: async (invitation) => void invitations.push(invitation),
  });
  let seen = 0;
  return {
    emulator,
    target,
    warnings,
    invitations,
    plant: (user) => plantUser(emulator.state, user, worldOf(emulator)),
    calls: () => {
      const since = emulator.requests.slice(seen);
      seen = emulator.requests.length;
      return since
        .filter(({ path }) => path.startsWith('/api/'))
        .map(({ method, path }) => `${method} ${shortened(path)}`);
    },
    close: async () => {
      await http.close();
      await emulator.close();
    },
  };
}

function targetConfig(url: string): Auth0TargetConfig {
  return {
    url,
    client_id: 'emulator-client',
    client_secret: 'emulator-secret',
    connection: CONNECTION,
    never_delete: [],
    retry: { attempts: 2, backoff: 0.01 },
    verify_email: false,
    email_verified: false,
    timeout: 2_000,
    missing: MISSING,
  };
}

let ids = 0;

function worldOf(emulator: Auth0Emulator) {
  ids += 1;
  return { newId: () => `hand${ids}${emulator.state.users.size}`, now: Date.now() };
}

function shortened(path: string): string {
  return path
    .replace('/api/v2/', '')
    .replace(/\?.*/, '')
    .replace(/^(users|roles)\/[^/]+/, '$1/ID');
}

const FAULTS: Readonly<Record<TargetFault, Fault>> = {
  unauthorized: { status: 401 },
  failing: { status: 500 },
  html: { html: true },
  hanging: { delayMs: 60_000 },
  reset: { reset: true },
  rate_limited: { rateLimit: { perSecond: 0, retryAfter: 7 } },
  answer_lost: { match: (method) => method === 'POST', times: 1, dropAfterApply: true },
};

/** The emulator for the conformance suite. */
export async function auth0Subject(): Promise<TargetSubject> {
  const { emulator, target, plant, close } = await startTenant({
    config: { timeout: 2_500, retry: { attempts: 0, backoff: 0.01 } },
  });
  const { state } = emulator;
  const rolesOf = (id: string) => {
    const role = state.roles.get(id);
    if (role === undefined) throw new Error('no such role');
    return role;
  };
  let roles = 0;
  return {
    target,
    missing: MISSING,
    byHand: {
      createAccount: async ({ givenName, familyName, email }) => {
        const { user_id: id } = plant({ email, given_name: givenName, family_name: familyName });
        return { id };
      },
      deleteAccount: async (id) => removeUser(state, id, worldOf(emulator)),
      createEntitlement: async (kind, name) => {
        roles += 1;
        const id = `rol_hand${roles}`;
        state.roles.set(id, { id, name, members: new Map() });
        return { kind, name, id };
      },
      deleteEntitlement: async ({ id }) => void state.roles.delete(id),
      renameEntitlement: async ({ id }, name) => {
        rolesOf(id).name = name;
      },
      give: async (accountId, { id }) => void rolesOf(id).members.set(accountId, Date.now()),
    },
    faults: { set: (fault) => emulator.faults.set(FAULTS[fault]), clear: () => emulator.faults.clear() },
    cleanup: close,
  };
}
