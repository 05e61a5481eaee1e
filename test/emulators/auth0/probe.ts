import type { Auth0Emulator } from './server.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed when the answer is JSON, else the text; undefined when empty. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents of every shape
  readonly body: any;
}

export interface ProbeOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: a token with every scope. Null: no `Authorization`. */
  readonly bearer?: string | null;
}

/** One raw request to the Management API of the emulator; `path` is below `/api/v2`. */
export async function probe(
  emulator: Auth0Emulator,
  method: string,
  path: string,
  options: ProbeOptions = {},
): Promise<Answer> {
  const { body, bearer = emulator.token(), headers = {} } = options;
  const answer = await fetch(`${emulator.url}/api/v2${path}`, {
    method,
    headers: {
      ...(bearer === null ? {} : { Authorization: `Bearer ${bearer}` }),
      ...(body === undefined || body instanceof FormData ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: body instanceof FormData ? body : asText(body) }),
  });
  const text = await answer.text();
  const isJson = /\bjson\b/.test(answer.headers.get('content-type') ?? '');
  return {
    status: answer.status,
    headers: answer.headers,
    body: text === '' ? undefined : isJson ? JSON.parse(text) : text,
  };
}

function asText(body: unknown): string {
  return typeof body === 'string' ? body : JSON.stringify(body);
}
