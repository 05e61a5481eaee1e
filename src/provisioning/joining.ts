import type { Directory, Person } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import { compilePrivileged } from '../mapping/privileged.ts';
import type { Assertion } from '../model/person.ts';
import { sameEmail } from './correlate.ts';
import { whyOut } from './outcome.ts';

/** `identity.join: verified_email`. */
export interface Joining {
  /** `identity.join_within`, in milliseconds. */
  readonly withinMs: number;
  /** Origins that say when somebody is gone: what they last said holds until then. */
  readonly lists: ReadonlySet<string>;
}

export interface JoiningDeps {
  readonly directory: Pick<Directory, 'people' | 'ledger'>;
  readonly mapping: Pick<Mapping, 'trustedEmail'>;
  /** undefined: `identity.join` is `never`. */
  readonly join?: Joining;
  /** `safety.privileged`. */
  readonly privileged: readonly string[];
}

/**
 * Whom a door means that speaks of somebody for the first time: the one person whose address it is by the word of both,
 * where `identity.join` lets an address say so. undefined, and so somebody new: when several fit, when the door knows the
 * person by another id already, when nobody has verified what one of them said or a login said it too long ago (an
 * address may have been given to another human since), when the person is out, and when they have something privileged, which an address
 * alone is not enough for.
 */
export async function personByEmail(
  { directory: { people, ledger }, mapping, join, privileged }: JoiningDeps,
  assertion: Assertion,
): Promise<Person | undefined> {
  if (join === undefined || !assertion.active || assertion.isUnverified === true) return undefined;
  const email = mapping.trustedEmail(assertion);
  if (email === undefined) return undefined;
  const since = assertion.at.getTime() - join.withinMs;
  const holds = (one: Assertion) =>
    one.active && one.isUnverified !== true && (join.lists.has(one.origin) || one.at.getTime() >= since);
  const fitting: Person[] = [];
  for (const person of await people.byEmail(email)) {
    const said = await people.assertions(person.id);
    if (said.some((one) => holds(one) && sameEmail(mapping.trustedEmail(one), email))) fitting.push(person);
  }
  const [person, ...more] = fitting;
  if (person === undefined || more.length > 0 || whyOut(person) !== undefined) return undefined;
  const subjects = await people.subjects(person.id);
  if (subjects.some(({ issuer, origin }) => issuer === assertion.issuer || origin === assertion.origin))
    return undefined;
  const isPrivileged = compilePrivileged(privileged);
  const grants = await ledger.ofPerson(person.id);
  return grants.some((grant) => isPrivileged(grant.target, grant)) ? undefined : person;
}
