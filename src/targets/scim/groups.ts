import type { ActualEntitlement, Entitlement } from '../../model/entitlement.ts';
import { LatchgateError } from '../../model/errors.ts';
import { type Resource, resource } from '../../ops/scim/documents.ts';
import { type ScimApi, traceOf } from './api.ts';
import { GROUP_SCHEMA, textAt, toEntitlement } from './documents.ts';
import type { Discovery } from './features.ts';
import type { OneAtATime } from './one-at-a-time.ts';
import type { Search } from './search.ts';

/** Groups of the service by their exact `displayName`. Of several with one name the oldest is the one. */
export interface ScimGroups {
  find(wanted: readonly Entitlement[], signal: AbortSignal): Promise<readonly ActualEntitlement[]>;
  /** Makes it without members. One that is there already is fine. Throws `entitlement_conflict`. */
  create(missing: Entitlement, signal: AbortSignal): Promise<ActualEntitlement>;
}

export function createGroups(api: ScimApi, discovery: Discovery, search: Search, oneAtATime: OneAtATime): ScimGroups {
  const named = async (names: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Resource>> => {
    const { groups } = await discovery.features(signal);
    if (groups === undefined) return new Map();
    const keys = names.map((name) => ({
      attribute: 'displayName',
      value: name,
      fits: (group: Resource) => group['displayName'] === name,
      // By the ten thousand, and nobody looks at them here.
      without: 'members',
    }));
    const found = await search.find(groups, keys, signal);
    return new Map([...found].sort(youngestFirst).map((group) => [String(group['displayName']), group]));
  };

  const post = async ({ name }: Entitlement, signal: AbortSignal): Promise<Resource | undefined> => {
    const { groups } = await discovery.features(signal);
    if (groups === undefined) throw new LatchgateError('target_refused', 'the SCIM service has no groups');
    const body = { schemas: [GROUP_SCHEMA], displayName: name };
    const call = { method: 'POST', path: [groups], body, signal } as const;
    const response = await api.call(call, [200, 201, 400, 409]);
    if (response.status === 409) return undefined;
    if (response.status !== 400) return api.parse(resource, response);
    throw new LatchgateError('entitlement_invalid', 'the SCIM service does not take the name of a group', {
      detail: traceOf(response, 'POST Groups'),
    });
  };

  return {
    find: async (wanted, signal) => {
      const names = [...new Set(wanted.filter(({ kind }) => kind === 'group').map(({ name }) => name))];
      const found = await named(names, signal);
      return names.flatMap((name) => {
        const group = found.get(name);
        return group === undefined ? [] : [toEntitlement(group)];
      });
    },
    create: (missing, signal) =>
      // Nothing keeps a service from having two groups of one name.
      oneAtATime(`group ${missing.name}`, async () => {
        const there = (await named([missing.name], signal)).get(missing.name);
        if (there !== undefined) return toEntitlement(there);
        const made = await post(missing, signal);
        const kept = (await named([missing.name], signal)).get(missing.name) ?? made;
        if (kept === undefined) {
          throw new LatchgateError('entitlement_conflict', 'a group is there whose name differs in case alone', {
            detail: { kind: 'group' },
          });
        }
        // Another instance was faster by less than a look; nobody has been put into ours.
        if (made !== undefined && made.id !== kept.id) await remove(api, discovery, made.id, signal);
        return { ...toEntitlement(kept), name: missing.name };
      }),
  };
}

async function remove(api: ScimApi, discovery: Discovery, id: string, signal: AbortSignal): Promise<void> {
  const { groups = 'Groups' } = await discovery.features(signal);
  await api.call({ method: 'DELETE', path: [groups, id], signal }, [200, 204, 403, 404, 405, 501]);
}

/** So that a map of them keeps the oldest; ids settle the rest, the same for everybody. */
function youngestFirst(a: Resource, b: Resource): number {
  const [x, y] = [age(a), age(b)];
  return x < y ? 1 : -1;
}

function age({ id, meta }: Resource): string {
  const created = typeof meta === 'object' && meta !== null ? textAt(meta as Record<string, unknown>, 'created') : '';
  return `${created ?? ''} ${id}`;
}
