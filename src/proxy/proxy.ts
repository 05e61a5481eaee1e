import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import { newRequestId } from '../ops/request-id.ts';
import { annotate } from '../ops/tracing.ts';
import { atEndOfTurn } from '../ops/turn.ts';
import type { Session } from '../session/store.ts';
import { ApiClients, dropAuthorization, endedToken } from './api-clients.ts';
import type { GatewayPages, ProxyDeps, ProxySession } from './deps.ts';
import type { TargetDoor } from './door.ts';
import { Exchanges } from './exchanges.ts';
import { Failures } from './failures.ts';
import { ForwardAuth } from './forward-auth.ts';
import { FORWARD_AUTH_PATH, isEnvoyCheck } from './forward-auth-question.ts';
import { hostOfClearFraming, refuseUpgrade } from './framing.ts';
import { Gate, goesElsewhere } from './gate.ts';
import { type Hosts, isAuthority } from './hosts.ts';
import type { FilteredHeaders } from './identity-headers.ts';
import { callerOf, isNavigation, loginAddress, placeToReturn, sendLoginRequired } from './login-redirect.ts';
import type { Admitted, Passage } from './passage.ts';
import { drain, hasBody } from './request-body.ts';
import { hostsOfRoutes, type Route } from './routes.ts';
import { isAtOrBelow, parseRequestTarget } from './target.ts';
import { refuseOnSocket, responseOn } from './upgrade.ts';

const GATEWAY_PATH = '/.latchgate';
/** Asked by web servers, identity providers and backends, which may know us by an internal name. */
const ANY_HOST_PATHS = ['auth', 'backchannel-logout', 'jwks.json'].map((name) => `${GATEWAY_PATH}/${name}`);

/** One request, and how it ends when it is not forwarded. */
interface Visit {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly passage: Passage;
  readonly expectsContinue: boolean;
  readonly refuse: (thrown: unknown) => void;
}

/** The hot path: everything on the public listener that is not the gateway's own. */
export class GatewayProxy {
  readonly #deps: ProxyDeps;
  readonly #hosts: Hosts;
  readonly #anyHostPaths: readonly string[];
  readonly #ownPaths: readonly string[];
  readonly #clients: ApiClients;
  readonly #gate: Gate;
  readonly #exchanges: Exchanges;
  readonly #forwardAuth: ForwardAuth;
  readonly #stopListening: () => void;

  constructor(deps: ProxyDeps) {
    this.#deps = deps;
    this.#hosts = hostsOfRoutes(deps.publicUrl, deps.routes);
    this.#ownPaths = deps.ownPaths ?? [];
    this.#anyHostPaths = [...ANY_HOST_PATHS, ...(deps.anyHostPaths ?? []), ...this.#ownPaths];
    this.#clients = new ApiClients(deps.bearers, new Failures(deps));
    this.#gate = new Gate(deps, this.#hosts);
    this.#exchanges = new Exchanges(deps);
    this.#forwardAuth = new ForwardAuth({
      deps,
      hosts: this.#hosts,
      gate: this.#gate,
      clients: this.#clients,
      targetOf: (name) => this.#exchanges.door(name).target,
      refuse: (req, res, error, requestId, at) => {
        res.setHeader('X-Latchgate-Code', error.code);
        this.#refuse(req, res, error, requestId, at.passage, at.status);
      },
    });
    const { live } = this.#exchanges;
    this.#stopListening = deps.sessions.onEnded(
      (handle) => {
        this.#gate.end(handle);
        live.end(handle);
      },
      () => live.handles(),
    );
  }

  /** Ids of the sessions that have a request, a stream or a WebSocket under way. */
  liveSessions(): Iterable<string> {
    return this.#exchanges.live.ids();
  }

  /** The person may be another by now: what is under way where they may not go any more is cut off. */
  look(handle: string, session: Session): void {
    for (const work of this.#exchanges.live.of(handle)) {
      if (work.route?.when?.(session) !== false) continue;
      work.cutOff(new LatchgateError('route_forbidden', 'the route is not for this person any more'));
    }
  }

  /** `gateway` serves what is at or below /.latchgate. */
  handle(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean, gateway: GatewayPages): void {
    const requestId = newRequestId();
    annotate('latchgate.request_id', requestId);
    let passage: Passage;
    try {
      passage = this.#read(req, requestId);
    } catch (thrown) {
      res.setHeader('Connection', 'close');
      this.#refuse(req, res, toLatchgateError(thrown), requestId);
      return;
    }
    if (passage.target.path === FORWARD_AUTH_PATH) return void this.#forwardAuth.answer(req, res, requestId);
    const { path } = passage.target;
    if (this.#ownPaths.some((own) => isAtOrBelow(path, own))) {
      req.url = passage.target.forward;
      if (expectsContinue) res.writeContinue();
      gateway(req, res, requestId, path);
      return;
    }
    if (isAtOrBelow(path, GATEWAY_PATH)) {
      // In the one spelling that its pages are found by: `/%2elatchgate/…` is at the same place.
      req.url = GATEWAY_PATH + passage.target.forward.replace(/^\/[^/?]*/, '');
      if (expectsContinue) res.writeContinue();
      gateway(req, res, requestId, path);
      return;
    }
    if (expectsContinue) res.setHeader('Connection', 'close');
    const refuse = (thrown: unknown) => this.#refuse(req, res, toLatchgateError(thrown), requestId, passage);
    try {
      this.#pass({ req, res, passage, expectsContinue, refuse })?.catch(refuse);
    } catch (thrown) {
      refuse(thrown);
    }
  }

  handleUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    const requestId = newRequestId();
    socket.on('error', () => socket.destroy());
    this.#upgrade(req, socket, head, requestId).catch((thrown: unknown) => {
      const error = toLatchgateError(thrown);
      this.#note(error, requestId);
      refuseOnSocket(socket, error, requestId);
    });
  }

  /** Cuts off what is still under way and closes the connections to the upstreams. */
  async close(): Promise<void> {
    this.#stopListening();
    await this.#exchanges.close();
  }

  /** Open WebSockets and event streams never end by themselves: at shutdown they are ended first. */
  endTunnels(): void {
    this.#exchanges.endTunnels();
  }

  /** Throws `request_invalid`, `host_unknown`. */
  #read(req: IncomingMessage, requestId: string): Passage {
    const asked = hostOfClearFraming(req.rawHeaders, req.httpVersion);
    if (asked === undefined) throw invalid();
    const host = this.#hosts.find(asked);
    // Before anything is resolved: behind that prefix is an address of its own.
    const target = isEnvoyCheck(req.url)
      ? { path: FORWARD_AUTH_PATH, forward: FORWARD_AUTH_PATH }
      : parseRequestTarget(req.url ?? '', host?.authorities ?? [asked.toLowerCase()]);
    if (target === undefined) throw invalid();
    if (host === undefined && !this.#anyHostPaths.some((path) => isAtOrBelow(target.path, path))) {
      if (asked !== '' && !isAuthority(asked)) throw invalid();
      throw new LatchgateError('host_unknown', 'no route names the host that was asked', { detail: { host: asked } });
    }
    const startedAt = performance.now();
    return { requestId, startedAt, host: host ?? this.#hosts.main, target, method: req.method ?? '' };
  }

  /** Without a wait, when everything that it takes is there already: hundreds of thousands of turns of the loop a minute. */
  #pass(visit: Visit): Promise<void> | undefined {
    const { req, res, passage } = visit;
    const route = this.#gate.route(passage, res);
    annotate('latchgate.target', route.target);
    const door = this.#exchanges.door(route.target);
    const elsewhere = goesElsewhere(door.target, passage);
    if (elsewhere !== undefined) {
      redirect(res, 302, elsewhere, passage.requestId);
      return undefined;
    }
    passage.client = this.#clients.tokenOf(req);
    this.#gate.guard(req.headers, passage, door.target);
    const filtered = door.filter(req.rawHeaders);
    if (passage.client !== undefined) dropAuthorization(filtered.headers);
    if (route.isPublic) return this.#forward(visit, door, filtered, undefined);
    const who = this.#who(req, passage, route, filtered);
    return who instanceof Promise
      ? who.then((found) => this.#enter(visit, route, door, filtered, found))
      : this.#enter(visit, route, door, filtered, who);
  }

  /** By the token of an API client, or by the cookie. */
  #who(
    req: IncomingMessage,
    { client, requestId }: Passage,
    { target }: Route<Session>,
    { cookie }: FilteredHeaders,
  ): ProxySession | undefined | Promise<ProxySession | undefined> {
    return client === undefined
      ? this.#deps.sessions.read(cookie)
      : this.#clients.session(req, client, { target, requestId });
  }

  #enter(
    visit: Visit,
    route: Route<Session>,
    door: TargetDoor,
    filtered: FilteredHeaders,
    who: ProxySession | undefined,
  ): Promise<void> | undefined {
    if (who === undefined) return this.#askForLogin(visit);
    visit.passage.who = who;
    const admitted = this.#gate.admit(who, route, door.target);
    return admitted instanceof Promise
      ? admitted.then((now) => this.#forward(visit, door, filtered, now))
      : this.#forward(visit, door, filtered, admitted);
  }

  #forward(
    visit: Visit,
    door: TargetDoor,
    filtered: FilteredHeaders,
    admitted: Admitted | undefined,
  ): Promise<void> | undefined {
    const { req, res, passage, refuse } = visit;
    if (admitted?.session.ended === true) return this.#askForLogin(visit);
    if (res.destroyed) return undefined;
    if (visit.expectsContinue) {
      res.removeHeader('Connection');
      res.writeContinue();
    }
    return this.#exchanges.forward(req, res, passage, door, filtered, admitted, refuse);
  }

  async #upgrade(req: IncomingMessage, socket: Duplex, head: Buffer, requestId: string): Promise<void> {
    const passage = this.#read(req, requestId);
    // Caddy asks with the whole handshake.
    if (passage.target.path === FORWARD_AUTH_PATH) {
      return this.#forwardAuth.answer(req, responseOn(socket, req), requestId);
    }
    if ([GATEWAY_PATH, ...this.#ownPaths].some((own) => isAtOrBelow(passage.target.path, own))) throw invalid();
    passage.client = this.#clients.tokenOf(req);
    const refusal = refuseUpgrade(req, passage.host.origin, passage.client !== undefined);
    if (refusal !== undefined) throw new LatchgateError(refusal, 'the upgrade is not one that is forwarded');
    const route = this.#gate.route(passage);
    const door = this.#exchanges.door(route.target);
    const filtered: FilteredHeaders = door.filter(req.rawHeaders);
    if (passage.client !== undefined) dropAuthorization(filtered.headers);
    // Public routes too: a tunnel is never opened for nobody.
    const who = await this.#who(req, passage, route, filtered);
    const admitted = who === undefined ? undefined : await this.#gate.admit(who, route, door.target);
    if (who === undefined || admitted === undefined || admitted.session.ended) {
      throw new LatchgateError('login_required', 'no session');
    }
    passage.who = who;
    if (socket.destroyed) return;
    await this.#exchanges.upgrade(req, socket, head, passage, door, filtered, admitted);
  }

  #askForLogin({ req, res, passage, refuse }: Visit): undefined {
    const { requestId, host, target, method } = passage;
    if (passage.client !== undefined) return void refuse(endedToken());
    const caller = callerOf(req.headers, method);
    this.#deps.metrics.refused('login_required');
    if (hasBody(req.rawHeaders)) drain(req);
    const address = loginAddress(host, this.#hosts.main, placeToReturn(caller, target.forward));
    if (isNavigation(caller)) return void redirect(res, 302, address, requestId);
    this.#clients.challenge(res);
    sendLoginRequired(res, { loginUrl: new URL(address, host.origin).href, requestId, isHead: method === 'HEAD' });
  }

  #refuse(
    req: IncomingMessage,
    res: ServerResponse,
    error: LatchgateError,
    requestId: string,
    passage?: Passage,
    status: number = error.status,
  ): void {
    this.#note(error, requestId, passage);
    if (res.headersSent || res.destroyed) return;
    // What did not come in time is not waited for any longer (RFC 9110 §15.5.9).
    if (error.code === 'request_timeout') res.setHeader('Connection', 'close');
    else if (!req.complete) drain(req);
    res.setHeader('X-Request-Id', requestId);
    this.#clients.challenge(res, error);
    this.#deps.pages.refuse(req, res, error, { requestId, status });
  }

  #note(error: LatchgateError, requestId: string, passage?: Passage): void {
    this.#deps.metrics.refused(error.code);
    const { route, who, method, target } = passage ?? {};
    const level = error.code === 'internal' ? 'error' : error.status >= 500 ? 'warn' : 'info';
    this.#deps.log[level]('request refused', { requestId, target: route?.target, method, error });
    if (route === undefined || who === undefined || target === undefined || method === undefined) return;
    const { person, origin } = who.session.identity;
    this.#deps.onRefused?.({ requestId, error, person, origin, target: route.target, method, path: target.path });
  }
}

function invalid(): LatchgateError {
  return new LatchgateError('request_invalid', 'the request target or a header is not one that is forwarded');
}

function redirect(res: ServerResponse, status: number, location: string, requestId: string): void {
  atEndOfTurn(() => {
    if (res.destroyed) return;
    const headers = ['Location', location, 'Content-Length', '0', 'Cache-Control', 'no-store'];
    res.writeHead(status, [...headers, 'X-Request-Id', requestId]);
    res.end();
  });
}
