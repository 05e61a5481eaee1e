import type { IncomingHttpHeaders } from 'node:http';
import type { State } from './state.ts';

/** Who is calling, after the bearer was checked. */
export interface Caller {
  readonly userId: string;
  readonly via: 'token' | 'jwt';
  /** The display name a JWT carries; it overrides the stored one. */
  readonly name?: string;
  /** The raw bearer, needed by logout. */
  readonly bearer: string;
}

/** One authenticated request on its way to a handler. */
export interface Call {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  /** Decoded path parameters by name. */
  readonly params: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly caller: Caller;
  readonly state: State;
  /** Milliseconds since the epoch, from the emulator's clock. */
  readonly now: number;
}

export interface Reply {
  readonly status: number;
  /** Sent as JSON in the negotiated media type. */
  readonly json?: unknown;
  /** Sent as it is; wins over `json`. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  409: 'Conflict',
  413: 'Payload Too Large',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** A request the service refuses. Answered as a problem document (RFC 9457). */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}

/** The one answer for "no such thing" and for "not yours": the service does not tell them apart. */
export function notFound(): Refusal {
  return new Refusal(404, 'The requested endpoint does not exist or you do not have permission to access it.');
}

export function problem(status: number, detail: string, traceId: string): Reply {
  const body = { detail, status, title: TITLES[status] ?? 'Error', traceId };
  return { status, text: JSON.stringify(body), headers: { 'Content-Type': 'application/problem+json' } };
}

/** Entities speak JSON:API and plain JSON; layouts and actions speak plain JSON alone. */
export type Media = 'entities' | 'json';

const OFFERED: Readonly<Record<Media, readonly [string, ...string[]]>> = {
  entities: ['application/vnd.gooddata.api+json', 'application/json'],
  json: ['application/json'],
};

/** The media type of the answer (RFC 9110 §12.5.1). @throws Refusal 406 when nothing on offer is acceptable. */
export function negotiate(accept: string | undefined, media: Media): string {
  const offered = OFFERED[media];
  if (accept === undefined || accept.trim() === '') return offered[0];
  const ranges = accept.split(',').map((part) => {
    const [range = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    return { range, weight: weight === undefined ? 1 : Number(weight.slice(2)) };
  });
  for (const { range, weight } of ranges.sort((a, b) => b.weight - a.weight)) {
    if (!(weight > 0)) continue;
    if (range === '*/*' || range === 'application/*') return offered[0];
    if (offered.includes(range)) return range;
  }
  throw new Refusal(406, `None of the accepted media types can be produced; there is ${offered.join(', ')}.`);
}

/** In bytes. */
export const BODY_LIMIT = 5_000_000;

/** @throws Refusal 400 (empty or not JSON), 413 (over 5 MB), 415 (another media type) */
export function parseJson(bytes: Buffer, contentType: string | undefined, media: Media): unknown {
  if (bytes.length > BODY_LIMIT) throw new Refusal(413, 'The request body is too large.');
  const type = (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (!OFFERED[media].includes(type)) throw new Refusal(415, `Content-Type '${type}' is not supported.`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Refusal(400, 'Failed to read request: the body is not JSON.');
  }
}

/**
 * Refuses query parameters nobody defined and lists written as `include=a&include=b` instead of `include=a,b`.
 * The real service lets the first pass; here a misspelt `filter` must not come back as "everybody".
 */
export function checkQuery(url: URL, allowed: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of url.searchParams.keys()) {
    if (!allowed.includes(name)) throw new Refusal(400, `Unknown query parameter '${name}'.`);
    if (seen.has(name) && name !== 'sort') throw new Refusal(400, `Query parameter '${name}' is given twice.`);
    seen.add(name);
  }
}

/** A whole number from the query. @throws Refusal 400 for anything else. */
export function numberFrom(url: URL, name: string, fallback: number): number {
  const raw = url.searchParams.get(name);
  if (raw === null) return fallback;
  if (!/^\d{1,9}$/.test(raw)) throw new Refusal(400, `Query parameter '${name}' is not a number.`);
  return Number(raw);
}
