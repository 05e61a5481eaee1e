import { BUILT_IN_CLAIMS } from '../login/claims/schema.ts';
import type { Finding, Path } from './complaint.ts';
import type { Config } from './schema.ts';
import { isMap, valueAt } from './schema-walk.ts';

/** Names that the file gives, whether or not what stands under them can be used: a bad target is not an unknown one. */
export interface Declared {
  readonly logins: ReadonlySet<string>;
  readonly sources: ReadonlySet<string>;
  readonly scimClients: ReadonlySet<string>;
  readonly targets: ReadonlySet<string>;
  /** Attributes by login, source or SCIM client: the built-in ones and those of its `claims`. */
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
  const namesOf = (...path: string[]): string[] => {
    const map = valueAt(value, path);
    return isMap(map) ? Object.keys(map) : [];
  };
  const attributesOf = (...path: string[]) =>
    namesOf(...path).map((name): [string, ReadonlySet<string>] => {
      const claims = valueAt(value, [...path, name, 'claims']);
      return [name, new Set([...Object.keys(BUILT_IN_CLAIMS), ...(isMap(claims) ? Object.keys(claims) : [])])];
    });
  const attributes = [...attributesOf('login'), ...attributesOf('sources'), ...attributesOf('scim', 'clients')];
  return {
    logins: new Set(namesOf('login')),
    sources: new Set(namesOf('sources')),
    scimClients: new Set(namesOf('scim', 'clients')),
    targets: new Set(namesOf('targets')),
    attributes: new Map(attributes),
    show: (text, path) =>
      sources(path).length === 0 ? `\`${text}\`` : `of the name in ${sources(path).join(' and ')}`,
  };
}

/** Every attribute that a condition may name. `origin` is the name of the login, source or SCIM client. */
export function attributeNames(declared: Declared): ReadonlySet<string> {
  const all = [...declared.attributes.values()].flatMap((names) => [...names]);
  return new Set([...Object.keys(BUILT_IN_CLAIMS), ...all, 'origin']);
}

/** Every name that `origin` may be. */
export function originNames({ logins, sources, scimClients }: Declared): ReadonlySet<string> {
  return new Set([...logins, ...sources, ...scimClients]);
}

/** What an origin of this file can be: `login`, `login or source`, … */
export function kindOfOrigin({ sources, scimClients }: Declared): string {
  const kinds = [
    'login',
    ...(sources.size === 0 ? [] : ['source']),
    ...(scimClients.size === 0 ? [] : ['SCIM client']),
  ];
  return kinds.join(' or ');
}
