import type { z } from 'zod';
import type { Path } from './complaint.ts';

/*
 * Reads a zod schema as data: which keys a map may have, what a key is for. Only the kinds of schema that the config
 * language uses are known here.
 */

type Schema = z.core.$ZodType;

export interface SchemaNotes {
  readonly title?: string;
  readonly description?: string;
  readonly examples?: readonly unknown[];
}

/** A schema without what is wrapped around it, and the notes of the outermost layer that has them. */
function unwrap(schema: Schema): { readonly core: Schema; readonly notes: SchemaNotes } {
  let core = schema;
  let notes: SchemaNotes = {};
  for (;;) {
    notes = { ...((core as z.ZodType).meta?.() as SchemaNotes | undefined), ...notes };
    const inner = innerOf(core);
    if (inner === undefined) return { core, notes };
    core = inner;
  }
}

function innerOf(schema: Schema): Schema | undefined {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'optional':
    case 'default':
    case 'prefault':
      return def.innerType;
    case 'pipe':
      return def.in;
    case 'lazy':
      return def.getter();
    default:
      return undefined;
  }
}

/** Options of a union that a value may be meant for: by the discriminator when there is one (absent: the kind that is the default), else all. */
function optionsFor(def: z.core.$ZodUnionDef, value: unknown): readonly Schema[] {
  const discriminator = (def as Partial<z.core.$ZodDiscriminatedUnionDef>).discriminator;
  if (discriminator === undefined) return def.options;
  const wanted = isMap(value) ? value[discriminator] : undefined;
  const fitting = def.options.filter((option) => {
    const values = option._zod.propValues?.[discriminator];
    return (wanted === undefined || typeof wanted === 'string') && values?.has(wanted) === true;
  });
  return fitting.length > 0 ? fitting : def.options;
}

function children(schema: Schema, step: string | number, value: unknown): readonly Schema[] {
  const { def } = (unwrap(schema).core as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'object': {
      const child = Object.hasOwn(def.shape, step) ? def.shape[step as string] : def.catchall;
      return child === undefined ? [] : [child];
    }
    case 'record':
      return [def.valueType];
    case 'array':
      return [def.element];
    case 'union':
      return optionsFor(def, value).flatMap((option) => children(option, step, value));
    default:
      return [];
  }
}

function schemasAt(schema: Schema, path: Path, value: unknown): readonly Schema[] {
  let found: readonly Schema[] = [schema];
  let here = value;
  for (const step of path) {
    found = found.flatMap((one) => children(one, step, here));
    here = valueAt(here, [step]);
  }
  return found;
}

/** The keys that a map at this path may have, `value` being the whole file. Empty where any key may stand. */
export function keysAt(schema: Schema, path: Path, value: unknown): readonly string[] {
  const here = valueAt(value, path);
  const keysOf = (one: Schema): readonly string[] => {
    const { def } = (unwrap(one).core as z.core.$ZodTypes)._zod;
    if (def.type === 'object') return Object.keys(def.shape);
    return def.type === 'union' ? optionsFor(def, here).flatMap(keysOf) : [];
  };
  return [...new Set(schemasAt(schema, path, value).flatMap(keysOf))];
}

/** What the schema says of the key at this path. */
export function notesAt(schema: Schema, path: Path, value: unknown): SchemaNotes {
  const [first] = schemasAt(schema, path, value);
  return first === undefined ? {} : unwrap(first).notes;
}

/** Whether a key may be left out. */
export function isOptional(schema: Schema): boolean {
  return schema._zod.optin === 'optional';
}

/** The value at a path, own members only; undefined when there is none. */
export function valueAt(value: unknown, path: Path): unknown {
  let here = value;
  for (const step of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined;
    here = (here as Record<string | number, unknown>)[step];
  }
  return here;
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
