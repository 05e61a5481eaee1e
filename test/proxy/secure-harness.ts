import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { systemClock } from '../../src/ops/clock.ts';
import { type CertificateFiles, type Certificates, createCertificates } from '../../src/proxy/tls.ts';
import { makeCertificates, type Certificates as TestCertificates } from '../services/tls.ts';
import { onClose, startWorld, type World, type WorldOptions } from './harness.ts';

export const MAIN = 'bi.example.com';
export const REPORTS = 'reports.example.com';

let made: Promise<TestCertificates> | undefined;

/** One authority for a whole test file: making it takes a moment. To be removed with `removeAuthority`. */
export function authority(): Promise<TestCertificates> {
  made ??= makeCertificates(`DNS:${MAIN},DNS:${REPORTS}`);
  return made;
}

export async function removeAuthority(): Promise<void> {
  (await made)?.remove();
}

export interface SecureWorld extends World {
  readonly ca: string;
  readonly certificates: Certificates;
  readonly warned: { readonly level: string; readonly message: string; readonly fields: unknown }[];
}

export interface SecureOptions extends WorldOptions {
  readonly files?: readonly CertificateFiles[];
  readonly pollMs?: number;
}

/** The world behind TLS, as https://bi.example.com. */
export async function startSecureWorld(options: SecureOptions): Promise<SecureWorld> {
  const { ca, certificateFile, keyFile } = await authority();
  const warned: { level: string; message: string; fields: unknown }[] = [];
  const write = (level: string) => (message: string, fields?: unknown) => void warned.push({ level, message, fields });
  const certificates = createCertificates({
    files: options.files ?? [{ certificate: certificateFile, key: keyFile }],
    minVersion: 'TLSv1.2',
    clock: systemClock,
    log: { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') },
    ...(options.pollMs === undefined ? {} : { pollMs: options.pollMs }),
  });
  const world = await startWorld({
    ...options,
    deps: { publicUrl: `https://${MAIN}`, ...options.deps },
    server: { certificates, ...options.server },
  });
  return { ...world, ca, certificates, warned };
}

/** A TLS connection that speaks this protocol. */
export function openTls(world: SecureWorld, protocol: 'h2' | 'http/1.1', servername = MAIN): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: world.port, ca: world.ca, servername, ALPNProtocols: [protocol] };
    const socket = connectTls(options, () => resolve(socket));
    socket.once('error', reject);
    onClose(() => socket.destroy());
  });
}

/** A client of HTTP/2 as browsers are. */
export function openHttp2(world: SecureWorld, host = MAIN): ClientHttp2Session {
  const session = connectHttp2(`https://${host}`, {
    // As browsers have it: by itself Node takes 128.
    maxHeaderListPairs: 4_096,
    createConnection: () =>
      connectTls({
        host: '127.0.0.1',
        port: world.port,
        ca: world.ca,
        servername: host,
        ALPNProtocols: ['h2'],
      }),
  });
  session.on('error', () => {});
  onClose(() => session.destroy());
  return session;
}

export interface Http2Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
  /** 0 when the stream ended as it should. */
  readonly resetBy: number;
}

/** One request with alice's cookie unless told otherwise. */
export function askHttp2(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders = {},
  body?: string | Buffer,
): Promise<Http2Answer> {
  return new Promise((resolve) => {
    const stream = session.request(
      { ':path': '/', cookie: 'latchgate=alice', ...headers },
      { endStream: body === undefined },
    );
    const chunks: Buffer[] = [];
    let answer: Http2Answer['headers'] = {};
    stream.on('error', () => {});
    stream.on('response', (got) => {
      answer = got as Http2Answer['headers'];
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('close', () => {
      const status = Number(answer[':status'] ?? 0);
      resolve({
        status,
        headers: answer,
        body: Buffer.concat(chunks).toString('latin1'),
        resetBy: stream.rstCode ?? 0,
      });
    });
    if (body !== undefined) stream.end(body);
  });
}

/** A stream whose answer is read as it comes. */
export function openStream(session: ClientHttp2Session, headers: OutgoingHttpHeaders = {}, endStream = true) {
  const stream: ClientHttp2Stream = session.request(
    { ':path': '/', cookie: 'latchgate=alice', ...headers },
    { endStream },
  );
  const heard = { stream, status: 0, body: '', closed: false };
  stream.on('error', () => {});
  stream.on('response', (got) => {
    heard.status = Number(got[':status']);
  });
  stream.on('data', (chunk: Buffer) => {
    heard.body += chunk.toString('latin1');
  });
  stream.once('close', () => {
    heard.closed = true;
  });
  return heard;
}
