import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { LatchgateError } from '../../../src/model/errors.ts';
import type { Upstream, UpstreamOptions } from '../../../src/proxy/forward.ts';
import { hasBody, RequestBody } from '../../../src/proxy/request-body.ts';
import { createAnswerFilter } from '../../../src/proxy/response-headers.ts';
import { createUpstream } from '../../../src/proxy/upstream/client.ts';
import { listen, onClose } from '../harness.ts';

export interface Stage {
  readonly port: number;
  readonly server: Server;
  readonly upstream: Upstream;
  readonly done: number[];
  readonly failed: { readonly error: LatchgateError; readonly started: boolean }[];
}

const HOP_BY_HOP = new Set(['host', 'connection', 'transfer-encoding', 'expect']);

/** A server that passes everything on to one upstream, and says of a failure its code alone. */
export async function startStage(to: string | Upstream, options: UpstreamOptions = {}): Promise<Stage> {
  const upstream = typeof to === 'string' ? createUpstream(to, options) : to;
  const filter = createAnswerFilter({ forbidden: new Set(), kept: new Set() });
  const [done, failed]: [Stage['done'], Stage['failed'][number][]] = [[], []];
  const pass = (req: IncomingMessage, res: ServerResponse) => {
    const headers = req.rawHeaders.filter((_, at, all) => !HOP_BY_HOP.has((all[at - (at % 2)] ?? '').toLowerCase()));
    const body = hasBody(req.rawHeaders) ? new RequestBody(req) : null;
    const request = { method: req.method ?? '', path: req.url ?? '', headers, host: 'bi.example.com', body };
    upstream.send(request, res, {
      answered: (status, raw) => filter(status, raw),
      done: (status) => done.push(status),
      failed: (error, started) => {
        failed.push({ error, started });
        if (!started && !res.destroyed)
          res.writeHead(error.status, { 'content-length': error.code.length }).end(error.code);
      },
    });
  };
  const server = createServer(pass);
  server.on('checkContinue', (req, res) => {
    // As the proxy does it: the header is taken back once the request may pass.
    res.setHeader('Connection', 'close');
    res.removeHeader('Connection');
    res.writeContinue();
    pass(req, res);
  });
  const port = await listen(server);
  onClose(async () => {
    await upstream.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port, server, upstream, done, failed };
}

export interface Client {
  readonly socket: Socket;
  raw: string;
  isClosed: boolean;
}

/** A connection to the stage; what comes back stands in `raw`. */
export function open(port: number, bytes = ''): Client {
  const socket = connect(port, '127.0.0.1');
  const client: Client = { socket, raw: '', isClosed: false };
  socket.on('data', (chunk: Buffer) => {
    client.raw += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    client.isClosed = true;
  });
  if (bytes !== '') socket.write(Buffer.from(bytes, 'latin1'));
  onClose(() => socket.destroy());
  return client;
}

export const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
