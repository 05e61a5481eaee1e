import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SilentProxy {
  readonly url: string;
  /**
   * From now on the answers to such requests are kept back: the backend does the work, and the caller never hears of it.
   * Resolves with the status of the first such answer.
   */
  keepBack(method: string, path: RegExp): Promise<number>;
  /** Every answer is passed on again. */
  passOn(): void;
  close(): Promise<void>;
}

interface Rule {
  readonly method: string;
  readonly path: RegExp;
  readonly done: (status: number) => void;
}

/** Stands before a backend and passes everything on as it is, until it is told to keep answers back. */
export async function startSilentProxy(backend: () => string): Promise<SilentProxy> {
  let rule: Rule | undefined;
  const serve = (req: IncomingMessage, res: ServerResponse): void => {
    const { method = '', url = '/', rawHeaders } = req;
    const onward = request(new URL(url, backend()), { method, headers: rawHeaders, agent: false }, (answer) => {
      const { statusCode = 502 } = answer;
      if (rule !== undefined && rule.method === method && rule.path.test(url)) {
        rule.done(statusCode);
        answer.resume();
        return;
      }
      res.writeHead(statusCode, answer.rawHeaders);
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    res.on('close', () => onward.destroy());
    req.pipe(onward);
  };
  const server = createServer(serve);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keepBack: (method, path) =>
      new Promise((done) => {
        rule = { method, path, done };
      }),
    passOn: () => {
      rule = undefined;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
