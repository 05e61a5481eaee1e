import type { IncomingMessage } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed when the answer is JSON of any kind, else the text; undefined when empty. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents of every shape
  readonly body: any;
}

export interface ProbeOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: one that may do everything. Null: no `Authorization`. */
  readonly bearer?: string | null;
}

/** One raw request, with a body of JSON unless it is a form or the headers say otherwise; redirects are not followed. */
export async function ask(
  url: string,
  method: string,
  { body, bearer, headers = {} }: ProbeOptions & { readonly bearer: string | null },
): Promise<Answer> {
  const answer = await fetch(url, {
    method,
    redirect: 'manual',
    headers: {
      ...(bearer === null ? {} : { Authorization: `Bearer ${bearer}` }),
      ...(body === undefined || body instanceof FormData ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined
      ? {}
      : { body: body instanceof FormData || typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isJson = /\bjson\b/.test(answer.headers.get('content-type') ?? '');
  return {
    status: answer.status,
    headers: answer.headers,
    body: text === '' ? undefined : isJson ? JSON.parse(text) : text,
  };
}

/** Takes in a whole request body; of one over the limit (in bytes) only enough to tell that it is. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= limit + chunk.length) chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
