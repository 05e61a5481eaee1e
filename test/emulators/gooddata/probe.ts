import type { GoodDataEmulator } from './server.ts';

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
  /** Default: the emulator's API token. Null = no `Authorization`. */
  readonly bearer?: string | null;
}

/** One raw request to the emulator, JSON unless the headers say otherwise; redirects are not followed. */
export async function probe(
  emulator: GoodDataEmulator,
  method: string,
  path: string,
  options: ProbeOptions = {},
): Promise<Answer> {
  const { body, bearer = emulator.token, headers = {} } = options;
  const answer = await fetch(`${emulator.url}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      Accept: 'application/json',
      ...(bearer === null ? {} : { Authorization: `Bearer ${bearer}` }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isJson = /\bjson\b/.test(answer.headers.get('content-type') ?? '');
  return {
    status: answer.status,
    headers: answer.headers,
    body: text === '' ? undefined : isJson ? JSON.parse(text) : text,
  };
}

/** The document for creating or replacing a user. */
export function userDocument(id: string, attributes: Record<string, unknown> = {}, groups?: readonly string[]) {
  const data = groups?.map((group) => ({ id: group, type: 'userGroup' }));
  return { data: { id, type: 'user', attributes, ...(data ? { relationships: { userGroups: { data } } } : {}) } };
}
