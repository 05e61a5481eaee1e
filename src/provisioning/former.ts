import type { Person } from '../directory/directory.ts';
import { LatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import { sameEmail } from './correlate.ts';
import type { PlanReads } from './job.ts';
import { whyOut } from './outcome.ts';

export interface FormerOptions {
  /** Of the error. */
  readonly detail?: Readonly<Record<string, unknown>>;
  /** Issuer of the ids by which somebody comes who is not in the directory yet. */
  readonly door?: string;
}

export interface FormerReads {
  readonly people: PlanReads['people'];
  readonly accounts: Pick<PlanReads['accounts'], 'ofPerson'>;
}

/**
 * Whoever is out does not come back by another door as somebody new. Throws LatchgateError `account_taken` for a person
 * who has the address of somebody who is out, by doors that have never told the two apart, unless they were there before
 * and have an account of their own: to have come before and been refused tells nobody apart. One of them may be the other,
 * or the address has passed on, and that only an operator can say (`users link`, `users release`).
 */
export async function refuseFormer(
  { people, accounts }: FormerReads,
  person: PersonId,
  email: string | null | undefined,
  { detail = {}, door }: FormerOptions = {},
): Promise<void> {
  if (typeof email !== 'string' || email === '') return;
  const gone = (await people.byEmail(email)).filter(
    (one) => one.id !== person && wasLetGo(one) && sameEmail(one.email, email),
  );
  if (gone.length === 0) return;
  const [who, subjects, links] = await Promise.all([
    people.get(person),
    people.subjects(person),
    accounts.ofPerson(person),
  ]);
  const hasAccount = links.some(({ state }) => state !== 'intended');
  const doors = new Set([...subjects.map(({ issuer }) => issuer), ...(door === undefined ? [] : [door])]);
  // Of nobody yet it cannot be said by which door they come.
  if (doors.size === 0) return;
  for (const one of gone) {
    if (who !== undefined && who.createdAt <= goneAt(one) && hasAccount) continue;
    const theirs = await people.subjects(one.id);
    if (theirs.some(({ issuer }) => doors.has(issuer))) continue;
    throw new LatchgateError('account_taken', 'somebody who is out has the same address, and may be the same human', {
      detail: { ...detail, owner: one.id },
    });
  }
}

/** Whoever was out from the start was never in, and nobody has let them go. */
function wasLetGo(person: Person): boolean {
  return whyOut(person) !== undefined && goneAt(person) > person.createdAt;
}

function goneAt({ leftAt, disabledAt, createdAt }: Person): Date {
  const times = [leftAt, disabledAt].filter((at) => at !== undefined);
  return times.length === 0 ? createdAt : new Date(Math.min(...times.map((at) => at.getTime())));
}
