import { type Call, Refusal, type Reply } from './exchange.ts';

export interface Route {
  readonly method: string;
  /** Below `/api/v2`, with parameters in braces: `/users/{id}`. */
  readonly path: string;
  /** Any of these must be in the token. */
  readonly scopes: readonly string[];
  /** Query parameters that exist. */
  readonly query?: readonly string[];
  /** True when a body is required. */
  readonly body?: boolean;
  readonly handle: (call: Call) => Reply;
}

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/** The route for a path below `/api/v2`. @throws Refusal 404 when no route has it, 405 when only other methods do */
export function matchRoute(routes: readonly Route[], method: string, path: string): Match {
  const segments = path.split('/');
  const here = routes.filter((route) => fits(route.path.split('/'), segments));
  if (here.length === 0) throw new Refusal(404, 'Not Found');
  const route = here.find((candidate) => candidate.method === method);
  if (!route) throw new Refusal(405, 'Method Not Allowed');
  const params: Record<string, string> = {};
  route.path.split('/').forEach((segment, index) => {
    if (segment.startsWith('{')) params[segment.slice(1, -1)] = decoded(segments[index] ?? '');
  });
  return { route, params };
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((segment, index) => (segment.startsWith('{') ? segments[index] !== '' : segment === segments[index]))
  );
}

/** An id as it was meant; `|` has to be percent-encoded, as in every URL (RFC 3986 §2.2). */
function decoded(raw: string): string {
  if (raw.includes('|')) throw new Refusal(400, 'Bad Request');
  try {
    return decodeURIComponent(raw);
  } catch {
    throw new Refusal(400, 'Bad Request');
  }
}

/** @throws Refusal 403 when the token has none of the scopes */
export function authorize(route: Route, scopes: readonly string[]): void {
  if (route.scopes.some((scope) => scopes.includes(scope))) return;
  throw new Refusal(403, `Insufficient scope, expected any of: ${route.scopes.join(',')}`, 'insufficient_scope');
}
