import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ScriptedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An answer, or `reset`: the connection breaks without one. */
export type ScriptedAnswer = { readonly status?: number; readonly type?: string; readonly body?: unknown } | 'reset';

export interface ScriptedServer {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Everything that was asked, in order. */
  readonly requests: readonly ScriptedRequest[];
  close(): Promise<void>;
}

/** An HTTP server on loopback that answers as the test says; a body that is no text is sent as JSON. */
export async function startScriptedServer(
  answer: (request: ScriptedRequest) => ScriptedAnswer,
): Promise<ScriptedServer> {
  const requests: ScriptedRequest[] = [];
  const server = createServer(async (request, response) => {
    const { method = '', headers } = request;
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    let body = '';
    for await (const piece of request) body += String(piece);
    const asked = { method, path: url.pathname, query: url.searchParams, headers, body };
    requests.push(asked);
    const said = answer(asked);
    if (said === 'reset') {
      request.socket.destroy();
      return;
    }
    const text = typeof said.body === 'string' ? said.body : JSON.stringify(said.body ?? null);
    response.writeHead(said.status ?? 200, { 'content-type': said.type ?? 'application/json' }).end(text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
