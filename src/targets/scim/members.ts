import { LatchgateError } from '../../model/errors.ts';
import { pause } from '../../ops/retry.ts';
import { itemsOf, type Resource, resource } from '../../ops/scim/documents.ts';
import { valuePath } from '../../ops/scim/filter-text.ts';
import type { ScimApi } from './api.ts';
import { type Operation, patchBody, replaceBody, versionOf } from './documents.ts';
import type { Discovery } from './features.ts';
import { memberIds } from './memberships.ts';
import type { OneAtATime } from './one-at-a-time.ts';
import { restless } from './refusals.ts';
import type { Search } from './search.ts';

/** Users that go into a group and out of it, by id. */
export interface Move {
  readonly add: readonly string[];
  readonly drop: readonly string[];
}

/** `gone`: there is no such group. `refused`: one of the users is not there, or the service wants something else. */
export type Moved = 'done' | 'gone' | 'refused';

/** Members of groups. Single ones come and go: whoever else is in a group stays. */
export interface Members {
  change(groupId: string, move: Move, signal: AbortSignal): Promise<Moved>;
}

interface Parts {
  readonly api: ScimApi;
  readonly discovery: Discovery;
  readonly search: Search;
  readonly oneAtATime: OneAtATime;
}

const ATTEMPTS = 6;
const PAUSE_MS = 40;

export function createMembers(parts: Parts): Members {
  const { discovery, oneAtATime } = parts;
  return {
    change: (groupId, move, signal) =>
      // Our own writers would only make each other try again.
      oneAtATime(`members ${groupId}`, async () => {
        for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
          const { patch, groups } = await discovery.features(signal);
          if (groups === undefined) return 'gone';
          const path = [groups, groupId] as const;
          const done = await (patch ? patchMembers : replaceMembers)(parts, path, move, signal);
          // Some take paths without a filter in them alone. What else a remove could say would empty the group elsewhere.
          const last = patch && done === 'refused' && move.drop.length > 0;
          const outcome = last ? await replaceMembers(parts, path, move, signal) : done;
          if (outcome !== 'again') return outcome;
          if (attempt > 0) await pause(PAUSE_MS * (attempt + Math.random()), signal);
        }
        throw restless();
      }),
  };
}

type Path = readonly [endpoint: string, id: string];

async function patchMembers(
  { api, discovery }: Parts,
  path: Path,
  move: Move,
  signal: AbortSignal,
): Promise<Moved | 'again'> {
  // A version is sent where it is demanded alone: single members do not get into each other's way.
  const { needsVersion } = await discovery.features(signal);
  const read = needsVersion ? await readGroup(api, path, 'members', signal) : undefined;
  if (read === 'gone') return 'gone';
  const ifMatch = read === undefined ? undefined : versionOf(read);
  const call = { method: 'PATCH', path, body: patchBody(operationsOf(move)), ifMatch, signal } as const;
  const response = await api.call(call, [200, 202, 204, 400, 404, 405, 409, 412, 428, 501]);
  switch (response.status) {
    case 412:
    case 428:
      discovery.learn({ needsVersion: true });
      return 'again';
    case 405:
    case 501:
      discovery.learn({ patch: false });
      return 'again';
    case 400:
    case 404:
    case 409:
      return whyRefused(api, path, move, response.status, signal);
    default:
      return 'done';
  }
}

function operationsOf({ add, drop }: Move): readonly Operation[] {
  const gone = drop.map((id): Operation => ({ op: 'remove', path: valuePath('members', 'value', id) }));
  if (add.length === 0) return gone;
  return [...gone, { op: 'add', path: 'members', value: add.map((value) => ({ value })) }];
}

/** A refusal of what is the case already (noTarget) is none. */
async function whyRefused(api: ScimApi, path: Path, move: Move, status: number, signal: AbortSignal): Promise<Moved> {
  const group = await readGroup(api, path, undefined, signal);
  if (group === 'gone') return 'gone';
  const there = new Set(memberIds(group));
  const isSo = move.add.every((id) => there.has(id)) && !move.drop.some((id) => there.has(id));
  return isSo && status !== 409 ? 'done' : 'refused';
}

/** For services without PATCH: what is there with the change, over the version that was read, and read back. */
async function replaceMembers(parts: Parts, path: Path, move: Move, signal: AbortSignal): Promise<Moved | 'again'> {
  const { api } = parts;
  const group = await readGroup(api, path, undefined, signal);
  if (group === 'gone') return 'gone';
  if (!Array.isArray(group['members']) && (await isSomebodys(parts, group.id, signal))) throw hidden();
  const members = membersAfter(group, move);
  if (members === undefined) return 'done';
  const call = {
    method: 'PUT',
    path,
    body: replaceBody({ ...group, members }),
    ifMatch: versionOf(group),
    signal,
  } as const;
  const response = await api.call(call, [200, 204, 400, 404, 409, 412]);
  if (response.status === 412) return 'again';
  if (response.status >= 400) return (await readGroup(api, path, 'members', signal)) === 'gone' ? 'gone' : 'refused';
  const after = await readGroup(api, path, undefined, signal);
  if (after === 'gone') return 'gone';
  if (!Array.isArray(after['members']) && move.add.length > 0) throw hidden();
  // Without versions somebody else may have written over it.
  return membersAfter(after, move) === undefined ? 'done' : 'again';
}

/** A group that shows no members is empty, or they are hidden: then a user may say that they are in it. */
async function isSomebodys({ discovery, search }: Parts, group: string, signal: AbortSignal): Promise<boolean> {
  const { users } = await discovery.features(signal);
  const { items } = await search.all(users, { attributes: 'groups' }, signal);
  return items.some((user) => itemsOf(user['groups']).some(({ value }) => value === group));
}

/** What is not seen would be gone after a PUT, and nobody could be taken out. */
function hidden(): LatchgateError {
  return new LatchgateError(
    'target_refused',
    'the SCIM service takes members by PUT alone, and does not show those there are',
  );
}

/** Undefined: they are so already. */
function membersAfter(group: Resource, { add, drop }: Move): readonly unknown[] | undefined {
  const there = new Set(memberIds(group));
  const missing = add.filter((id) => !there.has(id));
  if (missing.length === 0 && !drop.some((id) => there.has(id))) return undefined;
  const gone = new Set(drop);
  const before: readonly unknown[] = Array.isArray(group['members']) ? group['members'] : [];
  const kept = before.filter((member) => {
    const id = typeof member === 'object' && member !== null ? (member as Record<string, unknown>)['value'] : undefined;
    return typeof id !== 'string' || !gone.has(id);
  });
  return [...kept, ...missing.map((value) => ({ value }))];
}

async function readGroup(
  api: ScimApi,
  path: Path,
  without: string | undefined,
  signal: AbortSignal,
): Promise<Resource | 'gone'> {
  const query = without === undefined ? {} : { excludedAttributes: without };
  const response = await api.call({ method: 'GET', path, query, signal }, [200, 404]);
  return response.status === 404 ? 'gone' : api.parse(resource, response);
}
