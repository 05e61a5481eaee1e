import { refuse } from './exchange.ts';

/** What a member of a body has to be. */
export interface Field {
  readonly type: 'text' | 'flag' | 'ids' | 'text or null';
  readonly required?: boolean;
  /** In characters. */
  readonly length?: readonly [min: number, max: number];
}

/** Checks a body as marshmallow does: unknown, missing and wrong members at once. @throws Refusal with `status` */
export function checkFields(
  body: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, Field>>,
  status: 400 | 422,
): void {
  const errors: Record<string, string[]> = {};
  for (const name of Object.keys(body)) if (!Object.hasOwn(fields, name)) errors[name] = ['Unknown field.'];
  for (const [name, field] of Object.entries(fields)) {
    const value = body[name];
    if (value === undefined) {
      if (field.required === true) errors[name] = ['Missing data for required field.'];
      continue;
    }
    const error = complaint(value, field);
    if (error !== undefined) errors[name] = [error];
  }
  if (Object.keys(errors).length > 0) throw refuse(status, errors);
}

function complaint(value: unknown, { type, length }: Field): string | undefined {
  if (type === 'flag') return typeof value === 'boolean' ? undefined : 'Not a valid boolean.';
  if (type === 'ids') {
    return Array.isArray(value) && value.every((id) => Number.isInteger(id)) ? undefined : 'Not a valid list.';
  }
  if (value === null) return type === 'text or null' ? undefined : 'Field may not be null.';
  if (typeof value !== 'string') return 'Not a valid string.';
  const size = [...value].length;
  if (length === undefined || (size >= length[0] && size <= length[1])) return undefined;
  return `Length must be between ${length[0]} and ${length[1]}.`;
}
