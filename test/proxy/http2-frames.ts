import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { until } from './harness.ts';
import { openTls, type SecureWorld } from './secure-harness.ts';

/** Frame types (RFC 9113 §6). */
export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;

export const PROTOCOL_ERROR = 1;
export const INTERNAL_ERROR = 2;

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

/** A header list as literals without indexing and without Huffman coding (RFC 7541 §6.2.2): names and values as they are. */
export function headerBlock(pairs: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(pairs.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([integer(bytes.length), bytes]);
}

/** RFC 7541 §5.1 with a prefix of seven bits. */
function integer(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

export const ALICE: readonly (readonly [string, string])[] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'bi.example.com'],
  [':path', '/'],
  ['cookie', 'latchgate=alice'],
];

/** A client of HTTP/2 that sends whatever frames it is told to. */
export class RawClient {
  readonly socket: TLSSocket;
  readonly frames: Frame[] = [];
  closed = false;
  #bytes = Buffer.alloc(0);

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  /** Sends the preface and `settings`, and acknowledges those of the server. */
  static async open(world: SecureWorld, settings: Buffer = Buffer.alloc(0)): Promise<RawClient> {
    const socket = await openTls(world, 'h2');
    socket.setMaxListeners(0);
    const client = new RawClient(socket);
    client.send(Buffer.from(PREFACE, 'latin1'), frame(SETTINGS, 0, 0, settings));
    await client.until(() => client.frames.some(({ type }) => type === SETTINGS), 'the settings of the server');
    client.send(frame(SETTINGS, ACK, 0));
    return client;
  }

  send(...frames: readonly Buffer[]): void {
    if (this.socket.writable) this.socket.write(Buffer.concat(frames));
  }

  /** As fast as the other side takes it, until it closes. */
  async flood(make: (at: number) => Buffer, count: number): Promise<void> {
    for (let at = 0; at < count && !this.closed && this.socket.writable; at += 1) {
      if (!this.socket.write(make(at))) await Promise.race([once(this.socket, 'drain'), once(this.socket, 'close')]);
    }
  }

  /** A request that ends with its headers, on the next stream of the caller's counting. */
  ask(stream: number, pairs: readonly (readonly [string, string])[], flags = END_HEADERS | END_STREAM): void {
    this.send(frame(HEADERS, flags, stream, headerBlock(pairs)));
  }

  of(stream: number, type: number): Frame | undefined {
    return this.frames.find((one) => one.stream === stream && one.type === type);
  }

  /** The error code by which a stream was reset, or the whole connection ended. */
  errorOf(stream: number): number | undefined {
    const reset = this.of(stream, RST_STREAM);
    if (reset !== undefined) return reset.payload.readUInt32BE(0);
    const goaway = this.frames.find(({ type }) => type === GOAWAY);
    return goaway?.payload.readUInt32BE(4);
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    await until(() => holds() || this.closed, what);
  }

  #read(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 9) {
      const end = 9 + this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < end) return;
      const [type, flags] = [this.#bytes[3] as number, this.#bytes[4] as number];
      const payload = Buffer.from(this.#bytes.subarray(9, end));
      this.frames.push({ type, flags, stream: this.#bytes.readUInt32BE(5), payload });
      this.#bytes = this.#bytes.subarray(end);
    }
  }
}
