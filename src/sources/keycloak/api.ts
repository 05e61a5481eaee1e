import { z } from 'zod';
import { LatchgateError } from '../../model/errors.ts';
import type { Clock } from '../../ops/clock.ts';
import type { HttpClient, HttpResponse } from '../../ops/http-client.ts';
import { answerFailure, asSourceFailure } from '../failure.ts';

/** Reads below `/admin/realms/NAME/`. */
export interface KeycloakApi {
  /**
   * The body of one answer. Throws `source_refused` (401, 403, 4xx), `source_unavailable` (429, 5xx, no answer),
   * `source_answer_invalid`.
   */
  get<T extends z.ZodType>(
    path: readonly string[],
    query: Readonly<Record<string, string>>,
    shape: T,
    signal: AbortSignal,
  ): Promise<z.output<T>>;
}

export interface KeycloakApiOptions {
  /** The realm as in its issuer: `https://id.example.com/realms/staff`. */
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly timeoutMs: number;
  readonly http: HttpClient;
  readonly clock: Clock;
}

interface Token {
  readonly value: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** A page of 1,000 people with all their attributes. */
const PAGE_BYTES = 32 * 1024 * 1024;
/** A token this near its end may be too old when it arrives. */
const MARGIN_MS = 10_000;
const KEYCLOAK = 'Keycloak';

const tokenAnswer = z.object({ access_token: z.string().min(1), expires_in: z.number().optional() });

/** Keycloak's Admin API by the service account of a client; its token is kept until it runs out. */
export function createKeycloakApi(options: KeycloakApiOptions): KeycloakApi {
  const { http, timeoutMs, clock } = options;
  const base = options.url.replace(/\/realms\/([^/]+)$/, '/admin/realms/$1');
  let token: Token | undefined;

  const send = async (url: URL, signal: AbortSignal): Promise<HttpResponse> => {
    if (token === undefined || token.until <= clock.now()) token = await fetchToken(options, signal);
    return http.send({
      method: 'GET',
      url,
      headers: { accept: 'application/json', authorization: `Bearer ${token.value}` },
      signal,
      timeoutMs,
      maxBytes: PAGE_BYTES,
    });
  };

  return {
    get: async (path, query, shape, signal) => {
      const url = new URL(`${base}/${path.map(encodeURIComponent).join('/')}?${new URLSearchParams(query)}`);
      const call = `GET ${path[0] ?? ''}`;
      try {
        let response = await send(url, signal);
        if (response.status === 401) {
          token = undefined;
          response = await send(url, signal);
        }
        if (response.status !== 200) throw answerFailure(response, KEYCLOAK, call);
        return parsed(shape, response.json(), call);
      } catch (thrown) {
        throw asSourceFailure(thrown);
      }
    },
  };
}

function parsed<T extends z.ZodType>(shape: T, body: unknown, call: string): z.output<T> {
  const result = shape.safeParse(body);
  if (result.success) return result.data;
  const member = result.error.issues[0]?.path.join('.') ?? '';
  throw new LatchgateError('source_answer_invalid', 'the answer of Keycloak lacks members that it must have', {
    detail: { call, member },
  });
}

/** Client credentials grant (RFC 6749 §4.4). */
async function fetchToken(options: KeycloakApiOptions, signal: AbortSignal): Promise<Token> {
  const { url, clientId, clientSecret, http, clock } = options;
  const asked = clock.now();
  const answer = await http.fetch(`${url}/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
    }),
    signal,
  });
  const detail = { status: answer.status, call: 'POST token' };
  if (answer.status === 429 || answer.status >= 500) {
    throw new LatchgateError('source_unavailable', `Keycloak answered ${answer.status} to our client`, { detail });
  }
  if (answer.status === 404) {
    throw new LatchgateError('source_refused', 'there is no realm of Keycloak at that address', { detail });
  }
  if (answer.status !== 200) {
    throw new LatchgateError('source_refused', 'Keycloak does not take our client or its secret', { detail });
  }
  const body = tokenAnswer.safeParse(await answer.json().catch(() => undefined));
  if (!body.success) {
    throw new LatchgateError('source_answer_invalid', 'Keycloak gave no token for our client', { detail });
  }
  return { value: body.data.access_token, until: asked + (body.data.expires_in ?? 60) * 1_000 - MARGIN_MS };
}
