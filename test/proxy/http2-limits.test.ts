import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { createServer as createTlsServer } from 'node:tls';
import { readCertificate } from '../../src/ops/certificate.ts';
import { Http2Front } from '../../src/proxy/http2.ts';
import { closeAll, listen, onClose, until } from './harness.ts';
import { authority, MAIN, removeAuthority } from './secure-harness.ts';

afterEach(closeAll);
afterAll(removeAuthority);

/** The front alone, with short limits. */
async function start(answer: RequestListener, limits: { readonly idleMs: number; readonly stallMs?: number }) {
  const { ca, certificateFile, keyFile } = await authority();
  const { chain, key } = readCertificate(readFileSync(certificateFile, 'utf8'), readFileSync(keyFile, 'utf8'));
  const http = createServer(answer);
  const front = new Http2Front({ accept: (connection) => http.emit('connection', connection), ...limits });
  const server = createTlsServer({ cert: chain, key, ALPNProtocols: ['h2'] }, (socket) => front.take(socket));
  const port = await listen(server);
  onClose(async () => {
    front.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const open = (): ClientHttp2Session => {
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca, servername: MAIN });
    session.on('error', () => {});
    onClose(() => session.destroy());
    return session;
  };
  return { open };
}

describe('a connection of HTTP/2', () => {
  it('that has no stream is closed after a while, in peace', async () => {
    const { open } = await start((_req, res) => res.end('here'), { idleMs: 100 });
    const session = open();
    const [code] = (await once(session, 'goaway')) as [number];
    expect(code).toBe(constants.NGHTTP2_NO_ERROR);
    await once(session, 'close');
  });

  it('whose streams wait for an answer stays, however long that takes', async () => {
    let answer = () => {};
    const { open } = await start(
      (_req, res) => {
        answer = () => void res.end('at last');
      },
      { idleMs: 30, stallMs: 30 },
    );
    const session = open();
    const stream = session.request({ ':path': '/' });
    let body = '';
    stream.on('data', (chunk: Buffer) => {
      body += chunk;
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect([session.closed, stream.closed]).toEqual([false, false]);
    answer();
    await once(stream, 'close');
    expect([body, stream.rstCode]).toEqual(['at last', 0]);
    await until(() => session.closed, 'the idle end');
  });

  it('on which an answer is not read loses that stream, and the backend is not held', async () => {
    let isGone = false;
    const { open } = await start(
      (req, res) => {
        if (req.url === '/short') return void res.end('here');
        res.once('close', () => {
          isGone = !res.writableFinished;
        });
        const write = () => {
          while (res.write(Buffer.alloc(64 * 1024)));
          res.once('drain', write);
        };
        write();
      },
      { idleMs: 60_000, stallMs: 200 },
    );
    const session = open();
    const stream = session.request({ ':path': '/' });
    stream.on('error', () => {});
    await once(stream, 'response');
    // Not a byte of it is read, so its window stays closed.
    await until(() => isGone, 'the end of the exchange');
    const other = session.request({ ':path': '/short' });
    other.resume();
    const [headers] = (await once(other, 'response')) as [Record<string, unknown>];
    expect(headers[':status']).toBe(200);
    expect(session.closed).toBe(false);
  });
});
