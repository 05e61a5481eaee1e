import { z } from 'zod';
import type { ActualAccount } from '../../model/change.ts';
import type { ActualEntitlement } from '../../model/entitlement.ts';
import type { Profile } from '../../model/person.ts';

/*
 * What we read and write of a Superset user, and how much of it fits (flask_appbuilder/security/sqla/models.py). SQLite
 * does not enforce the lengths, other databases do. Counted in code points, as databases do.
 */

export type RoleOrGroup = 'role' | 'group';

export const MAX_NAME = 64;
export const MAX_USER_NAME = 128;
export const MAX_EMAIL = 320;
export const MAX_ENTITLEMENT: Readonly<Record<RoleOrGroup, number>> = { role: 64, group: 100 };
export const MAX_LABEL = 150;

export const PROFILE_MEMBERS = ['givenName', 'familyName', 'email'] as const;
export const PROFILE_FIELDS = { givenName: 'first_name', familyName: 'last_name', email: 'email' } as const;

/** Whoever has it can change accounts, ours included: it is the role of service accounts like our own. */
const SERVICE_ROLE = 'gateway_provisioner';

export const USER_COLUMNS = [
  'id',
  'username',
  'first_name',
  'last_name',
  'email',
  'active',
  'roles.id',
  'roles.name',
  'groups',
] as const;

export const namedRecord = z.object({ id: z.int(), name: z.string() });

const userRecord = z.object({
  id: z.int(),
  username: z.string(),
  first_name: z.string().nullish(),
  last_name: z.string().nullish(),
  email: z.string().nullish(),
  active: z.boolean().nullish(),
  roles: z.array(namedRecord),
  groups: z.array(namedRecord),
});

export const userAnswer = z.object({ result: z.unknown() });
export const createdAnswer = z.object({ id: z.int() });
export const listAnswer = z.object({ result: z.array(z.unknown()), count: z.int() });
export const infoAnswer = z.object({ permissions: z.array(z.string()) });

export { userRecord };

/** Roles and groups are numbered apart, and a ledger knows an entitlement by its id alone: so the id has the kind in it. */
export function entitlementId(kind: RoleOrGroup, id: number): string {
  return `${kind}:${id}`;
}

/** Superset's own number; undefined for an id that is not of this kind. */
export function recordId(kind: RoleOrGroup, id: string): number | undefined {
  const number = id.startsWith(`${kind}:`) ? Number(id.slice(kind.length + 1)) : Number.NaN;
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}

/** An account id as Superset's number; undefined for a text that is none. */
export function userId(id: string): number | undefined {
  return /^[1-9]\d{0,14}$/.test(id) ? Number(id) : undefined;
}

export function toEntitlement(kind: RoleOrGroup, { id, name }: z.output<typeof namedRecord>): ActualEntitlement {
  return { kind, name, id: entitlementId(kind, id) };
}

/** `serviceAccount` is our own user name. */
export function toAccount(user: z.output<typeof userRecord>, serviceAccount: string): ActualAccount {
  return {
    id: String(user.id),
    userName: user.username,
    active: user.active === true,
    profile: { givenName: user.first_name ?? null, familyName: user.last_name ?? null, email: user.email ?? null },
    entitlements: [
      ...user.roles.map((role) => toEntitlement('role', role)),
      ...user.groups.map((group) => toEntitlement('group', group)),
    ],
    isProtected: sameText(user.username, serviceAccount) || user.roles.some(({ name }) => name === SERVICE_ROLE),
  };
}

/** Columns of a user for the members that are there. Superset has no empty ones, so `null` writes nothing. */
export function toColumns(profile: Profile): Record<string, string> {
  const columns: Record<string, string> = {};
  for (const member of PROFILE_MEMBERS) {
    const value = profile[member];
    if (value) columns[PROFILE_FIELDS[member]] = value;
  }
  return columns;
}

/** Without case: user names and e-mails that differ in nothing else are of one person or a mistake. */
export function sameText(a: string | null | undefined, b: string | null | undefined): boolean {
  return typeof a === 'string' && typeof b === 'string' && foldCase(a) === foldCase(b);
}

export function foldCase(text: string): string {
  return text.normalize('NFC').toLowerCase().normalize('NFC');
}
