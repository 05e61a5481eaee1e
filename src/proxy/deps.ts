import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import type { SharedFailures } from '../ops/failure-limit.ts';
import type { Signer } from '../ops/keys.ts';
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import type { AccountState } from '../provisioning/provision.ts';
import type { Session } from '../session/store.ts';
import type { SignIn } from '../targets/target.ts';
import type { BackendSession } from './backend-cookies.ts';
import type { UpstreamOptions } from './forward.ts';
import type { Route } from './routes.ts';

/** A target as the proxy sees it. */
export interface ProxyTarget {
  readonly name: string;
  /** Only its origin counts: paths go through unchanged. */
  readonly url: string;
  /** Host that the upstream is asked by. `public` (default): the one that we are asked by, so that its own links are right. */
  readonly host?: 'public' | 'upstream';
  readonly signIn?: SignIn;
  readonly backendSession?: BackendSession;
  /** Paths by which the backend logs people out: they are taken to the gateway's own logout instead. */
  readonly logoutPaths?: readonly string[];
  /** Paths by which the backend signs people in by what we say of them: nobody needs them, and they lead home. */
  readonly loginPaths?: readonly string[];
  /** Normalised paths that no browser is let to. */
  readonly isClosed?: (path: string) => boolean;
  /** Normalised paths that only our own pages may call: the backend does not look where a request comes from. */
  readonly isForOwnPages?: (path: string) => boolean;
  /** Whether pages of other origins may not change anything (any method but GET, HEAD, OPTIONS): the backend does not look. */
  readonly isWrittenByOwnPagesAlone?: boolean;
  readonly timeouts?: UpstreamOptions;
}

export interface ProxySession {
  /** Under which the end of this session is announced. */
  readonly handle: string;
  /** Opens its record. Only kept here, and handed back for sessions that have something under way. */
  readonly id?: string;
  readonly session: Session;
}

export interface ProxySessions {
  /** The live session of a raw Cookie header; at once, when nobody has to be asked. Throws `session_store_unavailable`. */
  read(cookie: string | undefined): ProxySession | undefined | Promise<ProxySession | undefined>;
  /** Called with each handle that ended; `held` names those that something is open for. Returns how to stop. */
  onEnded(listener: (handle: string) => void, held: () => Iterable<string>): () => void;
}

/**
 * Serves what is at or below /.latchgate, and `ownPaths`. Its answers say `requestId` in X-Request-Id; `path` is
 * normalised.
 */
export type GatewayPages = (req: IncomingMessage, res: ServerResponse, requestId: string, path: string) => void;

/** An access token that claims to be of one of our providers. */
export interface ProxyBearer {
  readonly handle: string;
}

/** Where a token is brought. */
export interface BearerPlace {
  /** Absent: nowhere in particular. */
  readonly target?: string;
  readonly requestId: string;
}

/** API clients, as the proxy sees them. */
export interface ProxyBearers {
  /** Undefined: no token, or one that is none of our business. `authorization` is one header line. */
  tokenIn(authorization: string): ProxyBearer | undefined;
  /** The live session of a token that is known to be good, when nobody has to be asked. */
  peek(token: ProxyBearer): ProxySession | undefined;
  /** Throws `invalid_token`, `insufficient_scope`, or what refuses a login; `target` is waited for at the first time. */
  session(token: ProxyBearer, at: BearerPlace): Promise<ProxySession>;
}

/** Answers a request that is refused: a page for people, JSON for programs. X-Request-Id stands in the response already. */
export interface RefusalPages {
  refuse(
    request: IncomingMessage,
    response: ServerResponse,
    error: LatchgateError,
    /** `status` stands instead of the error's own. */
    answer: { readonly requestId: string; readonly status: number },
  ): void;
}

/** A person was there and did not get through: what `why ID` shows. */
export interface ProxyRefusal {
  readonly requestId: string;
  readonly error: LatchgateError;
  readonly person: PersonId;
  readonly origin: string;
  readonly target: string;
  readonly method: string;
  /** Normalised, without query. */
  readonly path: string;
}

export interface ProxyDeps {
  readonly publicUrl: string;
  /** Normalised paths of our own beside /.latchgate, with everything below them, under any host. They hide routes. */
  readonly ownPaths?: readonly string[];
  /** Normalised paths that are served under any host, with everything below them: machines call them by other names. */
  readonly anyHostPaths?: readonly string[];
  /** Addresses and CIDR blocks whose X-Forwarded-For is continued. */
  readonly trustedProxies: readonly string[];
  /** By which a web server shows that it asks by itself at forward-auth. Default none: nobody is told what signs in. */
  readonly forwardAuthSecrets?: readonly string[];
  readonly routes: readonly Route<Session>[];
  readonly targets: readonly ProxyTarget[];
  readonly sessions: ProxySessions;
  /** Absent: no API clients. */
  readonly bearers?: ProxyBearers;
  /** Cookie names of the gateway, in every deployment. */
  readonly cookieNames: readonly string[];
  readonly account: (person: PersonId, target: string, signal: AbortSignal) => Promise<AccountState>;
  /** ES256; sets `iss`. */
  readonly signer: Signer;
  readonly pages: RefusalPages;
  readonly onRefused?: (refusal: ProxyRefusal) => void;
  /** Told when somebody whom nobody believes asks `/.latchgate/auth` about a request: once a minute at most. */
  readonly onStranger?: () => void;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'proxied' | 'refused' | 'sockets'>;
  readonly clock: Clock;
  /** Counts with the other instances what one address fails at. Default: there are none. */
  readonly sharedFailures?: SharedFailures;
  /** One line for each request, without its path: `log.access`. */
  readonly accessLog?: boolean;
}
