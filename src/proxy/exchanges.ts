import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { LatchgateError } from '../model/errors.ts';
import type { ProxyDeps } from './deps.ts';
import { createDoor, type TargetDoor } from './door.ts';
import type { UpstreamRequest } from './forward.ts';
import { Forwarding, type Surroundings, Upgrading } from './forwarding.ts';
import type { ServedHost } from './hosts.ts';
import { type FilteredHeaders, type FlatHeaders, forwardedFor, placeHeaders } from './identity-headers.ts';
import { LiveWork, type Ongoing } from './live.ts';
import type { Admitted, Passage } from './passage.ts';
import { createPeerList, plainAddress } from './peers.ts';
import type { PreparedSession } from './prepared.ts';
import { hasBody, RequestBody } from './request-body.ts';
import { openTunnel, refuseOnSocket } from './upgrade.ts';
import { headerLines } from './upstream/request-head.ts';

const NOBODY = ['', '', ''] as const;

/** Carries admitted requests to their upstream and the answers back. */
export class Exchanges {
  readonly live = new LiveWork();
  readonly #deps: ProxyDeps;
  readonly #doors: ReadonlyMap<string, TargetDoor>;
  readonly #isTrusted: (address: string) => boolean;
  readonly #around: Surroundings;
  readonly #placeLines = new Map<ServedHost, string>();
  readonly #tunnels = new Set<Ongoing>();

  constructor(deps: ProxyDeps) {
    this.#deps = deps;
    this.#isTrusted = createPeerList(deps.trustedProxies);
    this.#around = {
      live: this.live,
      log: deps.log,
      record: (passage, door, status) => this.#record(passage, door, status),
    };
    this.#doors = new Map(deps.targets.map((target) => [target.name, createDoor(target, deps)]));
  }

  /** Throws `route_unknown` for a target that the proxy was not given. */
  door(target: string): TargetDoor {
    const door = this.#doors.get(target);
    if (door === undefined)
      throw new LatchgateError('route_unknown', 'the route leads to no target', { detail: { target } });
    return door;
  }

  /** At once, unless the backend has to be signed in to. `refuse` answers when nothing has been sent to the client yet. */
  forward(
    req: IncomingMessage,
    res: ServerResponse,
    passage: Passage,
    door: TargetDoor,
    filtered: FilteredHeaders,
    admitted: Admitted | undefined,
    refuse: (error: LatchgateError) => void,
  ): Promise<void> | undefined {
    const go = (cookies: string | undefined): undefined => {
      if (res.destroyed) return;
      if (admitted?.session.ended === true) throw new LatchgateError('login_required', 'the session ended');
      refuseTooMany(door, admitted);
      const body = hasBody(req.rawHeaders) ? new RequestBody(req) : null;
      const request = this.#request(req, passage, door, filtered, admitted, cookies, body);
      send(request, new Forwarding(this.#around, passage, door, res, admitted, refuse));
    };
    const cookies = backendCookies(admitted);
    return cookies instanceof Promise ? cookies.then(go) : go(cookies);
  }

  async upgrade(
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    passage: Passage,
    door: TargetDoor,
    filtered: FilteredHeaders,
    admitted: Admitted,
  ): Promise<void> {
    const cookies = await backendCookies(admitted);
    if (socket.destroyed || admitted.session.ended) return void socket.destroy();
    refuseTooMany(door, admitted);
    const request = this.#request(req, passage, door, filtered, admitted, cookies, null);
    // An upstream that declines answers in plain HTTP: with a response of its own on the bare socket.
    const res = new ServerResponse(req);
    res.shouldKeepAlive = false;
    res.assignSocket(socket as Socket);
    socket.on('drain', () => res.emit('drain'));
    res.on('finish', () => socket.end(() => socket.destroy()));
    const refuse = (error: LatchgateError) => {
      res.detachSocket(socket as Socket);
      refuseOnSocket(socket, error, passage.requestId);
    };
    const opened = (raw: FlatHeaders, upstream: Duplex) => {
      res.detachSocket(socket as Socket);
      const answer = door.answer(101, raw, admitted.prepared.jar && ((line) => admitted.prepared.jar?.keep(line)));
      this.#tunnel(socket, upstream, head, answer.headers, admitted.session, passage.route);
    };
    const upgrading = new Upgrading(opened, this.#around, passage, door, res, admitted, refuse);
    send({ ...request, upgrade: 'websocket' as const }, upgrading);
  }

  endTunnels(): void {
    for (const tunnel of [...this.#tunnels]) tunnel.cutOff();
  }

  async close(): Promise<void> {
    this.endTunnels();
    this.live.endAll();
    await Promise.all([...this.#doors.values()].map((door) => door.upstream.close()));
  }

  /** What the client said, and behind it what we say. */
  #request(
    req: IncomingMessage,
    passage: Passage,
    door: TargetDoor,
    filtered: FilteredHeaders,
    admitted: Admitted | undefined,
    cookies: string | undefined,
    body: RequestBody | null,
  ): UpstreamRequest {
    const { headers } = filtered;
    addCookie(headers, cookies);
    const peer = plainAddress(req.socket.remoteAddress);
    const from = forwardedFor(peer, this.#isTrusted(peer) ? filtered.forwardedFor : undefined);
    const [who, assertion, signIn] = admitted?.prepared.lines ?? NOBODY;
    const where = this.#linesOf(passage.host);
    return {
      method: passage.method,
      path: passage.target.forward,
      headers,
      lines: `${who}${assertion}${signIn}${where}X-Forwarded-For: ${from}\r\nX-Request-Id: ${passage.requestId}\r\n`,
      host: door.host ?? passage.host.host,
      body,
    };
  }

  #linesOf(host: ServedHost): string {
    let lines = this.#placeLines.get(host);
    if (lines === undefined) {
      lines = headerLines(placeHeaders(host));
      this.#placeLines.set(host, lines);
    }
    return lines;
  }

  #tunnel(
    client: Duplex,
    upstream: Duplex,
    head: Buffer,
    headers: FlatHeaders,
    session: PreparedSession,
    route: Passage['route'],
  ): void {
    const tunnel: Ongoing = { session, route, ...openTunnel(client, upstream, head, headers) };
    const { metrics } = this.#deps;
    this.#tunnels.add(tunnel);
    this.live.add(session.handle, tunnel);
    metrics.sockets(this.#tunnels.size);
    client.once('close', () => {
      this.#tunnels.delete(tunnel);
      this.live.remove(session.handle, tunnel);
      metrics.sockets(this.#tunnels.size);
    });
    if (session.ended) tunnel.cutOff();
  }

  #record(passage: Passage, door: TargetDoor, status: number): void {
    const seconds = (performance.now() - passage.startedAt) / 1_000;
    this.#deps.metrics.proxied(door.target.name, status, seconds);
    if (this.#deps.accessLog !== true) return;
    const { requestId, method } = passage;
    this.#deps.log.info('request', { requestId, method, target: door.target.name, status, seconds });
  }
}

/** One who asks for very much, or sends very slowly, leaves the others their connections. */
function refuseTooMany({ mostAtOnce, strangers, target }: TargetDoor, admitted: Admitted | undefined): void {
  const { underWay } = admitted?.session.share ?? strangers;
  if (underWay < mostAtOnce) return;
  throw new LatchgateError('too_many_at_once', 'too many requests are under way already', {
    detail: { target: target.name, most: mostAtOnce },
    retryAfterSeconds: 1,
  });
}

function send(request: UpstreamRequest, forwarding: Forwarding): void {
  forwarding.giveUp = forwarding.door.upstream.send(request, forwarding.res, forwarding);
}

/** Of the session that the backend keeps for this one; a promise, when it has to be opened. */
function backendCookies(admitted: Admitted | undefined): string | undefined | Promise<string | undefined> {
  const jar = admitted?.prepared.jar;
  if (admitted === undefined || jar === undefined) return undefined;
  return jar.isReady ? jar.current() : jar.header(admitted.prepared.account);
}

function addCookie(headers: FlatHeaders, pairs: string | undefined): void {
  if (pairs === undefined) return;
  // The filter puts the only Cookie line last.
  if (headers.at(-2) === 'Cookie') headers[headers.length - 1] = `${headers.at(-1)}; ${pairs}`;
  else headers.push('Cookie', pairs);
}
