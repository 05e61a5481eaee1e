import { BUILT_IN_CLAIMS } from '../login/schema.ts';
import type { Finding, Path } from './complaint.ts';
import type { Config } from './schema.ts';
import { isMap, valueAt } from './schema-walk.ts';

/** Names that the file gives, whether or not what stands under them can be used: a bad target is not an unknown one. */
export interface Declared {
  readonly logins: ReadonlySet<string>;
  readonly sources: ReadonlySet<string>;
  readonly targets: ReadonlySet<string>;
  /** Attributes by login or source: the built-in ones and those of its `claims`. */
  readonly attributes: ReadonlyMap<string, ReadonlySet<string>>;
  /** The value at a path as it may be shown: where it came from instead, when it did not stand in the file. */
  show(value: string, path: Path): string;
}

/** Complaints keep the gateway from starting, warnings do not. */
export interface Checked {
  readonly complaints: readonly Finding[];
  readonly warnings: readonly Finding[];
}

export type Check = (config: Partial<Config>, declared: Declared) => Checked;

/** Reads the names from the plain values of the file; `sources` says what was put into a value from outside. */
export function declaredNames(value: unknown, sources: (path: Path) => readonly string[]): Declared {
  const namesOf = (section: string): string[] => {
    const map = valueAt(value, [section]);
    return isMap(map) ? Object.keys(map) : [];
  };
  const attributesOf = (section: string) =>
    namesOf(section).map((name): [string, ReadonlySet<string>] => {
      const claims = valueAt(value, [section, name, 'claims']);
      return [name, new Set([...Object.keys(BUILT_IN_CLAIMS), ...(isMap(claims) ? Object.keys(claims) : [])])];
    });
  const attributes = [...attributesOf('login'), ...attributesOf('sources')];
  return {
    logins: new Set(namesOf('login')),
    sources: new Set(namesOf('sources')),
    targets: new Set(namesOf('targets')),
    attributes: new Map(attributes),
    show: (text, path) =>
      sources(path).length === 0 ? `\`${text}\`` : `of the name in ${sources(path).join(' and ')}`,
  };
}

/** Every attribute that a condition may name. `origin` is the name of the login or source. */
export function attributeNames(declared: Declared): ReadonlySet<string> {
  const all = [...declared.attributes.values()].flatMap((names) => [...names]);
  return new Set([...Object.keys(BUILT_IN_CLAIMS), ...all, 'origin']);
}
