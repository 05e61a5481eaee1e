import { createRequire } from 'node:module';
import type { Dispatcher, Agent as UndiciAgent } from 'undici';

type Request = (this: Dispatcher, options: Dispatcher.RequestOptions) => Promise<Dispatcher.ResponseData>;

// By file: the package as a whole is fetch, WebSocket, caches and mocks besides, four megabytes that every gateway would keep.
const load = createRequire(import.meta.url);
const requestBy = load('undici/lib/api/api-request.js') as Request;

/** undici's own: a pool of connections for each origin. */
export const Agent = load('undici/lib/dispatcher/agent.js') as typeof UndiciAgent;
export type Agent = UndiciAgent;

/** undici's own `request`. Rejects with what undici throws. */
export function request(
  agent: Agent,
  { origin, pathname, search }: URL,
  options: Omit<Dispatcher.RequestOptions, 'origin' | 'path'>,
): Promise<Dispatcher.ResponseData> {
  return requestBy.call(agent, { ...options, origin, path: pathname + search });
}
