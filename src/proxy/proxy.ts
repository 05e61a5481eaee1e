import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import { newRequestId } from '../ops/request-id.ts';
import type { ProxyDeps, ProxyTarget } from './deps.ts';
import { Exchanges } from './exchanges.ts';
import { FORWARD_AUTH_PATH, ForwardAuth, isEnvoyCheck } from './forward-auth.ts';
import { hostOfClearFraming, refuseUpgrade } from './framing.ts';
import { Gate } from './gate.ts';
import { type Hosts, isAuthority } from './hosts.ts';
import type { FilteredHeaders } from './identity-headers.ts';
import { callerOf, isNavigation, loginAddress, placeToReturn, sendLoginRequired } from './login-redirect.ts';
import type { Admitted, Passage } from './passage.ts';
import { drain } from './request-body.ts';
import { hostsOfRoutes } from './routes.ts';
import { isAtOrBelow, parseRequestTarget } from './target.ts';
import { refuseOnSocket, responseOn } from './upgrade.ts';

const GATEWAY_PATH = '/.latchgate';
/** Asked by web servers, identity providers and backends, which may know us by an internal name. */
const ANY_HOST_PATHS = ['auth', 'backchannel-logout', 'jwks.json'].map((name) => `${GATEWAY_PATH}/${name}`);

/** The hot path: everything on the public listener that is not the gateway's own. */
export class GatewayProxy {
  readonly #deps: ProxyDeps;
  readonly #hosts: Hosts;
  readonly #anyHostPaths: readonly string[];
  readonly #gate: Gate;
  readonly #exchanges: Exchanges;
  readonly #forwardAuth: ForwardAuth;
  readonly #stopListening: () => void;

  constructor(deps: ProxyDeps) {
    this.#deps = deps;
    this.#hosts = hostsOfRoutes(deps.publicUrl, deps.routes);
    this.#anyHostPaths = [...ANY_HOST_PATHS, ...(deps.anyHostPaths ?? [])];
    this.#gate = new Gate(deps, this.#hosts);
    this.#exchanges = new Exchanges(deps);
    this.#forwardAuth = new ForwardAuth({
      deps,
      hosts: this.#hosts,
      gate: this.#gate,
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

  /** `gateway` serves what is at or below /.latchgate; it finds the request id in the response's X-Request-Id. */
  handle(
    req: IncomingMessage,
    res: ServerResponse,
    expectsContinue: boolean,
    gateway: (req: IncomingMessage, res: ServerResponse) => void,
  ): void {
    const requestId = newRequestId();
    let passage: Passage;
    try {
      passage = this.#read(req, requestId);
    } catch (thrown) {
      res.setHeader('Connection', 'close');
      this.#refuse(req, res, toLatchgateError(thrown), requestId);
      return;
    }
    if (passage.target.path === FORWARD_AUTH_PATH) return void this.#forwardAuth.answer(req, res, requestId);
    if (isAtOrBelow(passage.target.path, GATEWAY_PATH)) {
      res.setHeader('X-Request-Id', requestId);
      // In the one spelling that its pages are found by: `/%2elatchgate/…` is at the same place.
      req.url = GATEWAY_PATH + passage.target.forward.replace(/^\/[^/?]*/, '');
      if (expectsContinue) res.writeContinue();
      gateway(req, res);
      return;
    }
    if (expectsContinue) res.setHeader('Connection', 'close');
    this.#pass(req, res, passage, expectsContinue).catch((thrown: unknown) => {
      this.#refuse(req, res, toLatchgateError(thrown), requestId, passage);
    });
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

  async #pass(req: IncomingMessage, res: ServerResponse, passage: Passage, expectsContinue: boolean): Promise<void> {
    const route = this.#gate.route(passage, res);
    const door = this.#exchanges.door(route.target);
    if (isLogout(door.target, passage)) return redirect(res, 302, `${GATEWAY_PATH}/logout`, passage.requestId);
    this.#gate.guard(req.headers, passage, door.target);
    const filtered = door.filter(req.rawHeaders);
    let admitted: Admitted | undefined;
    if (!route.isPublic) {
      const who = await this.#deps.sessions.read(filtered.cookie);
      if (who === undefined) return this.#askForLogin(req, res, passage);
      passage.who = who;
      admitted = await this.#gate.admit(who, route, door.target);
      if (admitted.session.ended) return this.#askForLogin(req, res, passage);
    }
    if (res.destroyed) return;
    if (expectsContinue) {
      res.removeHeader('Connection');
      res.writeContinue();
    }
    await this.#exchanges.forward(req, res, passage, door, filtered, admitted, (error) => {
      this.#refuse(req, res, error, passage.requestId, passage);
    });
  }

  async #upgrade(req: IncomingMessage, socket: Duplex, head: Buffer, requestId: string): Promise<void> {
    const passage = this.#read(req, requestId);
    // Caddy asks with the whole handshake.
    if (passage.target.path === FORWARD_AUTH_PATH) {
      return this.#forwardAuth.answer(req, responseOn(socket, req), requestId);
    }
    if (isAtOrBelow(passage.target.path, GATEWAY_PATH)) throw invalid();
    const refusal = refuseUpgrade(passage.method, req.rawHeaders, passage.host.origin);
    if (refusal !== undefined) throw new LatchgateError(refusal, 'the upgrade is not one that is forwarded');
    const route = this.#gate.route(passage);
    const door = this.#exchanges.door(route.target);
    const filtered: FilteredHeaders = door.filter(req.rawHeaders);
    // Public routes too: a tunnel is never opened for nobody.
    const who = await this.#deps.sessions.read(filtered.cookie);
    const admitted = who === undefined ? undefined : await this.#gate.admit(who, route, door.target);
    if (who === undefined || admitted === undefined || admitted.session.ended) {
      throw new LatchgateError('login_required', 'no session');
    }
    passage.who = who;
    if (socket.destroyed) return;
    await this.#exchanges.upgrade(req, socket, head, passage, door, filtered, admitted);
  }

  #askForLogin(req: IncomingMessage, res: ServerResponse, { requestId, host, target, method }: Passage): void {
    const caller = callerOf(req.headers, method);
    this.#deps.metrics.refused('login_required');
    drain(req);
    const address = loginAddress(host, this.#hosts.main, placeToReturn(caller, target.forward));
    if (isNavigation(caller)) redirect(res, 302, address, requestId);
    else sendLoginRequired(res, { loginUrl: new URL(address, host.origin).href, requestId, isHead: method === 'HEAD' });
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
    if (!req.complete) drain(req);
    res.setHeader('X-Request-Id', requestId);
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

function isLogout(target: ProxyTarget, { target: { path }, method }: Passage): boolean {
  return method === 'GET' && target.logoutPaths?.includes(path) === true;
}

function redirect(res: ServerResponse, status: number, location: string, requestId: string): void {
  res.writeHead(status, {
    Location: location,
    'Content-Length': 0,
    'Cache-Control': 'no-store',
    'X-Request-Id': requestId,
  });
  res.end();
}
