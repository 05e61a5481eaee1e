import { z } from 'zod';
import { LatchgateError } from '../../model/errors.ts';
import type { Assertion } from '../../model/person.ts';
import type { Clock } from '../../ops/clock.ts';
import type { HttpClient, HttpResponse } from '../../ops/http-client.ts';
import type { GroupDirectory } from './overage.ts';
import type { OverageConfig } from './schema.ts';

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Names of the two claims in tokens, and in SAML assertions. */
const OBJECT_ID = ['oid', 'http://schemas.microsoft.com/identity/claims/objectidentifier'];
const TENANT_ID = ['tid', 'http://schemas.microsoft.com/identity/claims/tenantid'];
/** Graph gives thousands of ids in one answer: a chain of more than so many does not end. */
const MOST_PAGES = 50;
const RETRIES = 2;
/** Of a token's life, left over for the calls that are made with it. */
const MARGIN_MS = 60_000;

const tokenAnswer = z.object({ access_token: z.string().min(1), expires_in: z.coerce.number().positive() });
const pageAnswer = z.object({
  value: z.array(z.string().regex(GUID)),
  '@odata.nextLink': z.string().optional(),
});
const errorAnswer = z.object({ error: z.object({ code: z.string() }) });

export interface GraphOptions {
  readonly login: string;
  readonly config: OverageConfig;
  /** A client of its own; its limits apply to every answer. */
  readonly http: HttpClient;
  readonly clock: Clock;
}

/**
 * Microsoft Graph v1.0, `POST /users/{id}/getMemberObjects`, by client credentials. Who is asked about is the object id of
 * the verified claims; addresses come from the config alone, never from `_claim_sources`.
 */
export function createGraphGroups(options: GraphOptions): GroupDirectory {
  return new Graph(options);
}

class Graph implements GroupDirectory {
  readonly #options: GraphOptions;
  #token: { readonly value: string; readonly until: number } | undefined;
  #making: Promise<string> | undefined;

  constructor(options: GraphOptions) {
    this.#options = options;
  }

  async groupsOf(claims: Assertion['claims'], signal: AbortSignal): Promise<readonly string[] | undefined> {
    const { config } = this.#options;
    const id = textOf(claims, OBJECT_ID);
    const tenant = textOf(claims, TENANT_ID) ?? config.tenant;
    if (id === undefined || !GUID.test(id) || tenant.toLowerCase() !== config.tenant.toLowerCase()) return undefined;
    const groups: string[] = [];
    let page: URL | undefined;
    for (let count = 0; count < MOST_PAGES; count += 1) {
      const response = await this.#asked(
        page ?? new URL(`${config.url}/v1.0/users/${id}/getMemberObjects`),
        page === undefined,
        signal,
      );
      if (response === undefined) return undefined;
      const { value, '@odata.nextLink': next } = this.#read(pageAnswer, response);
      groups.push(...value);
      if (next === undefined) return [...new Set(groups)];
      page = this.#nextPage(next);
    }
    throw this.#failed('answer', 'the pages of Microsoft Graph do not end');
  }

  /** undefined: Graph does not know the person, or cannot list so many groups. */
  async #asked(url: URL, isFirst: boolean, signal: AbortSignal): Promise<HttpResponse | undefined> {
    const { http, config } = this.#options;
    for (let isAgain = false; ; isAgain = true) {
      const token = await this.#current();
      const headers = { accept: 'application/json', authorization: `Bearer ${token}` };
      const common = { url, headers, signal, retries: RETRIES, reads: true } as const;
      const response = isFirst
        ? await http.send({ ...common, method: 'POST', json: { securityEnabledOnly: config.security_enabled_only } })
        : await http.send({ ...common, method: 'GET' });
      const { status } = response;
      if (status === 200) return response;
      const code = errorAnswer.safeParse(jsonOf(response)).data?.error.code;
      if (status === 404 || code === 'Directory_ResultSizeLimitExceeded') return undefined;
      if (status === 401 && !isAgain) {
        // The application was changed, or its tokens were called back.
        if (this.#token?.value === token) this.#token = undefined;
        continue;
      }
      if (status >= 500 || status === 429 || status === 408)
        throw this.#failed('groups', 'Microsoft Graph does not answer', status);
      throw this.#misconfigured('groups', 'Microsoft Graph refuses our application', status);
    }
  }

  async #current(): Promise<string> {
    if (this.#token !== undefined && this.#token.until > this.#options.clock.now()) return this.#token.value;
    this.#making ??= this.#newToken().finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  /** RFC 6749 §4.4. Without anybody's signal: others wait for the same one, and the client's time limit ends it. */
  async #newToken(): Promise<string> {
    const { http, clock, config } = this.#options;
    const form = {
      grant_type: 'client_credentials',
      client_id: config.client_id,
      client_secret: config.client_secret,
      scope: `${config.url}/.default`,
    };
    const address = `${config.authority}/${config.tenant}/oauth2/v2.0/token`;
    const answer = await http.fetch(address, { method: 'POST', body: new URLSearchParams(form) });
    const { status } = answer;
    if (status >= 500 || status === 429) throw this.#failed('token', 'Microsoft gives no token now', status);
    if (status !== 200) throw this.#misconfigured('token', 'Microsoft does not take our application', status);
    const parsed = tokenAnswer.safeParse(await answer.json().catch(() => undefined));
    if (!parsed.success) throw this.#failed('token', 'Microsoft answers without a token', status);
    const { access_token: value, expires_in: seconds } = parsed.data;
    this.#token = { value, until: clock.now() + seconds * 1_000 - MARGIN_MS };
    return value;
  }

  #read<T>(schema: z.ZodType<T>, response: HttpResponse): T {
    const parsed = schema.safeParse(jsonOf(response));
    if (parsed.success) return parsed.data;
    throw this.#failed('answer', 'Microsoft Graph answers in another shape', response.status);
  }

  /** The token goes where the config says, whatever an answer says. */
  #nextPage(address: string): URL {
    const url = URL.canParse(address) ? new URL(address) : undefined;
    if (url?.origin === this.#options.config.url && url.username === '' && url.password === '') return url;
    throw this.#failed('answer', 'Microsoft Graph names a next page that is not its own');
  }

  #failed(step: string, message: string, status = 0): LatchgateError {
    const detail = { provider: this.#options.login, step: `overage ${step}`, status };
    return new LatchgateError('provider_unavailable', message, { detail });
  }

  #misconfigured(step: string, message: string, status: number): LatchgateError {
    const detail = { provider: this.#options.login, step: `overage ${step}`, status };
    return new LatchgateError('provider_misconfigured', message, { detail });
  }
}

function jsonOf(response: HttpResponse): unknown {
  try {
    return response.json();
  } catch {
    return undefined;
  }
}

function textOf(claims: Assertion['claims'], names: readonly string[]): string | undefined {
  const values = names.map((name) => (Object.hasOwn(claims, name) ? claims[name] : undefined));
  return values.find((value): value is string => typeof value === 'string');
}
