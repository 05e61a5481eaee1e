import { createHttpClient } from '../../../src/ops/http.ts';
import type { Log } from '../../../src/ops/log.ts';
import type { WorkspacesConfig } from '../../../src/targets/gooddata/group-workspaces.ts';
import { createGoodDataTarget } from '../../../src/targets/gooddata/target.ts';
import { deriveId } from '../../../src/targets/names.ts';
import type { Target } from '../../../src/targets/target.ts';
import type { TargetFault, TargetSubject } from '../../conformance/target-subject.ts';
import type { Fault } from '../../emulators/gooddata/faults.ts';
import { type GoodDataEmulator, startGoodDataEmulator } from '../../emulators/gooddata/server.ts';
import { removeUser, type Seed, type State } from '../../emulators/gooddata/state.ts';

export const MISSING = { users: 'create', groups: 'create', roles: 'refuse' } as const;

export interface Organisation {
  readonly emulator: GoodDataEmulator;
  readonly target: Target;
  /** What the target logged, as `message` and fields in one line each. */
  readonly warnings: string[];
  close(): Promise<void>;
}

export interface OrganisationOptions {
  readonly seed?: Seed;
  readonly token?: string;
  readonly timeoutMs?: number;
  readonly missingGroups?: 'create' | 'refuse';
  readonly workspaces?: WorkspacesConfig;
  /** Default: not. */
  readonly givesPermissions?: boolean;
}

/** An organisation in memory and the target that manages it, as the user `gateway`. */
export async function startOrganisation(options: OrganisationOptions = {}): Promise<Organisation> {
  const emulator = await startGoodDataEmulator(options.seed === undefined ? {} : { seed: options.seed });
  const http = createHttpClient();
  const warnings: string[] = [];
  const log: Pick<Log, 'warn'> = { warn: (message, fields) => warnings.push(`${message} ${JSON.stringify(fields)}`) };
  const config = {
    url: emulator.url,
    token: options.token ?? emulator.token,
    timeout: options.timeoutMs ?? 2_000,
    missing: { ...MISSING, groups: options.missingGroups ?? 'create' },
    workspaces: options.workspaces ?? {},
  };
  const givesPermissions = async () => options.givesPermissions ?? false;
  const target = createGoodDataTarget({ name: 'gooddata', config, http, log, givesPermissions });
  const close = async () => {
    await http.close();
    await emulator.close();
  };
  return { emulator, target, warnings, close };
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
export async function goodDataSubject(): Promise<TargetSubject> {
  const { emulator, target, close } = await startOrganisation({ timeoutMs: 3_000, givesPermissions: true });
  const { state } = emulator;
  return {
    target,
    missing: MISSING,
    byHand: {
      createAccount: async ({ userName, externalId, givenName, familyName, email }) => {
        const attributes = { firstname: givenName, lastname: familyName, email };
        const known = externalId === undefined ? attributes : { ...attributes, authenticationId: externalId };
        state.users.set(userName, { id: userName, attributes: known, relationships: {} });
        return { id: userName };
      },
      deleteAccount: async (id) => removeUser(state, id),
      createEntitlement: async (kind, name) => {
        const id = deriveId(name);
        if (kind === 'permission') {
          putWorkspace(state, id, name);
          return { kind, name: 'VIEW', scope: id, id: `VIEW@${id}` };
        }
        state.userGroups.set(id, { id, attributes: { name }, relationships: {} });
        return { kind, name: id, id, ...(name === id ? {} : { label: name }) };
      },
      deleteEntitlement: async ({ id, scope }) => {
        if (scope !== undefined) return void state.workspaces.delete(scope);
        state.userGroups.delete(id);
        for (const { relationships } of state.users.values()) {
          relationships['userGroups'] = (relationships['userGroups'] ?? []).filter((group) => group.id !== id);
        }
      },
      renameEntitlement: async ({ id, scope }, name) => {
        if (scope !== undefined) return putWorkspace(state, scope, name);
        const group = state.userGroups.get(id);
        if (group !== undefined) group.attributes = { name };
      },
      give: async (accountId, { id, name, scope }) => {
        const user = state.users.get(accountId);
        if (user === undefined) throw new Error('no such user');
        if (scope !== undefined) {
          state.workspaces.get(scope)?.permissions.push({ assignee: { id: accountId, type: 'user' }, name });
          return;
        }
        user.relationships['userGroups'] = [...(user.relationships['userGroups'] ?? []), { id, type: 'userGroup' }];
      },
    },
    faults: { set: (fault) => emulator.faults.set(FAULTS[fault]), clear: () => emulator.faults.clear() },
    cleanup: async () => {
      const replaced = emulator.requests.filter(({ method }) => method === 'PUT');
      await close();
      // A PUT replaces all of an entity or a layout, and with it what was never ours.
      if (replaced.length > 0) throw new Error(`the target sent ${replaced.map(({ path }) => `PUT ${path}`).join()}`);
    },
  };
}

/** Makes a workspace, or gives one another name: everything else of it stays. */
function putWorkspace(state: State, id: string, name: string): void {
  const fresh = { permissions: [], hierarchyPermissions: [], userDataFilters: new Map(), labels: new Map() };
  state.workspaces.set(id, { ...(state.workspaces.get(id) ?? fresh), id, name });
}
