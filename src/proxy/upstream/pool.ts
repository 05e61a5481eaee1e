import { Connection, type Limits, type Owner } from './connection.ts';
import type { Exchange } from './exchange.ts';
import { tooSlow, unreachable } from './failures.ts';
import type { Place } from './place.ts';

/** Shorter than what servers such as gunicorn keep idle connections for, so that they rarely close one under us. */
const KEEP_ALIVE_MS = 1_500;
/** An upstream that says how long it waits is not kept waiting that long. */
const KEEP_ALIVE_MARGIN_MS = 500;
const [FINEST_TICK_MS, COARSEST_TICK_MS] = [10, 250];
const QUEUED_PER_CONNECTION = 2;

/** The kept connections to one upstream. The one that was used last is used next, so that the others can end. */
export class Pool implements Owner {
  readonly place: Place;
  readonly limits: Limits;
  now = performance.now();
  readonly #most: number;
  readonly #tickMs: number;
  readonly #connections = new Set<Connection>();
  readonly #idle: Connection[] = [];
  /** Exchanges for which there was no connection, and since when. */
  readonly #queue = new Map<Exchange, number>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #whenEmpty: (() => void) | undefined;

  /** `connections`: at most so many; twice as many requests wait for one. */
  constructor(place: Place, limits: Limits, connections: number) {
    this.place = place;
    this.limits = limits;
    this.#most = connections;
    const shortest = Math.min(limits.connect, limits.answer, limits.idle, KEEP_ALIVE_MS);
    this.#tickMs = Math.max(FINEST_TICK_MS, Math.min(COARSEST_TICK_MS, shortest / 4));
  }

  run(exchange: Exchange): void {
    // A connection that carried something before is no place for a tunnel.
    const isTunnel = exchange.request.upgrade !== undefined;
    const idle = isTunnel ? undefined : this.#takeIdle();
    if (this.#isClosed) exchange.fail(unreachable('the gateway stops'));
    else if (idle !== undefined) idle.start(exchange);
    else if (isTunnel || this.#connections.size < this.#most) this.#open(exchange);
    else if (this.#queue.size < this.#most * QUEUED_PER_CONNECTION) this.#enqueue(exchange);
    else exchange.fail(unreachable('too many requests wait for the backend already'));
  }

  again(exchange: Exchange): void {
    exchange.isRepeatable = false;
    if (this.#isClosed) exchange.fail(unreachable('the gateway stops'));
    else this.#open(exchange);
  }

  free(connection: Connection, keepAliveSeconds: number | undefined): void {
    const said = keepAliveSeconds === undefined ? KEEP_ALIVE_MS : keepAliveSeconds * 1_000 - KEEP_ALIVE_MARGIN_MS;
    const next = this.#isClosed || said <= 0 ? undefined : this.#dequeue();
    if (next !== undefined) connection.start(next);
    else if (this.#isClosed || said <= 0) connection.drop();
    else {
      connection.moved();
      connection.limitMs = Math.min(said, KEEP_ALIVE_MS);
      this.#idle.push(connection);
    }
  }

  gone(connection: Connection): void {
    this.#connections.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
    const next = this.#connections.size < this.#most ? this.#dequeue() : undefined;
    if (next !== undefined) this.#open(next);
    if (this.#connections.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#whenEmpty?.();
  }

  /** Ends everything; what is under way fails. Done when every socket is closed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const failure = unreachable('the gateway stops');
    for (const exchange of [...this.#queue.keys()]) exchange.giveUp(failure);
    if (this.#connections.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    for (const connection of this.#connections) connection.failed(failure);
    await empty;
  }

  #takeIdle(): Connection | undefined {
    if (this.#idle.length === 0) return undefined;
    this.now = performance.now();
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.socket.destroyed) continue;
      if (this.now - connection.movedAt < connection.limitMs) return connection;
      connection.drop();
    }
    return undefined;
  }

  #open(exchange: Exchange): void {
    if (this.#timer === undefined) {
      this.now = performance.now();
      this.#timer = setInterval(() => this.#tick(), this.#tickMs).unref();
    }
    this.#connections.add(new Connection(this, exchange));
  }

  #enqueue(exchange: Exchange): void {
    this.#queue.set(exchange, this.now);
    exchange.carrier = { resume: () => {}, drop: () => this.#queue.delete(exchange) };
  }

  #dequeue(): Exchange | undefined {
    if (this.#queue.size === 0) return undefined;
    const [next] = this.#queue.keys();
    if (next !== undefined) this.#queue.delete(next);
    return next;
  }

  /** One clock for all of them: a timer for each request would cost more than the rest of this file. */
  #tick(): void {
    this.now = performance.now();
    for (const connection of this.#connections) {
      if (this.now - connection.movedAt > connection.limitMs + this.#tickMs) connection.expire();
    }
    for (const [exchange, since] of this.#queue) {
      if (this.now - since <= this.limits.connect + this.#tickMs) return;
      exchange.giveUp(tooSlow('no connection to the backend became free in time'));
    }
  }
}
