import type { ActualEntitlement, Entitlement } from '../../model/entitlement.ts';
import { type LatchgateError, toLatchgateError } from '../../model/errors.ts';
import { listRolesOf } from '../../ops/auth0/roles.ts';
import { type Assignment, fewestAssignments, type Pair } from './cover.ts';
import { inParallel } from './parallel.ts';
import type { WriteParts } from './parts.ts';
import { conflict, roleMissing } from './refusals.ts';

/** Roles that one user is to get. */
export interface Giving {
  readonly userId: string;
  readonly roles: readonly ActualEntitlement[];
}

/** What became of the roles of one user: those that they have now, or why not. */
export type Given = readonly ActualEntitlement[] | LatchgateError;

/** Most users in one call. */
const MAX_USERS = 1_000;

/**
 * Gives roles in the fewest calls. A call for many that Auth0 refuses (somebody among them is gone, or the role is) is
 * made again user by user, so that each fails for itself. Answers by user id.
 */
export async function assignRoles(
  parts: WriteParts,
  givings: readonly Giving[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Given>> {
  const wanted = new Map(givings.map(({ userId, roles }) => [userId, roles]));
  const pairs = givings.flatMap(({ userId, roles }) => roles.map(({ id }): Pair => ({ user: userId, role: id })));
  const failed = new Map<string, LatchgateError>();
  const again = new Set<string>();
  const calls = fewestAssignments(pairs).flatMap(inPieces);
  await inParallel(calls, async (call) => {
    const users = call.by === 'role' ? call.users : [call.user];
    try {
      if (!(await assign(parts, call, signal))) for (const user of users) again.add(user);
    } catch (thrown) {
      for (const user of users) failed.set(user, toLatchgateError(thrown));
    }
  });
  const given = new Map<string, Given>([...wanted].map(([user, roles]) => [user, failed.get(user) ?? roles]));
  await inParallel([...again], async (user) => {
    if (failed.has(user)) return;
    given.set(user, await assignOneByOne(parts, user, wanted.get(user) ?? [], signal).catch(toLatchgateError));
  });
  return given;
}

function inPieces(call: Assignment): readonly Assignment[] {
  if (call.by === 'user' || call.users.length <= MAX_USERS) return [call];
  const pieces: Assignment[] = [];
  for (let at = 0; at < call.users.length; at += MAX_USERS) {
    pieces.push({ ...call, users: call.users.slice(at, at + MAX_USERS) });
  }
  return pieces;
}

/** False: Auth0 refused, because a user or a role of the call is not there. */
async function assign({ api, stillOurs }: WriteParts, call: Assignment, signal: AbortSignal): Promise<boolean> {
  const [path, body] =
    call.by === 'role'
      ? [['roles', call.role, 'users'], { users: call.users }]
      : [['users', call.user, 'roles'], { roles: call.roles }];
  await stillOurs?.();
  const response = await api.call({ method: 'POST', path, body, signal }, [200, 204, 400, 404]);
  return response.status < 300;
}

/** After a refusal: with the roles as they are called and numbered now, made again where the config lets us. */
async function assignOneByOne(
  parts: WriteParts,
  user: string,
  roles: readonly ActualEntitlement[],
  signal: AbortSignal,
): Promise<readonly ActualEntitlement[]> {
  if ((await parts.accounts.withoutRoles(user, signal)) === undefined) throw conflict('the account is gone');
  parts.roles.forget();
  const current = await resolveRoles(parts, roles, new Set(), signal);
  const ids = current.map(({ id }) => id);
  if (await assign(parts, { by: 'user', user, roles: ids }, signal)) return current;
  throw conflict('a role or the account is gone since a moment ago');
}

/** The roles of these names; one that is missing is made when it is in `create`, or when the config lets us. Throws `role_missing`. */
export async function resolveRoles(
  parts: WriteParts,
  wanted: readonly Entitlement[],
  create: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<readonly ActualEntitlement[]> {
  const found = new Map((await parts.roles.find(wanted, signal)).map((role) => [role.name, role]));
  const resolved: ActualEntitlement[] = [];
  for (const role of wanted) {
    const known = found.get(role.name);
    const mayMake = create.has(role.name) || parts.missingRoles === 'create';
    const made = known ?? (mayMake ? await parts.roles.create(role, signal) : undefined);
    if (made === undefined) throw roleMissing();
    found.set(made.name, made);
    resolved.push(made);
  }
  return resolved;
}

/** Takes roles of one user in one call. What is not theirs any more is fine. */
export async function removeRoles(
  { api, accounts }: WriteParts,
  userId: string,
  roles: readonly ActualEntitlement[],
  signal: AbortSignal,
): Promise<void> {
  let ids = [...new Set(roles.map(({ id }) => id))];
  for (let attempt = 0; ids.length > 0; attempt += 1) {
    const call = { method: 'DELETE', path: ['users', userId, 'roles'], body: { roles: ids }, signal } as const;
    const response = await api.call(call, [200, 204, 400, 404]);
    if (response.status < 300) return;
    if (attempt > 0 || (await accounts.withoutRoles(userId, signal)) === undefined)
      throw conflict('the account is gone');
    const held = new Set((await listRolesOf(api, userId, signal)).map(({ id }) => id));
    ids = ids.filter((id) => held.has(id));
  }
}
