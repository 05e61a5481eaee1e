import type { Audit } from '../audit/audit.ts';
import type { AccountLink, Directory, Person } from '../directory/directory.ts';
import { entitlementKey } from '../model/entitlement.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import { newRequestId } from '../ops/request-id.ts';
import type { SessionStore } from '../session/store.ts';
import type { Io } from './io.ts';
import { onePerson } from './one-person.ts';
import { printable } from './table.ts';

const OPERATOR = 'operator';
/** For a run that is under way on the account. */
const LEASE_MS = 4_000;
const WAIT_MS = 20_000;

export interface UsersLinkDeps extends Pick<Directory, 'people' | 'accounts' | 'ledger' | 'leases' | 'retries'> {
  readonly audit: Audit;
  readonly clock: Clock;
  readonly sessions: SessionStore;
}

interface JsonOption {
  readonly json?: boolean;
}

/**
 * `latchgate users link U OTHER`: both are one human, who came back under another key. What origins say of OTHER is said of
 * U from now on, and the accounts of U follow in the background and with the next sync. OTHER must have no account, and must not be out while U is in. Both
 * texts must name one person exactly. Exit code 0. Throws `not_found`, `usage`. With `json`: `id`, `linked`.
 */
export async function usersLink(
  who: string,
  otherWho: string,
  options: JsonOption,
  deps: UsersLinkDeps,
  io: Io,
): Promise<number> {
  const person = await onePerson(deps, who, { partial: false });
  const other = await onePerson(deps, otherWho, { partial: false });
  if (person.id === other.id) throw new LatchgateError('usage', `both are ${printable(person.id)} already`);
  if ((await deps.accounts.ofPerson(other.id)).length > 0) {
    throw new LatchgateError(
      'usage',
      `${other.id} has accounts of their own: name the one who is to be kept first, or let go of them with latchgate users release ${other.id}`,
    );
  }
  await deps.people.absorb(person.id, other.id);
  // Whoever had a session as somebody who is no more begins anew, as who they are.
  await deps.sessions.destroyFor({ person: other.id });
  await deps.audit.append([
    {
      event: 'person.linked',
      actor: OPERATOR,
      person: person.id,
      before: { person: other.id },
      requestId: newRequestId(),
    },
  ]);
  const now = new Date(deps.clock.now());
  for (const { target } of await deps.accounts.ofPerson(person.id)) {
    await deps.retries.put(person.id, target, 'target_pending', now);
  }
  if (options.json === true) io.out(JSON.stringify({ id: person.id, linked: other.id }));
  else io.out(`${named(other)} is ${named(person)} from now on; accounts follow with the next sync or login`);
  return 0;
}

/**
 * `latchgate users release U`: forgets that the accounts of U are theirs, and what was given there, so that somebody else whom
 * they fit may have them: an address that was given to another human, and which is forgotten with them. No target is written to. Exit code 0. Throws
 * `not_found`, `usage` when U may still log in. With `json`: `id`, `released` with `target` and `userName`.
 */
export async function usersRelease(
  who: string,
  options: JsonOption & { readonly target?: string },
  deps: UsersLinkDeps,
  io: Io,
): Promise<number> {
  const person = await onePerson(deps, who, { partial: false });
  if (!person.disabled && person.leftAt === undefined) {
    throw new LatchgateError(
      'usage',
      `${named(person)} may log in and would be given the account again: latchgate users disable ${person.id} comes first`,
    );
  }
  const links = (await deps.accounts.ofPerson(person.id)).filter(
    ({ target }) => options.target === undefined || target === options.target,
  );
  for (const link of links) await release(deps, link);
  await deps.people.forgetEmail(person.id);
  const released = links.map(({ target, userName }) => ({ target, userName }));
  if (options.json === true) io.out(JSON.stringify({ id: person.id, released }));
  else {
    io.out(`${named(person)}: ${links.length === 0 ? 'there was no account' : 'let go of'}`);
    for (const { target, userName, state } of links) {
      const off = state === 'disabled' ? '; it is switched off, and nobody but you switches it on there' : '';
      io.out(`${target}: ${printable(userName)}${off}`);
    }
  }
  return 0;
}

async function release(deps: UsersLinkDeps, { person, target, userName }: AccountLink): Promise<void> {
  const lease = await deps.leases.acquire(`account:${target}:${person}`, LEASE_MS, AbortSignal.timeout(WAIT_MS));
  try {
    // The audit first: what is not audited counts as not done.
    const requestId = newRequestId();
    await deps.audit.append([{ event: 'account.released', actor: OPERATOR, person, target, key: userName, requestId }]);
    const grants = await deps.ledger.ofAccount(person, target);
    await deps.ledger.withdraw(
      person,
      target,
      grants.map((grant) => ({ key: entitlementKey(grant) })),
    );
    await deps.accounts.remove(person, target);
    await deps.retries.done(person, target);
  } finally {
    await lease.release().catch(() => undefined);
  }
}

function named({ displayName, id }: Person): string {
  return `${printable(displayName)} (${id})`;
}
