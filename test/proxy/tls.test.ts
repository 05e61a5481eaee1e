import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { dirname, join } from 'node:path';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { createCertificates } from '../../src/proxy/tls.ts';
import type { ServerCertificate } from '../services/tls.ts';
import { closeAll, onClose, parseAnswer, startRawUpstream, startUpstream, until, valuesOf } from './harness.ts';
import {
  askHttp2,
  authority,
  MAIN,
  openHttp2,
  openTls,
  REPORTS,
  removeAuthority,
  type SecureWorld,
  startSecureWorld,
} from './secure-harness.ts';

afterEach(closeAll);
afterAll(removeAuthority);

const HOST = `Host: ${MAIN}`;
const COOKIE = 'Cookie: latchgate=alice';

/** Bytes over a TLS connection of HTTP/1.1, and everything that came back until it was closed. */
async function exchange(world: SecureWorld, bytes: string, protocol?: string): Promise<string> {
  const socket = await open(world, protocol === undefined ? {} : { ALPNProtocols: [protocol] });
  let answer = '';
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.write(bytes);
  await once(socket, 'close');
  return answer;
}

function open(world: SecureWorld, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const base = { host: '127.0.0.1', port: world.port, ca: world.ca, servername: MAIN };
    const socket = connectTls({ ...base, ...options }, () => resolve(socket));
    socket.once('error', reject);
    onClose(() => socket.destroy());
  });
}

/** For which names the certificate is that a client gets. */
async function namesFor(world: SecureWorld, servername: string | undefined): Promise<string | undefined> {
  const name = servername === undefined ? { servername: '' } : { servername };
  const socket = await open(world, { ...name, rejectUnauthorized: false });
  const names = socket.getPeerCertificate().subjectaltname;
  socket.destroy();
  return names;
}

describe('HTTP/1.1 over TLS', () => {
  it.each([undefined, 'http/1.1'])('is what it is without, for clients that ask for %s', async (protocol) => {
    const upstream = await startUpstream();
    const world = await startSecureWorld({ upstream: upstream.url });
    const raw = await exchange(world, `GET /x HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nConnection: close\r\n\r\n`, protocol);
    expect([parseAnswer(raw).status, parseAnswer(raw).body]).toEqual([200, 'hello']);
    expect(valuesOf(upstream.seen[0], 'X-Forwarded-Proto')).toEqual(['https']);
    expect(valuesOf(upstream.seen[0], 'X-Forwarded-Port')).toEqual(['443']);
    expect(valuesOf(upstream.seen[0], 'X-Forwarded-For')).toEqual(['127.0.0.1']);
  });

  it.each([
    ['two lengths', `POST / HTTP/1.1\r\n${HOST}\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\nabcd`, 400],
    [
      'a length and chunks',
      `POST / HTTP/1.1\r\n${HOST}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['another host', 'GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n', 421],
    ['CONNECT', `CONNECT evil.example:443 HTTP/1.1\r\n${HOST}\r\n\r\n`, 405],
    ['a head that is too large', `GET / HTTP/1.1\r\n${HOST}\r\nX-Big: ${'a'.repeat(33_000)}\r\n\r\n`, 431],
    ['HTTP/2 that was not agreed', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  ])('is refused as it is without: %s', async (_name, bytes, status) => {
    const upstream = await startUpstream();
    const world = await startSecureWorld({ upstream: upstream.url });
    const raw = await exchange(world, bytes);
    expect(raw.match(/^HTTP\/1\.1 \d{3}/gm)).toEqual([`HTTP/1.1 ${status}`]);
    expect(upstream.seen).toEqual([]);
  });

  it('ends slow heads', async () => {
    const upstream = await startUpstream();
    const world = await startSecureWorld({ upstream: upstream.url, server: { headTimeoutMs: 200 } });
    expect(parseAnswer(await exchange(world, `GET / HTTP/1.1\r\n${HOST}\r\n`)).status).toBe(408);
  });

  it('carries WebSockets, for pages of our own', async () => {
    const upstream = await startRawUpstream((socket, bytes) => {
      if (bytes.startsWith('GET ')) {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      } else socket.write(bytes.toUpperCase());
    });
    const world = await startSecureWorld({ upstream: upstream.url });
    const handshake = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
    const lines = ['GET /ws HTTP/1.1', HOST, COOKIE, ...handshake, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
    const socket = await openTls(world, 'http/1.1');
    let raw = '';
    socket.on('data', (chunk: Buffer) => {
      raw += chunk.toString('latin1');
    });
    socket.write(`${[...lines, `Origin: https://${MAIN}`].join('\r\n')}\r\n\r\n`);
    await until(() => raw.includes('101 Switching'), 'the tunnel');
    socket.write('hello');
    await until(() => raw.endsWith('HELLO'), 'the echo');
    world.end('alice');
    await until(() => socket.destroyed, 'the end with the session');
    const plain = `${[...lines, `Origin: http://${MAIN}`].join('\r\n')}\r\n\r\n`;
    expect(parseAnswer(await exchange(world, plain)).status).toBe(403);
  });
});

describe('a handshake', () => {
  it('is for TLS 1.2 and 1.3 only', async () => {
    const upstream = await startUpstream();
    const world = await startSecureWorld({ upstream: upstream.url });
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await open(world, { minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
    }
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(open(world, old)).rejects.toThrow();
  });

  it('that is none is closed, and others are served', async () => {
    const upstream = await startUpstream();
    const world = await startSecureWorld({ upstream: upstream.url });
    const socket = connectTcp(world.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    onClose(() => socket.destroy());
    socket.write(`GET / HTTP/1.1\r\n${HOST}\r\n\r\n`);
    await once(socket, 'close');
    const silent = connectTcp(world.port, '127.0.0.1');
    onClose(() => silent.destroy());
    await once(silent, 'connect');
    expect((await askHttp2(openHttp2(world))).status).toBe(200);
  });

  it('gets the certificate of the name that is asked for, else the first', async () => {
    const made = await authority();
    const [first, other, wild] = await Promise.all(
      ['DNS:bi.example.com', 'DNS:reports.example.com,IP:127.0.0.1', 'DNS:*.apps.example.com'].map((names) =>
        made.issue(names),
      ),
    );
    const files = [first, other, wild].map((one) => filesOf(one as ServerCertificate));
    const upstream = await startUpstream();
    const world = await startSecureWorld({ upstream: upstream.url, files });
    expect(await namesFor(world, MAIN)).toBe('DNS:bi.example.com');
    expect(await namesFor(world, REPORTS)).toContain('DNS:reports.example.com');
    expect(await namesFor(world, 'Reports.Example.com')).toContain('DNS:reports.example.com');
    expect(await namesFor(world, 'one.apps.example.com')).toBe('DNS:*.apps.example.com');
    for (const name of ['two.one.apps.example.com', 'evil.example', 'apps.example.com', undefined]) {
      expect(await namesFor(world, name)).toBe('DNS:bi.example.com');
    }
  });
});

const filesOf = ({ certificateFile, keyFile }: ServerCertificate) => ({ certificate: certificateFile, key: keyFile });

/** A pair of files that can be exchanged, as a mounted secret is: a link to a folder that is replaced. */
async function mounted(one: ServerCertificate) {
  const folder = join(dirname(one.certificateFile), `mount-${Math.random().toString(36).slice(2)}`);
  mkdirSync(folder);
  let count = 0;
  const put = (certificate: string | Buffer, key: string | Buffer) => {
    count += 1;
    const version = join(folder, `..${count}`);
    mkdirSync(version);
    writeFileSync(join(version, 'tls.crt'), certificate);
    writeFileSync(join(version, 'tls.key'), key);
    symlinkSync(version, join(folder, '..next'));
    renameSync(join(folder, '..next'), join(folder, '..data'));
  };
  put(readFileSync(one.certificateFile), readFileSync(one.keyFile));
  for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), join(folder, name));
  const files = { certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
  return { files, folder, put };
}

const POLL_MS = 30;

describe('a certificate that is changed', () => {
  it('is that of new connections, and the others go on', async () => {
    const made = await authority();
    const [before, after] = await Promise.all([made.issue(`DNS:${MAIN}`), made.issue(`DNS:${MAIN},DNS:new.example`)]);
    const mount = await mounted(before);
    const upstream = await startUpstream();
    const world = await startSecureWorld({ upstream: upstream.url, files: [mount.files], pollMs: POLL_MS });
    const old = openHttp2(world);
    expect((await askHttp2(old)).status).toBe(200);
    mount.put(readFileSync(after.certificateFile), readFileSync(after.keyFile));
    await until(() => world.warned.some(({ message }) => message === 'a certificate was changed'), 'the change');
    expect(await namesFor(world, MAIN)).toContain('new.example');
    expect(await namesFor(world, undefined)).toContain('new.example');
    expect((await askHttp2(old)).status).toBe(200);
  });

  it('loses no request while people come and go', async () => {
    const made = await authority();
    const pair = await Promise.all([made.issue(`DNS:${MAIN}`), made.issue(`DNS:${MAIN},DNS:new.example`)]);
    const mount = await mounted(pair[0] as ServerCertificate);
    const upstream = await startUpstream();
    const world = await startSecureWorld({ upstream: upstream.url, files: [mount.files], pollMs: POLL_MS });
    const changes = () => world.warned.filter(({ message }) => message === 'a certificate was changed').length;
    let isOver = false;
    const statuses: number[] = [];
    const visitor = async () => {
      while (!isOver) {
        const session = openHttp2(world);
        for (let at = 0; at < 3; at += 1) statuses.push((await askHttp2(session)).status);
        session.destroy();
      }
    };
    const visitors = [visitor(), visitor(), visitor()];
    for (let at = 1; at <= 4; at += 1) {
      const { certificateFile, keyFile } = pair[at % 2] as ServerCertificate;
      mount.put(readFileSync(certificateFile), readFileSync(keyFile));
      await until(() => changes() === at, `change ${at}`);
    }
    isOver = true;
    await Promise.all(visitors);
    expect(statuses.length).toBeGreaterThan(10);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
  });

  it.each([
    ['is no PEM', (mount: Awaited<ReturnType<typeof mounted>>) => mount.put('nonsense', 'nonsense')],
    [
      'has the key of another',
      async (mount: Awaited<ReturnType<typeof mounted>>) => {
        const other = await (await authority()).issue('DNS:other.example');
        mount.put(readFileSync(mount.files.certificate), readFileSync(other.keyFile));
      },
    ],
    ['is not there any more', (mount: Awaited<ReturnType<typeof mounted>>) => rmSync(join(mount.folder, '..data'))],
  ])('for one that %s changes nothing, is warned of once, and a good one is taken at last', async (_name, spoil) => {
    const made = await authority();
    const [before, after] = await Promise.all([made.issue(`DNS:${MAIN}`), made.issue(`DNS:${MAIN},DNS:new.example`)]);
    const mount = await mounted(before);
    const upstream = await startUpstream();
    const world = await startSecureWorld({ upstream: upstream.url, files: [mount.files], pollMs: POLL_MS });
    const warnings = () => world.warned.filter(({ level }) => level === 'warn');
    await spoil(mount);
    await until(() => warnings().length > 0, 'the warning');
    await new Promise((resolve) => setTimeout(resolve, 5 * POLL_MS));
    expect(warnings()).toEqual([
      expect.objectContaining({ message: 'a changed certificate cannot be used; the former one stays' }),
    ]);
    expect(await namesFor(world, MAIN)).toBe('DNS:bi.example.com');
    mount.put(readFileSync(after.certificateFile), readFileSync(after.keyFile));
    await until(() => world.warned.some(({ message }) => message === 'a certificate was changed'), 'the change');
    expect(await namesFor(world, MAIN)).toContain('new.example');
  });

  it('with one file after the other is taken when both are there', async () => {
    const made = await authority();
    const [before, after] = await Promise.all([made.issue(`DNS:${MAIN}`), made.issue(`DNS:${MAIN},DNS:new.example`)]);
    const [certificate, key] = [`${before.certificateFile}.live`, `${before.keyFile}.live`];
    copyFileSync(before.certificateFile, certificate);
    copyFileSync(before.keyFile, key);
    const upstream = await startUpstream();
    const world = await startSecureWorld({ upstream: upstream.url, files: [{ certificate, key }], pollMs: POLL_MS });
    copyFileSync(after.certificateFile, certificate);
    await until(() => world.warned.length > 0, 'the warning');
    expect(await namesFor(world, MAIN)).toBe('DNS:bi.example.com');
    copyFileSync(after.keyFile, key);
    await until(() => world.warned.some(({ message }) => message === 'a certificate was changed'), 'the change');
    expect(await namesFor(world, MAIN)).toContain('new.example');
  });
});

describe('the end of a certificate', () => {
  it('is known in seconds, and warned of once a day when it is near', async () => {
    const day = 86_400_000;
    const made = await authority();
    const long = await made.issue(`DNS:${MAIN}`, 90);
    const warned: string[] = [];
    const log = {
      error: () => {},
      info: () => {},
      debug: () => {},
      warn: (message: string) => void warned.push(message),
    };
    const start = Date.now();
    const clock = { at: start, now: () => clock.at };
    const options = { files: [filesOf(long)], minVersion: 'TLSv1.2', clock, log, pollMs: 5 } as const;
    const certificates = createCertificates(options);
    const [[file, seconds] = ['', 0]] = certificates.expiries();
    expect(file).toBe(long.certificateFile);
    expect(Math.abs(seconds - 90 * 86_400)).toBeLessThan(60);
    const stop = certificates.watch(() => {});
    onClose(stop);
    const looks = () => new Promise((resolve) => setTimeout(resolve, 60));
    await looks();
    expect(warned).toEqual([]);
    clock.at = start + 77 * day;
    await until(() => warned.length === 1, 'the warning');
    await looks();
    expect(warned).toEqual(['a certificate runs out soon']);
    clock.at = start + 78.5 * day;
    await until(() => warned.length === 2, 'the warning of the next day');
    clock.at = start + 91 * day;
    await until(() => warned.length === 3, 'the last warning');
    expect(warned[2]).toBe('a certificate has run out');
    expect(certificates.expiries()[0]?.[1]).toBeLessThan(0);
  });

  it.each([
    ['not there', 'none.pem', undefined],
    ['no PEM', undefined, 'text'],
  ])('of a start is a file that is %s', async (_name, missing, text) => {
    const made = await authority();
    const file = join(dirname(made.certificateFile), missing ?? 'text.pem');
    if (text !== undefined) writeFileSync(file, text);
    const log = { error: () => {}, info: () => {}, debug: () => {}, warn: () => {} };
    const options = { minVersion: 'TLSv1.2', clock: { now: () => 0 }, log } as const;
    const make = () => createCertificates({ ...options, files: [{ certificate: file, key: made.keyFile }] });
    expect(make).toThrow(expect.objectContaining({ code: 'certificate_unusable', detail: { file } }));
  });
});
