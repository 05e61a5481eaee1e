import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { LatchgateError } from '../model/errors.ts';
import type { Log } from '../ops/log.ts';
import type { TargetDoor } from './door.ts';
import type { ExchangeEvents } from './forward.ts';
import type { FlatHeaders } from './identity-headers.ts';
import type { LiveWork, Ongoing } from './live.ts';
import type { Admitted, Passage } from './passage.ts';
import type { Share } from './prepared.ts';
import type { FilteredAnswer } from './response-headers.ts';

/** Who is told how a request goes on. */
export interface Surroundings {
  readonly live: LiveWork;
  readonly log: Log;
  readonly record: (passage: Passage, door: TargetDoor, status: number) => void;
}

/** One request at its upstream. One object in the place of a closure for each thing that may happen to it. */
export class Forwarding implements ExchangeEvents, Ongoing {
  readonly door: TargetDoor;
  readonly res: ServerResponse;
  /** Set once it is under way. */
  giveUp: ((reason: Error) => void) | undefined;
  protected readonly passage: Passage;
  readonly #around: Surroundings;
  readonly #admitted: Admitted | undefined;
  readonly #share: Share;
  readonly #refuse: (error: LatchgateError) => void;

  constructor(
    around: Surroundings,
    passage: Passage,
    door: TargetDoor,
    res: ServerResponse,
    admitted: Admitted | undefined,
    refuse: (error: LatchgateError) => void,
  ) {
    this.door = door;
    this.res = res;
    this.passage = passage;
    this.#around = around;
    this.#admitted = admitted;
    this.#refuse = refuse;
    this.#share = admitted?.session.share ?? door.strangers;
    this.#share.underWay += 1;
    if (admitted !== undefined) around.live.add(admitted.session.handle, this);
  }

  get session(): Admitted['session'] | undefined {
    return this.#admitted?.session;
  }

  get route(): Passage['route'] {
    return this.passage.route;
  }

  /** An answer that has begun is broken off; else the client is told why. */
  cutOff(reason = new LatchgateError('login_required', 'the session ended')): void {
    if (this.res.headersSent) this.res.destroy();
    this.giveUp?.(reason);
  }

  answered(status: number, raw: FlatHeaders): FilteredAnswer {
    const jar = this.#admitted?.prepared.jar;
    const answer = this.door.answer(status, raw, jar === undefined ? undefined : (line) => jar.keep(line));
    jar?.answered(status, answer.location);
    if (status === 401) this.#admitted?.prepared.refused?.();
    answer.headers.push('X-Request-Id', this.passage.requestId);
    return answer;
  }

  done(status: number): void {
    this.over(status);
  }

  failed(error: LatchgateError, started: boolean): void {
    this.over(started ? 502 : error.status);
    // Whoever has gone is told nothing, and that is no failure of the upstream.
    if (this.res.destroyed && !started) return;
    const { requestId } = this.passage;
    if (started) this.#around.log.warn('an answer broke off', { requestId, target: this.door.target.name, error });
    else this.#refuse(error);
  }

  protected over(status: number): void {
    this.#share.underWay -= 1;
    if (this.#admitted !== undefined) this.#around.live.remove(this.#admitted.session.handle, this);
    this.#around.record(this.passage, this.door, status);
  }
}

/** A request that asks the upstream for a WebSocket. */
export class Upgrading extends Forwarding {
  readonly #opened: (raw: FlatHeaders, socket: Duplex) => void;

  constructor(
    opened: (raw: FlatHeaders, socket: Duplex) => void,
    ...request: ConstructorParameters<typeof Forwarding>
  ) {
    super(...request);
    this.#opened = opened;
  }

  upgraded(raw: FlatHeaders, socket: Duplex): void {
    this.over(101);
    this.#opened(raw, socket);
  }
}
