import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { LatchgateError } from '../model/errors.ts';
import { newRequestId } from '../ops/request-id.ts';
import { inRequest } from '../ops/tracing.ts';
import { type Connection, Connections } from './connections.ts';
import type { GatewayPages } from './deps.ts';
import { createPeerList, plainAddress } from './peers.ts';
import type { GatewayProxy } from './proxy.ts';
import { endBody, hasBody } from './request-body.ts';
import type { Certificates } from './tls.ts';
import { TlsServer } from './tls-server.ts';
import { refuseOnSocket } from './upgrade.ts';

export interface PublicServerDeps {
  readonly proxy: GatewayProxy;
  /** Express, but for what begins a login. */
  readonly gateway: GatewayPages;
  /** Whose traces go on in ours, as `trusted_proxies` has it; default nobody's. */
  readonly trustedProxies?: readonly string[];
  /** For the head of a request; default 20 s. */
  readonly headTimeoutMs?: number;
  /** For the body of a request to the gateway's own pages; default 1 min. Uploads to a backend only have to go on. */
  readonly bodyTimeoutMs?: number;
  /** Serves by TLS, HTTP/2 included; absent: plain HTTP/1.1. */
  readonly certificates?: Certificates;
  /** By TLS every client is asked for a certificate, which none has to show. */
  readonly asksCertificate?: boolean;
  /** From then on every answer is the last of its connection, and says so. */
  readonly closing?: AbortSignal;
}

/** Once the gateway is closing, a connection that brought none yet has this long to bring a request. */
const LAST_REQUEST_MS = 1_000;

const MAX_HEAD_BYTES = 32 * 1024;
/** Longer than load balancers keep idle connections. */
const KEEP_ALIVE_MS = 65_000;

/** The public listener, not listening yet. Node's strict parser stands in front of everything. */
export function createPublicServer(deps: PublicServerDeps): Server {
  const { proxy, certificates, closing } = deps;
  const bodyTimeoutMs = deps.bodyTimeoutMs ?? 60_000;
  const connections = new Connections();
  const isTrusted = createPeerList(deps.trustedProxies ?? []);
  const isCallerTrusted = ({ socket }: IncomingMessage): boolean => isTrusted(plainAddress(socket.remoteAddress));
  const headTimeoutMs = deps.headTimeoutMs ?? 20_000;
  const http = {
    insecureHTTPParser: false,
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: headTimeoutMs,
    // A large upload takes as long as it takes: each of its pieces has a limit, and whatever is not forwarded has its own.
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: Math.min(headTimeoutMs, 5_000),
    // Looked at with the rest of the framing, so that the refusal has a request id too.
    requireHostHeader: false,
    noDelay: true,
    // Finds peers that are gone without a word.
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
  };
  const server =
    certificates === undefined
      ? createServer(http)
      : new TlsServer({ http, certificates, closing, asksCertificate: deps.asksCertificate === true });
  // Beyond a limit Node would leave headers out without a word; the size of the head is limit enough.
  server.maxHeadersCount = 0;

  const gateway: GatewayPages = (req, res, requestId, path) => {
    // What has no body is not complete here either: Node has not come to its end yet.
    if (hasBody(req.rawHeaders)) endBody(req, bodyTimeoutMs, () => server.emit('clientError', tooLate(), req.socket));
    deps.gateway(req, res, requestId, path);
  };
  const serve = (req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void => {
    const connection = connections.of(req.socket);
    if (connection.isOver) return;
    connection.isUnused = false;
    if (closing?.aborted === true) res.shouldKeepAlive = false;
    connections.add(connection, res);
    inRequest(req, res, isCallerTrusted, () => proxy.handle(req, res, expectsContinue, gateway));
    if (res.writableEnded && res.getHeader('connection') === 'close') connection.isOver = true;
  };
  const endUnused = (socket: Duplex, connection: Connection): void => {
    setTimeout(() => {
      if (connection.isUnused) socket.destroy();
    }, LAST_REQUEST_MS).unref();
  };
  closing?.addEventListener('abort', () => {
    for (const [socket, connection] of connections.all()) {
      for (const res of connection.answers) res.shouldKeepAlive = false;
      if (connection.isUnused) endUnused(socket, connection);
    }
  });
  server.on(certificates === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    if ((socket as Partial<TLSSocket>).alpnProtocol === 'h2') return;
    const connection = connections.of(socket);
    connection.isUnused = true;
    if (closing?.aborted === true) endUnused(socket, connection);
  });
  server.on('request', (req, res) => serve(req, res, false));
  server.on('checkContinue', (req, res) => serve(req, res, true));
  // Nobody has to know what is expected (RFC 9110 §10.1.1). By itself Node would answer, and nothing would be looked at.
  server.on('checkExpectation', (req, res) => serve(req, res, false));
  server.on('upgrade', (req, socket, head) => {
    const connection = connections.of(socket);
    connection.isUnused = false;
    if (connection.isOver || connections.isAnswering(socket)) socket.destroy();
    else proxy.handleUpgrade(req, socket, head);
  });
  server.on('connect', (_req, socket) => {
    // Node hears none of its errors any more, and one that nobody hears ends the process.
    socket.on('error', () => socket.destroy());
    if (connections.of(socket).isOver || connections.isAnswering(socket)) socket.destroy();
    else refuseOnSocket(socket, new LatchgateError('method_not_allowed', 'CONNECT is not served'), newRequestId());
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable || !connections.takeOver(socket)) socket.destroy();
    else refuseOnSocket(socket, failureOf(error), newRequestId());
  });
  return server;
}

/** As Node says it of a head. */
function tooLate(): NodeJS.ErrnoException {
  return Object.assign(new Error('the body took too long'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
}

function failureOf(error: NodeJS.ErrnoException): LatchgateError {
  if (error.code === 'HPE_HEADER_OVERFLOW') return new LatchgateError('header_too_large', 'the head is too large');
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new LatchgateError('request_timeout', 'the request took too long');
  return new LatchgateError('request_invalid', 'the request is not HTTP as it has to be');
}
