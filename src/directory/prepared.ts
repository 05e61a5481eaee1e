import type { Compilable, CompiledQuery, Kysely, QueryResult } from 'kysely';
import type { Tables } from './tables.ts';

/** A value, or a row of values: an object without any inside. */
type Argument = string | number | null | object;

/** Where a value goes, while the text of a statement is made. */
class Place {
  readonly of: (args: readonly Argument[]) => unknown;

  constructor(of: Place['of']) {
    this.of = of;
  }
}

/**
 * A statement whose text is made once for each database: to make it takes Kysely longer than it takes SQLite to carry it
 * out. `build` gets something else in place of each value, which it may only hand on to Kysely. Rows with other columns
 * are another text.
 */
export function prepared<Args extends readonly Argument[], Row>(
  build: (db: Kysely<Tables>, ...args: Args) => Compilable<Row>,
): (db: Kysely<Tables>, ...args: Args) => Promise<QueryResult<Row>> {
  const known = new WeakMap<object, Map<string, CompiledQuery<Row>>>();
  return (db, ...args) => {
    const executor = db.getExecutor();
    const { adapter } = executor;
    let texts = known.get(adapter);
    if (texts === undefined) {
      texts = new Map();
      known.set(adapter, texts);
    }
    const shape = shapeOf(args);
    let text = texts.get(shape);
    if (text === undefined) {
      text = build(db, ...(args.map(placesOf) as readonly unknown[] as Args)).compile();
      texts.set(shape, text);
    }
    const parameters = text.parameters.map((value) => (value instanceof Place ? value.of(args) : value));
    const query = { ...text, parameters };
    // `db.executeQuery` puts a new executor and a dozen promises around this, for plugins, of which there are none.
    return executor.provideConnection((connection) => connection.executeQuery<Row>(query));
  };
}

function shapeOf(args: readonly Argument[]): string {
  let shape = '';
  for (const arg of args) if (isRow(arg)) shape += `${Object.keys(arg).join()};`;
  return shape;
}

function placesOf(arg: Argument, at: number): Place | Record<string, Place> {
  if (!isRow(arg)) return new Place((args) => args[at]);
  const placeFor = (name: string) => new Place((args) => (args[at] as Readonly<Record<string, unknown>>)[name]);
  return Object.fromEntries(Object.keys(arg).map((name) => [name, placeFor(name)]));
}

function isRow(arg: Argument): arg is object {
  return typeof arg === 'object' && arg !== null;
}
