import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';

export type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** `name=value` of every Set-Cookie line. */
  readonly cookies: readonly string[];
};

export type Call = {
  readonly method?: string;
  /** An array is sent as that many header lines. */
  readonly assertion?: string | readonly string[];
  readonly cookies?: readonly string[];
  readonly headers?: OutgoingHttpHeaders;
  readonly json?: unknown;
};

/** One request as it stands: no redirect is followed, no cookie kept, repeated header lines are not joined. */
export function send(base: string, path: string, call: Call = {}): Promise<Answer> {
  const body = call.json === undefined ? undefined : JSON.stringify(call.json);
  const headers: OutgoingHttpHeaders = { ...call.headers };
  if (call.assertion !== undefined) headers['X-Latchgate-Assertion'] = [call.assertion].flat();
  if (call.cookies?.length) headers['Cookie'] = call.cookies.join('; ');
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  return new Promise((resolve, reject) => {
    const sent = request(`${base}${path}`, { method: call.method ?? 'GET', headers, timeout: 60_000, agent: false });
    sent.on('timeout', () => sent.destroy(new Error(`no answer from ${path}`)));
    sent.on('error', reject);
    sent.on('response', (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          text: Buffer.concat(chunks).toString('utf8'),
          cookies: (answer.headers['set-cookie'] ?? []).map((line) => line.split(';')[0] ?? ''),
        }),
      );
    });
    sent.end(body);
  });
}

/** Who Superset takes the sender for: the user name, or the status of the refusal. */
export async function whoAmI(base: string, call: Call): Promise<string | number> {
  const answer = await send(base, '/api/v1/me/', call);
  if (answer.status !== 200) return answer.status;
  const { result } = JSON.parse(answer.text) as { result: { username: string } };
  return result.username;
}
