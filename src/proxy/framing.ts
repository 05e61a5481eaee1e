import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/** No zeros in front, which some read as octal, and nothing that a number cannot hold exactly. */
const LENGTH = /^(?:0|[1-9]\d{0,14})$/;

/**
 * The Host that is asked; empty when HTTP/1.0 names none. Undefined for what Node's strict parser lets through and two
 * servers could still read differently: none or more than one Host, an odd Content-Length or Transfer-Encoding (RFC 9112
 * §6), chunks in HTTP/1.0.
 */
export function hostOfClearFraming(rawHeaders: readonly string[], httpVersion: string): string | undefined {
  let host = '';
  let hosts = 0;
  let encodings = 0;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') {
      hosts += 1;
      host = rawHeaders[at + 1] as string;
    } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      encodings += 1;
      if ((rawHeaders[at + 1] as string).toLowerCase() !== 'chunked') return undefined;
    } else if (name.length === 14 && name.toLowerCase() === 'content-length') {
      if (!LENGTH.test(rawHeaders[at + 1] as string)) return undefined;
    }
  }
  const isClear =
    httpVersion === '1.1' ? hosts === 1 && encodings <= 1 : httpVersion === '1.0' && hosts <= 1 && encodings === 0;
  return isClear ? host : undefined;
}

export type UpgradeRefusal = 'request_invalid' | 'origin_not_allowed';

/**
 * Whether an upgrade may be thought about: a WebSocket handshake (RFC 6455 §4.1) from a page of the host that it asks
 * and nothing else; `mayLackOrigin` for who is no browser. h2c and other protocols would carry requests that nobody checks.
 */
export function refuseUpgrade(
  { method, httpVersion, rawHeaders }: Pick<IncomingMessage, 'method' | 'httpVersion' | 'rawHeaders'>,
  origin: string,
  mayLackOrigin = false,
): UpgradeRefusal | undefined {
  const all = (wanted: string): string[] =>
    rawHeaders.filter((_, at) => at % 2 === 1 && (rawHeaders[at - 1] as string).toLowerCase() === wanted);
  const upgrades = all('upgrade');
  const isHandshake =
    method === 'GET' &&
    httpVersion === '1.1' &&
    upgrades.length === 1 &&
    upgrades[0]?.toLowerCase() === 'websocket' &&
    all('sec-websocket-version').join() === '13' &&
    /^[A-Za-z0-9+/]{22}==$/.test(all('sec-websocket-key').join()) &&
    all('http2-settings').length === 0 &&
    all('transfer-encoding').length === 0 &&
    all('content-length').every((length) => length === '0');
  if (!isHandshake) return 'request_invalid';
  const from = all('origin');
  if (from.length === 0 && mayLackOrigin) return undefined;
  return from.length === 1 && from[0] === origin ? undefined : 'origin_not_allowed';
}

/**
 * Whether a page of another origin made this request, as far as browsers say so: by Sec-Fetch-Site, else by Origin.
 * What a person typed or followed (`none`) and programs come from nowhere.
 */
export function isFromElsewhere(headers: IncomingHttpHeaders, own: string): boolean {
  const { origin, 'sec-fetch-site': site } = headers;
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  return origin !== undefined && origin !== own && !(origin === 'null' && site === 'same-origin');
}
