import { z } from 'zod';

/*
 * What a SCIM service sends (RFC 7643, RFC 7644), as far as both a source and a target read it.
 */

/** A resource as it came, with the one member that all have. */
export type Resource = { readonly id: string; readonly [attribute: string]: unknown };

export const resource = z.looseObject({ id: z.string().min(1) });

/** RFC 7644 §3.4.2. */
export const listResponse = z.object({
  totalResults: z.number().int().nonnegative(),
  // Left out when there is nothing.
  Resources: z.array(resource).nullish(),
});

/** Texts of RFC 7644 §3.1: the one of its own first. */
export const ACCEPTED = 'application/scim+json, application/json';

/** Whether the switch is off. Some services send truths as texts. */
export function isFalse(active: unknown): boolean {
  return active === false || (typeof active === 'string' && active.toLowerCase() === 'false');
}

/** The address marked as primary, else that of work, else the first (RFC 7643 §2.4). */
export function primaryEmail(emails: unknown): string | undefined {
  const value = primaryOf(emails)?.['value'];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The item of a multi-valued attribute that stands for all: see `primaryEmail`. */
export function primaryOf(items: unknown): Readonly<Record<string, unknown>> | undefined {
  const all = itemsOf(items);
  return (
    all.find(({ primary }) => primary === true) ??
    all.find(({ type }) => typeof type === 'string' && type.toLowerCase() === 'work') ??
    all[0]
  );
}

/** The complex values of a multi-valued attribute; none when it has another shape. */
export function itemsOf(items: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (!Array.isArray(items)) return [];
  return items.filter((one): one is Record<string, unknown> => typeof one === 'object' && one !== null);
}
