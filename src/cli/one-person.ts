import type { Accounts, People, Person } from '../directory/directory.ts';
import { LatchgateError } from '../model/errors.ts';
import { printable } from './table.ts';

const CANDIDATES = 20;

export interface WhoDeps {
  readonly people: People;
  readonly accounts: Accounts;
}

/**
 * Whom an operator means by an id, subject, e-mail, user name in a target or display name. With `partial`, one person
 * whose display name holds the text is enough. Throws `not_found`; `usage` when several fit, with their ids.
 */
export async function onePerson(deps: WhoDeps, text: string, options: { readonly partial: boolean }): Promise<Person> {
  const byId = await deps.people.get(text);
  if (byId !== undefined) return byId;
  const found = await deps.people.search(text, CANDIDATES);
  const exact: Person[] = [];
  for (const person of found) if (await isNamed(deps, person, text)) exact.push(person);
  const fitting = exact.length > 0 || !options.partial ? exact : found;
  const [person, ...more] = fitting;
  if (person === undefined) throw new LatchgateError('not_found', `nobody is known as ${printable(text)}`);
  if (more.length === 0) return person;
  const list = fitting.map(({ id, displayName }) => `${id} (${printable(displayName)})`).join(', ');
  throw new LatchgateError('usage', `several people fit ${printable(text)}, name one by id: ${list}`);
}

async function isNamed(deps: WhoDeps, person: Person, text: string): Promise<boolean> {
  const wanted = text.trim().toLowerCase();
  const is = (name: string | undefined) => name?.toLowerCase() === wanted;
  if (is(person.email) || is(person.displayName)) return true;
  const accounts = await deps.accounts.ofPerson(person.id);
  if (accounts.some((account) => is(account.userName))) return true;
  const subjects = await deps.people.subjects(person.id);
  return subjects.some(({ subject }) => subject === text.trim());
}
