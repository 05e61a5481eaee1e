import type { Database } from '../directory/database.ts';
import { type ErrorCode, LatchgateError } from '../model/errors.ts';
import { isErrorCode, isTargetFault, TARGET_FAULTS } from '../provisioning/outcome.ts';
import type { ScimClient } from './client.ts';
import type { Pushed } from './push.ts';
import type { Carried } from './pushes.ts';
import { lockUsers } from './store/user-locks.ts';
import { touchUsers } from './store/users.ts';
import { isAnyWaiting, waitingAmong } from './store/waiting.ts';

/** Whom a request is about: by what is new, and by what it says once more. */
export type About = Pick<Pushed<unknown>, 'users' | 'repeats' | 'repeatsAny'>;

/** What is not known to be in every target, and what the client is told of it. */
export interface NotIn {
  /** Whether something that the request says of these is. */
  concerns(about: About): boolean;
  /** `target_unavailable`: try again. */
  readonly error: LatchgateError;
}

/** What a row in `retries` says as long as trying again may bring in what was pushed. */
const WAITING: readonly string[] = [...TARGET_FAULTS, 'target_pending'] satisfies readonly ErrorCode[];

/** Whoever says once more what waits has it tried now. Returns ids of the users whom it concerns. */
export async function takeUpRepeated(
  database: Database,
  { name }: ScimClient,
  { repeats = [] }: About,
): Promise<readonly string[]> {
  if (repeats.length === 0) return [];
  const waiting = [...(await database.run((db) => waitingAmong(db, name, repeats, WAITING)))];
  if (waiting.length === 0) return [];
  return database.transaction(async (db) => {
    if (database.engine === 'postgres') await lockUsers(db, name, waiting);
    return [...(await touchUsers(db, name, waiting))];
  });
}

/**
 * For a client that is to be told (`target_down: refuse`): undefined when all that it said is in. What was waited for
 * does not say so by itself: an earlier push of the same, or another instance, may be under way.
 */
export async function notInYet(
  database: Database,
  client: ScimClient,
  about: About,
  { failures, isDone }: Carried,
): Promise<NotIn | undefined> {
  const down = failures.filter(({ code }) => isErrorCode(code) && isTargetFault(code));
  const ids = idsOf(about);
  const isAny = about.repeatsAny === true && (await database.run((db) => isAnyWaiting(db, client.name, WAITING)));
  const waiting = new Set([
    ...down.flatMap(({ users }) => users),
    ...(isDone ? await database.run((db) => waitingAmong(db, client.name, ids, WAITING)) : ids),
  ]);
  if (waiting.size === 0 && !isAny) return undefined;
  const [first] = down;
  return {
    concerns: (one) => (one.repeatsAny === true && isAny) || idsOf(one).some((id) => waiting.has(id)),
    error: new LatchgateError('target_unavailable', 'what was pushed is kept, and is not in every target yet', {
      detail: first === undefined ? { reason: 'target_pending' } : { target: first.target, reason: first.code },
      retryAfterSeconds: 10,
    }),
  };
}

function idsOf({ users, repeats = [] }: About): readonly string[] {
  return [...users, ...repeats];
}
