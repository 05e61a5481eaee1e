import { z } from 'zod';
import type { ActualAccount } from '../../model/change.ts';
import type { ActualEntitlement, Entitlement } from '../../model/entitlement.ts';
import type { Profile } from '../../model/person.ts';
import { cut } from '../names.ts';

/*
 * JSON:API documents of users and groups. Only the members that we read are named; others may come and go.
 */

const linkage = z.object({ id: z.string(), type: z.string() });
const optionalText = z.string().nullish();

const userData = z.object({
  id: z.string().min(1),
  attributes: z
    .object({
      authenticationId: optionalText,
      email: optionalText,
      firstname: optionalText,
      lastname: optionalText,
      systemAccount: z.boolean().nullish(),
    })
    .optional(),
  relationships: z.object({ userGroups: z.object({ data: z.array(linkage).nullish() }).optional() }).optional(),
});

const groupData = z.object({ id: z.string().min(1), attributes: z.object({ name: optionalText }).optional() });
const included = z.array(
  z.object({ id: z.string(), type: z.string(), attributes: z.record(z.string(), z.unknown()).optional() }),
);

export const userDocument = z.object({ data: userData, included: included.optional() });
export const userList = z.object({
  data: z.array(userData),
  included: included.optional(),
  meta: z.object({ page: z.object({ totalElements: z.number() }).optional() }).optional(),
});
export const groupList = z.object({ data: z.array(groupData) });
export const profileAnswer = z.object({ userId: z.string().min(1), permissions: z.array(z.string()) });

type UserData = z.output<typeof userData>;
type Included = z.output<typeof included>;

/** Member of a profile → attribute of a GoodData user. There is no display name. */
const ATTRIBUTES = { givenName: 'firstname', familyName: 'lastname', email: 'email' } as const;
export const PROFILE_MEMBERS = ['givenName', 'familyName', 'email'] as const;

/** Longest text of an attribute or a group's name, in characters. */
export const MAX_TEXT = 255;

/** A user as the planner knows accounts. The id is the user name as well. */
export function toAccount(user: UserData, groups: Included | undefined, isProtected: boolean): ActualAccount {
  const names = new Map(
    groups?.filter(({ type }) => type === 'userGroup').map((group) => [group.id, group.attributes?.['name']]),
  );
  const { authenticationId, email, firstname, lastname } = user.attributes ?? {};
  return {
    id: user.id,
    userName: user.id,
    ...(authenticationId ? { externalId: authenticationId } : {}),
    active: true,
    profile: { givenName: firstname || null, familyName: lastname || null, email: email || null },
    entitlements: (user.relationships?.userGroups?.data ?? []).map(({ id }) => toGroup(id, names.get(id))),
    isProtected,
  };
}

/** A group as an entitlement: its name is its id, and what people call it is the label. */
export function toGroup(id: string, name: unknown): ActualEntitlement {
  return {
    kind: 'group',
    name: id,
    id,
    ...(typeof name === 'string' && name !== '' && name !== id ? { label: name } : {}),
  };
}

/** What a group of this entitlement is called. */
export function groupName(entitlement: Entitlement): string {
  return cut(entitlement.label ?? entitlement.name, MAX_TEXT);
}

/** Attributes of a user to write. `null` clears: an empty text, because attributes are not nullable. */
export function toAttributes(profile: Profile): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const member of PROFILE_MEMBERS) {
    const value = profile[member];
    if (value !== undefined) attributes[ATTRIBUTES[member]] = value ?? '';
  }
  return attributes;
}

/** A user document as POST and PATCH take it. Without `groups` the memberships are left as they are. */
export function userBody(
  id: string,
  attributes: Readonly<Record<string, string>>,
  groups?: readonly string[],
): unknown {
  return {
    data: {
      id,
      type: 'user',
      ...(Object.keys(attributes).length === 0 ? {} : { attributes }),
      ...(groups === undefined
        ? {}
        : { relationships: { userGroups: { data: groups.map((group) => ({ id: group, type: 'userGroup' })) } } }),
    },
  };
}
