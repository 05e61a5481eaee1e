/** Mark in recorded claims: the places in them that were not kept, as paths. The empty path stands for all of them. */
export const NOT_RECORDED = 'latchgate:not_recorded';

const ALL = `"${NOT_RECORDED}":[[]]}`;

/** What is left of claims that are too old to be kept: the mark, and the id that a SCIM client gave. */
export function forgotten(claims: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const id = Object.hasOwn(claims, 'externalId') ? { externalId: claims['externalId'] } : {};
  return { ...id, [NOT_RECORDED]: [[]] };
}

/** Whether nothing else is left in claims as they are stored. */
export function isForgotten(stored: string): boolean {
  return stored.endsWith(ALL);
}
