import type { Server } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { LatchgateError } from '../model/errors.ts';
import { TlsServer } from '../proxy/tls-server.ts';

/** Open requests have this long unless told otherwise. */
const DRAIN_MS = 25_000;
const IDLE_LOOK_MS = 50;
/** Turns of the event loop in which connections that wait are taken before the listener closes. */
const MOST_TURNS = 1_000;

/** Resolves to the address that was really taken. Throws `address_unavailable`. */
export async function listen(server: Server, { host, port }: { host: string; port: number }): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const address = `${host}:${port}`;
      reject(new LatchgateError('address_unavailable', `cannot listen on ${address}`, { detail: { address }, cause }));
    });
    server.listen(port, host, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
  const { address, family, port: taken } = server.address() as AddressInfo;
  const scheme = server instanceof TlsServer ? 'https' : 'http';
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${taken}`;
}

/** `waitMs`: how long idle connections are still waited for, after which `onWaited` is called. */
export async function drain(
  server: Server,
  waitMs = 0,
  onWaited?: () => void,
  limitMs: number = DRAIN_MS,
): Promise<void> {
  if (!server.listening) return;
  await takeWaiting(server);
  const limit = setTimeout(() => server.closeAllConnections(), limitMs);
  // Not yet that of an HTTP server, which would cut off idle connections on which a request may just be under way.
  const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
  await Promise.race([closed, sleep(waitMs, undefined, { ref: false })]);
  onWaited?.();
  server.close();
  // Again and again: a connection whose request has just ended is idle only then, and its client would keep it open.
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_LOOK_MS);
  await closed;
  clearInterval(idle);
  clearTimeout(limit);
}

/**
 * The system has connections ready that were not taken yet, of which Node takes one in a turn. Closing the listener would
 * reset them, with the requests that their clients have sent already.
 */
async function takeWaiting(server: Server): Promise<void> {
  let hasCome = true;
  const note = (): void => {
    hasCome = true;
  };
  server.on('connection', note);
  await nextTurn();
  for (let turn = 0; hasCome && turn < MOST_TURNS; turn += 1) {
    hasCome = false;
    await nextTurn();
  }
  server.off('connection', note);
}
