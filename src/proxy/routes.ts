import { createHosts, type Hosts, type ServedHost } from './hosts.ts';
import { isAtOrBelow } from './target.ts';

/** A route of the config, ready to be asked. `Subject` is whom `when` is asked about. */
export interface Route<Subject> {
  /** As `host` or `host:port`; absent: that of `public_url`. */
  readonly host?: string;
  /** A prefix of whole segments. */
  readonly path: string;
  readonly target: string;
  /** The login by which people get there when they have none; absent: they choose. */
  readonly login?: string;
  /** Upper case; absent: all. HEAD is served where GET is. */
  readonly methods?: readonly string[];
  readonly isPublic: boolean;
  /** Absent: everybody with an account in the target. */
  readonly when?: (subject: Subject) => boolean;
}

export type RouteMatch<Subject> =
  | { readonly route: Route<Subject> }
  | { readonly code: 'route_unknown' }
  | { readonly code: 'method_not_allowed'; readonly allow: string };

/**
 * Which route of one host serves a normalised path: the longest prefix. A method that it does not serve is refused and never falls
 * through to a shorter prefix, whose `when` may be wider. Routes of one path with different methods stand side by side.
 */
export function createRouter<Subject>(
  routes: readonly Route<Subject>[],
): (path: string, method: string) => RouteMatch<Subject> {
  const byPath = new Map<string, Route<Subject>[]>();
  for (const route of routes) {
    const prefix = route.path.replace(/\/+$/, '');
    byPath.set(prefix, [...(byPath.get(prefix) ?? []), route]);
  }
  const prefixes = [...byPath].sort(([a], [b]) => b.length - a.length);
  return (path, method) => {
    const candidates = prefixes.find(([prefix]) => isAtOrBelow(path, prefix))?.[1];
    if (candidates === undefined) return { code: 'route_unknown' };
    const route = candidates.find((candidate) => serves(candidate, method));
    if (route !== undefined) return { route };
    return {
      code: 'method_not_allowed',
      allow: [...new Set(candidates.flatMap((one) => one.methods ?? []))].join(', '),
    };
  };
}

/** The host of `publicUrl` and those that the routes name. */
export function hostsOfRoutes(publicUrl: string, routes: readonly Route<never>[]): Hosts {
  return createHosts(
    publicUrl,
    routes.flatMap(({ host }) => host ?? []),
  );
}

/** A router for each host: what one host serves is nothing to the others. */
export function createHostRouter<Subject>(
  routes: readonly Route<Subject>[],
  hosts: Hosts,
): (host: ServedHost, path: string, method: string) => RouteMatch<Subject> {
  const routers = new Map(
    hosts.all.map((host) => [host, createRouter(routes.filter((route) => hosts.named(route.host) === host))]),
  );
  return (host, path, method) => routers.get(host)?.(path, method) ?? { code: 'route_unknown' };
}

function serves(route: Route<never>, method: string): boolean {
  const { methods } = route;
  return methods === undefined || methods.includes(method) || (method === 'HEAD' && methods.includes('GET'));
}
