import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type LatchgateError, toLatchgateError } from '../model/errors.ts';
import { errorBody } from './protocol/error.ts';
import { type ListHead, listTexts } from './protocol/list.ts';

export interface ListOf {
  readonly head: ListHead;
  /** Some at a time; read while the answer is sent. */
  readonly resources: AsyncIterable<readonly unknown[]>;
}

/** A list that is longer goes out while it is read. */
const HELD_CHARACTERS = 262_144;
const JSON_TYPE = 'application/scim+json; charset=utf-8';

/** What a request is answered with. */
export interface Answer {
  readonly status: number;
  /** JSON; absent: no body. */
  readonly body?: unknown;
  /** In the place of `body`: a list that may be too long to be put together before it is sent. */
  readonly list?: ListOf;
  readonly location?: string;
  readonly etag?: string;
  /** Methods that the address takes, with 405. */
  readonly allow?: string;
  readonly retryAfterSeconds?: number;
  /** How a client has to show who it is, with 401. */
  readonly challenge?: string;
}

/** RFC 6750 §3: the error is named where a token was sent that does not hold. */
export function challengeFor(hadToken: boolean): string {
  return hadToken ? 'Bearer realm="scim", error="invalid_token"' : 'Bearer realm="scim"';
}

export function failureAnswer(error: LatchgateError): Answer {
  const { status, retryAfterSeconds } = error;
  const isRetried = retryAfterSeconds !== undefined || status === 503;
  return {
    status,
    body: errorBody(error),
    ...(isRetried ? { retryAfterSeconds: Math.max(1, Math.ceil(retryAfterSeconds ?? 5)) } : {}),
  };
}

/** RFC 7644 §3.1, §8.1; nothing of it is for a cache or a browser. */
export function sendAnswer(res: ServerResponse, answer: Answer, requestId: string): void {
  if (answer.list !== undefined) void sendList(res, answer, answer.list, requestId);
  else send(res, answer, requestId, answer.body === undefined ? undefined : JSON.stringify(answer.body));
}

/** Never throws: an answer that cannot be sent to its end is broken off. */
async function sendList(res: ServerResponse, answer: Answer, list: ListOf, requestId: string): Promise<void> {
  const texts = listTexts(list.head, list.resources);
  let text = '';
  try {
    while (text.length < HELD_CHARACTERS) {
      const { done, value } = await texts.next();
      if (done === true) return send(res, answer, requestId, text);
      text += value;
    }
  } catch (thrown) {
    return sendAnswer(res, failureAnswer(toLatchgateError(thrown)), requestId);
  }
  res.writeHead(answer.status, { ...headersOf(answer, requestId), 'Content-Type': JSON_TYPE });
  const all = async function* (): AsyncGenerator<string, void> {
    yield text;
    yield* texts;
  };
  await pipeline(Readable.from(all()), res).catch(() => {});
}

function send(res: ServerResponse, answer: Answer, requestId: string, text: string | undefined): void {
  const { status } = answer;
  const headers = headersOf(answer, requestId);
  if (text !== undefined) {
    headers['Content-Type'] = JSON_TYPE;
    headers['Content-Length'] = Buffer.byteLength(text);
  } else if (status !== 204 && status !== 304) headers['Content-Length'] = 0;
  res.writeHead(status, headers);
  res.end(text);
}

function headersOf(answer: Answer, requestId: string): Record<string, string | number> {
  const { location, etag, allow, retryAfterSeconds, challenge } = answer;
  return {
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'X-Request-Id': requestId,
    ...(location === undefined ? {} : { Location: location }),
    ...(etag === undefined ? {} : { ETag: etag }),
    ...(allow === undefined ? {} : { Allow: allow }),
    ...(retryAfterSeconds === undefined ? {} : { 'Retry-After': retryAfterSeconds }),
    ...(challenge === undefined ? {} : { 'WWW-Authenticate': challenge }),
  };
}
