import type { ActualAccount, ChangeSet } from '../../model/change.ts';
import type { ActualEntitlement } from '../../model/entitlement.ts';
import type { Profile } from '../../model/person.ts';
import { isFalse, itemsOf, primaryEmail, primaryOf, type Resource } from '../../ops/scim/documents.ts';

export const USER_SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:User';
const ENTERPRISE_SCHEMA = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
export const GROUP_SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const PATCH_OP = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

/** Members of a profile that are written to a service that does not say what attributes it has. */
export const PROFILE_EVERYWHERE = ['givenName', 'familyName', 'displayName', 'email'] as const;
export const PROFILE_MEMBERS = [...PROFILE_EVERYWHERE, 'title', 'department'] as const;

/** Where a member of a profile is in a User (RFC 7643 §4.1, §4.3). Of e-mails the primary one is meant. */
export const PATHS: Readonly<Record<keyof Profile, { readonly schema: string; readonly names: readonly string[] }>> = {
  givenName: { schema: USER_SCHEMA, names: ['name', 'givenName'] },
  familyName: { schema: USER_SCHEMA, names: ['name', 'familyName'] },
  displayName: { schema: USER_SCHEMA, names: ['displayName'] },
  email: { schema: USER_SCHEMA, names: ['emails'] },
  title: { schema: USER_SCHEMA, names: ['title'] },
  department: { schema: ENTERPRISE_SCHEMA, names: ['department'] },
};

export interface Operation {
  readonly op: 'add' | 'replace' | 'remove';
  readonly path: string;
  readonly value?: unknown;
}

/** What is written of an account itself. */
export type UserChange = Pick<ChangeSet, 'profile' | 'active'>;

export function toAccount(
  user: Resource,
  entitlements: readonly ActualEntitlement[],
  ownId: string | undefined,
): ActualAccount {
  const userName = textAt(user, 'userName') ?? user.id;
  const externalId = textAt(user, 'externalId');
  const name = recordAt(user, 'name');
  return {
    id: user.id,
    userName,
    ...(externalId === undefined ? {} : { externalId }),
    active: !isFalse(user['active']),
    profile: {
      givenName: textAt(name, 'givenName') ?? null,
      familyName: textAt(name, 'familyName') ?? null,
      displayName: textAt(user, 'displayName') ?? null,
      email: primaryEmail(user['emails']) ?? null,
      title: textAt(user, 'title') ?? null,
      department: textAt(recordAt(user, ENTERPRISE_SCHEMA), 'department') ?? null,
    },
    entitlements: inOrder(entitlements),
    isProtected: user.id === ownId,
  };
}

export function toEntitlement(group: Resource): ActualEntitlement {
  return { kind: 'group', name: textAt(group, 'displayName') ?? group.id, id: group.id };
}

/** By name, so that an account that is read twice is the same. */
export function inOrder(groups: readonly ActualEntitlement[]): readonly ActualEntitlement[] {
  return [...groups].sort((a, b) => (a.name < b.name || (a.name === b.name && a.id < b.id) ? -1 : 1));
}

/** A User to be made. */
export function newUser(changes: ChangeSet, userName: string): Readonly<Record<string, unknown>> {
  const { externalId } = changes.desired;
  const start: Record<string, unknown> = {
    schemas: [USER_SCHEMA],
    userName,
    ...(externalId === '' ? {} : { externalId }),
    active: changes.active ?? true,
  };
  return changed(start, { profile: changes.profile });
}

/** The same User after the change: what a PUT sends, and what an answer without a body leaves us to know. */
export function changed<T extends Readonly<Record<string, unknown>>>(user: T, { profile, active }: UserChange): T {
  const after: Record<string, unknown> = { ...user };
  for (const member of PROFILE_MEMBERS) {
    const value = profile[member];
    if (value === undefined) continue;
    if (member === 'email') put(after, 'emails', emailsAfter(user['emails'], value));
    else putAt(after, placeOf(member), value);
  }
  if (profile.department) after['schemas'] = withSchema(after['schemas'], ENTERPRISE_SCHEMA);
  if (active !== undefined) after['active'] = active;
  return after as T;
}

/** One operation for each thing that is another one than before. None: the User is as it should be. */
export function operationsFor(user: Resource, { profile, active }: UserChange): readonly Operation[] {
  const operations: Operation[] = [];
  const is = toAccount(user, [], undefined);
  for (const member of PROFILE_MEMBERS) {
    const value = emptied(profile[member]);
    if (value === undefined || value === is.profile[member]) continue;
    const path = pathOf(member);
    if (value === null) operations.push({ op: 'remove', path });
    else if (member === 'email') operations.push({ op: 'replace', path, value: emailsAfter(user['emails'], value) });
    else operations.push({ op: 'replace', path, value });
  }
  if (active !== undefined && active !== is.active) operations.push({ op: 'replace', path: 'active', value: active });
  return operations;
}

/** RFC 7644 §3.5.2. */
export function patchBody(operations: readonly Operation[]): Readonly<Record<string, unknown>> {
  return { schemas: [PATCH_OP], Operations: operations };
}

/** What may be sent back of a resource in a PUT: all that was read, without what is the service's own. */
export function replaceBody({ meta: _meta, groups: _groups, ...rest }: Resource): Readonly<Record<string, unknown>> {
  return rest;
}

/** `meta.version`, which is the ETag (RFC 7643 §3.1). */
export function versionOf(resource: Resource): string | undefined {
  return textAt(recordAt(resource, 'meta'), 'version');
}

/** The other addresses stay. Null takes all away: another one in its place would be none that anybody said. */
function emailsAfter(emails: unknown, value: string | null): readonly unknown[] | null {
  if (value === null || value === '') return null;
  const items = itemsOf(emails);
  const chosen = primaryOf(items);
  if (chosen === undefined) return [{ value, type: 'work', primary: true }];
  const { display: _display, ...rest } = chosen;
  return items.map((item) => (item === chosen ? { ...rest, value } : item));
}

/** As a PATCH names it (RFC 7644 §3.10). */
function pathOf(member: keyof Profile): string {
  const { schema, names } = PATHS[member];
  return `${schema === USER_SCHEMA ? '' : `${schema}:`}${names.join('.')}`;
}

/** As it is nested in the JSON of a User. */
function placeOf(member: keyof Profile): readonly string[] {
  const { schema, names } = PATHS[member];
  return schema === USER_SCHEMA ? names : [schema, ...names];
}

function putAt(record: Record<string, unknown>, [first = '', second]: readonly string[], value: string | null): void {
  if (second === undefined) {
    put(record, first, value);
    return;
  }
  const inner: Record<string, unknown> = { ...recordAt(record, first) };
  put(inner, second, value);
  put(record, first, Object.keys(inner).length === 0 ? null : inner);
}

function withSchema(schemas: unknown, schema: string): readonly unknown[] {
  const known: readonly unknown[] = Array.isArray(schemas) ? schemas : [USER_SCHEMA];
  return known.includes(schema) ? known : [...known, schema];
}

function put(record: Record<string, unknown>, name: string, value: unknown): void {
  if (value === null || value === '') delete record[name];
  else record[name] = value;
}

function emptied(value: string | null | undefined): string | null | undefined {
  return value === '' ? null : value;
}

export function textAt(record: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = record[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function recordAt(record: Readonly<Record<string, unknown>>, name: string): Readonly<Record<string, unknown>> {
  const value = record[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};
}
