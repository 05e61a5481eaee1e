import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { drain, listen } from '../../src/compose/listener.ts';
import type { GatewayProxy } from '../../src/proxy/proxy.ts';
import { createPublicServer } from '../../src/proxy/server.ts';

/** The public listener with something that answers when it is told to. */
async function start() {
  const closing = new AbortController();
  const waiting: ServerResponse[] = [];
  const handle = (_req: IncomingMessage, res: ServerResponse) => void waiting.push(res);
  const server = createPublicServer({
    proxy: { handle } as unknown as GatewayProxy,
    gateway: () => {},
    closing: closing.signal,
  });
  const { port } = new URL(await listen(server, { host: '127.0.0.1', port: 0 }));
  const client = async () => {
    const socket = connect(Number(port), '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => {});
    await once(socket, 'connect');
    return { socket, text: () => text, ask: () => socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n') };
  };
  const asked = async (count: number) => {
    while (waiting.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const answer = () => waiting.shift()?.end('here');
  return { server, closing, client, asked, answer, port: Number(port) };
}

const closed = (socket: Socket) => (socket.closed ? Promise.resolve() : once(socket, 'close'));

describe('a listener that ends', () => {
  it('answers what is under way, and says that it is the last answer of the connection', async () => {
    const { server, closing, client, asked, answer } = await start();
    const one = await client();
    one.ask();
    await asked(1);
    closing.abort();
    const ended = drain(server, 60_000);
    answer();
    await closed(one.socket);
    expect(one.text()).toMatch(/^HTTP\/1\.1 200 OK\r\n(.*\r\n)*Connection: close\r\n/);
    await ended;
  });

  it('waits for one more request of a connection that is kept alive', async () => {
    const { server, closing, client, asked, answer } = await start();
    const one = await client();
    one.ask();
    await asked(1);
    answer();
    while (!one.text().includes('here')) await once(one.socket, 'data');
    expect(one.text()).toContain('Connection: keep-alive');
    closing.abort();
    const ended = drain(server, 60_000);
    one.ask();
    await asked(1);
    answer();
    await closed(one.socket);
    expect(one.text()).toMatch(/Connection: close\r\n(.*\r\n)*\r\nhere$/);
    await ended;
  });

  it('closes connections that bring nothing once it has waited, and takes no new ones from the beginning', async () => {
    const { server, closing, client, port } = await start();
    const one = await client();
    closing.abort();
    let waited = false;
    const ended = drain(server, 300, () => {
      waited = true;
    });
    while (server.listening) await nextTurn();
    const refused = connect(port, '127.0.0.1');
    await expect(once(refused, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect([waited, one.socket.closed]).toEqual([false, false]);
    await closed(one.socket);
    expect(waited).toBe(true);
    await ended;
  });

  it('serves who is connected already, although it has not looked yet', async () => {
    const { server, closing, answer, port } = await start();
    const crowd = connectWhileNobodyLooks(port, 8);
    closing.abort();
    const ended = drain(server, 60_000);
    const answering = setInterval(answer, 5);
    const texts = await crowd;
    clearInterval(answering);
    for (const text of texts) expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*here$/);
    await ended;
  });
});

/** Requests on connections that the system has made while this thread did nothing; resolves to all that was answered. */
function connectWhileNobodyLooks(port: number, count: number): Promise<readonly string[]> {
  const sent = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(
    `const { connect } = require('node:net');
    const { parentPort, workerData: { port, count, sent } } = require('node:worker_threads');
    const answers = Array.from({ length: count }, () => new Promise((resolve) => {
      let text = '';
      const socket = connect(port, '127.0.0.1', () => socket.write('POST / HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 0\\r\\n\\r\\n', () => {
        Atomics.add(sent, 0, 1);
        Atomics.notify(sent, 0);
      }));
      socket.on('data', (chunk) => { text += chunk; });
      socket.on('error', (error) => { text += error.code; });
      socket.on('close', () => resolve(text));
    }));
    Promise.all(answers).then((all) => parentPort.postMessage(all));`,
    { eval: true, workerData: { port, count, sent } },
  );
  const answers = once(worker, 'message').then(([all]) => all as string[]);
  for (let before = 0; before < count; before = Atomics.load(sent, 0)) Atomics.wait(sent, 0, before, 10_000);
  return answers;
}
