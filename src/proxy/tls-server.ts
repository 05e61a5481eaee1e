import { constants } from 'node:crypto';
import type { ServerOptions } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { Http2Front } from './http2.ts';
import type { Certificates } from './tls.ts';

const HANDSHAKE_TIMEOUT_MS = 20_000;

export interface TlsServerOptions {
  readonly http: ServerOptions & { readonly keepAliveTimeout: number };
  readonly certificates: Certificates;
  /** Asks every client for a certificate, and takes whoever shows none or an unknown one: some API wants to know. */
  readonly asksCertificate?: boolean;
  /** From then on connections of HTTP/2 end with the streams that they have. */
  readonly closing: AbortSignal | undefined;
}

/** An HTTP/1.1 server behind TLS that browsers may speak HTTP/2 with. It is stopped as one of HTTP/1.1 is. */
export class TlsServer extends HttpsServer {
  readonly #http2: Http2Front;
  /** By the peer's address and port. */
  readonly #handshaking = new Map<string, Socket>();

  constructor({ http, certificates, closing, asksCertificate = false }: TlsServerOptions) {
    const { minVersion } = certificates;
    const secureOptions = constants.SSL_OP_NO_RENEGOTIATION;
    const secured = () => ({ cert: certificates.first.chain, key: certificates.first.key, minVersion, secureOptions });
    super({
      ...http,
      ...secured(),
      ALPNProtocols: ['h2', 'http/1.1'],
      requestCert: asksCertificate,
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      SNICallback: (name, done) => done(null, certificates.contextFor(name)),
    });
    const [takeHttp1] = this.listeners('secureConnection') as ((connection: Duplex) => void)[];
    const accept = (connection: Duplex): void => takeHttp1?.call(this, connection);
    const http2 = new Http2Front({ accept, idleMs: http.keepAliveTimeout });
    this.#http2 = http2;
    this.removeAllListeners('secureConnection');
    this.on('connection', (socket: Socket) => {
      const peer = peerOf(socket);
      this.#handshaking.set(peer, socket);
      socket.once('close', () => this.#handshaking.delete(peer));
    });
    this.on('secureConnection', (socket: TLSSocket) => {
      this.#handshaking.delete(peerOf(socket));
      if (socket.alpnProtocol === 'h2') http2.take(socket);
      else accept(socket);
    });
    // What failed in the handshake cannot be answered: there is nothing yet to answer with.
    this.removeAllListeners('tlsClientError');
    this.on('tlsClientError', (_error, socket) => socket.destroy());
    const stopWatching = certificates.watch(() => this.setSecureContext(secured()));
    this.once('close', stopWatching);
    closing?.addEventListener('abort', () => http2.end());
  }

  override closeIdleConnections(): void {
    super.closeIdleConnections();
    this.#http2.end();
    for (const socket of this.#handshaking.values()) socket.destroy();
  }

  override closeAllConnections(): void {
    super.closeAllConnections();
    this.#http2.destroy();
    for (const socket of this.#handshaking.values()) socket.destroy();
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
