import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { LatchgateError } from '../model/errors.ts';
import type { FlatHeaders } from './identity-headers.ts';
import type { Ongoing } from './live.ts';

/**
 * Joins two sockets after a 101 until either ends. `head` is what the client sent behind its handshake. Not a byte is
 * looked at: both sides speak WebSocket from here on.
 */
export function openTunnel(client: Duplex, upstream: Duplex, head: Buffer, headers: FlatHeaders): Ongoing {
  let answer = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
  for (let at = 0; at + 1 < headers.length; at += 2) answer += `${headers[at]}: ${headers[at + 1]}\r\n`;
  client.write(`${answer}\r\n`, 'latin1');
  if (head.length > 0) upstream.write(head);
  const end = () => {
    client.destroy();
    upstream.destroy();
  };
  client.on('error', end).on('close', end);
  upstream.on('error', end);
  // What the upstream sent last still goes out.
  upstream.on('close', () => client.end(() => client.destroy()));
  client.pipe(upstream);
  upstream.pipe(client);
  return { cutOff: end };
}

/** For an upgrade that is answered in plain HTTP: a response on the bare socket, which is closed after it. */
export function responseOn(socket: Duplex, req: IncomingMessage): ServerResponse {
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  res.assignSocket(socket as Socket);
  socket.on('drain', () => res.emit('drain'));
  res.on('finish', () => socket.end(() => socket.destroy()));
  return res;
}

/** The answer to a refused upgrade: on the bare socket, which is closed after it. */
export function refuseOnSocket(socket: Duplex, error: LatchgateError, requestId: string): void {
  if (socket.destroyed || !socket.writable) return;
  const body = `${JSON.stringify({ error: error.code, request_id: requestId })}\n`;
  const reason = REASONS[error.status] ?? 'Error';
  const head =
    `HTTP/1.1 ${error.status} ${reason}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
    `Cache-Control: no-store\r\nX-Request-Id: ${requestId}\r\nConnection: close\r\n\r\n`;
  socket.end(head + body, () => socket.destroy());
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};
