import { readFileSync } from 'node:fs';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { upstreamAt } from '../../../src/proxy/upstream/client.ts';
import { placeOf } from '../../../src/proxy/upstream/place.ts';
import { type Certificates, makeCertificates } from '../../services/tls.ts';
import { closeAll, exchange, listen, onClose, parseAnswer, startRawUpstream, until } from '../harness.ts';
import { startStage } from './stage.ts';

let certificates: Certificates;
beforeAll(async () => {
  certificates = await makeCertificates('DNS:backend.example.com');
});
afterAll(() => certificates.remove());
afterEach(closeAll);

const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const BIG = 'x'.repeat(300_000);

async function startSecure(answer: string, names?: string) {
  const made = names === undefined ? certificates : await certificates.issue(names);
  const asked: { readonly name: string | false | null; readonly protocol: string | false | null }[] = [];
  const sockets = new Set<TLSSocket>();
  const options = {
    cert: readFileSync(made.certificateFile),
    key: readFileSync(made.keyFile),
    ALPNProtocols: ['h2', 'http/1.1'],
  };
  const server = createTlsServer(options, (socket) => {
    sockets.add(socket);
    asked.push({ name: socket.servername ?? null, protocol: socket.alpnProtocol });
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.on('data', () => socket.write(Buffer.from(answer, 'latin1')));
  });
  server.on('tlsClientError', () => {});
  const port = await listen(server);
  onClose(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return { port, asked, sockets };
}

function secureStage(port: number, servername = 'backend.example.com') {
  const { tls } = placeOf(new URL(`https://${servername}`));
  return startStage(upstreamAt({ host: '127.0.0.1', port, tls: { ...tls, ca: certificates.ca } }, {}));
}

describe('an upstream behind TLS', () => {
  it('is asked by the configured name, in HTTP/1.1, over connections that are kept', async () => {
    const upstream = await startSecure(`HTTP/1.1 200 OK\r\nContent-Length: ${BIG.length}\r\n\r\n${BIG}`);
    const { port } = await secureStage(upstream.port);
    for (let at = 0; at < 3; at += 1) expect(parseAnswer(await exchange(port, GET)).body).toBe(BIG);
    expect(upstream.asked).toEqual([{ name: 'backend.example.com', protocol: 'http/1.1' }]);
    await closeAll();
    await until(() => upstream.sockets.size === 0, 'the socket is closed');
  });

  it.each([
    ['is for another name', 'DNS:other.example.com'],
    ['is for its address alone', 'IP:127.0.0.1'],
  ])('whose certificate %s gets no request', async (_name, names) => {
    const upstream = await startSecure('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', names);
    const { port, failed } = await secureStage(upstream.port);
    expect(parseAnswer(await exchange(port, GET)).status).toBe(502);
    expect(failed.map(({ error }) => error.code)).toEqual(['upstream_unavailable']);
  });

  it('that takes the connection and never shakes hands is a 504', async () => {
    const silent = await startRawUpstream(() => {});
    const place = { host: '127.0.0.1', port: Number(new URL(silent.url).port), tls: {} };
    const { port } = await startStage(upstreamAt(place, { connectTimeoutMs: 300 }));
    const answer = parseAnswer(await exchange(port, GET));
    expect([answer.status, answer.body]).toEqual([504, 'upstream_timeout']);
    await until(() => silent.sockets.size === 0, 'the socket is closed');
  });

  it('names no address in the handshake, and checks the certificate for it', async () => {
    expect(placeOf(new URL('https://127.0.0.1:8443'))).toEqual({
      host: '127.0.0.1',
      port: 8443,
      tls: { ALPNProtocols: ['http/1.1'] },
    });
    expect(placeOf(new URL('https://[::1]'))).toMatchObject({ host: '::1', port: 443 });
    expect(placeOf(new URL('http://[::1]:81/x'))).toEqual({ host: '::1', port: 81 });
  });
});
