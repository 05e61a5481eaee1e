import type { PlanReads } from '../provisioning/job.ts';
import type { SyncOrigin } from './deciding.ts';
import { isStandIn } from './draft.ts';

/** The same, for people too who are not in the directory yet: they come by the door of this sync. */
export function withNewcomers(
  { accounts, people }: PlanReads,
  { issuer, name }: Pick<SyncOrigin, 'issuer' | 'name'>,
): PlanReads {
  return {
    accounts,
    people: {
      get: (person) => people.get(person),
      byEmail: (email) => people.byEmail(email),
      subjects: async (person) =>
        isStandIn(person) ? [{ issuer, subject: person, origin: name }] : people.subjects(person),
    },
  };
}
