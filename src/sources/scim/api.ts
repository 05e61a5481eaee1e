import { LatchgateError } from '../../model/errors.ts';
import type { HttpClient } from '../../ops/http-client.ts';
import { ACCEPTED, listResponse, type Resource } from '../../ops/scim/documents.ts';
import { answerFailure, asSourceFailure } from '../failure.ts';
import type { Page } from '../pages.ts';

export interface ScimApi {
  /**
   * One page of a list (RFC 7644 §3.4.2.4); `offset` counts from 0. Undefined: the service has no such endpoint.
   * Throws `source_refused`, `source_unavailable`, `source_answer_invalid`.
   */
  page(
    endpoint: 'Users' | 'Groups',
    offset: number,
    count: number,
    signal: AbortSignal,
  ): Promise<Page<Resource> | undefined>;
}

export interface ScimApiOptions {
  /** Without a trailing slash. */
  readonly url: string;
  readonly token: string;
  readonly timeoutMs: number;
  readonly http: HttpClient;
}

/** A page of groups with all their members. */
const PAGE_BYTES = 32 * 1024 * 1024;
const SERVICE = 'the SCIM service';

export function createScimApi({ url, token, timeoutMs, http }: ScimApiOptions): ScimApi {
  return {
    page: async (endpoint, offset, count, signal) => {
      const query = new URLSearchParams({ startIndex: String(offset + 1), count: String(count) });
      const call = `GET ${endpoint}`;
      try {
        const response = await http.send({
          method: 'GET',
          url: new URL(`${url}/${endpoint}?${query}`),
          headers: { accept: ACCEPTED, authorization: `Bearer ${token}` },
          signal,
          timeoutMs,
          maxBytes: PAGE_BYTES,
        });
        if (response.status === 404 || response.status === 501) return undefined;
        if (response.status !== 200) throw answerFailure(response, SERVICE, call);
        const parsed = listResponse.safeParse(response.json());
        if (!parsed.success) {
          throw new LatchgateError('source_answer_invalid', 'the answer of the SCIM service is no list', {
            detail: { call, member: parsed.error.issues[0]?.path.join('.') ?? '' },
          });
        }
        const { totalResults, Resources } = parsed.data;
        return { items: Resources ?? [], total: totalResults };
      } catch (thrown) {
        throw asSourceFailure(thrown);
      }
    },
  };
}
