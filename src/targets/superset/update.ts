import { setTimeout as sleep } from 'node:timers/promises';
import type { ActualAccount, Applied, ChangeSet } from '../../model/change.ts';
import { type ActualEntitlement, entitlementKey } from '../../model/entitlement.ts';
import { LatchgateError } from '../../model/errors.ts';
import type { StillOurs } from '../target.ts';
import type { SupersetAccounts } from './accounts.ts';
import type { SupersetApi } from './api.ts';
import { PROFILE_FIELDS, PROFILE_MEMBERS, userId } from './documents.ts';
import type { SupersetEntitlements } from './entitlements.ts';
import { entitlementsAfter, inOrder, type MissingPolicy, membershipColumns, resolveAdditions } from './memberships.ts';
import { conflict, invalid, refuseProtected, unavailable } from './refusals.ts';

export interface ApplyParts {
  readonly api: SupersetApi;
  readonly accounts: SupersetAccounts;
  readonly entitlements: SupersetEntitlements;
  /** `missing` of the config: whether what vanished meanwhile is made again. */
  readonly missing: MissingPolicy;
  /** False: an account is only switched off, because Superset gives its id to the next one. */
  readonly mayDelete: boolean;
  /** Asked ahead of each call that writes. Absent: nobody else is there. */
  readonly stillOurs?: StillOurs | undefined;
}

/** Two writers of one account make one of them fail (StaleDataError, HTTP 500); it only has to try again. */
const ATTEMPTS = 5;
const PAUSE_MS = 40;

/** What is written to an account that is there. */
export type Update = Pick<ChangeSet, 'profile' | 'active' | 'add' | 'drop' | 'create'>;

/**
 * One PUT, computed from what is there at that moment, so that what was given by hand stays. A refusal is looked into
 * by reading again.
 */
export async function updateAccount(
  parts: ApplyParts,
  changes: Update,
  read: ActualAccount,
  signal: AbortSignal,
): Promise<Applied> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const current = await readAgain(parts, read, signal);
    const { columns, after } = await remaining(parts, changes, current, signal);
    if (Object.keys(columns).length === 0) return { outcome: 'already', account: current };
    const call = { method: 'PUT', path: `users/${idOf(read)}`, body: columns, signal } as const;
    const { outcome } = await parts.api.call(call, [200, 400, 422, 500, 'gone']);
    if (outcome === 200) return { outcome: 'applied', account: after };
    if (outcome === 400) throw invalid();
    await refuseTakenEmail(parts, columns['email'], read, signal);
    await pauseFor(PAUSE_MS * (attempt + Math.random()), signal);
  }
  throw unavailable();
}

interface Remaining {
  readonly columns: Readonly<Record<string, unknown>>;
  readonly after: ActualAccount;
}

/** What of the changes is still to be written to the account as it is now, and what it is afterwards. */
async function remaining(
  parts: ApplyParts,
  changes: Update,
  current: ActualAccount,
  signal: AbortSignal,
): Promise<Remaining> {
  const columns: Record<string, unknown> = {};
  const profile: Record<string, string | null> = { ...current.profile };
  for (const member of PROFILE_MEMBERS) {
    const value = changes.profile[member];
    if (!value || value === current.profile[member]) continue;
    columns[PROFILE_FIELDS[member]] = value;
    profile[member] = value;
  }
  const active = changes.active ?? current.active;
  if (active !== current.active) columns['active'] = active;
  const entitlements = await membershipsAfter(parts, changes, current, signal);
  if (entitlements !== undefined) Object.assign(columns, membershipColumns(entitlements));
  return { columns, after: { ...current, active, profile, entitlements: entitlements ?? current.entitlements } };
}

/** Undefined when the account has all that it is to have, and nothing that is to go. */
async function membershipsAfter(
  parts: ApplyParts,
  changes: Update,
  current: ActualAccount,
  signal: AbortSignal,
): Promise<readonly ActualEntitlement[] | undefined> {
  const has = new Set(current.entitlements.map((entitlement) => entitlementKey(entitlement)));
  const add = changes.add.filter((entitlement) => !has.has(entitlementKey(entitlement)));
  const ids = new Set(current.entitlements.map(({ id }) => id));
  const drop = changes.drop.filter(({ id }) => ids.has(id));
  if (add.length === 0 && drop.length === 0) return undefined;
  const added = await resolveAdditions(parts, { add, create: changes.create }, signal);
  const after = inOrder(entitlementsAfter(current, added, drop));
  // Superset refuses an account without any; what is left to keep is for the next plan to say.
  if (after.length === 0) throw conflict('the account would have neither role nor group');
  return after;
}

async function readAgain({ accounts }: ApplyParts, read: ActualAccount, signal: AbortSignal): Promise<ActualAccount> {
  const current = await accounts.byId(read.id, signal);
  if (current === undefined) throw conflict('the account is gone');
  // SQLite gives the id of a deleted account to the next one.
  if (current.userName !== read.userName) throw conflict('the id is of another account now');
  refuseProtected(current);
  return current;
}

/** Superset answers 500 to an e-mail that another account has. */
async function refuseTakenEmail(
  { accounts }: ApplyParts,
  email: unknown,
  { id }: ActualAccount,
  signal: AbortSignal,
): Promise<void> {
  if (typeof email !== 'string') return;
  const holders = await accounts.byText('email', email, signal);
  if (holders.some((holder) => holder.id !== id)) throw conflict('another account has this e-mail since a moment ago');
}

/** Superset’s number of an account. */
export function idOf({ id }: ActualAccount): number {
  const number = userId(id);
  if (number === undefined) throw conflict('the account has no id that Superset gives');
  return number;
}

async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (thrown) {
    throw new LatchgateError('target_unavailable', 'the wait for Superset was given up', { cause: thrown });
  }
}
