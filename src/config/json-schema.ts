import { z } from 'zod';
import { configSchema } from './schema.ts';
import { PEOPLE_SECTIONS } from './without-people.ts';

/** A JSON Schema document or a part of one. */
export type JsonSchema = { readonly [member: string]: unknown };

const SUBSTITUTION = 'substitution';

/**
 * The JSON Schema (draft 2020-12) of the config file as people write it, for editors and other checks. Where a number, a
 * word or a text of a certain form is wanted, `${NAME}` and `${file:PATH}` are accepted too.
 */
export function configJsonSchema(): JsonSchema {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' });
  const { $defs, ...body } = allowSubstitution(schema as JsonSchema) as JsonSchema & { readonly $defs?: JsonSchema };
  return {
    $schema,
    $id: 'urn:latchgate:config:1',
    title: 'latchgate.yaml',
    description: 'Configuration of Latchgate, version 1 of the language.',
    ...forPeople(body),
    $defs: {
      ...$defs,
      [SUBSTITUTION]: {
        type: 'string',
        pattern: '\\$\\{',
        description: 'A text with ${NAME}, ${NAME:-default} or ${file:PATH} in it.',
      },
    },
  };
}

/** What a file that only syncs may leave out is asked of all the others. */
function forPeople({ required, ...schema }: JsonSchema): JsonSchema {
  const names = required as readonly string[];
  const isForPeople = (name: string) => PEOPLE_SECTIONS.some((section) => section === name);
  const asked = names.filter(isForPeople);
  return {
    ...schema,
    required: names.filter((name) => !isForPeople(name)),
    if: { properties: { sync: true, login: false, routes: false }, required: ['sync'] },
    else: { properties: Object.fromEntries(asked.map((name) => [name, true])), required: asked },
  };
}

function allowSubstitution(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(allowSubstitution);
  if (!isObject(schema)) return schema;
  if (isNarrow(schema)) {
    const { title, description, default: byDefault, examples, ...type } = schema;
    const notes = Object.entries({ title, description, default: byDefault, examples }).filter(
      ([, note]) => note !== undefined,
    );
    return { ...Object.fromEntries(notes), anyOf: [type, { $ref: `#/$defs/${SUBSTITUTION}` }] };
  }
  return Object.fromEntries(
    Object.entries(schema).map(([key, member]) => [key, NOT_VALUES.has(key) ? member : allowSubstitution(member)]),
  );
}

/** Members that say something of keys, or are no schema at all. */
const NOT_VALUES = new Set(['propertyNames', 'default', 'examples', 'enum', 'const', 'required']);

/** Whether a text from the environment would not fit. A single `const` tells kinds of entries apart and stays as it is. */
function isNarrow(schema: JsonSchema): boolean {
  if (schema['enum'] !== undefined) return true;
  if (schema['type'] === 'string') return schema['pattern'] !== undefined;
  return schema['type'] === 'number' || schema['type'] === 'integer' || schema['type'] === 'boolean';
}

function isObject(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null;
}
