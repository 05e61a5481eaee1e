import type { z } from 'zod';
import { LatchgateError } from '../../model/errors.ts';
import type { HttpClient, HttpRequest, HttpResponse } from '../../ops/http-client.ts';
import { createSemaphore, type Semaphore } from '../../ops/semaphore.ts';
import { failure, isMissingRecord, isUnauthenticated } from './answers.ts';
import type { Credentials } from './credentials.ts';
import { listAnswer } from './documents.ts';
import { type Filter, listQuery } from './rison.ts';

export type Resource = 'users' | 'roles' | 'groups';

export interface SupersetCall {
  readonly method: HttpRequest['method'];
  /** Below `/api/v1/security/`. */
  readonly path: `${Resource}/` | `${Resource}/_info` | `${Resource}/${number}`;
  /** Without the `?`. */
  readonly query?: string;
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

/** Statuses that mean something to the caller; `gone` is a 404 about the record. */
export type Outcome = 200 | 201 | 400 | 422 | 500 | 'gone';

export interface SupersetAnswer {
  readonly outcome: Outcome;
  readonly response: HttpResponse;
}

export interface Page {
  /** Records as they came, with `id`. */
  readonly rows: readonly unknown[];
  /** What Superset says there is in all. */
  readonly total: number;
}

/** Users, roles and groups through Superset's security API (flask-appbuilder 5). */
export interface SupersetApi {
  /**
   * Sends one call as the service account. What is in `expected` comes back; anything else is a LatchgateError:
   * `target_refused` (401, 403, the login page, 4xx), `target_unavailable` (429, 5xx, no answer),
   * `target_answer_invalid`.
   */
  call(call: SupersetCall, expected: readonly Outcome[]): Promise<SupersetAnswer>;
  /** One page of a list, ordered by id. */
  list(request: ListRequest, signal: AbortSignal): Promise<Page>;
}

export interface ListRequest {
  readonly resource: Resource;
  readonly filters: readonly Filter[];
  readonly columns: readonly string[];
  readonly page: number;
}

export interface SupersetApiOptions {
  /** Without a trailing slash; with the prefix that Superset is served below, if any. */
  readonly url: string;
  readonly timeoutMs: number;
  readonly http: HttpClient;
  readonly credentials: Credentials;
}

/** The most that Superset gives. */
export const PAGE_SIZE = 100;
/** Every call may be made twice: what the first one did is seen when the record is read again. */
const RETRIES = 2;

export function createSupersetApi({ url, timeoutMs, http, credentials }: SupersetApiOptions): SupersetApi {
  // Superset keeps the filters of a list in one object for all its threads (flask-appbuilder's `_filters`): of two
  // lists of one resource at the same time, one may be answered with the filters of the other.
  const turns: Readonly<Record<Resource, Semaphore>> = {
    users: createSemaphore(1),
    roles: createSemaphore(1),
    groups: createSemaphore(1),
  };

  const send = async ({ method, path, query, body, signal }: SupersetCall): Promise<HttpResponse> =>
    http.send({
      method,
      url: new URL(`${url}/api/v1/security/${path}${query === undefined ? '' : `?${query}`}`),
      headers: { accept: 'application/json', ...(await credentials.headers(signal)) },
      ...(body === undefined ? {} : { json: body }),
      signal,
      timeoutMs,
      retries: RETRIES,
    });

  const call = async (request: SupersetCall, expected: readonly Outcome[]): Promise<SupersetAnswer> => {
    let response = await send(request);
    if (isUnauthenticated(response)) {
      credentials.renew();
      response = await send(request);
    }
    const outcome = isUnauthenticated(response) ? undefined : outcomeOf(response);
    if (outcome !== undefined && expected.includes(outcome)) return { outcome, response };
    throw failure(response, `${request.method} ${request.path.replace(/\d+$/, 'ID')}`);
  };

  return {
    call,
    list: async ({ resource, filters, columns, page }, signal) => {
      const done = await takeTurn(turns[resource], signal);
      try {
        const query = listQuery({ filters, columns, page, pageSize: PAGE_SIZE });
        const { response } = await call({ method: 'GET', path: `${resource}/`, query, signal }, [200]);
        const { result, count } = parseAnswer(listAnswer, response);
        return { rows: result, total: count };
      } finally {
        done();
      }
    },
  };
}

/** The body of an answer. Throws `target_answer_invalid` when it is not JSON or not of this shape. */
export function parseAnswer<T extends z.ZodType>(shape: T, response: HttpResponse): z.output<T> {
  return parseBody(shape, response.json());
}

/** The same for a part of one. */
export function parseBody<T extends z.ZodType>(shape: T, body: unknown): z.output<T> {
  const parsed = shape.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new LatchgateError('target_answer_invalid', 'the answer of Superset lacks members that it must have', {
    detail: { member: parsed.error.issues[0]?.path.join('.') ?? '' },
  });
}

function outcomeOf(response: HttpResponse): Outcome | undefined {
  const { status } = response;
  if (status === 200 || status === 201 || status === 400 || status === 422) {
    // Throws when this is a page: something else is at that address.
    response.json();
    return status;
  }
  if (status === 500) return status;
  return isMissingRecord(response) ? 'gone' : undefined;
}

async function takeTurn(turn: Semaphore, signal: AbortSignal): Promise<() => void> {
  try {
    return await turn.acquire(signal);
  } catch (thrown) {
    if (thrown instanceof LatchgateError) throw thrown;
    throw new LatchgateError('target_unavailable', 'the wait for Superset was given up', { cause: thrown });
  }
}
