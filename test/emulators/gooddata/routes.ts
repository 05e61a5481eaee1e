import { ID_PATTERN } from './check.ts';
import { type Call, type Media, notFound, Refusal, type Reply } from './exchange.ts';
import { isAdmin, workspacePermissionsOf } from './permissions.ts';

/** What a caller must be allowed to: organization MANAGE, or VIEW or MANAGE in the workspace of the path, or be its user. */
export type Needs = 'login' | 'admin' | 'view-workspace' | 'manage-workspace' | 'self';

export interface Route {
  readonly method: string;
  /** With parameters in braces: `/api/v1/entities/users/{id}`. */
  readonly path: string;
  readonly media: Media;
  readonly needs: Needs;
  /** Query parameters that exist. */
  readonly query?: readonly string[];
  /** True when a JSON body is required. */
  readonly body?: boolean;
  readonly handle: (call: Call) => Reply;
}

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/**
 * The route for a path. @throws Refusal 404 when no route has it, 405 when only other methods do, 400 when an id in it is
 * not one.
 */
export function matchRoute(routes: readonly Route[], method: string, path: string): Match {
  const segments = path.split('/');
  const here = routes.filter((route) => fits(route.path.split('/'), segments));
  if (here.length === 0) throw notFound();
  const route = here.find((candidate) => candidate.method === method);
  if (!route) throw new Refusal(405, `Request method '${method}' is not supported.`);
  const params: Record<string, string> = {};
  route.path.split('/').forEach((segment, index) => {
    if (segment.startsWith('{')) params[segment.slice(1, -1)] = pathId(segments[index] ?? '');
  });
  return { route, params };
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((segment, index) => segment.startsWith('{') || segment === segments[index])
  );
}

function pathId(raw: string): string {
  let id: string;
  try {
    id = decodeURIComponent(raw);
  } catch {
    throw new Refusal(400, 'The path is not valid percent-encoding.');
  }
  if (!ID_PATTERN.test(id)) throw new Refusal(400, `id: must match ${ID_PATTERN.source}`);
  return id;
}

/** @throws Refusal 404, as for a thing that does not exist, when the caller may not do this. */
export function authorize(needs: Needs, call: Call): void {
  if (!isAllowed(needs, call)) throw notFound();
}

function isAllowed(needs: Needs, call: Call): boolean {
  const { state, caller, params } = call;
  if (needs === 'login') return true;
  if (needs === 'admin') return isAdmin(state, caller.userId);
  if (needs === 'self') return params['userId'] === caller.userId || isAdmin(state, caller.userId);
  const workspace = state.workspaces.get(params['workspaceId'] ?? '');
  if (!workspace) return false;
  const permissions = workspacePermissionsOf(state, caller.userId, workspace);
  return needs === 'view-workspace' ? permissions.length > 0 : permissions.includes('MANAGE');
}
