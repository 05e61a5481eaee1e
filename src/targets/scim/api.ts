import type { z } from 'zod';
import { LatchgateError } from '../../model/errors.ts';
import type { HttpClient, HttpRequest, HttpResponse } from '../../ops/http-client.ts';
import { retryAfterMs } from '../../ops/retry.ts';
import { ACCEPTED } from '../../ops/scim/documents.ts';

export interface ScimCall {
  readonly method: HttpRequest['method'];
  /** Segments below the base address; each is percent-encoded here. Every second one is an id. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: unknown;
  /** The version that is to be written over (RFC 7644 §3.14). */
  readonly ifMatch?: string | undefined;
  readonly signal: AbortSignal;
}

/** A SCIM 2.0 service as one client of it. */
export interface ScimApi {
  /**
   * Sends one call. Statuses in `expected` come back; any other is a LatchgateError: `target_refused` (401, 403, 4xx),
   * `target_unavailable` (429, 5xx, no answer), `target_answer_invalid`. A 404 comes back only when it is of the API.
   */
  call(call: ScimCall, expected: readonly number[]): Promise<HttpResponse>;
  /** The body of an answer. Throws `target_answer_invalid` when it is not JSON or not of this shape. */
  parse<T extends z.ZodType>(shape: T, response: HttpResponse): z.output<T>;
}

export interface ScimApiOptions {
  /** Without a trailing slash. */
  readonly url: string;
  readonly token: string;
  readonly timeoutMs: number;
  readonly http: HttpClient;
}

/** A page of groups with all their members. */
const LISTING_BYTES = 32 * 1024 * 1024;
/** Whatever is written here may be written twice, except what makes something. */
const RETRIES = 2;

export function createScimApi({ url, token, timeoutMs, http }: ScimApiOptions): ScimApi {
  return {
    call: async ({ method, path, query = {}, body, ifMatch, signal }, expected) => {
      const response = await http.send({
        method,
        url: new URL(`${url}/${path.map(encodeURIComponent).join('/')}${queryString(query)}`),
        headers: {
          accept: ACCEPTED,
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/scim+json' }),
          ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
        },
        ...(body === undefined ? {} : { json: body }),
        signal,
        timeoutMs,
        maxBytes: LISTING_BYTES,
        retries: method === 'POST' ? 0 : RETRIES,
      });
      const shown = `${method} ${path.map((segment, at) => (at % 2 === 1 ? 'ID' : segment)).join('/')}`;
      if (expected.includes(response.status) && (response.status !== 404 || isOfApi(response))) return response;
      throw failure(response, shown);
    },
    parse: (shape, response) => {
      const parsed = shape.safeParse(response.json());
      if (parsed.success) return parsed.data;
      throw new LatchgateError('target_answer_invalid', 'the answer of the SCIM service lacks what it must have', {
        detail: { status: response.status, member: parsed.error.issues[0]?.path.join('.') ?? '' },
      });
    },
  };
}

/** A page that says "not found" is of whatever stands at a wrong address. */
function isOfApi({ headers, text }: HttpResponse): boolean {
  return text === '' || /^application\/(?:[\w.-]+\+)?json\b/i.test(headers['content-type'] ?? '');
}

const MAX_SCIM_TYPE = 64;

/** `scimType` of a refusal (RFC 7644 §3.12). Texts differ from service to service and are never looked at. */
function scimTypeOf(response: HttpResponse): string | undefined {
  try {
    const { scimType } = response.json() as { readonly scimType?: unknown };
    return typeof scimType === 'string' && /^[A-Za-z]+$/.test(scimType) ? scimType.slice(0, MAX_SCIM_TYPE) : undefined;
  } catch {
    return undefined;
  }
}

export function traceOf(response: HttpResponse, call: string): Readonly<Record<string, string | number>> {
  const scimType = scimTypeOf(response);
  return { status: response.status, call, ...(scimType === undefined ? {} : { scimType }) };
}

function failure(response: HttpResponse, call: string): LatchgateError {
  const { status, headers } = response;
  const detail = traceOf(response, call);
  if (status === 429 || status >= 500) {
    const waitMs = retryAfterMs(headers['retry-after'] ?? '');
    const again = waitMs === undefined ? {} : { retryAfterSeconds: Math.ceil(waitMs / 1_000) };
    return new LatchgateError('target_unavailable', `the SCIM service answered ${status}`, { detail, ...again });
  }
  if (status === 401 || status === 403) {
    const message = `the SCIM service does not take our token for this (${status})`;
    return new LatchgateError('target_refused', message, { detail });
  }
  if (status >= 400 && isOfApi(response)) {
    return new LatchgateError('target_refused', `the SCIM service refused our request with ${status}`, { detail });
  }
  const message = `the SCIM service answered ${status}, which is not its API`;
  return new LatchgateError('target_answer_invalid', message, { detail });
}

function queryString(query: Readonly<Record<string, string | number>>): string {
  const pairs = Object.entries(query).map(([name, value]) => [name, String(value)] as [string, string]);
  const text = new URLSearchParams(pairs).toString().replaceAll('+', '%20');
  return text === '' ? '' : `?${text}`;
}
