import { DEFAULT_LINE } from '../mapping/authority.ts';
import type { Finding } from './complaint.ts';
import { attributeNames, type Checked, type Declared, kindOfOrigin, originNames } from './declared.ts';
import { nearest } from './nearest.ts';
import type { Config } from './schema.ts';

/** What no origin can be asked for: groups of all origins add up, and an address is verified by whoever says the same one. */
const NOT_GIVEN: ReadonlySet<string> = new Set(['groups', 'email_verified', 'origin']);

/** Whose word counts (`identity.authority`) against the origins of the file and their attributes. */
export function checkAuthority({ identity }: Partial<Config>, declared: Declared): Checked {
  const lines = Object.entries(identity?.authority ?? {});
  const attributes = [...attributeNames(declared)].filter((name) => !NOT_GIVEN.has(name)).concat(DEFAULT_LINE);
  const complaints = lines.flatMap(([name, origins]): Finding[] => [
    ...(attributes.includes(name) ? [] : [unknownAttribute(name, attributes)]),
    ...origins.flatMap((origin) => (originNames(declared).has(origin) ? [] : [unknownOrigin(name, origin, declared)])),
  ]);
  return { complaints, warnings: [] };
}

function unknownAttribute(name: string, attributes: readonly string[]): Finding {
  const meant = nearest(name, new Set(attributes));
  const message = NOT_GIVEN.has(name)
    ? `\`identity.authority.${name}\` cannot be given to one origin`
    : `\`identity.authority.${name}\` names no attribute of this file`;
  const known = meant === undefined ? `the attributes are ${attributes.join(', ')}` : `did you mean ${meant}?`;
  const hint = NOT_GIVEN.has(name) ? 'leave it out' : known;
  return { path: ['identity', 'authority', name], at: 'key', code: 'unknown_attribute', message, hint };
}

function unknownOrigin(name: string, origin: string, declared: Declared): Finding {
  const meant = nearest(origin, originNames(declared));
  const known = `there is ${[...originNames(declared)].join(', ')}`;
  const message = `\`identity.authority.${name}\` names no ${kindOfOrigin(declared)} of this file`;
  const hint = meant === undefined ? known : `did you mean ${meant}?`;
  return { path: ['identity', 'authority', name], code: 'unknown_origin', message, hint };
}
