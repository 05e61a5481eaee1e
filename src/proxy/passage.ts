import type { Session } from '../session/store.ts';
import type { ProxyBearer, ProxySession } from './deps.ts';
import type { ServedHost } from './hosts.ts';
import type { Prepared, PreparedSession } from './prepared.ts';
import type { Route } from './routes.ts';
import type { RequestTarget } from './target.ts';

/** One request on its way through. What is learned on the way is added. */
export interface Passage {
  readonly requestId: string;
  /** On the monotonic clock, in milliseconds. */
  readonly startedAt: number;
  /** The one that was asked. */
  readonly host: ServedHost;
  readonly target: RequestTarget;
  readonly method: string;
  route?: Route<Session>;
  /** The request is an API client's: its token decides, and no cookie. */
  client?: ProxyBearer | undefined;
  who?: ProxySession;
}

/** Who is let through, and with what. */
export interface Admitted {
  readonly session: PreparedSession;
  readonly prepared: Prepared;
}
