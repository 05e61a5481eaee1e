import type { ActualEntitlement, Entitlement } from '../../model/entitlement.ts';
import type { Auth0Api } from '../../ops/auth0/api.ts';
import { type Auth0RoleRecord, roleRecord } from '../../ops/auth0/documents.ts';
import { listRoles } from '../../ops/auth0/roles.ts';
import type { Clock } from '../../ops/clock.ts';
import { toEntitlement } from './documents.ts';

/** So many accounts are written between two lookups of the same few roles. */
const KEPT_MS = 60_000;

/** Roles of the tenant, by their exact names. What was read is kept for a minute; what is not in it is asked for anew. */
export interface Auth0Roles {
  all(signal: AbortSignal): Promise<readonly Auth0RoleRecord[]>;
  find(wanted: readonly Entitlement[], signal: AbortSignal): Promise<readonly ActualEntitlement[]>;
  /** Makes it. One that is there already is fine. */
  create(missing: Entitlement, signal: AbortSignal): Promise<ActualEntitlement | undefined>;
  /** What was read has turned out not to be true any more. */
  forget(): void;
}

export function createRoles(api: Auth0Api, clock: Clock): Auth0Roles {
  let kept: { readonly byName: Map<string, Auth0RoleRecord>; readonly until: number } | undefined;

  const read = async (signal: AbortSignal): Promise<Map<string, Auth0RoleRecord>> => {
    const roles = await listRoles(api, signal);
    const byName = new Map(roles.map((role) => [role.name, role]));
    kept = { byName, until: clock.now() + KEPT_MS };
    return byName;
  };

  const find = async (wanted: readonly Entitlement[], signal: AbortSignal): Promise<readonly ActualEntitlement[]> => {
    const names = [...new Set(wanted.filter(({ kind }) => kind === 'role').map(({ name }) => name))];
    if (names.length === 0) return [];
    const known = kept !== undefined && kept.until > clock.now() ? kept.byName : undefined;
    const byName = known !== undefined && names.every((name) => known.has(name)) ? known : await read(signal);
    return names.flatMap((name) => {
      const role = byName.get(name);
      return role === undefined ? [] : [toEntitlement(role)];
    });
  };

  return {
    all: async (signal) => [...(await read(signal)).values()],
    find,
    create: async ({ kind, name }, signal) => {
      const call = { method: 'POST', path: ['roles'], body: { name }, signal } as const;
      const response = await api.call(call, [200, 201, 409]);
      if (response.status === 409) {
        kept = undefined;
        return (await find([{ kind, name }], signal))[0];
      }
      const role = api.parse(roleRecord, response);
      kept?.byName.set(role.name, role);
      return toEntitlement(role);
    },
    forget: () => {
      kept = undefined;
    },
  };
}
