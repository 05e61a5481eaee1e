import type { IncomingMessage } from 'node:http';
import { LatchgateError } from '../model/errors.ts';
import type { LoginRoutesOptions } from './context.ts';

/**
 * The whole protection against other sites: Origin is one of ours, or the browser says `same-origin` where it hides the
 * Origin. A request with neither is none of a browser's. Throws `origin_not_allowed`.
 */
export function assertOwnOrigin(
  req: IncomingMessage,
  { publicUrl, origins }: Pick<LoginRoutesOptions, 'publicUrl' | 'origins'>,
): void {
  const { origin } = req.headers;
  const site = req.headers['sec-fetch-site'];
  const own = [publicUrl, ...origins].map((address) => new URL(address).origin);
  const fits =
    origin === undefined || origin === 'null'
      ? site === 'same-origin'
      : own.includes(origin) && (site === undefined || site === 'same-origin' || site === 'same-site');
  if (!fits) throw new LatchgateError('origin_not_allowed', 'a form that did not come from our own pages');
}
