import { z } from 'zod';
import { LatchgateError } from '../../model/errors.ts';
import type { HttpClient, HttpResponse } from '../../ops/http-client.ts';
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
  /** Whether the service says that it has groups (RFC 7644 §4, `/ResourceTypes`); undefined: it does not say. */
  namesGroups(signal: AbortSignal): Promise<boolean | undefined>;
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

/** RFC 7643 §6; `schema` is the URN of §8.7.1. */
const resourceTypes = z.object({
  totalResults: z.number().int().optional(),
  Resources: z.array(z.looseObject({ name: z.string(), endpoint: z.string(), schema: z.string().optional() })).min(1),
});
const GROUP_SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:Group';

export function createScimApi({ url, token, timeoutMs, http }: ScimApiOptions): ScimApi {
  const get = (path: string, signal: AbortSignal): Promise<HttpResponse> =>
    http.send({
      method: 'GET',
      url: new URL(`${url}/${path}`),
      headers: { accept: ACCEPTED, authorization: `Bearer ${token}` },
      signal,
      timeoutMs,
      maxBytes: PAGE_BYTES,
    });
  return {
    page: async (endpoint, offset, count, signal) => {
      const query = new URLSearchParams({ startIndex: String(offset + 1), count: String(count) });
      const call = `GET ${endpoint}`;
      try {
        const response = await get(`${endpoint}?${query}`, signal);
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
    namesGroups: async (signal) => {
      try {
        const response = await get('ResourceTypes', signal);
        const parsed = response.status === 200 ? resourceTypes.safeParse(response.json()).data : undefined;
        if (parsed === undefined) return undefined;
        const { totalResults, Resources } = parsed;
        const isAll = totalResults === undefined || totalResults === Resources.length;
        return Resources.some(isGroups) || (isAll ? false : undefined);
      } catch (thrown) {
        if (signal.aborted) throw asSourceFailure(thrown);
        return undefined;
      }
    },
  };
}

function isGroups({ name, endpoint, schema }: z.output<typeof resourceTypes>['Resources'][number]): boolean {
  return name === 'Group' || schema === GROUP_SCHEMA || /(^|\/)Groups\/?$/.test(endpoint);
}
