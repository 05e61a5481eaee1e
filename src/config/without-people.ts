import { randomBytes } from 'node:crypto';
import { isMap } from './schema-walk.ts';

/** What only people need who log in: a file that only syncs may leave these out. */
export const PEOPLE_SECTIONS = ['public_url', 'session', 'login', 'routes'] as const;

interface Served {
  readonly login: object;
  readonly targets: Readonly<Record<string, { readonly type: string }>>;
}

/** Whether anybody verifies what the gateway signs: browsers who log in, or a Superset that the gateway calls. */
export function hasReaders({ login, targets }: Served): boolean {
  return Object.keys(login).length > 0 || Object.values(targets).some(({ type }) => type === 'superset');
}

/**
 * What stands for the sections that this file leaves out, because it has syncs and neither logins nor routes. Superset
 * verifies whom it is called by, so with such a target `public_url` and `session` are needed all the same. The secret is
 * made up: nothing is signed or stored with it.
 */
export function withoutPeople(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { sync, targets } = value;
  const onlySyncs = isMap(sync) && Object.keys(sync).length > 0 && !('login' in value) && !('routes' in value);
  if (!onlySyncs) return {};
  const isSuperset = (target: unknown) => isMap(target) && target['type'] === 'superset';
  if (isMap(targets) && Object.values(targets).some(isSuperset)) return { login: {}, routes: [] };
  const session = { secrets: [randomBytes(32).toString('base64url')] };
  return { public_url: 'http://localhost:4180', session, login: {}, routes: [] };
}
