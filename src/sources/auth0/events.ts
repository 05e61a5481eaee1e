import { z } from 'zod';
import { LatchgateError } from '../../model/errors.ts';
import { type Auth0Token, createAuth0Token } from '../../ops/auth0/token.ts';
import type { Clock } from '../../ops/clock.ts';
import type { HttpClient } from '../../ops/http-client.ts';
import type { HttpStreams, StreamAnswer } from '../../ops/http-stream.ts';
import { backoff, pause, retryAfterMs } from '../../ops/retry.ts';
import type { ChangeFeed, FeedStep } from '../change-feed.ts';
import type { Auth0SourceConfig } from './schema.ts';
import { createSseParser, type ServerSentEvent } from './sse.ts';

export interface Auth0EventsOptions {
  readonly config: Auth0SourceConfig;
  /** For the token. */
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly streams: HttpStreams;
  /** How long the stream may be silent; Auth0 sends heartbeats. Default 90 s. */
  readonly silenceMs?: number;
  /** Before a lost connection is made again; doubles with each that fails, up to a minute. Default 2 s. */
  readonly reconnectMs?: number;
  /** Told of what is waited for and tried again; `status` is 0 where there was no answer. */
  readonly onTrouble?: (trouble: { readonly code: string; readonly status: number }) => void;
}

const SILENCE_MS = 90_000;
const RECONNECT_MS = 2_000;
const LONGEST_WAIT_MS = 60_000;
/** By which our clock may be ahead of Auth0's: what is told again only makes a run more. */
const SKEW_MS = 5_000;
/** Ids of events that are remembered, because streams repeat themselves. */
const REMEMBERED = 1_000;
/** Events that change who is listed, or how. */
const TYPES = ['user.created', 'user.updated', 'user.deleted'];

const message = z.object({
  offset: z.string().optional(),
  event: z.object({ id: z.string(), type: z.string() }).optional(),
});

/** How one connection came to its end, and how long to wait before the next. */
type Ended =
  | { readonly how: 'closed'; readonly waitMs: number | undefined }
  | { readonly how: 'failed'; readonly waitMs?: number | undefined; readonly status: number; readonly code: string }
  /** Auth0 does not know the place any more, or never did. */
  | { readonly how: 'lost' };

/**
 * The event stream of a tenant (`GET /api/v2/events`), which the tenant ends every few minutes and which is taken up
 * where it broke off. Repeated events count once. Assigning a role makes no event.
 */
export function createAuth0Events(options: Auth0EventsOptions): ChangeFeed {
  const { config, http, clock, streams, reconnectMs = RECONNECT_MS, onTrouble } = options;
  const { attempts, backoff: backoffSeconds } = config.retry;
  const token = createAuth0Token({
    url: config.url,
    clientId: config.client_id,
    clientSecret: config.client_secret,
    timeoutMs: config.timeout,
    retry: { attempts, refusedAttempts: attempts, backoffMs: backoffSeconds * 1_000 },
    http,
    clock,
    role: 'source',
  });
  const line: Line = { clock, url: config.url, token, streams, silenceMs: options.silenceMs ?? SILENCE_MS };
  return {
    changes: async function* (signal, lastId): AsyncGenerator<FeedStep, void, undefined> {
      const place: Place = { lastId, since: undefined, isMissed: false, isOpened: false };
      const seen = createMemory();
      for (let failures = 0; !signal.aborted; ) {
        const ended = yield* connection(line, place, seen, signal);
        if (signal.aborted) return;
        if (ended.how === 'lost') {
          Object.assign(place, { lastId: undefined, since: undefined, isMissed: true });
          continue;
        }
        failures = place.isOpened ? 0 : failures + 1;
        if (ended.how === 'failed') onTrouble?.({ code: ended.code, status: ended.status });
        const own = backoff(failures, reconnectMs, LONGEST_WAIT_MS);
        await pause(Math.min(ended.waitMs ?? own, LONGEST_WAIT_MS), signal).catch(() => {});
      }
    },
    close: () => streams.close(),
  };
}

interface Line {
  readonly clock: Clock;
  readonly url: string;
  readonly token: Auth0Token;
  readonly streams: HttpStreams;
  readonly silenceMs: number;
}

interface Place {
  lastId: string | undefined;
  /** Until there is an id: when the first stream was opened, so that the next one begins there. */
  since: string | undefined;
  /** Said as soon as a new stream is open: what comes after it is then not missed. */
  isMissed: boolean;
  /** The last connection gave a stream. */
  isOpened: boolean;
}

async function* connection(
  line: Line,
  place: Place,
  seen: Memory,
  signal: AbortSignal,
): AsyncGenerator<FeedStep, Ended, undefined> {
  let answer: StreamAnswer;
  place.isOpened = false;
  try {
    answer = await connect(line, place, signal);
  } catch (thrown) {
    return failed(thrown);
  }
  if (answer.status !== 200) {
    answer.end();
    return refused(answer, place);
  }
  place.isOpened = true;
  place.since ??= secondOf(line.clock.now() - SKEW_MS);
  if (place.isMissed) {
    place.isMissed = false;
    yield { kind: 'missed' };
  }
  const parser = createSseParser();
  try {
    for await (const piece of answer.body) {
      for (const event of parser.push(piece)) {
        if (event.type === 'error') return { how: 'closed', waitMs: parser.retryMs };
        const step = stepOf(event, seen);
        if (step === undefined) continue;
        place.lastId = step.id;
        yield step;
      }
    }
  } catch (thrown) {
    return failed(thrown);
  } finally {
    answer.end();
  }
  return { how: 'closed', waitMs: parser.retryMs };
}

/** A token that was ended early is made anew once. */
async function connect(
  { url, token, streams, silenceMs }: Line,
  { lastId, since }: Place,
  signal: AbortSignal,
): Promise<StreamAnswer> {
  const start = lastId === undefined && since !== undefined ? [`from_timestamp=${since}`] : [];
  const query = [...TYPES.map((type) => `event_type=${type}`), ...start].join('&');
  const open = (bearer: string): Promise<StreamAnswer> =>
    streams.open({
      url: new URL(`${url}/api/v2/events?${query}`),
      headers: {
        accept: 'text/event-stream',
        authorization: `Bearer ${bearer}`,
        ...(lastId === undefined ? {} : { 'last-event-id': lastId }),
      },
      signal,
      timeoutMs: silenceMs,
    });
  const first = await token.get(signal);
  const answer = await open(first);
  if (answer.status !== 401) return answer;
  answer.end();
  token.renew(first);
  return open(await token.get(signal));
}

/** Without seconds' fractions, as Auth0 takes it. */
function secondOf(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+/, '');
}

function refused({ status, headers }: StreamAnswer, { lastId, since }: Place): Ended {
  const hasPlace = lastId !== undefined || since !== undefined;
  if (hasPlace && (status === 410 || status === 400)) return { how: 'lost' };
  if (status === 429 || status === 410 || status >= 500) {
    // So many streams are open already, or Auth0 is in trouble.
    return { how: 'failed', waitMs: retryAfterMs(headers['retry-after'] ?? ''), status, code: 'source_unavailable' };
  }
  throw new LatchgateError(
    'source_refused',
    'Auth0 does not give us its events: our client needs read:events, and the tenant a plan that has them',
    { detail: { status, call: 'GET events' } },
  );
}

/** Whatever is cured by waiting; refusals of our client are not. */
function failed(thrown: unknown): Ended {
  if (thrown instanceof LatchgateError && !thrown.retryable) throw thrown;
  const code = thrown instanceof LatchgateError ? thrown.code : 'source_answer_invalid';
  return { how: 'failed', status: 0, code };
}

function stepOf({ data, lastId }: ServerSentEvent, seen: Memory): Exclude<FeedStep, { kind: 'missed' }> | undefined {
  const parsed = message.safeParse(readJson(data));
  const id = lastId === '' ? parsed.data?.offset : lastId;
  if (id === undefined) return undefined;
  const event = parsed.data?.event;
  if (event === undefined || !TYPES.includes(event.type)) return { kind: 'moved', id };
  // Said again, perhaps out of order: the place to go on from stays.
  return seen.add(event.id) ? { kind: 'changed', id } : undefined;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface Memory {
  /** True: it was not there before. */
  add(id: string): boolean;
}

function createMemory(): Memory {
  const ids = new Set<string>();
  return {
    add: (id) => {
      if (ids.has(id)) return false;
      ids.add(id);
      const [oldest] = ids;
      if (ids.size > REMEMBERED && oldest !== undefined) ids.delete(oldest);
      return true;
    },
  };
}
