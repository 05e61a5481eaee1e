import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { LatchgateError } from '../model/errors.ts';
import type { ProxyDeps, ProxyTarget } from './deps.ts';
import { createUpstream, type ExchangeEvents, type Upstream, type UpstreamRequest } from './forward.ts';
import { createHeaderFilter, type FilteredHeaders, type FlatHeaders, originHeaders } from './identity-headers.ts';
import { LiveWork, type Ongoing } from './live.ts';
import type { Admitted, Passage } from './passage.ts';
import { createPeerList, plainAddress } from './peers.ts';
import type { PreparedSession } from './prepared.ts';
import { hasBody, RequestBody } from './request-body.ts';
import { createAnswerFilter } from './response-headers.ts';
import { openTunnel, refuseOnSocket } from './upgrade.ts';

/** Everything that stands ready for one target. */
export interface TargetDoor {
  readonly target: ProxyTarget;
  readonly upstream: Upstream;
  /** Absent: the one that we are asked by. */
  readonly host: string | undefined;
  readonly filter: (rawHeaders: readonly string[]) => FilteredHeaders;
  readonly answer: ReturnType<typeof createAnswerFilter>;
}

/** Carries admitted requests to their upstream and the answers back. */
export class Exchanges {
  readonly live = new LiveWork();
  readonly #deps: ProxyDeps;
  readonly #doors: ReadonlyMap<string, TargetDoor>;
  readonly #isTrusted: (address: string) => boolean;
  readonly #tunnels = new Set<Ongoing>();

  constructor(deps: ProxyDeps) {
    this.#deps = deps;
    this.#isTrusted = createPeerList(deps.trustedProxies);
    this.#doors = new Map(deps.targets.map((target) => [target.name, createDoor(target, deps)]));
  }

  /** Throws `route_unknown` for a target that the proxy was not given. */
  door(target: string): TargetDoor {
    const door = this.#doors.get(target);
    if (door === undefined)
      throw new LatchgateError('route_unknown', 'the route leads to no target', { detail: { target } });
    return door;
  }

  /** `refuse` answers when nothing has been sent to the client yet. */
  async forward(
    req: IncomingMessage,
    res: ServerResponse,
    passage: Passage,
    door: TargetDoor,
    filtered: FilteredHeaders,
    admitted: Admitted | undefined,
    refuse: (error: LatchgateError) => void,
  ): Promise<void> {
    const headers = await this.#complete(req, passage, filtered, admitted);
    if (res.destroyed) return;
    if (admitted?.session.ended === true) throw new LatchgateError('login_required', 'the session ended');
    const body = hasBody(req.rawHeaders) ? new RequestBody(req) : null;
    const host = door.host ?? passage.host.host;
    const request = { method: passage.method, path: passage.target.forward, headers, host, body };
    this.#send(request, res, passage, door, admitted, { refuse });
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
    const headers = await this.#complete(req, passage, filtered, admitted);
    if (socket.destroyed || admitted.session.ended) return void socket.destroy();
    // An upstream that declines answers in plain HTTP: with a response of its own on the bare socket.
    const res = new ServerResponse(req);
    res.shouldKeepAlive = false;
    res.assignSocket(socket as Socket);
    socket.on('drain', () => res.emit('drain'));
    res.on('finish', () => socket.end(() => socket.destroy()));
    const host = door.host ?? passage.host.host;
    const request = { method: 'GET', path: passage.target.forward, headers, host, body: null };
    this.#send({ ...request, upgrade: 'websocket' as const }, res, passage, door, admitted, {
      refuse: (error) => {
        res.detachSocket(socket as Socket);
        refuseOnSocket(socket, error, passage.requestId);
      },
      upgraded: (raw, upstream) => {
        res.detachSocket(socket as Socket);
        const answer = door.answer(101, raw, admitted.prepared.jar && ((line) => admitted.prepared.jar?.keep(line)));
        this.#tunnel(socket, upstream, head, answer.headers, admitted.session);
      },
    });
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
  async #complete(
    req: IncomingMessage,
    passage: Passage,
    filtered: FilteredHeaders,
    admitted: Admitted | undefined,
  ): Promise<FlatHeaders> {
    const { headers } = filtered;
    if (admitted !== undefined) {
      const { jar, headers: identity } = admitted.prepared;
      if (jar !== undefined)
        addCookie(headers, jar.isReady ? jar.current() : await jar.header(admitted.prepared.account));
      for (const part of identity) headers.push(part);
    }
    const peer = plainAddress(req.socket.remoteAddress);
    const forwardedFor = this.#isTrusted(peer) ? filtered.forwardedFor : undefined;
    for (const part of originHeaders(passage.host, peer, forwardedFor)) headers.push(part);
    headers.push('X-Request-Id', passage.requestId);
    return headers;
  }

  #send(
    request: UpstreamRequest,
    res: ServerResponse,
    passage: Passage,
    door: TargetDoor,
    admitted: Admitted | undefined,
    ends: {
      readonly refuse: (error: LatchgateError) => void;
      readonly upgraded?: NonNullable<ExchangeEvents['upgraded']>;
    },
  ): void {
    const jar = admitted?.prepared.jar;
    const keep = jar === undefined ? undefined : (line: string) => jar.keep(line);
    const handle = admitted?.session.handle;
    let giveUp: ((reason: Error) => void) | undefined;
    const work: Ongoing = {
      cutOff: () => {
        // An answer that has begun is broken off; else the client is told why.
        if (res.headersSent) res.destroy();
        giveUp?.(new LatchgateError('login_required', 'the session ended'));
      },
    };
    const over = () => {
      if (handle !== undefined) this.live.remove(handle, work);
    };
    if (handle !== undefined) this.live.add(handle, work);
    giveUp = door.upstream.send(request, res, {
      answered: (status, raw) => {
        const answer = door.answer(status, raw, keep);
        jar?.answered(status, answer.location);
        answer.headers.push('X-Request-Id', passage.requestId);
        return answer;
      },
      done: (status) => {
        over();
        this.#record(passage, door, status);
      },
      failed: (error, started) => {
        over();
        this.#record(passage, door, started ? 502 : error.status);
        // Whoever has gone is told nothing, and that is no failure of the upstream.
        if (res.destroyed && !started) return;
        if (started)
          this.#deps.log.warn('an answer broke off', { requestId: passage.requestId, target: door.target.name, error });
        else ends.refuse(error);
      },
      ...(ends.upgraded === undefined
        ? {}
        : {
            upgraded: (raw: readonly Buffer[], socket: Duplex) => {
              over();
              this.#record(passage, door, 101);
              ends.upgraded?.(raw, socket);
            },
          }),
    });
  }

  #tunnel(client: Duplex, upstream: Duplex, head: Buffer, headers: FlatHeaders, session: PreparedSession): void {
    const tunnel = openTunnel(client, upstream, head, headers);
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

function createDoor(target: ProxyTarget, deps: ProxyDeps): TargetDoor {
  const kept = target.backendSession?.cookieNames ?? [];
  const reserved = [...deps.cookieNames, ...kept, ...(target.signIn?.dropCookies ?? [])];
  // A sign-in header of one target is an identity header for all; Authorization is the business of each.
  const everywhere = deps.targets
    .flatMap((one) => one.signIn?.drop ?? [])
    .filter((name) => !/^authorization$/i.test(name));
  return {
    target,
    upstream: createUpstream(target.url, target.timeouts),
    host: target.host === 'upstream' ? new URL(target.url).host : undefined,
    filter: createHeaderFilter({ drop: [...everywhere, ...(target.signIn?.drop ?? [])], dropCookies: reserved }),
    answer: createAnswerFilter({
      forbidden: new Set(deps.cookieNames.map((name) => name.toLowerCase())),
      kept: new Set(kept.map((name) => name.toLowerCase())),
    }),
  };
}

function addCookie(headers: FlatHeaders, pairs: string | undefined): void {
  if (pairs === undefined) return;
  // The filter puts the only Cookie line last.
  if (headers.at(-2) === 'Cookie') headers[headers.length - 1] = `${headers.at(-1)}; ${pairs}`;
  else headers.push('Cookie', pairs);
}
