import type { Call, Reply } from './exchange.ts';
import { fieldsView, numberFrom, paged } from './pages.ts';
import type { Route } from './routes.ts';
import type { Connection } from './state.ts';

export const CONNECTION_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/connections',
    scopes: ['read:connections'],
    query: ['page', 'per_page', 'include_totals', 'from', 'take', 'strategy', 'name', 'fields', 'include_fields'],
    handle: listConnections,
  },
];

function listConnections(call: Call): Reply {
  const { searchParams } = call.url;
  const [name, strategies] = [searchParams.get('name'), searchParams.getAll('strategy')];
  const found = [...call.state.connections.values()].filter(
    (one) => (name === null || one.name === name) && (strategies.length === 0 || strategies.includes(one.strategy)),
  );
  const view = fieldsView(call);
  const show = ({ id, name: called, strategy, requiresUsername }: Connection) =>
    view({ id, name: called, strategy, options: { requires_username: requiresUsername }, enabled_clients: [] });
  if (!searchParams.has('take') && !searchParams.has('from')) return paged(call, found, { name: 'connections', show });
  const take = numberFrom(call.url, 'take', 50, 1, 100);
  const start = found.findIndex(({ id }) => id === searchParams.get('from')) + 1;
  const page = found.slice(start, start + take);
  const next = start + take < found.length ? { next: page.at(-1)?.id } : {};
  return { status: 200, json: { connections: page.map(show), ...next } };
}
