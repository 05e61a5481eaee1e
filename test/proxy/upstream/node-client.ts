import { request } from 'node:http';
import { Duplex } from 'node:stream';

export interface NodeAnswer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
}

/** An answer as Node's own client reads it (llhttp, strict), without a socket; undefined: it refuses it. */
export function readByNode(bytes: string, method: string): Promise<NodeAnswer | undefined> {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read: () => {},
      write: (_chunk, _encoding, done) => {
        done();
        if (isAsked) return;
        isAsked = true;
        socket.push(Buffer.from(bytes, 'latin1'));
        socket.push(null);
      },
    });
    let isAsked = false;
    let isAnswered = false;
    const options = { createConnection: () => socket, insecureHTTPParser: false };
    const asked = request({ ...options, host: 'a', method, maxHeaderSize: 256 * 1024 }, (response) => {
      isAnswered = true;
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString('latin1');
      });
      response.on('error', () => resolve(undefined));
      response.on('close', () => {
        const { statusCode = 0, rawHeaders, complete } = response;
        resolve(complete ? { status: statusCode, headers: rawHeaders, body } : undefined);
      });
    });
    asked.maxHeadersCount = 0;
    asked.on('error', () => resolve(undefined));
    // A switch is handed on without a response.
    asked.on('upgrade', () => resolve(undefined));
    asked.on('close', () => {
      if (!isAnswered) resolve(undefined);
    });
    asked.end();
  });
}
