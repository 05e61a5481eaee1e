import { type IncomingMessage, METHODS } from 'node:http';
import { parseRequestTarget, type RequestTarget } from './target.ts';

/** The request that a server in front of us asks about. */
export interface OriginalRequest {
  readonly target: RequestTarget;
  /** '' when it was not said: then no route that lists methods serves it. */
  readonly method: string;
  /** `host[:port]` in lower case, if it was said. */
  readonly host: string | undefined;
}

/** nginx by its users' habit, ingress-nginx, Traefik and Caddy. */
const ADDRESS_HEADERS = new Set(['x-original-uri', 'x-original-url', 'x-forwarded-uri']);
const METHOD_HEADERS = new Set(['x-original-method', 'x-forwarded-method']);
const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/i;
const KNOWN_METHODS = new Set(METHODS);

/**
 * What the headers say about the original request; `known` is what the question itself says of it (Envoy asks under its
 * address, with its method). Undefined: nothing is said. `odd`: what is said contradicts itself, because a header of the
 * client came along with that of the server in front, or is no request that is ever forwarded.
 */
export function readOriginal(
  { rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>,
  known?: { readonly address: string; readonly method: string },
): OriginalRequest | 'odd' | undefined {
  const addresses = known === undefined ? [] : [known.address];
  const methods = known === undefined ? [] : [known.method];
  const hosts: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase();
    const value = rawHeaders[at + 1] as string;
    if (ADDRESS_HEADERS.has(name)) addresses.push(value);
    else if (METHOD_HEADERS.has(name)) methods.push(value);
    else if (name === 'x-forwarded-host') hosts.push(value);
  }
  if (addresses.length === 0) return undefined;
  const targets = addresses.map((one) => {
    const [, authority, rest] = ABSOLUTE.exec(one) ?? [];
    if (authority !== undefined) hosts.push(authority);
    return parseRequestTarget(rest === undefined ? one : rest.startsWith('/') ? rest : `/${rest}`, []);
  });
  const [target] = targets;
  if (target === undefined || targets.some((other) => other?.forward !== target.forward)) return 'odd';
  const [said = ''] = methods;
  if (methods.some((other) => other !== said || !KNOWN_METHODS.has(other))) return 'odd';
  const [host, ...others] = new Set(hosts.map((one) => one.toLowerCase()));
  return others.length > 0 ? 'odd' : { target, method: said, host };
}
