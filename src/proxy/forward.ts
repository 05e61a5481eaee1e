import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { LatchgateError } from '../model/errors.ts';
import type { FlatHeaders } from './identity-headers.ts';
import type { RequestBody } from './request-body.ts';
import type { FilteredAnswer } from './response-headers.ts';

export interface UpstreamOptions {
  /** To get a connection: to open one, or for one to become free; default 10 s. */
  readonly connectTimeoutMs?: number;
  /** From the end of the request to the head of the answer; default 5 min (long queries). */
  readonly answerTimeoutMs?: number;
  /** Between two pieces of an answer or of an upload; default 10 min (event streams). */
  readonly idleTimeoutMs?: number;
  /** At most so many connections, tunnels apart; twice as many requests wait for one. Default 512. */
  readonly connections?: number;
}

export interface UpstreamRequest {
  readonly method: string;
  /** In origin-form, as it goes onto the wire. */
  readonly path: string;
  /** Without Host and hop-by-hop headers. */
  readonly headers: FlatHeaders;
  /** Further headers as `headerLines` writes them: the same for many requests, and checked once. */
  readonly lines?: string;
  readonly host: string;
  readonly body: RequestBody | null;
  readonly upgrade?: 'websocket';
}

/** What happens to one exchange. Exactly one of `done` and `failed` is called, and after it nothing more. */
export interface ExchangeEvents {
  /** The head of the answer; what it gives back is sent to the client. */
  answered(status: number, headers: FlatHeaders): FilteredAnswer;
  done(status: number): void;
  /** `started`: the client has a part of the answer already, and its connection was closed. */
  failed(error: LatchgateError, started: boolean): void;
  upgraded?(headers: FlatHeaders, socket: Duplex): void;
}

/** One upstream. Who implements it can be changed without the proxy knowing. */
export interface Upstream {
  /** Streams the answer into `response`. Returns how to give up. */
  send(request: UpstreamRequest, response: ServerResponse, events: ExchangeEvents): (reason: Error) => void;
  /** Ends every connection. */
  close(): Promise<void>;
}
