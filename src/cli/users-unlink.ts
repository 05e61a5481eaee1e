import type { Directory, Person } from '../directory/directory.ts';
import { entitlementKey } from '../model/entitlement.ts';
import { LatchgateError } from '../model/errors.ts';
import type { SubjectKey } from '../model/person.ts';
import { newRequestId } from '../ops/request-id.ts';
import type { Io } from './io.ts';
import { onePerson } from './one-person.ts';
import { printable } from './table.ts';
import type { UsersLinkDeps } from './users-link.ts';

const OPERATOR = 'operator';

export interface UsersUnlinkDeps extends Omit<UsersLinkDeps, 'ledger' | 'leases'>, Pick<Directory, 'pins'> {
  /** Names of all targets of the config. */
  readonly targets: Iterable<string>;
}

interface UnlinkOptions {
  readonly json?: boolean;
  /** Where two doors call the person alike. */
  readonly origin?: string;
}

/**
 * `latchgate users unlink U SUBJECT`: two humans were taken for one. The subject, as `users show` has it, becomes a person of
 * its own, with what its origin said by it. What is pinned as withheld is withheld from both. U keeps the accounts, loses what that origin gave, and has no session any more;
 * the new person gets accounts of their own, both in the background. Exit code 0. Throws `not_found` when U has no such
 * subject (any more), `usage` when several fit, none would be left, or U is out by their owner's word, which holds for one of the two alone. With `json`: `id`, `unlinked`, `subjects`.
 */
export async function usersUnlink(
  who: string,
  subject: string,
  options: UnlinkOptions,
  deps: UsersUnlinkDeps,
  io: Io,
): Promise<number> {
  const person = await onePerson(deps, who, { partial: false });
  const subjects = await subjectsMeant(person, subject, options, deps);
  const other = await deps.people.split(person.id, subjects, subject);
  // Nobody can say of a session any more whose it was.
  await deps.sessions.destroyFor({ person: person.id });
  const about = { actor: OPERATOR, requestId: newRequestId() };
  const pins = await deps.pins.ofPerson(other.id);
  await deps.audit.append([
    { ...about, event: 'person.unlinked', person: person.id, after: { person: other.id, subject } },
    ...pins.map((pin) => {
      const { target, effect, by, reason } = pin;
      const after = { effect, by, ...(reason === undefined ? {} : { reason }) };
      return { ...about, event: 'grant.pinned', person: other.id, target, key: entitlementKey(pin), after };
    }),
  ]);
  const now = new Date(deps.clock.now());
  for (const target of deps.targets) {
    for (const { id } of [person, other]) await deps.retries.put(id, target, 'target_pending', now);
  }
  if (options.json === true) io.out(JSON.stringify({ id: person.id, unlinked: other.id, subjects }));
  else {
    io.out(`${printable(subject)} is ${other.id} from now on, and not ${named(person)}; accounts follow`);
    for (const pin of pins) {
      const what = printable(`${pin.target}:${entitlementKey(pin)}`);
      io.out(`${what} is withheld from both, by ${printable(pin.by)}: latchgate pins lift ends that for one of them`);
    }
    const after = await deps.people.get(person.id);
    if (person.owner !== undefined && after !== undefined && after.owner === undefined) {
      io.out(`${named(person)} is no more among whom ${person.owner} owns: whom it lets go of is ${other.id}`);
    }
  }
  return 0;
}

async function subjectsMeant(
  person: Person,
  text: string,
  { origin }: UnlinkOptions,
  { people }: Pick<UsersUnlinkDeps, 'people'>,
): Promise<readonly SubjectKey[]> {
  const all = await people.subjects(person.id);
  const fitting = all.filter((one) => one.subject === text && (origin === undefined || one.origin === origin));
  const origins = [...new Set(fitting.map((one) => one.origin))];
  if (origins.length === 0) {
    const known = all.map((one) => `${printable(one.subject)} (${one.origin})`).join(', ');
    throw new LatchgateError('not_found', `${named(person)} is not known as ${printable(text)}, but as ${known}`);
  }
  if (origins.length > 1) {
    throw new LatchgateError(
      'usage',
      `several doors say ${printable(text)}: name one with --origin ${origins.join('|')}`,
    );
  }
  if (fitting.length === all.length) {
    throw new LatchgateError('usage', `nothing would be left by which ${named(person)} is known`);
  }
  return fitting.map(({ issuer, subject }) => ({ issuer, subject }));
}

function named({ displayName, id }: Person): string {
  return `${printable(displayName)} (${id})`;
}
