import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { State, UserRow } from './state.ts';

/** One request on its way to a handler. */
export interface Call {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Who is signed in by assertion or by Superset's cookie. */
  readonly user: UserRow | undefined;
  readonly state: State;
}

export interface Reply {
  readonly status: number;
  readonly json?: unknown;
  /** Sent as it is; wins over `json`. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request that Superset does not do; `json` is its answer. */
export class Refusal extends Error {
  readonly reply: Reply;

  constructor(status: number, json: unknown) {
    super(`refused with ${status}`);
    this.reply = { status, json };
  }
}

/** `{"message": …}`: how the API itself refuses. */
export function refuse(status: number, message: unknown): Refusal {
  return new Refusal(status, { message });
}

/** What Superset makes of everything that it did not foresee. */
export function fatal(): Refusal {
  return refuse(500, 'Fatal error');
}

/** An address or method that Superset does not have: another shape than the API's own refusals. */
export function noSuchRoute(status: 404 | 405): Refusal {
  const message = status === 404 ? '404 Not Found: The requested URL was not found.' : '405 Method Not Allowed.';
  return new Refusal(status, { errors: [{ message, error_type: 'GENERIC_BACKEND_ERROR', level: 'error' }] });
}

/** The body as an object. @throws Refusal 400 when it is not JSON */
export function jsonBody({ headers, body }: Call): Record<string, unknown> {
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
  if (type !== 'application/json') throw refuse(400, 'Request is not JSON');
  try {
    const parsed = JSON.parse(body.toString('utf8')) as unknown;
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as never;
  } catch {
    // Refused below, as any other text.
  }
  throw refuse(400, { _schema: ['Invalid input type.'] });
}

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
