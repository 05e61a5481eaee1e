import { z } from 'zod';
import type { Profile } from '../../model/person.ts';
import { PATHS, USER_SCHEMA } from './documents.ts';

const leaf = z.object({
  name: z.string().catch(''),
  required: z.boolean().catch(false),
  mutability: z.string().catch('readWrite'),
});

const attribute = leaf.extend({ subAttributes: z.array(leaf).nullish() });

type SchemaAttribute = z.output<typeof leaf> & {
  readonly subAttributes?: readonly SchemaAttribute[] | null | undefined;
};

/** Attributes of /Schemas (RFC 7643 §7), by the URN of their schema in lower case. */
export type SchemaAttributes = ReadonlyMap<string, readonly SchemaAttribute[]>;

/** Undefined: there is no schema of users in it, so it tells nothing. */
export const schemaList = z
  .object({
    Resources: z.array(z.object({ id: z.string().catch(''), attributes: z.array(attribute).nullish() })).nullish(),
  })
  .transform(({ Resources }): SchemaAttributes | undefined => {
    const schemas = new Map((Resources ?? []).map(({ id, attributes }) => [id.toLowerCase(), attributes ?? []]));
    return schemas.has(USER_SCHEMA.toLowerCase()) ? schemas : undefined;
  });

export function isWritable(schemas: SchemaAttributes, member: keyof Profile): boolean {
  const steps = stepsTo(schemas, member);
  return steps?.every(({ mutability }) => mutability.toLowerCase() !== 'readonly') === true;
}

export function isRequired(schemas: SchemaAttributes, member: keyof Profile): boolean {
  const steps = stepsTo(schemas, member);
  return steps !== undefined && steps.length > 0 && steps.every(({ required }) => required);
}

/** The attribute and its sub-attribute; undefined when the service has none of that name. */
function stepsTo(schemas: SchemaAttributes, member: keyof Profile): readonly SchemaAttribute[] | undefined {
  const { schema, names } = PATHS[member];
  let attributes = schemas.get(schema.toLowerCase()) ?? [];
  const steps: SchemaAttribute[] = [];
  for (const name of names) {
    const found = attributes.find((one) => one.name.toLowerCase() === name.toLowerCase());
    // Some list what an attribute consists of nowhere.
    if (found === undefined) return steps.length > 0 && attributes.length === 0 ? steps : undefined;
    steps.push(found);
    attributes = found.subAttributes ?? [];
  }
  return steps;
}
