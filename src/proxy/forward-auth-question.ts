import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { LatchgateError } from '../model/errors.ts';
import { sha256 } from '../ops/hash.ts';
import type { ServedHost } from './hosts.ts';

export const FORWARD_AUTH_PATH = '/.latchgate/auth';
const ENVOY_PATH = `${FORWARD_AUTH_PATH}/envoy`;

/** In which a web server says that it is the one that asks: the browsers behind it do not know what stands there. */
const SECRET_HEADER = 'x-latchgate-secret';

/** Whether a question has one of these secrets, in one header. Without secrets none has. */
export function createSecretCheck(secrets: readonly string[]): (headers: IncomingHttpHeaders) => boolean {
  const known = secrets.map((secret) => Buffer.from(sha256(secret)));
  return ({ [SECRET_HEADER]: said }) => {
    if (typeof said !== 'string' || known.length === 0) return false;
    const asked = Buffer.from(sha256(said));
    return known.some((secret) => timingSafeEqual(secret, asked));
  };
}

/** Whether Envoy asks: it puts the original address behind ours and takes 200 alone for a yes. `url` as it arrived. */
export function isEnvoyCheck(url: string | undefined): boolean {
  return url?.startsWith(`${ENVOY_PATH}/`) === true;
}

/** The original address in a question of Envoy's. */
export function addressBehind(url: string): string {
  return url.slice(ENVOY_PATH.length);
}

/**
 * A server in front writes the path as it is configured. In another spelling it is a client's, which got past a rule of that
 * server that keeps clients from asking.
 */
export function wrongQuestion({ url = '', method }: IncomingMessage): LatchgateError | undefined {
  if (url !== FORWARD_AUTH_PATH && !url.startsWith(`${FORWARD_AUTH_PATH}?`)) {
    return new LatchgateError('route_unknown', 'forward-auth is asked under its own path as it stands');
  }
  if (method === 'GET' || method === 'HEAD') return undefined;
  return new LatchgateError('method_not_allowed', 'forward-auth takes GET and HEAD');
}

/** Servers in front take the handshake's Upgrade out of what they ask; what only browsers can say of it stays. */
export function wantsWebSocket(headers: IncomingHttpHeaders): boolean {
  return (
    headers['sec-websocket-key'] !== undefined ||
    headers['sec-websocket-version'] !== undefined ||
    headers.upgrade !== undefined ||
    headers['sec-fetch-mode'] === 'websocket'
  );
}

export function isOfPagesOf({ origin }: ServedHost, { rawHeaders }: IncomingMessage, mayLackOrigin: boolean): boolean {
  const from = rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === 'origin');
  return from.length === 0 ? mayLackOrigin : from.length === 1 && from[0] === origin;
}

/** nginx knows 401 and 403 and takes every other refusal for a failure of ours. */
export function statusOf({ status }: LatchgateError): number {
  return status >= 500 || status === 401 ? status : 403;
}
