import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { ReadBuffer } from './read-buffer.ts';

/** Where connections lead. */
export interface Place {
  readonly host: string;
  readonly port: number;
  /** Absent: plain TCP. */
  readonly tls?: ConnectionOptions;
}

const TCP_KEEP_ALIVE_MS = 60_000;

/** Only the origin of the address counts. */
export function placeOf({ protocol, hostname, port }: URL): Place {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (protocol === 'http:') return { host, port: Number(port || 80) };
  // The Host that is sent may be the public one; the certificate is for the name that was configured.
  const servername = isIP(host) === 0 ? { servername: host } : {};
  return { host, port: Number(port || 443), tls: { ...servername, ALPNProtocols: ['http/1.1'] } };
}

/** Opens a connection. With `buffer` what is read goes to `read` and not into `data` events. */
export function connectTo(
  { host, port, tls }: Place,
  buffer: ReadBuffer | undefined,
  read: (chunk: Buffer) => void,
): Socket {
  const socket = tls === undefined ? connectPlain(host, port, buffer, read) : connectTls({ host, port, ...tls });
  if (buffer === undefined) socket.on('data', read);
  return socket.setNoDelay(true).setKeepAlive(true, TCP_KEEP_ALIVE_MS);
}

function connectPlain(
  host: string,
  port: number,
  buffer: ReadBuffer | undefined,
  read: (chunk: Buffer) => void,
): Socket {
  if (buffer === undefined) return connectTcp({ host, port });
  const callback = (bytes: number, from: Uint8Array): boolean => {
    read((from as Buffer).subarray(0, bytes));
    return true;
  };
  // The types know only one buffer for all reads; a function is asked before each.
  return connectTcp({ host, port, onread: { buffer: buffer.current as unknown as Uint8Array, callback } });
}
