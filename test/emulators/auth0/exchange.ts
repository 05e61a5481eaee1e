import type { IncomingHttpHeaders } from 'node:http';
import { type Check, record } from '../gooddata/check.ts';
import { Refusal as CheckRefusal } from '../gooddata/exchange.ts';
import type { IdKind, State } from './state.ts';

/** One authenticated request on its way to a handler. */
export interface Call {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  /** Decoded path parameters by name. */
  readonly params: Readonly<Record<string, string>>;
  /** Parsed JSON, the fields of a form, or undefined. */
  readonly body: unknown;
  readonly state: State;
  /** Milliseconds since the epoch, from the emulator's clock. */
  readonly now: number;
  readonly newId: (kind: IdKind) => string;
  /** How long a job takes, in milliseconds. */
  readonly jobMs: number;
}

export interface Reply {
  readonly status: number;
  readonly json?: unknown;
  /** Sent as it is; wins over `json`. */
  readonly bytes?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  410: 'Gone',
  413: 'Payload Too Large',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** A request the service refuses. `errorCode` is left out where the service leaves it out. */
export class Refusal extends Error {
  readonly status: number;
  readonly errorCode: string | undefined;

  constructor(status: number, message: string, errorCode?: string) {
    super(message);
    this.status = status;
    this.errorCode = errorCode;
  }
}

export function refusalReply(status: number, message: string, errorCode?: string): Reply {
  const json = { statusCode: status, error: TITLES[status] ?? 'Error', message, ...(errorCode ? { errorCode } : {}) };
  return { status, json };
}

export function noUser(): Refusal {
  return new Refusal(404, 'The user does not exist.', 'inexistent_user');
}

export function noRole(): Refusal {
  return new Refusal(404, 'The role does not exist.');
}

/** In bytes. */
export const BODY_LIMIT = 2_000_000;

/** A JSON body, or the fields of a form as texts. @throws Refusal 400 (empty or not JSON), 413 (over 2 MB), 415 */
export async function parseBody(bytes: Buffer, contentType: string | undefined): Promise<unknown> {
  if (bytes.length > BODY_LIMIT) throw new Refusal(413, 'Payload content length greater than maximum allowed');
  const type = (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === 'application/x-www-form-urlencoded') return Object.fromEntries(new URLSearchParams(bytes.toString()));
  if (type === 'multipart/form-data') return formFields(bytes, contentType ?? '');
  if (type !== 'application/json') throw new Refusal(415, 'Unsupported Media Type');
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Refusal(400, 'Invalid request payload JSON format', 'invalid_body');
  }
}

async function formFields(bytes: Buffer, contentType: string): Promise<Record<string, string>> {
  const fields: Record<string, string> = {};
  try {
    const form = await new Response(new Uint8Array(bytes), { headers: { 'content-type': contentType } }).formData();
    for (const [name, value] of form) fields[name] = typeof value === 'string' ? value : await value.text();
  } catch {
    throw new Refusal(400, 'Invalid multipart payload format', 'invalid_body');
  }
  return fields;
}

/** The body as an object with these members and no others. @throws Refusal 400 `invalid_body` naming the place. */
export function bodyOf<T>(call: Call, members: Readonly<Record<string, Check>>, required: readonly string[] = []): T {
  try {
    record(members, required)(call.body, 'body');
  } catch (error) {
    if (!(error instanceof CheckRefusal)) throw error;
    throw new Refusal(400, `Payload validation error: '${error.message}'.`, 'invalid_body');
  }
  return call.body as T;
}

/**
 * Refuses query parameters nobody defined and those given twice. The real service lets some of the first pass; here a
 * misspelt filter must not come back as "everybody".
 */
export function checkQuery(url: URL, allowed: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of url.searchParams.keys()) {
    if (!allowed.includes(name)) throw badQuery(`Additional properties not allowed: ${name}`);
    if (seen.has(name) && name !== 'event_type' && name !== 'strategy') throw badQuery(`'${name}' is given twice`);
    seen.add(name);
  }
}

export function badQuery(complaint: string): Refusal {
  return new Refusal(400, `Query validation error: '${complaint}'.`, 'invalid_query_string');
}
