import { toLatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { Session } from '../session/store.ts';
import type { LiveSessions } from './live-sessions.ts';

const LONGEST_ROUND_MS = 1_000;
const SHORTEST_ROUND_MS = 250;

export interface WatchOptions {
  readonly live: Pick<LiveSessions, 'look'>;
  /** Ids of the sessions that have something open here. */
  readonly ids: () => Iterable<string>;
  /** Told who somebody with something open is, whenever that may have changed. */
  readonly seen?: (handle: string, session: Session) => void;
  /** The shortest time between two questions for a session. */
  readonly everyMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Looks after sessions whose WebSocket or stream stays open without a request: they are checked when it is time, all the
 * same, their idle limit is not put off, and at the end of their time they end. Returns how to stop.
 */
export function watchLiveSessions({ live, ids, seen, everyMs, clock, log }: WatchOptions): () => Promise<void> {
  const roundMs = Math.max(SHORTEST_ROUND_MS, Math.min(LONGEST_ROUND_MS, everyMs / 2));
  let next = new Map<string, number>();
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();

  const round = async (): Promise<void> => {
    const known = next;
    next = new Map();
    for (const id of [...ids()]) {
      if (isStopped) return;
      const due = known.get(id) ?? 0;
      next.set(id, clock.now() < due ? due : await live.look(id, seen));
    }
  };
  const schedule = (): void => {
    timer = setTimeout(() => {
      running = round()
        .catch((thrown: unknown) => {
          log.warn('live sessions could not be looked after', { code: toLatchgateError(thrown).code });
        })
        .then(() => {
          if (!isStopped) schedule();
        });
    }, roundMs);
    timer.unref();
  };
  schedule();
  return async () => {
    isStopped = true;
    clearTimeout(timer);
    await running;
  };
}
