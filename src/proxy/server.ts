import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { LatchgateError } from '../model/errors.ts';
import { newRequestId } from '../ops/request-id.ts';
import type { GatewayPages } from './deps.ts';
import type { GatewayProxy } from './proxy.ts';
import type { Certificates } from './tls.ts';
import { TlsServer } from './tls-server.ts';
import { refuseOnSocket } from './upgrade.ts';

export interface PublicServerDeps {
  readonly proxy: GatewayProxy;
  /** Serves what is at or below /.latchgate (an Express app). The request id stands in the response's X-Request-Id. */
  readonly gateway: GatewayPages;
  /** For the head of a request; default 20 s. */
  readonly headTimeoutMs?: number;
  /** For a whole request, body included; default 5 min. */
  readonly requestTimeoutMs?: number;
  /** Serves by TLS, HTTP/2 included; absent: plain HTTP/1.1. */
  readonly certificates?: Certificates;
  /** From then on every answer is the last of its connection, and says so. */
  readonly closing?: AbortSignal;
}

/** Once the gateway is closing, a connection has this long to bring a last request. */
export const LAST_REQUEST_MS = 1_000;

const MAX_HEAD_BYTES = 32 * 1024;
/** Longer than load balancers keep idle connections. */
const KEEP_ALIVE_MS = 65_000;

/** The public listener, not listening yet. Node's strict parser stands in front of everything. */
export function createPublicServer(deps: PublicServerDeps): Server {
  const { proxy, gateway, certificates, closing } = deps;
  const open = new Set<ServerResponse>();
  /** Connections that have not brought a request yet: browsers open some ahead, and Node does not count them as idle. */
  const unused = new Set<Duplex>();
  const waiting = new WaitingAnswers();
  /** Whose answer says that it is the last: nothing that follows is looked at (RFC 9112 §9.6). */
  const over = new WeakSet<Duplex>();
  const headTimeoutMs = deps.headTimeoutMs ?? 20_000;
  const http = {
    insecureHTTPParser: false,
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: headTimeoutMs,
    requestTimeout: deps.requestTimeoutMs ?? 300_000,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: Math.min(headTimeoutMs, 5_000),
    // Looked at with the rest of the framing, so that the refusal has a request id too.
    requireHostHeader: false,
    noDelay: true,
    // Finds peers that are gone without a word.
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
  };
  const server = certificates === undefined ? createServer(http) : new TlsServer({ http, certificates, closing });
  // Beyond a limit Node would leave headers out without a word; the size of the head is limit enough.
  server.maxHeadersCount = 0;

  const serve = (req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void => {
    const { socket } = req;
    if (over.has(socket)) return;
    unused.delete(socket);
    if (closing?.aborted === true) res.shouldKeepAlive = false;
    open.add(res);
    res.once('close', () => open.delete(res));
    waiting.add(socket, req, res);
    proxy.handle(req, res, expectsContinue, gateway);
    if (res.writableEnded && res.getHeader('connection') === 'close') over.add(socket);
  };
  const endUnused = (socket: Duplex): void => {
    setTimeout(() => {
      if (unused.has(socket)) socket.destroy();
    }, LAST_REQUEST_MS).unref();
  };
  closing?.addEventListener('abort', () => {
    for (const res of open) res.shouldKeepAlive = false;
    for (const socket of unused) endUnused(socket);
  });
  server.on(certificates === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    if ((socket as Partial<TLSSocket>).alpnProtocol === 'h2') return;
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
    if (closing?.aborted === true) endUnused(socket);
  });
  server.on('request', (req, res) => serve(req, res, false));
  server.on('checkContinue', (req, res) => serve(req, res, true));
  server.on('upgrade', (req, socket, head) => {
    unused.delete(socket);
    if (over.has(socket) || waiting.has(socket)) socket.destroy();
    else proxy.handleUpgrade(req, socket, head);
  });
  server.on('connect', (_req, socket) => {
    if (over.has(socket) || waiting.has(socket)) socket.destroy();
    else refuseOnSocket(socket, new LatchgateError('method_not_allowed', 'CONNECT is not served'), newRequestId());
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable || !waiting.takeOver(socket)) socket.destroy();
    else refuseOnSocket(socket, failureOf(error), newRequestId());
  });
  return server;
}

/** The answers that are not over, by connection: several when its client does not wait for one before it asks again. */
class WaitingAnswers {
  readonly #bySocket = new WeakMap<Duplex, Map<ServerResponse, IncomingMessage>>();

  add(socket: Socket, req: IncomingMessage, res: ServerResponse): void {
    let answers = this.#bySocket.get(socket);
    if (answers === undefined) {
      const all = new Map<ServerResponse, IncomingMessage>();
      this.#bySocket.set(socket, all);
      socket.once('close', () => {
        for (const one of all.keys()) tellClosed(one);
      });
      answers = all;
    }
    answers.set(res, req);
    res.once('close', () => answers.delete(res));
  }

  has(socket: Duplex): boolean {
    return (this.#bySocket.get(socket)?.size ?? 0) > 0;
  }

  /**
   * Whether an answer can be written onto the bare socket: nothing is written into one that is under way, nor in the
   * place of one whose request came whole. A request that breaks off in its body has its answer taken away.
   */
  takeOver(socket: Duplex): boolean {
    const answers = this.#bySocket.get(socket);
    const [first] = answers ?? [];
    if (answers === undefined || first === undefined) return true;
    const [res, req] = first;
    if (answers.size > 1 || req.complete || res.headersSent) return false;
    res.detachSocket(socket as Socket);
    return true;
  }
}

/** Of the answers of a connection that ended, Node tells only the one whose turn it was. */
function tellClosed(res: ServerResponse): void {
  if (res.socket !== null) return;
  res.destroy();
  res.emit('close');
}

function failureOf(error: NodeJS.ErrnoException): LatchgateError {
  if (error.code === 'HPE_HEADER_OVERFLOW') return new LatchgateError('header_too_large', 'the head is too large');
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new LatchgateError('request_timeout', 'the request took too long');
  return new LatchgateError('request_invalid', 'the request is not HTTP as it has to be');
}
