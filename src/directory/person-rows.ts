import type { Assertion } from '../model/person.ts';
import type { Person, RememberedAssertion } from './directory.ts';
import type { AssertionRow, PersonRow } from './tables.ts';

export function toPerson(row: PersonRow): Person {
  return {
    id: row.id,
    displayName: row.display_name,
    ...(row.email === null ? {} : { email: row.email }),
    disabled: row.disabled === 1,
    createdAt: new Date(row.created_at),
    ...(row.last_seen_at === null ? {} : { lastSeenAt: new Date(row.last_seen_at) }),
    ...(row.owner === null ? {} : { owner: row.owner }),
    ...(row.left_at === null ? {} : { leftAt: new Date(row.left_at) }),
    ...(row.disabled_at === null ? {} : { disabledAt: new Date(row.disabled_at) }),
  };
}

export function toAssertion(row: AssertionRow): RememberedAssertion {
  return {
    issuer: row.issuer,
    subject: row.subject,
    origin: row.origin,
    active: row.active === 1,
    claims: JSON.parse(row.claims) as Assertion['claims'],
    at: new Date(row.at),
    ...(row.unverified === 1 ? { isUnverified: true } : {}),
    ...(row.remembered_groups === null ? {} : { rememberedGroups: JSON.parse(row.remembered_groups) as string[] }),
  };
}
