import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { drain, listen } from '../../src/compose/listener.ts';
import { systemClock } from '../../src/ops/clock.ts';
import type { GatewayProxy } from '../../src/proxy/proxy.ts';
import { createPublicServer } from '../../src/proxy/server.ts';
import { createCertificates } from '../../src/proxy/tls.ts';
import { type Certificates, makeCertificates } from '../services/tls.ts';

let made: Certificates;
const closers: (() => void)[] = [];
beforeAll(async () => {
  made = await makeCertificates();
});
afterEach(() => {
  for (const close of closers.splice(0)) close();
});
afterAll(() => made.remove());

/** The public listener with something that answers when it is told to. */
async function start() {
  const closing = new AbortController();
  const waiting: ServerResponse[] = [];
  const handle = (_req: IncomingMessage, res: ServerResponse) => void waiting.push(res);
  const log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
  const server = createPublicServer({
    proxy: { handle } as unknown as GatewayProxy,
    gateway: () => {},
    closing: closing.signal,
    certificates: createCertificates({
      files: [{ certificate: made.certificateFile, key: made.keyFile }],
      minVersion: 'TLSv1.2',
      clock: systemClock,
      log,
    }),
  });
  const address = await listen(server, { host: '127.0.0.1', port: 0 });
  closers.push(() => server.closeAllConnections());
  const port = Number(new URL(address).port);
  const asked = async (count: number) => {
    while (waiting.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const open = async (): Promise<TLSSocket & { text: string }> => {
    const socket = Object.assign(connectTls({ host: '127.0.0.1', port, ca: made.ca }), { text: '' });
    socket.on('data', (chunk: Buffer) => {
      socket.text += chunk;
    });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    return socket;
  };
  const openHttp2 = (): ClientHttp2Session => {
    const session = connectHttp2(address, { ca: made.ca });
    session.on('error', () => {});
    closers.push(() => session.destroy());
    return session;
  };
  return { server, closing, port, address, waiting, asked, open, openHttp2 };
}

function ask(session: ClientHttp2Session): Promise<{ body: string; rst: number | undefined }> {
  return new Promise((resolve) => {
    const stream = session.request({ ':path': '/' });
    let body = '';
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => {
      body += chunk;
    });
    stream.once('close', () => resolve({ body, rst: stream.rstCode }));
  });
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('a listener with TLS that ends', () => {
  it('answers what is under way over HTTP/2, closes the connection behind it, and takes no new ones', async () => {
    const { server, closing, port, waiting, asked, openHttp2, address } = await start();
    expect(address).toMatch(/^https:/);
    const session = openHttp2();
    const answers = [ask(session), ask(session)];
    await asked(2);
    closing.abort();
    const ended = drain(server, 60_000);
    while (server.listening) await nextTurn();
    const refused = connectTcp(port, '127.0.0.1');
    await expect(once(refused, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    for (const res of waiting) res.end('here');
    expect((await Promise.all(answers)).map(({ body }) => body)).toEqual(['here', 'here']);
    await ended;
  });

  it('says over HTTP/1.1 that an answer is the last, and waits for one more request of a connection', async () => {
    const { server, closing, waiting, asked, open } = await start();
    const one = await open();
    one.write(REQUEST);
    await asked(1);
    waiting.shift()?.end('first');
    while (!one.text.includes('first')) await once(one, 'data');
    closing.abort();
    const ended = drain(server, 60_000);
    one.write(REQUEST);
    await asked(1);
    waiting.shift()?.end('last');
    await once(one, 'close');
    expect(one.text).toMatch(/Connection: close\r\n(.*\r\n)*\r\nlast$/);
    await ended;
  });

  it('waits for nobody who brings nothing: no request, no stream, no handshake', async () => {
    const { server, closing, port, open, openHttp2 } = await start();
    const [idle, session] = [await open(), openHttp2()];
    await once(session, 'connect');
    const silent = connectTcp(port, '127.0.0.1');
    silent.on('error', () => {});
    await once(silent, 'connect');
    closing.abort();
    await drain(server, 50);
    await Promise.all([idle, silent].map((socket) => socket.closed || once(socket, 'close')));
    expect(session.closed).toBe(true);
  });

  it('cuts off what has not ended in time', async () => {
    const { server, closing, waiting, asked, open, openHttp2 } = await start();
    const session = openHttp2();
    const answer = ask(session);
    const one = await open();
    one.write(REQUEST);
    await asked(2);
    for (const res of waiting) res.write('half');
    closing.abort();
    await drain(server, 10, undefined, 100);
    const { body, rst } = await answer;
    expect([body, rst]).not.toEqual(['half', 0]);
    if (!one.closed) await once(one, 'close');
    expect(one.text).not.toMatch(/\r\n0\r\n\r\n$/);
  });
});
