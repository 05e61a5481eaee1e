import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { createRemoteJWKSet, customFetch } from 'jose';
import { LatchgateError } from '../../src/model/errors.ts';
import { createHttpClient, type HttpClientOptions } from '../../src/ops/http.ts';
import type { HttpClient } from '../../src/ops/http-client.ts';
import { createLimiters } from '../../src/ops/limiter.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function serve(handler: Handler): Promise<{ url: URL; calls: () => number }> {
  let count = 0;
  const server = createServer((request, response) => {
    count += 1;
    handler(request, response, count);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/x`), calls: () => count };
}

function client(options: HttpClientOptions = {}): HttpClient {
  const made = createHttpClient(options);
  closers.push(() => made.close());
  return made;
}

const signal = () => new AbortController().signal;

async function failure(promise: Promise<unknown>): Promise<LatchgateError> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(LatchgateError);
  return thrown as LatchgateError;
}

describe('the outgoing client', () => {
  it('sends JSON and reads JSON, with header names in lower case', async () => {
    const { url } = await serve((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        response.setHeader('Content-Type', 'application/vnd.gooddata.api+json');
        response.setHeader('X-One', ['a', 'b']);
        response.end(
          JSON.stringify({ body, type: request.headers['content-type'], agent: request.headers['user-agent'] }),
        );
      });
    });
    const answer = await client({ userAgent: 'latchgate-test' }).send({
      method: 'POST',
      url,
      json: { a: 1 },
      headers: { 'Content-Type': 'application/vnd.gooddata.api+json' },
      signal: signal(),
    });
    expect(answer.json()).toEqual({
      body: '{"a":1}',
      type: 'application/vnd.gooddata.api+json',
      agent: 'latchgate-test',
    });
    expect(answer.headers['x-one']).toBe('a, b');
  });

  it.each([
    ['text/html', '<html>'],
    ['application/json', '{"broken'],
  ])('calls an answer of type %s that is not JSON invalid, without quoting it', async (type, body) => {
    const { url } = await serve((_request, response) => {
      response.setHeader('content-type', type);
      response.end(body);
    });
    const answer = await client().send({ method: 'GET', url, signal: signal() });
    expect(() => answer.json()).toThrow(expect.objectContaining({ code: 'target_answer_invalid' }));
    try {
      answer.json();
    } catch (thrown) {
      expect(JSON.stringify([(thrown as Error).message, (thrown as Error).cause])).not.toContain(body);
    }
  });

  it('does not follow redirects', async () => {
    const { url, calls } = await serve((_request, response) => {
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    const one = client();
    expect((await one.send({ method: 'GET', url, signal: signal() })).status).toBe(302);
    expect((await one.fetch(url)).status).toBe(302);
    expect(calls()).toBe(2);
  });

  it.each([429, 502, 503, 504])('tries a GET again after %i', async (status) => {
    const { url, calls } = await serve((_request, response, count) => {
      response.writeHead(count < 3 ? status : 200, { 'retry-after': '0' }).end();
    });
    let retried = 0;
    const one = client({
      onRetry: () => {
        retried += 1;
      },
    });
    expect((await one.send({ method: 'GET', url, signal: signal() })).status).toBe(200);
    expect([calls(), retried]).toEqual([3, 2]);
  });

  it('never sends a POST twice unless it is told to', async () => {
    const { url, calls } = await serve((request) => request.socket.destroy());
    const error = await failure(client().send({ method: 'POST', url, json: {}, signal: signal() }));
    expect(error.code).toBe('target_unavailable');
    expect(calls()).toBe(1);
  });

  it('gives the answer back when Retry-After is beyond the timeout', async () => {
    const { url, calls } = await serve((_request, response) => {
      response.writeHead(503, { 'retry-after': '3600' }).end('busy');
    });
    const answer = await client().send({ method: 'GET', url, signal: signal() });
    expect([answer.status, answer.text, calls()]).toEqual([503, 'busy', 1]);
  });

  it('ends a call whose body never ends, and says that it was the time', async () => {
    const { url } = await serve((_request, response) => {
      response.write('begun');
    });
    const error = await failure(client().send({ method: 'GET', url, signal: signal(), timeoutMs: 50 }));
    expect([error.code, error.detail['timeout']]).toEqual(['target_unavailable', true]);
  });

  it('ends when the caller gives up, also while it waits for a place', async () => {
    const { url } = await serve(() => {});
    const one = client({ maxConcurrent: 1 });
    const first = new AbortController();
    const second = new AbortController();
    const calls = [first, second].map(({ signal }) => failure(one.send({ method: 'GET', url, signal })));
    second.abort();
    expect((await calls[1])?.code).toBe('target_unavailable');
    first.abort();
    expect((await calls[0])?.code).toBe('target_unavailable');
  });

  it('has no more calls under way than it may', async () => {
    let open = 0;
    let most = 0;
    const { url } = await serve((_request, response) => {
      open += 1;
      most = Math.max(most, open);
      setImmediate(() => {
        open -= 1;
        response.end('ok');
      });
    });
    const one = client({ maxConcurrent: 2 });
    await Promise.all(Array.from({ length: 12 }, () => one.send({ method: 'GET', url, signal: signal() })));
    expect(most).toBeLessThanOrEqual(2);
  });

  it.each(['plain', 'gzip bomb'])('refuses an answer over the limit: %s', async (kind) => {
    const { url } = await serve((_request, response) => {
      if (kind === 'plain') response.end(Buffer.alloc(200_000));
      else response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(5_000_000)));
    });
    const error = await failure(client({ maxBytes: 100_000 }).send({ method: 'GET', url, signal: signal() }));
    expect(error.code).toBe('answer_too_large');
  });

  it('reads gzip', async () => {
    const { url } = await serve((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('hello'));
    });
    expect((await client().send({ method: 'GET', url, signal: signal() })).text).toBe('hello');
  });

  it('calls a refused connection and broken HTTP unavailable', async () => {
    const sockets = new Set<Socket>();
    const server = createTcpServer((socket) => {
      sockets.add(socket.on('error', () => {}));
      socket.end('nonsense\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const broken = await failure(client().send({ method: 'GET', url, signal: signal() }));
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    const refused = await failure(client().send({ method: 'GET', url, signal: signal(), retries: 1 }));
    expect([broken.code, refused.code]).toEqual(['target_unavailable', 'target_unavailable']);
  });

  it('serves libraries as fetch: jose reads keys through it, form bodies arrive', async () => {
    const { url } = await serve((request, response) => {
      response.setHeader('content-type', 'application/json');
      if (request.method === 'GET') response.end('{"keys":[]}');
      else request.pipe(response);
    });
    const one = client();
    const keys = createRemoteJWKSet(url, { [customFetch]: one.fetch });
    await expect(keys({ alg: 'ES256', kid: 'x' })).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
    const echoed = await one.fetch(url, { method: 'POST', body: new URLSearchParams({ grant_type: 'x y' }) });
    expect(await echoed.text()).toBe('grant_type=x+y');
    expect((await failure(one.fetch('http://127.0.0.1:1/'))).code).toBe('target_unavailable');
  });
});

describe('the outgoing client with limiters', () => {
  const limited = (options: HttpClientOptions = {}) => client({ limiters: createLimiters(), ...options });

  it('waits for its turn without using up the time of the call', async () => {
    const { url, calls } = await serve((_request, response, count) => {
      if (count === 1) response.writeHead(429, { 'retry-after': '1' }).end();
      else response.end('ok');
    });
    const answer = await limited().send({ method: 'POST', url, json: {}, signal: signal(), timeoutMs: 950 });
    expect([answer.status, calls()]).toEqual([200, 2]);
  });

  it('keeps all clients of one service waiting for what one of them was told', async () => {
    const { url, calls } = await serve((_request, response) => {
      response.writeHead(429, { 'retry-after': '30' }).end();
    });
    const limiters = createLimiters();
    const [first, second] = [client({ limiters, maxWaitMs: 1_000 }), client({ limiters, maxWaitMs: 1_000 })];
    for (const one of [first, second]) {
      const error = await failure(one.send({ method: 'GET', url, signal: signal() }));
      expect([error.code, error.retryAfterSeconds]).toEqual(['target_unavailable', expect.any(Number)]);
    }
    expect(calls()).toBe(1);
  });

  it('stops waiting when the caller does', async () => {
    const { url, calls } = await serve((_request, response) => {
      response.writeHead(429, { 'retry-after': '30' }).end();
    });
    const controller = new AbortController();
    const one = limited();
    const waiting = failure(one.send({ method: 'GET', url, signal: controller.signal }));
    await until(() => calls() === 1);
    controller.abort();
    expect((await waiting).code).toBe('target_unavailable');
  });

  it('gives a refusal back after as many tries as it was told', async () => {
    const { url, calls } = await serve((_request, response) => response.writeHead(429).end());
    const retry = { attempts: 0, refusedAttempts: 2, backoffMs: 10 };
    const answer = await limited().send({ method: 'POST', url, signal: signal(), retry });
    expect([answer.status, calls()]).toEqual([429, 3]);
  });
});

describe('a retry policy of a service', () => {
  it('tries as often as it says, and its waits take no time of the call', async () => {
    const { url, calls } = await serve((_request, response, count) => response.writeHead(count < 4 ? 503 : 200).end());
    const retry = { attempts: 3, refusedAttempts: 0, backoffMs: 400 };
    const answer = await client().send({ method: 'GET', url, signal: signal(), timeoutMs: 1_000, retry });
    expect([answer.status, calls()]).toEqual([200, 4]);
  });

  it('never makes a call twice that must not be, but for one that was refused for its rate', async () => {
    const { url, calls } = await serve((_request, response, count) => {
      response.writeHead(count === 1 ? 429 : 503).end();
    });
    const retry = { attempts: 0, refusedAttempts: 5, backoffMs: 10 };
    const answer = await client().send({ method: 'POST', url, signal: signal(), retry });
    expect([answer.status, calls()]).toEqual([503, 2]);
  });
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}
