import { BUILT_IN_CLAIMS } from '../login/schema.ts';
import type { Finding } from './complaint.ts';
import type { Config } from './schema.ts';
import { isMap, valueAt } from './schema-walk.ts';

/** Names that the file gives, whether or not what stands under them can be used: a bad target is not an unknown one. */
export interface Declared {
  readonly logins: ReadonlySet<string>;
  readonly targets: ReadonlySet<string>;
  /** Attributes by login: the built-in ones and those of its `claims`. */
  readonly attributes: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Complaints keep the gateway from starting, warnings do not. */
export interface Checked {
  readonly complaints: readonly Finding[];
  readonly warnings: readonly Finding[];
}

export type Check = (config: Partial<Config>, declared: Declared) => Checked;

/** Reads the names from the plain values of the file. */
export function declaredNames(value: unknown): Declared {
  const namesOf = (section: string): string[] => {
    const map = valueAt(value, [section]);
    return isMap(map) ? Object.keys(map) : [];
  };
  const attributes = namesOf('login').map((login): [string, ReadonlySet<string>] => {
    const claims = valueAt(value, ['login', login, 'claims']);
    return [login, new Set([...Object.keys(BUILT_IN_CLAIMS), ...(isMap(claims) ? Object.keys(claims) : [])])];
  });
  return { logins: new Set(namesOf('login')), targets: new Set(namesOf('targets')), attributes: new Map(attributes) };
}

/** Every attribute that a condition may name. `origin` is the name of the login. */
export function attributeNames(declared: Declared): ReadonlySet<string> {
  const all = [...declared.attributes.values()].flatMap((names) => [...names]);
  return new Set([...Object.keys(BUILT_IN_CLAIMS), ...all, 'origin']);
}
