import { type ClientRequest, type IncomingMessage, request as sendRequest } from 'node:http';
import { constants, createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { Http2End, reset } from './http2-end.ts';
import { toAnswerHeaders, toRequestHead } from './http2-headers.ts';
import { createPipe } from './http2-pipe.ts';

/** More than a head of HTTP/1.1 may be, so that what is too large is answered. */
const MAX_HEADER_LIST_BYTES = 64 * 1024;
/** Of the answers that we write ourselves: more than an upstream may send. */
const MAX_ANSWER_HEAD_BYTES = 128 * 1024;
const MAX_STREAMS = 100;
/** What a client may send ahead of us: on one stream, and on all of a connection together. */
const STREAM_WINDOW_BYTES = 256 * 1024;
const CONNECTION_WINDOW_BYTES = 1024 * 1024;
const STALL_MS = 120_000;

export interface Http2Options {
  /** Takes the server's end of a connection of HTTP/1.1. */
  readonly accept: (connection: Duplex) => void;
  /** A connection without a stream is closed after this. */
  readonly idleMs: number;
  /** A client that takes nothing of an answer for so long has its stream closed; default 2 min. */
  readonly stallMs?: number;
}

/**
 * HTTP/2 (RFC 9113) for browsers. Each stream is carried as one exchange of HTTP/1.1 over a pipe in the process, so that
 * everything that is checked there, and every page, is the same for both; a stream that ends cuts its pipe alone.
 */
export class Http2Front {
  readonly #options: Http2Options;
  readonly #server: Http2Server;
  readonly #sessions = new Map<ServerHttp2Session, Http2End>();

  constructor(options: Http2Options) {
    this.#options = options;
    this.#server = createServer({
      // Browsers send each cookie as a pair of its own.
      maxHeaderListPairs: 512,
      maxOutstandingPings: 10,
      maxSendHeaderBlockLength: MAX_ANSWER_HEAD_BYTES,
      maxSessionInvalidFrames: 100,
      maxSessionMemory: 16,
      maxSessionRejectedStreams: 100,
      maxSettings: 32,
      settings: {
        initialWindowSize: STREAM_WINDOW_BYTES,
        maxConcurrentStreams: MAX_STREAMS,
        maxHeaderListSize: MAX_HEADER_LIST_BYTES,
      },
    });
    this.#server.on('session', (session) => this.#watch(session));
    // Its types leave out the list as it came.
    this.#server.on('stream', (stream, _headers, flags, raw: readonly string[] = []) =>
      this.#serve(stream, flags, raw),
    );
    // Whoever breaks the protocol is cut off by Node; there is nobody to be told.
    this.#server.on('sessionError', () => {});
  }

  /** A connection on which HTTP/2 was agreed. */
  take(socket: TLSSocket): void {
    this.#server.emit('connection', socket);
  }

  /** Each connection is closed when its last stream has ended. */
  end(): void {
    for (const end of this.#sessions.values()) end.begin();
  }

  destroy(): void {
    for (const session of this.#sessions.keys()) session.destroy();
  }

  #watch(session: ServerHttp2Session): void {
    const end = new Http2End(session);
    this.#sessions.set(session, end);
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    // Streams that wait for an upstream are silent for long; a connection without any has nothing to wait for.
    session.setTimeout(this.#options.idleMs);
    session.on('timeout', () => {
      if (!end.hasStreams) end.begin();
    });
    session.on('error', () => {});
    session.once('close', () => this.#sessions.delete(session));
  }

  #serve(stream: ServerHttp2Stream, flags: number, raw: readonly string[]): void {
    stream.on('error', () => {});
    // Reset as soon as it was opened: nothing begins for it.
    if (stream.destroyed || stream.closed) return;
    const head = toRequestHead(raw);
    // A stream that is reset says what is wrong to the one program that can have made it (RFC 9113 §8.1.1).
    if (head === undefined) {
      reset(stream, constants.NGHTTP2_PROTOCOL_ERROR);
      return;
    }
    const { client, server } = createPipe(stream.session?.socket?.remoteAddress);
    const hasBody = (flags & constants.NGHTTP2_FLAG_END_STREAM) === 0;
    let request: ClientRequest;
    try {
      request = sendRequest({
        createConnection: () => client,
        method: head.method,
        path: head.path,
        headers: [...head.headers, ...framing(head.hasLength, hasBody)],
        maxHeaderSize: MAX_ANSWER_HEAD_BYTES,
      });
    } catch {
      // A path or value that HTTP/1.1 cannot carry.
      client.destroy();
      reset(stream, constants.NGHTTP2_PROTOCOL_ERROR);
      return;
    }
    // As for requests: beyond a limit Node would leave headers out without a word.
    request.maxHeadersCount = 0;
    this.#options.accept(server);
    carry(stream, request, hasBody, this.#options.stallMs ?? STALL_MS);
  }
}

/** How HTTP/1.1 finds the end of a body; an announced length says it already. */
function framing(hasLength: boolean, hasBody: boolean): readonly string[] {
  if (hasLength) return [];
  return hasBody ? ['transfer-encoding', 'chunked'] : ['content-length', '0'];
}

/** Joins a stream and the exchange that carries it, until either is over. */
function carry(stream: ServerHttp2Stream, request: ClientRequest, hasBody: boolean, stallMs: number): void {
  // Not `close`, which would first say that the answer is complete. Between two reads, as `reset`.
  const breakOff = (): void => void setImmediate(() => stream.destroy(new Error('the exchange broke off')));
  if (hasBody) stream.pipe(request);
  else {
    stream.resume();
    request.end();
  }
  request.on('continue', () => {
    // Reset meanwhile, it could not be told any more.
    if (!stream.closed && !stream.destroyed && !stream.headersSent) stream.additionalHeaders({ ':status': 100 });
  });
  request.once('response', (answer) => {
    answer.on('error', breakOff);
    if (!stream.destroyed && !stream.closed) answerOn(stream, answer);
  });
  request.on('error', breakOff);
  stream.once('close', () => request.destroy());
  stream.setTimeout(stallMs);
  stream.on('timeout', () => {
    if (stream.writableLength > 0) breakOff();
  });
}

function answerOn(stream: ServerHttp2Stream, answer: IncomingMessage): void {
  let left = Number(answer.headers['content-length'] ?? Number.NaN);
  stream.respond(toAnswerHeaders(answer.statusCode as number, answer.rawHeaders));
  answer.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (!stream.writable) return;
    // The last piece takes the end of the stream along.
    if (left === 0) stream.end(chunk);
    else if (!stream.write(chunk)) answer.pause();
  });
  stream.on('drain', () => answer.resume());
  answer.once('end', () => stream.end());
  stream.once('finish', () => {
    // The whole answer is there: the rest of the request's body is not wanted (RFC 9113 §8.1).
    if (!stream.readableEnded) reset(stream, constants.NGHTTP2_NO_ERROR);
  });
}
