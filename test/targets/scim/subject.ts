import { createHttpClient, type HttpClientOptions } from '../../../src/ops/http.ts';
import { createScimTarget, type ScimTargetConfig } from '../../../src/targets/scim/target.ts';
import type { Target } from '../../../src/targets/target.ts';
import type { TargetFault, TargetSubject } from '../../conformance/target-subject.ts';
import type { Fault } from '../../emulators/gooddata/faults.ts';
import type { Options } from '../../emulators/scim/options.ts';
import { GROUP, USER } from '../../emulators/scim/schema.ts';
import { type ScimEmulator, startScimEmulator } from '../../emulators/scim/server.ts';
import { membersOf, plant, rewrite, type Stored, take } from '../../emulators/scim/state.ts';

export const MISSING = { users: 'create', groups: 'create', roles: 'refuse' } as const;

/** Of every SCIM service. */
export const SKIPPED: Readonly<Record<string, string>> = {
  'gives people with hostile keys accounts of their own, and finds them again':
    'two keys of it differ only in case, which are one user name here; target.test.ts has its own',
  'does not give a group that vanished, and the next plan says so':
    'a missing group is made; refused in target.test.ts',
};

export interface Service {
  readonly emulator: ScimEmulator;
  readonly target: Target;
  /** Requests since the last time, `METHOD endpoint`, without those of discovery. */
  calls(): readonly string[];
  close(): Promise<void>;
}

export interface ServiceOptions {
  readonly emulated?: Partial<Options>;
  readonly config?: Partial<ScimTargetConfig>;
  readonly http?: HttpClientOptions;
}

/** A service in memory and the target that manages it. */
export async function startService({ emulated, config, http: client }: ServiceOptions = {}): Promise<Service> {
  const emulator = await startScimEmulator(emulated);
  const http = createHttpClient(client);
  const { url, token } = emulator;
  const target = createScimTarget({
    name: 'hub',
    config: { url, token, timeout: 5_000, missing: MISSING, ...config },
    http,
  });
  let seen = 0;
  return {
    emulator,
    target,
    calls: () => {
      const since = emulator.requests.slice(seen);
      seen = emulator.requests.length;
      return since
        .map(({ method, path }) => `${method} ${/^\/(\w+)/.exec(path)?.[1]}`)
        .filter((call) => !/(ServiceProviderConfig|ResourceTypes|Schemas|Me)$/.test(call));
    },
    close: async () => {
      await http.close();
      await emulator.close();
    },
  };
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
export async function scimSubject(emulated: Partial<Options> = {}): Promise<TargetSubject> {
  const { emulator, target, close } = await startService({ emulated, config: { timeout: 5_000 } });
  const { state } = emulator;
  const groupOf = (id: string): Stored => {
    const group = state.groups.get(id);
    if (group === undefined) throw new Error('no such group');
    return group;
  };
  return {
    target,
    missing: MISSING,
    byHand: {
      createAccount: async ({ userName, externalId, givenName, familyName, email }) =>
        plant(state, 'User', {
          schemas: [USER],
          userName,
          ...(externalId === undefined ? {} : { externalId }),
          name: { givenName, familyName },
          emails: [{ value: email, primary: true }],
          active: true,
        }),
      deleteAccount: async (id) => take(state, 'User', id),
      createEntitlement: async (kind, name) => {
        const { id } = plant(state, 'Group', { schemas: [GROUP], displayName: name });
        return { kind, name, id };
      },
      deleteEntitlement: async ({ id }) => take(state, 'Group', id),
      renameEntitlement: async ({ id }, name) => {
        const group = groupOf(id);
        rewrite(state, group, { ...group.document, displayName: name });
      },
      give: async (accountId, { id }) => {
        const group = groupOf(id);
        rewrite(state, group, { ...group.document, members: [...membersOf(group), { value: accountId }] });
      },
    },
    faults: { set: (fault) => emulator.faults.set(FAULTS[fault]), clear: () => emulator.faults.clear() },
    cleanup: close,
  };
}
