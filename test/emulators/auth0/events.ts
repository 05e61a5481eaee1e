import type { ServerResponse } from 'node:http';
import { badQuery, type Call, Refusal } from './exchange.ts';
import { fromOffset, type State, type StreamEvent } from './state.ts';

export interface StreamOptions {
  /** Streams that may be open at once. */
  readonly most: number;
  readonly heartbeatMs: number;
  /** The tenant ends each stream after this long. */
  readonly lifeMs: number;
}

interface Stream {
  readonly response: ServerResponse;
  readonly types: readonly string[];
  /** The number of the last event that was sent. */
  sent: number;
  readonly timers: NodeJS.Timeout[];
}

/** `GET /events`: what happened to users, as server-sent events that can be taken up where they broke off. */
export class EventStreams {
  private readonly open = new Set<Stream>();
  private readonly options: StreamOptions;
  /** Offsets up to this one are too old to begin from. */
  private forgotten = 0;
  /** True: nothing is sent any more, not even a heartbeat, and no stream is ended. */
  silent = false;

  constructor(options: StreamOptions) {
    this.options = options;
  }

  get count(): number {
    return this.open.size;
  }

  /** @throws Refusal 400, 410 (the offset is too old), 429 (too many streams) */
  connect(call: Call, response: ServerResponse): void {
    const sent = this.startOf(call);
    if (this.open.size >= this.options.most) {
      throw new Refusal(429, 'The limit of concurrent event streams has been reached', 'too_many_requests');
    }
    const stream: Stream = { response, types: call.url.searchParams.getAll('event_type'), sent, timers: [] };
    this.open.add(stream);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    response.write(':connected\n\nretry: 2000\n\n');
    response.on('close', () => this.drop(stream));
    stream.timers.push(setInterval(() => this.silent || response.write(': heartbeat\n\n'), this.options.heartbeatMs));
    stream.timers.push(setTimeout(() => this.finish(stream), this.options.lifeMs));
    this.feed(stream, call.state);
  }

  /** Sends what is new. */
  publish(state: State): void {
    for (const stream of this.open) this.feed(stream, state);
  }

  /** Sends the last events again, out of order. */
  repeat(state: State, count: number): void {
    for (const stream of this.open) {
      for (const event of state.events.slice(-count).toReversed()) stream.response.write(frame(event, stream.types));
    }
  }

  /** Ends every stream: at once, or with an `error` event. */
  disconnect(how: 'end' | 'error' | 'reset' = 'end'): void {
    for (const stream of this.open) {
      this.drop(stream);
      if (how === 'reset') stream.response.destroy();
      else stream.response.end(how === 'error' ? 'event: error\ndata: {"message":"stream error"}\n\n' : undefined);
    }
  }

  /** Makes every offset so far too old. */
  forget(state: State): void {
    this.forgotten = lastOf(state);
  }

  clear(): void {
    this.forgotten = 0;
    this.silent = false;
    this.disconnect('reset');
  }

  private startOf(call: Call): number {
    const { searchParams } = call.url;
    const header = call.headers['last-event-id'];
    const offset = (typeof header === 'string' && header !== '' ? header : undefined) ?? searchParams.get('from');
    if (offset !== null && offset !== undefined) {
      const number = fromOffset(offset);
      if (Number.isNaN(number) || number > lastOf(call.state)) throw badQuery('Invalid offset on property from');
      if (number < this.forgotten) throw new Refusal(410, 'The offset is no longer available.', 'offset_expired');
      return number;
    }
    const timestamp = searchParams.get('from_timestamp');
    if (timestamp === null) return lastOf(call.state);
    const since = Date.parse(timestamp);
    if (Number.isNaN(since)) throw badQuery('Invalid date on property from_timestamp');
    const first = call.state.events.findIndex(({ at }) => at >= since);
    return first === -1 ? lastOf(call.state) : first;
  }

  private feed(stream: Stream, state: State): void {
    if (this.silent) return;
    for (const event of state.events.slice(stream.sent)) stream.response.write(frame(event, stream.types));
    stream.sent = lastOf(state);
  }

  private finish(stream: Stream): void {
    this.drop(stream);
    stream.response.end();
  }

  private drop(stream: Stream): void {
    for (const timer of stream.timers) clearTimeout(timer);
    this.open.delete(stream);
  }
}

function lastOf(state: State): number {
  return state.events.length;
}

/** An event that was not asked for still moves the offset on. */
function frame({ offset, type, body }: StreamEvent, types: readonly string[]): string {
  if (types.length > 0 && !types.includes(type)) {
    return `event: offset-only\nid: ${offset}\ndata: ${JSON.stringify({ offset })}\n\n`;
  }
  return `event: ${type}\nid: ${offset}\ndata: ${JSON.stringify({ offset, event: body })}\n\n`;
}
