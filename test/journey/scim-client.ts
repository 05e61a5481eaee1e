import type { Journey } from './harness.ts';

export const SCIM_TOKEN = 'okta-token-that-only-tests-know-0123456789';

/** An answer of the API. */
export interface ScimAnswer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever comes
  readonly body: any;
}

export interface ScimCaller {
  call(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<ScimAnswer>;
}

/** Calls the API as an identity provider does. */
export function scimClient(url: string, token: string = SCIM_TOKEN): ScimCaller {
  return {
    call: async (method, path, body, headers = {}) => {
      const answer = await fetch(`${url}/scim/v2${path}`, {
        method,
        redirect: 'manual',
        headers: {
          authorization: `Bearer ${token}`,
          accept: 'application/scim+json',
          ...(body === undefined ? {} : { 'content-type': 'application/scim+json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await answer.text();
      return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text) };
    },
  };
}

export function scimOf(journey: Pick<Journey, 'url'>): ScimCaller {
  return scimClient(journey.url);
}

/** Section `scim` of a config with one client; `more` are further keys of it. */
export function scimSection(more = ''): string {
  return `{ clients: { okta: { tokens: ["${SCIM_TOKEN}"], login: acme${more === '' ? '' : `, ${more}`} } } }`;
}

/** A user as identity providers push them. */
export function scimUser(name: string, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
    userName: `${name}@acme.test`,
    externalId: name,
    name: { givenName: name.charAt(0).toUpperCase() + name.slice(1), familyName: 'Adams' },
    emails: [{ value: `${name}@acme.test`, type: 'work', primary: true }],
    active: true,
    ...more,
  };
}

export function patchOf(...operations: readonly unknown[]): unknown {
  return { schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations: operations };
}
