import { isObject, type ScimObject, type ScimValue } from './attribute.ts';
import { etagOf } from './etag.ts';
import type { ResourceType } from './resource-types.ts';

/** What the store knows of a resource beside what clients say. */
export interface Stored {
  readonly id: string;
  readonly attributes: ScimObject;
  readonly created: Date;
  readonly lastModified: Date;
  readonly version: number | string;
  /** Of a group; undefined: they were not read, and the answer is without. */
  readonly members?: readonly Reference[];
  /** Of a user: the groups that it is in. */
  readonly groups?: readonly Reference[];
}

/** Somebody in a group, or the group that somebody is in. */
export interface Reference {
  readonly id: string;
  readonly type: 'User' | 'Group';
  readonly display?: string | undefined;
  /** Of the group of a user: in it, or in one that is in it. */
  readonly how?: 'direct' | 'indirect';
}

/** The address of a resource. `base` has no trailing slash: `https://bi.example.com/scim/v2`. */
export function locationOf(base: string, type: ResourceType, id: string): string {
  return `${base}${type.endpoint}/${encodeURIComponent(id)}`;
}

/** A resource whole, as it is answered, looked for and sorted; a Projection takes from it (RFC 7643 §3). */
export function resourceOf(type: ResourceType, stored: Stored, base: string): ScimObject {
  const { id, attributes, created, lastModified, version, members = [], groups = [] } = stored;
  return {
    schemas: schemasOf(type, attributes),
    id,
    ...attributes,
    ...(members.length === 0 ? {} : { members: members.map((one) => memberValue(one, base)) }),
    ...(groups.length === 0 ? {} : { groups: groups.map((one) => groupValue(one, base)) }),
    meta: {
      resourceType: type.name,
      created: created.toISOString(),
      lastModified: lastModified.toISOString(),
      location: locationOf(base, type, id),
      version: etagOf(version),
    },
  };
}

/** The schema of the type, and the extensions that have something in them. */
function schemasOf(type: ResourceType, attributes: ScimObject): readonly string[] {
  return [type.schema.id, ...type.extensions.map(({ id }) => id).filter((id) => isObject(attributes[id]))];
}

function memberValue({ id, type, display }: Reference, base: string): ScimObject {
  const $ref = `${base}/${type}s/${encodeURIComponent(id)}`;
  return { value: id, $ref, type, ...displayOf(display) };
}

function groupValue({ id, display, how = 'direct' }: Reference, base: string): ScimObject {
  return { value: id, $ref: `${base}/Groups/${encodeURIComponent(id)}`, ...displayOf(display), type: how };
}

function displayOf(display: string | undefined): Record<string, ScimValue> {
  return display === undefined ? {} : { display };
}
