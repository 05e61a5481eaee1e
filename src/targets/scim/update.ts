import type { ActualAccount, Applied } from '../../model/change.ts';
import type { HttpResponse } from '../../ops/http-client.ts';
import { pause } from '../../ops/retry.ts';
import { type Resource, resource } from '../../ops/scim/documents.ts';
import {
  changed,
  type Operation,
  operationsFor,
  patchBody,
  replaceBody,
  toAccount,
  type UserChange,
  versionOf,
} from './documents.ts';
import type { WriteParts } from './parts.ts';
import { conflict, invalid, refuseProtected, restless } from './refusals.ts';

const ATTEMPTS = 6;
const PAUSE_MS = 40;

/**
 * The account itself, without its groups: read, and written where it is not yet as it should be. Also when nothing is
 * to be written it is read, because a group would take somebody who is not there any more. Throws `target_conflict`,
 * `profile_invalid`.
 */
export async function updateAccount(
  parts: WriteParts,
  change: UserChange,
  read: ActualAccount,
  signal: AbortSignal,
): Promise<Applied> {
  refuseProtected(read);
  const { entitlements } = read;
  if (!isWrite(change)) {
    await currentUser(parts, read, signal);
    return { outcome: 'already', account: read };
  }
  return parts.oneAtATime(`user ${read.id}`, async () => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const { ownId } = await parts.discovery.features(signal);
      const current = await currentUser(parts, read, signal);
      const operations = operationsFor(current, change);
      if (operations.length === 0) return { outcome: 'already', account: toAccount(current, entitlements, ownId) };
      const after = await write(parts, current, change, operations, signal);
      if (after !== 'again') return { outcome: 'applied', account: toAccount(after, entitlements, ownId) };
      if (attempt > 0) await pause(PAUSE_MS * (attempt + Math.random()), signal);
    }
    throw restless();
  });
}

/** Whether anything of the account itself is to be written. */
export function isWrite({ active, profile }: UserChange): boolean {
  return active !== undefined || Object.keys(profile).length > 0;
}

async function currentUser({ accounts }: WriteParts, { id }: ActualAccount, signal: AbortSignal): Promise<Resource> {
  const current = await accounts.user(id, signal);
  if (current === undefined) throw conflict('the account is gone');
  return current;
}

async function write(
  { api, discovery }: WriteParts,
  current: Resource,
  change: UserChange,
  operations: readonly Operation[],
  signal: AbortSignal,
): Promise<Resource | 'again'> {
  const { patch, etag, needsVersion, users } = await discovery.features(signal);
  const path = [users, current.id];
  const ifMatch = etag || needsVersion ? versionOf(current) : undefined;
  const after = changed(current, change);
  const response = patch
    ? await api.call({ method: 'PATCH', path, body: patchBody(operations), ifMatch, signal }, ANSWERS)
    : await api.call({ method: 'PUT', path, body: replaceBody(after), ifMatch, signal }, ANSWERS);
  switch (response.status) {
    case 412:
      return 'again';
    case 428:
      discovery.learn({ needsVersion: true });
      return 'again';
    case 405:
    case 501:
      if (!patch) throw invalid(response, 'PUT Users/ID');
      discovery.learn({ patch: false });
      return 'again';
    case 404:
      throw conflict('the account is gone');
    case 409:
      throw conflict('another account has a value that only one can have');
    case 400:
      throw invalid(response, `${patch ? 'PATCH' : 'PUT'} Users/ID`);
    default:
      return answered(response) ?? after;
  }
}

const ANSWERS = [200, 202, 204, 400, 404, 405, 409, 412, 428, 501] as const;

/** The User of an answer; undefined when it has none, or only a part of it. */
function answered(response: HttpResponse): Resource | undefined {
  if (response.status !== 200 || response.text === '') return undefined;
  const parsed = resource.safeParse(response.json());
  return parsed.success && 'userName' in parsed.data ? parsed.data : undefined;
}

/** What is not there any more is fine. A service that deletes nobody switches the account off. */
export async function removeAccount(parts: WriteParts, read: ActualAccount, signal: AbortSignal): Promise<Applied> {
  refuseProtected(read);
  const gone = { ...read, active: false, entitlements: [] };
  const current = await parts.accounts.user(read.id, signal);
  if (current === undefined) return { outcome: 'already', account: gone };
  const { users, etag, needsVersion } = await parts.discovery.features(signal);
  const ifMatch = etag || needsVersion ? versionOf(current) : undefined;
  await parts.stillOurs?.();
  const call = { method: 'DELETE', path: [users, read.id], ifMatch, signal } as const;
  const response = await parts.api.call(call, [200, 202, 204, 404, 405, 412, 428, 501]);
  if (response.status === 412 || response.status === 428) throw conflict('the account was changed meanwhile');
  if (response.status === 405 || response.status === 501) {
    return updateAccount(parts, { profile: {}, active: false }, read, signal);
  }
  return { outcome: response.status === 404 ? 'already' : 'applied', account: gone };
}
