import { type Answer, ask, type ProbeOptions } from '../raw-request.ts';
import type { GoodDataEmulator } from './server.ts';

/** One raw request to the emulator, by its API token, that asks for JSON unless the headers say otherwise. */
export function probe(
  emulator: GoodDataEmulator,
  method: string,
  path: string,
  options: ProbeOptions = {},
): Promise<Answer> {
  const headers = { Accept: 'application/json', ...options.headers };
  return ask(`${emulator.url}${path}`, method, { bearer: emulator.token, ...options, headers });
}

/** The document for creating or replacing a user. */
export function userDocument(id: string, attributes: Record<string, unknown> = {}, groups?: readonly string[]) {
  const data = groups?.map((group) => ({ id: group, type: 'userGroup' }));
  return { data: { id, type: 'user', attributes, ...(data ? { relationships: { userGroups: { data } } } : {}) } };
}
