import type { ActualAccount, ChangeSet } from '../../../src/model/change.ts';
import type { DesiredAccount } from '../../../src/model/desired.ts';
import { LatchgateError } from '../../../src/model/errors.ts';
import { must } from '../../conformance/target-subject.ts';
import { GROUP, USER } from '../../emulators/scim/schema.ts';
import { membersOf, plant, type Stored } from '../../emulators/scim/state.ts';
import { type Service, type ServiceOptions, startService } from './subject.ts';

export const signal = AbortSignal.timeout(120_000);

const open: Service[] = [];

/** For `afterEach`. */
export async function closeAll(): Promise<void> {
  for (const service of open.splice(0)) await service.close();
}

/** A service in memory, its target, and what tests do there by hand. */
export async function start(options: ServiceOptions = {}) {
  const service = await startService(options);
  open.push(service);
  const { state, requests, faults } = service.emulator;
  return {
    ...service,
    state,
    requests,
    faults,
    person: (userName: string, more: Readonly<Record<string, unknown>> = {}) =>
      plant(state, 'User', { schemas: [USER], userName, active: true, ...more }),
    group: (displayName: string, members: readonly string[] = []) =>
      plant(state, 'Group', {
        schemas: [GROUP],
        displayName,
        ...(members.length === 0 ? {} : { members: members.map((value) => ({ value })) }),
      }),
    account: async (id: string): Promise<ActualAccount> => {
      const lookup = { accountId: id, userNames: [] };
      return must((await service.target.read({ kind: 'person', lookup }, signal)).accounts[0]);
    },
    applyMany: (sets: readonly ChangeSet[]) => must(service.target.applyMany?.(sets, signal)),
    /** Runs once, when the next such request arrives and before it is answered. */
    before: (method: string, path: RegExp, work: () => void) => {
      let isDone = false;
      const match = (asked: string, at: string) => {
        if (!isDone && asked === method && path.test(at)) {
          isDone = true;
          work();
        }
        return false;
      };
      faults.set({ match });
    },
  };
}

function desiredFor(userName: string): DesiredAccount {
  const profile = { givenName: 'Ada', familyName: 'Lovelace', email: `${userName}@example.com` };
  return {
    person: `p_${userName}`,
    target: 'hub',
    externalId: `ext-${userName}`,
    matchExternalId: true,
    key: userName,
    userNames: [userName],
    active: true,
    profile,
    profileIfNew: profile,
    emailTrusted: true,
    entitlements: [],
    leaveAlone: [],
  };
}

const NOTHING = { profile: {}, add: [], drop: [], create: [], changes: [] };

/** The changes of a first login. */
export function creation(userName: string, more: Partial<ChangeSet> = {}): ChangeSet {
  const desired = desiredFor(userName);
  return { ...NOTHING, desired, profile: desired.profileIfNew, userName, ...more };
}

/** Changes of an account that is there. */
export function change(actual: ActualAccount, more: Partial<ChangeSet>): ChangeSet {
  return { ...NOTHING, desired: desiredFor(actual.userName), actual, userName: actual.userName, ...more };
}

export const entitlement = ({ id, document }: Stored) =>
  ({ kind: 'group', name: String(document['displayName']), id }) as const;
export const memberIds = (group: Stored) => membersOf(group).map(({ value }) => value);
export const outcomes = (results: readonly unknown[]) =>
  results.map((result) => (result instanceof LatchgateError ? result.code : (result as { outcome: string }).outcome));
