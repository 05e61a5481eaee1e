import type { Audit } from '../audit/audit.ts';
import type { PersonId } from '../model/person.ts';

/** Whose accounts in a target were written a moment ago: of them a list that lags behind may still show what was before. */
export interface Lately {
  readonly people: ReadonlySet<PersonId>;
  /** User names of accounts. */
  readonly names: ReadonlySet<string>;
}

export const NOTHING_LATELY: Lately = { people: new Set(), names: new Set() };

/** From the audit, which has every write. Throws `state_unavailable`. */
export async function writtenSince(audit: Pick<Audit, 'list'>, target: string, since: Date): Promise<Lately> {
  const people = new Set<PersonId>();
  const names = new Set<string>();
  for await (const { event, target: where, person, key } of audit.list({ since })) {
    if (where !== target) continue;
    if (person !== undefined) people.add(person);
    if (event.startsWith('account.') && key !== undefined) names.add(key);
  }
  return { people, names };
}
