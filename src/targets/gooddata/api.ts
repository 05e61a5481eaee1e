import type { z } from 'zod';
import { LatchgateError } from '../../model/errors.ts';
import type { HttpClient, HttpRequest, HttpResponse } from '../../ops/http-client.ts';
import { retryAfterMs } from '../../ops/retry.ts';

const JSON_API = 'application/vnd.gooddata.api+json';
/** A listing of 500 users with all their groups is larger than other answers. */
const LISTING_BYTES = 32 * 1024 * 1024;
/** Every call that we make may be made twice: what the first one did shows as 409, 404 or no difference. */
const RETRIES = 2;

interface GoodDataCall {
  readonly method: HttpRequest['method'];
  /** Below `/api/v1/`, each segment a valid id or a constant. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** For the endpoints that do not speak JSON:API: what is sent and what is asked for. */
  readonly media?: 'application/json';
  readonly signal: AbortSignal;
}

/** The REST API of one organisation, version 1. */
export interface GoodDataApi {
  /**
   * Sends one call. Statuses in `expected` come back; any other is a LatchgateError: `target_refused` (401, 403, a
   * redirect to the login, 4xx), `target_unavailable` (429, 5xx, no answer), `target_answer_invalid`.
   */
  call(call: GoodDataCall, expected: readonly number[]): Promise<HttpResponse>;
}

export interface GoodDataApiOptions {
  /** `https://acme.cloud.gooddata.com`, without a trailing slash. */
  readonly url: string;
  readonly token: string;
  readonly timeoutMs: number;
  readonly http: HttpClient;
}

export function createGoodDataApi({ url, token, timeoutMs, http }: GoodDataApiOptions): GoodDataApi {
  return {
    call: async ({ method, path, query = {}, body, media = JSON_API, signal }, expected) => {
      const response = await http.send({
        method,
        url: new URL(`${url}/api/v1/${path}${queryString(query)}`),
        headers: {
          accept: media,
          authorization: `Bearer ${token}`,
          // Makes a token that is not accepted a plain 401 instead of a redirect to the login page.
          'x-requested-with': 'XMLHttpRequest',
          'x-gdc-validate-relations': 'true',
          ...(body === undefined ? {} : { 'content-type': media }),
        },
        ...(body === undefined ? {} : { json: body }),
        signal,
        timeoutMs,
        maxBytes: LISTING_BYTES,
        retries: RETRIES,
      });
      if (expected.includes(response.status)) return response;
      throw failure(response, `${method} ${path.split('/').slice(0, 2).join('/')}`);
    },
  };
}

/** The body of an answer. Throws `target_answer_invalid` when it is not JSON or not of this shape. */
export function parseAnswer<T extends z.ZodType>(shape: T, response: HttpResponse): z.output<T> {
  const parsed = shape.safeParse(response.json());
  if (parsed.success) return parsed.data;
  throw new LatchgateError('target_answer_invalid', 'the answer of GoodData lacks members that it must have', {
    detail: { ...traceOf(response), member: parsed.error.issues[0]?.path.join('.') ?? '' },
  });
}

/** The id under which the service's own logs have this request. */
export function traceOf(response: HttpResponse): Record<string, string | number> {
  const traceId = response.headers['x-gdc-trace-id'];
  return { status: response.status, ...(traceId === undefined ? {} : { traceId }) };
}

function failure(response: HttpResponse, call: string): LatchgateError {
  const { status } = response;
  const detail = { ...traceOf(response), call };
  if (status === 429 || status >= 500) {
    const waitMs = retryAfterMs(response.headers['retry-after'] ?? '');
    return new LatchgateError('target_unavailable', `GoodData answered ${status}`, {
      detail,
      ...(waitMs === undefined ? {} : { retryAfterSeconds: Math.ceil(waitMs / 1_000) }),
    });
  }
  if (status === 401 || status === 403 || isLogin(response)) {
    return new LatchgateError('target_refused', 'GoodData does not accept our token', { detail });
  }
  const isApi = (response.headers['content-type'] ?? '').includes('json');
  if (status >= 400 && (isApi || status !== 404)) {
    return new LatchgateError('target_refused', `GoodData refused our request with ${status}`, { detail });
  }
  return new LatchgateError('target_answer_invalid', `GoodData answered ${status}, which is not its API`, { detail });
}

function isLogin({ status, headers, text }: HttpResponse): boolean {
  const where = status >= 300 && status < 400 ? (headers['location'] ?? '') : text.slice(0, 200);
  return /^\S*(\/oauth2\/authorization\/|\/appLogin)/.test(where.trim());
}

function queryString(query: Readonly<Record<string, string>>): string {
  const text = new URLSearchParams(query).toString().replaceAll('+', '%20');
  return text === '' ? '' : `?${text}`;
}
