import type { z } from 'zod';
import { LatchgateError } from '../../model/errors.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { HttpClient, HttpRequest, HttpResponse, RetryPolicy } from '../http-client.ts';
import { type Auth0Role, asFailureOf, failure } from './failure.ts';
import { createAuth0Token } from './token.ts';

export interface Auth0Call {
  readonly method: HttpRequest['method'];
  /** Segments below `/api/v2/`; each is percent-encoded here. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  readonly body?: unknown;
  /** False: must not be made twice after a failure that leaves open whether it was done. Default true. */
  readonly repeatable?: boolean;
  /** A POST that only asks. */
  readonly reads?: true;
  readonly signal: AbortSignal;
}

/** The Management API (version 2) of one tenant, as one client of it. */
export interface Auth0Api {
  readonly role: Auth0Role;
  /**
   * Sends one call. Statuses in `expected` come back; any other is a LatchgateError: `ROLE_refused` (401, 403, 4xx),
   * `ROLE_unavailable` (429, 5xx, no answer), `ROLE_answer_invalid`, where ROLE is `target` or `source`.
   */
  call(call: Auth0Call, expected: readonly number[]): Promise<HttpResponse>;
  /** The body of an answer. Throws `ROLE_answer_invalid` when it is not JSON or not of this shape. */
  parse<T extends z.ZodType>(shape: T, response: HttpResponse): z.output<T>;
  /** What our client may do. Undefined: Auth0 did not say. */
  scopes(signal: AbortSignal): Promise<ReadonlySet<string> | undefined>;
}

export interface Auth0ApiOptions {
  readonly role: Auth0Role;
  /** `https://acme.eu.auth0.com`, without a trailing slash: the tenant's own domain, never a custom one. */
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly timeoutMs: number;
  /** `retry` of the config: so many more tries, the first after `backoff` seconds, then twice as long each time. */
  readonly retry: { readonly attempts: number; readonly backoff: number };
  readonly http: HttpClient;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/** A page of 100 users with all their metadata is larger than other answers. */
const LISTING_BYTES = 32 * 1024 * 1024;

export function createAuth0Api(options: Auth0ApiOptions): Auth0Api {
  const { role, url, clientId, clientSecret, timeoutMs, http, clock = systemClock } = options;
  const { attempts, backoff } = options.retry;
  const retry: RetryPolicy = { attempts, refusedAttempts: attempts, backoffMs: backoff * 1_000 };
  const token = createAuth0Token({ url, clientId, clientSecret, timeoutMs, retry, http, clock, role });

  const send = (call: Auth0Call, bearer: string): Promise<HttpResponse> => {
    const { method, path, query = {}, body, repeatable = true, reads, signal } = call;
    return asFailureOf(role, () =>
      http.send({
        method,
        url: new URL(`${url}/api/v2/${path.map(encodeURIComponent).join('/')}${queryString(query)}`),
        headers: { accept: 'application/json', authorization: `Bearer ${bearer}` },
        ...(body === undefined ? {} : { json: body }),
        ...(reads === undefined ? {} : { reads }),
        signal,
        timeoutMs,
        maxBytes: LISTING_BYTES,
        retry: repeatable ? retry : { ...retry, attempts: 0 },
      }),
    );
  };

  return {
    role,
    call: async (call, expected) => {
      const first = await token.get(call.signal);
      let response = await send(call, first);
      if (response.status === 401) {
        token.renew(first);
        response = await send(call, await token.get(call.signal));
      }
      if (expected.includes(response.status)) return response;
      throw failure(role, response, `${call.method} ${shownPath(call.path)}`);
    },
    parse: (shape, response) => {
      const parsed = shape.safeParse(readJson(role, response));
      if (parsed.success) return parsed.data;
      throw new LatchgateError(`${role}_answer_invalid`, 'the answer of Auth0 lacks members that it must have', {
        detail: { status: response.status, member: parsed.error.issues[0]?.path.join('.') ?? '' },
      });
    },
    scopes: (signal) => token.scopes(signal),
  };
}

function readJson(role: Auth0Role, response: HttpResponse): unknown {
  try {
    return response.json();
  } catch (thrown) {
    if (role === 'target' || !(thrown instanceof LatchgateError)) throw thrown;
    throw new LatchgateError('source_answer_invalid', thrown.message, { detail: thrown.detail });
  }
}

/** `users/ID/roles`: every second segment is an id. */
function shownPath(path: readonly string[]): string {
  return path
    .map((segment, at) => (at % 2 === 1 && path[0] !== 'jobs' && path[0] !== 'tickets' ? 'ID' : segment))
    .join('/');
}

function queryString(query: Readonly<Record<string, string | number | boolean>>): string {
  const pairs = Object.entries(query).map(([name, value]) => [name, String(value)] as [string, string]);
  const text = new URLSearchParams(pairs).toString().replaceAll('+', '%20');
  return text === '' ? '' : `?${text}`;
}

/** A text in quotes for `q` (Lucene syntax of search engine v3). */
export function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}
