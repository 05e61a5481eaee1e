import type { Call, Reply } from './exchange.ts';
import { numberFrom, paged } from './pages.ts';
import type { Route } from './routes.ts';
import type { World } from './state.ts';

/** One entry of the tenant log, of the kind that a successful call of the Management API leaves. */
export interface Log {
  readonly log_id: string;
  readonly date: string;
  readonly type: 'sapi';
  readonly description: string;
  readonly user_id?: string;
}

export function record(logs: Log[], world: World, description: string, userId?: string): void {
  const date = new Date(world.now).toISOString();
  const about = userId === undefined ? {} : { user_id: userId };
  logs.push({ log_id: world.newId('log'), date, type: 'sapi', description, ...about });
}

export const LOG_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/logs',
    scopes: ['read:logs'],
    query: ['page', 'per_page', 'sort', 'include_totals', 'from', 'take'],
    handle: listLogs,
  },
  {
    method: 'GET',
    path: '/users/{id}/logs',
    scopes: ['read:logs', 'read:logs_users'],
    query: ['page', 'per_page', 'sort', 'include_totals'],
    handle: (call) => {
      const own = call.state.logs.filter((log) => log.user_id === call.params['id']);
      return paged(call, own.toReversed(), { name: 'logs', withLength: true });
    },
  },
];

/** `from` is a `log_id`: what came after it, oldest first; without it the newest come first, page by page. */
function listLogs(call: Call): Reply {
  const from = call.url.searchParams.get('from');
  if (from === null) return paged(call, call.state.logs.toReversed(), { name: 'logs', withLength: true });
  const start = call.state.logs.findIndex(({ log_id }) => log_id === from) + 1;
  return { status: 200, json: call.state.logs.slice(start, start + numberFrom(call.url, 'take', 50, 1, 100)) };
}
