/** Mark in recorded claims: the places in them that were not kept, as paths. The empty path stands for all of them. */
export const NOT_RECORDED = 'latchgate:not_recorded';

const ALL = `{"${NOT_RECORDED}":[[]]`;

/** What is left of claims that are too old to be kept: the mark, before all else as in what is recorded, and a SCIM client's id. */
export function forgotten(claims: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const id = Object.hasOwn(claims, 'externalId') ? { externalId: claims['externalId'] } : {};
  return { [NOT_RECORDED]: [[]], ...id };
}

/** Whether nothing else is left in claims as they are stored. */
export function isForgotten(stored: string): boolean {
  if (!stored.startsWith(ALL)) return false;
  const { [NOT_RECORDED]: _, externalId: __, ...others } = JSON.parse(stored);
  return Object.keys(others).length === 0;
}
