import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { LatchgateError } from '../model/errors.ts';
import type { Session } from '../session/store.ts';
import type { ProxyDeps, ProxySession, ProxyTarget } from './deps.ts';
import { isFromElsewhere } from './framing.ts';
import type { Hosts } from './hosts.ts';
import type { Admitted, Passage } from './passage.ts';
import { PreparedSessions } from './prepared.ts';
import { createHostRouter, type Route } from './routes.ts';
import { parseRequestTarget } from './target.ts';

/** RFC 9110 §9.2.1. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Who gets through, and with what: one answer for requests that are forwarded and for those that are only asked about. */
export class Gate {
  readonly #deps: ProxyDeps;
  readonly #match: ReturnType<typeof createHostRouter<Session>>;
  readonly #prepared = new PreparedSessions();

  constructor(deps: ProxyDeps, hosts: Hosts) {
    this.#deps = deps;
    this.#match = createHostRouter(deps.routes, hosts);
  }

  /** Throws `route_unknown`, `method_not_allowed`; then `Allow` is set on the answer, if there is one. */
  route(passage: Passage, res?: ServerResponse): Route<Session> {
    // A backend that answers it sends back what it was sent: the tokens that we add among them (RFC 9110 §9.3.8).
    if (passage.method === 'TRACE') throw new LatchgateError('method_not_allowed', 'TRACE is never forwarded');
    const match = this.#match(passage.host, passage.target.path, passage.method);
    if ('route' in match) {
      passage.route = match.route;
      return match.route;
    }
    if (match.code === 'method_not_allowed') res?.setHeader('Allow', match.allow);
    throw new LatchgateError(match.code, 'no route serves this request', { detail: { method: passage.method } });
  }

  /** Throws `route_forbidden`, `origin_not_allowed` for what the backend itself does not watch. */
  guard(headers: IncomingHttpHeaders, passage: Passage, target: ProxyTarget): void {
    const { host, method, route, client } = passage;
    const { path } = passage.target;
    if (target.isClosed?.(path) === true) {
      throw new LatchgateError('route_forbidden', 'a path of the backend that is closed', {
        detail: { target: target.name },
      });
    }
    // No page of another origin has such a token, and no browser sends it along by itself.
    if (client !== undefined) return;
    // On a public route nobody is signed in, and there is nothing to do in anybody's name.
    const isWriting = target.isWrittenByOwnPagesAlone === true && !SAFE.has(method) && route?.isPublic !== true;
    if ((isWriting || target.isForOwnPages?.(path) === true) && isFromElsewhere(headers, host.origin)) {
      throw new LatchgateError('origin_not_allowed', 'a call of another origin that the backend would not notice', {
        detail: { target: target.name },
      });
    }
  }

  /** At once, when everything is ready. Throws `route_forbidden`, `no_access`, or why the account is not ready. */
  admit(who: ProxySession, route: Route<Session>, target: ProxyTarget): Admitted | Promise<Admitted> {
    // Before anything is waited for, so that the end of the session is not missed meanwhile.
    const session = this.#prepared.get(who);
    if (route.when !== undefined && !route.when(who.session)) {
      throw new LatchgateError('route_forbidden', 'the route is not for this person', {
        detail: { target: route.target },
      });
    }
    const prepared = session.for(target, this.#deps).headers(who.session.identity);
    if (!(prepared instanceof Promise)) return { session, prepared };
    return this.#prepared.watching(
      session,
      prepared.then((made) => ({ session, prepared: made })),
    );
  }

  /** What was made ready for this session is not used any more. */
  end(handle: string): void {
    this.#prepared.end(handle);
  }
}

/** Where a browser is taken that asks for the login or logout of a backend: a path of ours, back to its page, or home. */
export function goesElsewhere(target: ProxyTarget, { host, target: asked, method }: Passage): string | undefined {
  if (method === 'GET' && target.logoutPaths?.includes(asked.path) === true) return '/.latchgate/logout';
  if ((method !== 'GET' && method !== 'HEAD') || target.loginPaths?.includes(asked.path) !== true) return undefined;
  const [, query = ''] = asked.forward.split('?');
  const next = new URLSearchParams(query).get('next');
  return (next === null ? undefined : parseRequestTarget(next, host.authorities)?.forward) ?? '/';
}
