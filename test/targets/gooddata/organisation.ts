import type { ActualAccount, ChangeSet } from '../../../src/model/change.ts';
import type { DesiredAccount } from '../../../src/model/desired.ts';
import type { ActualEntitlement } from '../../../src/model/entitlement.ts';
import type { Assigned, State } from '../../emulators/gooddata/state.ts';
import type { Organisation } from './subject.ts';

/** Calls of the target since the last time, as `METHOD path`; asking who we are is left out. */
export function calls({ emulator }: Pick<Organisation, 'emulator'>): string[] {
  const lines = emulator.requests
    .splice(0)
    .map(({ method, path }) => `${method} ${decodeURIComponent(path.replace('/api/v1/', ''))}`);
  return lines.filter((line) => line !== 'GET profile');
}

/** `VIEW` on a workspace, for a user's own permission. */
export function permission(name: string, workspace: string): ActualEntitlement {
  return { kind: 'permission', name, scope: workspace, id: `${name}@${workspace}` };
}

export function group(id: string): ActualEntitlement {
  return { kind: 'group', name: id, id };
}

export function on(id: string, type: 'user' | 'userGroup', name: string): Assigned {
  return { assignee: { id, type }, name };
}

/** `sales: group analysts ANALYZE`, with `>` before what also reaches the workspaces below; sorted. */
export function given(state: State): string[] {
  return [...state.workspaces.values()]
    .flatMap(({ id, permissions, hierarchyPermissions }) => [
      ...permissions.map((one) => line(id, one, '')),
      ...hierarchyPermissions.map((one) => line(id, one, '>')),
    ])
    .sort();
}

function line(workspace: string, { assignee, name }: Assigned, mark: string): string {
  return `${workspace}: ${assignee.type === 'user' ? 'user' : 'group'} ${assignee.id} ${mark}${name}`;
}

function desired(id: string): DesiredAccount {
  return {
    person: `p_${id}`,
    target: 'gooddata',
    externalId: id,
    matchExternalId: true,
    key: id,
    userNames: [id],
    active: true,
    profile: {},
    profileIfNew: {},
    emailTrusted: false,
    entitlements: [],
    leaveAlone: [],
  };
}

export function changes(actual: ActualAccount | string, more: Partial<ChangeSet> = {}): ChangeSet {
  const id = typeof actual === 'string' ? actual : actual.id;
  return {
    desired: desired(id),
    ...(typeof actual === 'string' ? {} : { actual }),
    profile: {},
    userName: id,
    add: [],
    drop: [],
    create: [],
    changes: [],
    ...more,
  };
}

export async function account({ target }: Organisation, id: string): Promise<ActualAccount> {
  const lookup = { accountId: id, userNames: [] };
  const { accounts } = await target.read({ kind: 'person', lookup }, AbortSignal.timeout(10_000));
  const [found] = accounts;
  if (found === undefined) throw new Error(`there is no ${id}`);
  return found;
}
