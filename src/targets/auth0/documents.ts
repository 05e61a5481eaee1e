import type { ActualAccount } from '../../model/change.ts';
import type { ActualEntitlement } from '../../model/entitlement.ts';
import type { Profile } from '../../model/person.ts';
import type { Auth0RoleRecord, Auth0User } from '../../ops/auth0/documents.ts';

/** Members of a user that are read. */
export const USER_FIELDS = [
  'user_id',
  'email',
  'name',
  'given_name',
  'family_name',
  'blocked',
  'identities',
  'app_metadata',
] as const;

/** In characters (Auth0's own limits). */
export const MAX_NAME = 150;
export const MAX_DISPLAY_NAME = 300;

export const PROFILE_MEMBERS = ['givenName', 'familyName', 'displayName', 'email'] as const;

/** The key of `app_metadata` that is ours. Metadata are merged by their first keys, so the others' are safe. */
const METADATA_KEY = 'latchgate';

export interface AccountView {
  readonly connection: string;
  /** `never_delete` of the config. */
  readonly isKept: (user: Pick<Auth0User, 'user_id' | 'email'>) => boolean;
}

/**
 * A user as an account, when one of its identities is of our connection. Protected, when another connection's identity
 * is the one that it goes by: its profile comes from there.
 */
export function toAccount(
  user: Auth0User,
  roles: readonly ActualEntitlement[],
  { connection, isKept }: AccountView,
): ActualAccount | undefined {
  const { identities, user_id: id } = user;
  if (!identities.some((identity) => identity.connection === connection)) return undefined;
  const main = identities.find((identity) => `${identity.provider}|${identity.user_id}` === id);
  const externalId = externalIdOf(user);
  const email = user.email ?? null;
  return {
    id,
    userName: email ?? id,
    ...(externalId === undefined ? {} : { externalId }),
    active: user.blocked !== true,
    profile: {
      givenName: user.given_name ?? null,
      familyName: user.family_name ?? null,
      // Auth0 calls by their e-mail those who have no name.
      displayName: user.name && user.name !== email ? user.name : null,
      email,
    },
    entitlements: inOrder(roles),
    isProtected: main?.connection !== connection,
    ...neverOf(user, isKept),
  };
}

function neverOf(user: Auth0User, isKept: AccountView['isKept']): Pick<ActualAccount, 'never'> {
  if (isKept(user)) return { never: 'disable' };
  // With the account the logins by its other identities would go.
  return user.identities.length > 1 ? { never: 'delete' } : {};
}

function externalIdOf({ app_metadata: metadata }: Auth0User): string | undefined {
  const ours = metadata?.[METADATA_KEY];
  const id = typeof ours === 'object' && ours !== null ? (ours as Record<string, unknown>)['external_id'] : undefined;
  return typeof id === 'string' && id !== '' ? id : undefined;
}

/** What marks a new account as made by us for this person. */
export function markOf(externalId: string): Readonly<Record<string, unknown>> {
  return externalId === '' ? {} : { app_metadata: { [METADATA_KEY]: { external_id: externalId } } };
}

export function toEntitlement({ id, name }: Auth0RoleRecord): ActualEntitlement {
  return { kind: 'role', name, id };
}

/** By name, so that an account that is read twice is the same. */
export function inOrder(roles: readonly ActualEntitlement[]): readonly ActualEntitlement[] {
  return [...roles].sort((a, b) => (a.name < b.name || (a.name === b.name && a.id < b.id) ? -1 : 1));
}

/** Names to write; null takes one away. The e-mail is not among them: Auth0 wants it in a call of its own. */
export function toNames({ givenName, familyName, displayName }: Profile): Readonly<Record<string, string | null>> {
  return {
    ...(givenName === undefined ? {} : { given_name: givenName }),
    ...(familyName === undefined ? {} : { family_name: familyName }),
    ...(displayName === undefined ? {} : { name: displayName }),
  };
}

/** Compiles `never_delete`: ids as they stand, e-mails in any case. */
export function compileKept(lines: readonly string[]): AccountView['isKept'] {
  const ids = new Set(lines);
  // A letter with an accent is the same however it is put together.
  const folded = (text: string): string => text.normalize().toLowerCase().normalize();
  const emails = new Set(lines.map((line) => folded(line.trim())));
  return ({ user_id: id, email }) => ids.has(id) || (typeof email === 'string' && emails.has(folded(email)));
}

/** Compared without ASCII case, as Auth0 keeps addresses in lower case. */
export function lowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
