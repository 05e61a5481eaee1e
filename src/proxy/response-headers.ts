import { setCookieName } from './cookies.ts';
import { type FlatHeaders, foldHeaderName } from './identity-headers.ts';

/** Never passed on: hop by hop, ours to say, and ways around the gateway. */
const DROPPED = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'te', 'trailer', 'transfer-encoding'],
  ...['upgrade', 'x-request-id', 'x-latchgate-assertion', 'alt-svc', 'x-accel-redirect'],
  // Of the whole site: our cookies would go, and the session would not.
  'clear-site-data',
]);
const NOT_HOP_BY_HOP = new Set(['set-cookie', 'content-length', 'content-type', 'content-encoding', 'location']);
const MEMO_LIMIT = 2_000;
const MEMO_NAME = 64;

export interface FilteredAnswer {
  readonly headers: FlatHeaders;
  readonly location: string | undefined;
}

export interface AnswerPolicy {
  /** Cookies that an upstream may not set, in lower case. */
  readonly forbidden: ReadonlySet<string>;
  /** Cookies that stay on our side, in lower case: handed to `keep`, not to the browser. */
  readonly kept: ReadonlySet<string>;
}

type Action = 'keep' | 'drop' | 'set-cookie' | 'connection' | 'content-length' | 'location';

/** Takes one pass over the headers of an answer; what comes out keeps order, case and repetition. */
export function createAnswerFilter(
  policy: AnswerPolicy,
): (status: number, raw: Readonly<FlatHeaders>, keep?: (setCookie: string) => void) => FilteredAnswer {
  const memo = new Map<string, Action>();
  const actionFor = (name: string): Action => {
    let action = memo.get(name);
    if (action === undefined) {
      action = decide(name);
      if (memo.size < MEMO_LIMIT && name.length <= MEMO_NAME) memo.set(name, action);
    }
    return action;
  };
  return (status, raw, keep) => {
    let headers: FlatHeaders = [];
    let location: string | undefined;
    let connection: string | undefined;
    for (let at = 0; at + 1 < raw.length; at += 2) {
      const name = raw[at] as string;
      const value = raw[at + 1] as string;
      const action = actionFor(name);
      if (action === 'drop') continue;
      if (action === 'connection') {
        connection = value;
        continue;
      }
      if (action === 'set-cookie') {
        const cookie = setCookieName(value);
        if (policy.kept.has(cookie)) keep?.(value);
        if (policy.kept.has(cookie) || policy.forbidden.has(cookie)) continue;
      } else if (action === 'content-length') {
        // RFC 9110 §8.6: there is none in a 204, whatever the upstream says.
        if (status === 204) continue;
      } else if (action === 'location') location = value;
      headers.push(name, value);
    }
    if (connection !== undefined && !/^(?:keep-alive|close|upgrade)$/i.test(connection)) {
      headers = withoutNamed(headers, connection);
    }
    return { headers, location };
  };
}

function decide(name: string): Action {
  const lower = name.toLowerCase();
  if (lower === 'connection' || lower === 'set-cookie' || lower === 'content-length' || lower === 'location')
    return lower;
  return DROPPED.has(foldHeaderName(name)) ? 'drop' : 'keep';
}

function withoutNamed(headers: FlatHeaders, connection: string): FlatHeaders {
  const named = new Set(connection.split(',').map((token) => token.trim().toLowerCase()));
  for (const name of NOT_HOP_BY_HOP) named.delete(name);
  return headers.filter((_, at) => !named.has((headers[at - (at % 2)] as string).toLowerCase()));
}
