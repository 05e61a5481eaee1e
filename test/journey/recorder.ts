import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Seen {
  readonly method: string;
  readonly path: string;
  /** As they came over the wire: name, value, name, value. */
  readonly raw: readonly string[];
}

/** Stands before a backend and remembers what really arrives there. */
export interface Recorder {
  readonly url: string;
  readonly seen: Seen[];
  /** Values of a header in the last request to a path, in any spelling that CGI would fold together. */
  values(path: string, name: string): string[];
  close(): Promise<void>;
}

export async function startRecorder(backend: string): Promise<Recorder> {
  const seen: Seen[] = [];
  const { hostname, port } = new URL(backend);
  const server = createServer((req, res) => {
    const { method = '', url: path = '/', rawHeaders, headers } = req;
    seen.push({ method, path, raw: rawHeaders });
    const onward = request({ hostname, port, method, path, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    req.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folded = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '-');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    values: (path, name) => {
      const raw = seen.findLast((one) => one.path === path)?.raw;
      if (raw === undefined) throw new Error(`nothing came to ${path}`);
      return raw.filter((_, at) => at % 2 === 1 && folded(raw[at - 1] ?? '') === folded(name));
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
