import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

const BEAT_MS = 50;
const KINDS = ['event stream', 'download', 'WebSocket'] as const;
export type Kind = (typeof KINDS)[number];

const PATHS: Readonly<Record<Kind, string>> = {
  'event stream': '/open/events',
  download: '/open/download',
  WebSocket: '/open/socket',
};

/** Stands before a backend and has what never ends by itself; everything else is the backend's. */
export interface OpenBackend {
  readonly url: string;
  /** Requests, streams and sockets that are open here. */
  open(): number;
  close(): Promise<void>;
}

export async function startOpenBackend(backend: string): Promise<OpenBackend> {
  const { hostname, port } = new URL(backend);
  let open = 0;
  const beat = (write: () => void, over: { once(event: 'close', listener: () => void): unknown }): void => {
    open += 1;
    const timer = setInterval(write, BEAT_MS);
    over.once('close', () => {
      open -= 1;
      clearInterval(timer);
    });
  };
  const server = createServer((req, res) => {
    if (req.url === PATHS['event stream']) {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      return beat(() => res.write('data: still here\n\n'), res);
    }
    if (req.url === PATHS.download) {
      res.writeHead(200, { 'content-type': 'application/octet-stream' });
      return beat(() => res.write(Buffer.alloc(10_000)), res);
    }
    const { method = '', url: path = '/', headers } = req;
    const onward = request({ hostname, port, method, path, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    req.pipe(onward);
  });
  server.on('upgrade', (req: IncomingMessage, socket: Duplex) => {
    const key = `${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
    socket.write(`${[...head, `Sec-WebSocket-Accept: ${accept}`].join('\r\n')}\r\n\r\n`);
    socket.on('error', () => socket.destroy());
    // A text frame with one letter.
    beat(() => socket.write(Buffer.from([0x81, 1, 0x2e])), socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    open: () => open,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Something that a browser has open at one instance of the gateway. */
export interface Opened {
  readonly kind: Kind;
  readonly at: string;
  /** How much has come so far. */
  readonly bytes: number;
  readonly isOver: boolean;
  /** By `performance.now()`; undefined as long as it is open. */
  readonly endedAt: number | undefined;
  /** As the browser that leaves the page. */
  close(): void;
}

/** From `since` (`performance.now()`) to the end of the last of them, in milliseconds. Throws when one is open. */
export function endedAfterMs(work: readonly Opened[], since: number): number {
  const open = work.filter(({ isOver }) => !isOver);
  if (open.length > 0) throw new Error(`still open: ${open.map(({ kind, at }) => `${kind} at ${at}`).join(', ')}`);
  return Math.max(...work.map(({ endedAt = 0 }) => endedAt)) - since;
}

/** By a cookie, or by whatever headers say who it is. */
type Credentials = string | Readonly<Record<string, string>>;

/** Opens one of each at every one of these instances. `origin` is the one that pages have. */
export async function openAll(instances: readonly string[], origin: string, who: Credentials): Promise<Opened[]> {
  const all = instances.flatMap((at) => KINDS.map((kind) => [at, kind] as const));
  return Promise.all(all.map(([at, kind]) => openOne(at, kind, origin, who)));
}

function openOne(at: string, kind: Kind, origin: string, who: Credentials): Promise<Opened> {
  const { hostname, port } = new URL(at);
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': Buffer.alloc(16).toString('base64'),
  };
  const credentials = typeof who === 'string' ? { cookie: who } : who;
  const headers = { host: new URL(origin).host, origin, ...credentials, ...(kind === 'WebSocket' ? upgrade : {}) };
  const opened = { kind, at, bytes: 0, isOver: false, endedAt: undefined as number | undefined, close: () => {} };
  return new Promise((resolve, reject) => {
    const req = request({ hostname, port, path: PATHS[kind], headers, agent: false });
    const follow = (stream: Duplex | IncomingMessage | ServerResponse): void => {
      opened.close = () => void stream.destroy();
      stream.on('data', (chunk: Buffer) => {
        opened.bytes += chunk.length;
        resolve(opened);
      });
      stream.on('error', () => undefined);
      stream.on('close', () => {
        opened.isOver = true;
        opened.endedAt = performance.now();
      });
    };
    req.on('response', (res) => {
      if (res.statusCode === 200) follow(res);
      else reject(new Error(`${kind} at ${at}: ${res.statusCode}`));
    });
    req.on('upgrade', (_res, socket) => follow(socket));
    req.on('error', (error) => {
      opened.isOver = true;
      reject(error);
    });
    req.end();
  });
}
