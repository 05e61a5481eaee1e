import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/*
 * As much of SQL Server as a client needs to log in and to run a query ([MS-TDS] 7.4): pre-login without encryption,
 * LOGIN7, transactions, batches that are answered with tables of texts. It is no proof of how SQL Server behaves.
 */

/** What a batch is answered with. */
export interface TdsAnswer {
  readonly tables?: readonly TdsTable[];
  /** Number and text of an error in place of a table, or after the rows of the last one. */
  readonly error?: { readonly number: number; readonly message: string };
  /** The connection breaks after the rows. */
  readonly breaks?: true;
  /** Nothing is said at all. */
  readonly silent?: true;
}

export interface TdsTable {
  readonly columns: readonly string[];
  /** In `nchar` columns texts are filled up with blanks. Default `nvarchar`. */
  readonly type?: 'nchar' | 'nvarchar';
  readonly rows: Iterable<readonly (string | null)[]>;
}

export interface TdsLogin {
  readonly user: string;
  readonly password: string;
  readonly application: string;
  readonly database: string;
  /** ApplicationIntent=ReadOnly. */
  readonly readOnly: boolean;
}

export interface TdsServer {
  readonly port: number;
  readonly logins: readonly TdsLogin[];
  /** What was asked, in order: `begin LEVEL`, `commit`, `rollback`, or the text of a batch. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

export interface TdsServerOptions {
  /** Undefined: everybody may come in. */
  readonly passwords?: ReadonlySet<string>;
  readonly answer: (sql: string) => TdsAnswer;
}

const LEVELS = ['as before', 'read uncommitted', 'read committed', 'repeatable read', 'serializable', 'snapshot'];
const SQL_BATCH = 0x01;
const TABULAR_RESULT = 0x04;
const ATTENTION = 0x06;
const TRANSACTION_MANAGER = 0x0e;
const LOGIN7 = 0x10;
const PRELOGIN = 0x12;
const HEADER_BYTES = 8;
const PACKET_BYTES = 4_096;

export async function startTdsServer(options: TdsServerOptions): Promise<TdsServer> {
  const logins: TdsLogin[] = [];
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    void serve(socket, options, logins, asked);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    logins,
    asked,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function serve(socket: Socket, options: TdsServerOptions, logins: TdsLogin[], asked: string[]): Promise<void> {
  for await (const { type, body } of messages(socket)) {
    if (type === PRELOGIN) await send(socket, [preloginAnswer()]);
    else if (type === LOGIN7) {
      const login = readLogin(body);
      logins.push(login);
      const isIn = options.passwords === undefined || options.passwords.has(login.password);
      await send(
        socket,
        isIn ? [loginAck(), done()] : [error(18_456, `Login failed for user '${login.user}'.`), done(true)],
      );
    } else if (type === TRANSACTION_MANAGER) {
      const headers = body.readUInt32LE(0);
      const request = body.readUInt16LE(headers);
      asked.push(
        request === 5 ? `begin ${LEVELS[body.readUInt8(headers + 2)]}` : request === 7 ? 'commit' : 'rollback',
      );
      await send(socket, request === 5 ? [transactionBegun(), done()] : [done()]);
    } else if (type === ATTENTION) {
      await send(socket, [done(false, false, true)]);
    } else if (type === SQL_BATCH) {
      const sql = body.subarray(body.readUInt32LE(0)).toString('utf16le');
      // What the driver sets up for itself.
      if (/^\s*set /i.test(sql)) await send(socket, [done()]);
      else {
        asked.push(sql);
        await answer(socket, options.answer(sql));
      }
    }
  }
}

async function answer(socket: Socket, { tables = [], error: failure, breaks, silent }: TdsAnswer): Promise<void> {
  if (silent === true) return;
  const tokens = function* (): Generator<Buffer> {
    for (const { columns, rows, type = 'nvarchar' } of tables) {
      yield columnMetadata(columns, type);
      for (const row of rows) yield rowToken(row);
      yield done(false, true);
    }
    if (failure !== undefined) yield error(failure.number, failure.message);
    yield done(failure !== undefined);
  };
  await send(socket, tokens(), breaks !== true);
  if (breaks === true) socket.destroy();
}

/** One message in as many packets as it needs, no faster than the client takes them. */
async function send(socket: Socket, tokens: Iterable<Buffer>, isWhole = true): Promise<void> {
  const room = PACKET_BYTES - HEADER_BYTES;
  let waiting = Buffer.alloc(0);
  const packet = async (body: Buffer, isLast: boolean): Promise<void> => {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt8(TABULAR_RESULT, 0);
    header.writeUInt8(isLast ? 1 : 0, 1);
    header.writeUInt16BE(body.length + HEADER_BYTES, 2);
    header.writeUInt8(1, 6);
    if (socket.destroyed) return;
    if (!socket.write(Buffer.concat([header, body]))) await drained(socket);
  };
  for (const token of tokens) {
    if (socket.destroyed) return;
    waiting = Buffer.concat([waiting, token]);
    while (waiting.length > room) {
      await packet(waiting.subarray(0, room), false);
      waiting = waiting.subarray(room);
    }
  }
  if (isWhole) await packet(waiting, true);
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      socket.off('drain', go).off('close', go);
      resolve();
    };
    socket.on('drain', go).on('close', go);
  });
}

async function* messages(socket: Socket): AsyncGenerator<{ readonly type: number; readonly body: Buffer }> {
  let buffer = Buffer.alloc(0);
  let body = Buffer.alloc(0);
  try {
    for await (const piece of socket as AsyncIterable<Buffer>) {
      buffer = Buffer.concat([buffer, piece]);
      while (buffer.length >= HEADER_BYTES && buffer.length >= buffer.readUInt16BE(2)) {
        const length = buffer.readUInt16BE(2);
        const [type = 0, status = 0] = buffer;
        body = Buffer.concat([body, buffer.subarray(HEADER_BYTES, length)]);
        buffer = buffer.subarray(length);
        if ((status & 1) === 0) continue;
        yield { type, body };
        body = Buffer.alloc(0);
      }
    }
  } catch {
    // The client has gone.
  }
}

/** Version, no encryption, no instance, thread and no MARS ([MS-TDS] 2.2.6.5). */
function preloginAnswer(): Buffer {
  const values = [
    Buffer.from([16, 0, 0, 0, 0, 0]),
    Buffer.from([2]),
    Buffer.from([0]),
    Buffer.alloc(4),
    Buffer.from([0]),
  ];
  let offset = values.length * 5 + 1;
  const heads = values.map((value, index) => {
    const head = Buffer.from([index, 0, 0, 0, 0]);
    head.writeUInt16BE(offset, 1);
    head.writeUInt16BE(value.length, 3);
    offset += value.length;
    return head;
  });
  return Buffer.concat([...heads, Buffer.from([0xff]), ...values]);
}

function readLogin(body: Buffer): TdsLogin {
  const text = (at: number): Buffer => {
    const start = body.readUInt16LE(at);
    return body.subarray(start, start + body.readUInt16LE(at + 2) * 2);
  };
  // Each byte has its halves exchanged and is XORed with A5 ([MS-TDS] 2.2.6.4).
  const password = text(44).map((byte) => {
    const plain = byte ^ 0xa5;
    return ((plain << 4) | (plain >> 4)) & 0xff;
  });
  return {
    user: text(40).toString('utf16le'),
    password: Buffer.from(password).toString('utf16le'),
    application: text(48).toString('utf16le'),
    database: text(68).toString('utf16le'),
    readOnly: (body.readUInt8(26) & 0x20) !== 0,
  };
}

function loginAck(): Buffer {
  const body = Buffer.concat([Buffer.from([1, 0x74, 0, 0, 4]), shortText('fake'), Buffer.from([16, 0, 0, 0])]);
  return Buffer.concat([Buffer.from([0xad]), uint16(body.length), body]);
}

function transactionBegun(): Buffer {
  const body = Buffer.from([8, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([Buffer.from([0xe3]), uint16(body.length), body]);
}

function done(isError = false, isMore = false, isAttention = false): Buffer {
  const token = Buffer.alloc(13);
  token.writeUInt8(0xfd, 0);
  token.writeUInt16LE((isError ? 2 : 0) | (isMore ? 1 : 0) | (isAttention ? 0x20 : 0), 1);
  return token;
}

function error(number: number, message: string): Buffer {
  const head = Buffer.alloc(6);
  head.writeInt32LE(number, 0);
  head.writeUInt8(1, 4);
  head.writeUInt8(14, 5);
  const text = Buffer.from(message, 'utf16le');
  const tail = Buffer.concat([shortText('server'), shortText(''), Buffer.alloc(4)]);
  const body = Buffer.concat([head, uint16(message.length), text, tail]);
  return Buffer.concat([Buffer.from([0xaa]), uint16(body.length), body]);
}

function columnMetadata(columns: readonly string[], type: 'nchar' | 'nvarchar'): Buffer {
  const info = Buffer.from([0, 0, 0, 0, 9, 0, type === 'nchar' ? 0xef : 0xe7, 0xa0, 0x0f, 9, 4, 0xd0, 0, 0x34]);
  return Buffer.concat([
    Buffer.from([0x81]),
    uint16(columns.length),
    ...columns.flatMap((column) => [info, shortText(column)]),
  ]);
}

function rowToken(row: readonly (string | null)[]): Buffer {
  const values = row.map((value) => {
    if (value === null) return uint16(0xffff);
    const text = Buffer.from(value, 'utf16le');
    return Buffer.concat([uint16(text.length), text]);
  });
  return Buffer.concat([Buffer.from([0xd1]), ...values]);
}

function shortText(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'utf16le')]);
}

function uint16(number: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(number);
  return bytes;
}
