import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { drain, listen } from '../../src/compose/gateway.ts';
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
    const refused = connect(port, '127.0.0.1');
    await expect(once(refused, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect([waited, one.socket.closed]).toEqual([false, false]);
    await closed(one.socket);
    expect(waited).toBe(true);
    await ended;
  });
});
