import { type Answer, ask, type ProbeOptions } from '../raw-request.ts';
import type { Auth0Emulator } from './server.ts';

/** One raw request to the Management API of the emulator, by a token with every scope; `path` is below `/api/v2`. */
export function probe(
  emulator: Auth0Emulator,
  method: string,
  path: string,
  options: ProbeOptions = {},
): Promise<Answer> {
  return ask(`${emulator.url}/api/v2${path}`, method, { bearer: emulator.token(), ...options });
}
