import cluster, { type Worker } from 'node:cluster';
import type { Config } from '../config/schema.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Log } from '../ops/log.ts';
import { type Answers, type FromWorker, failureOf, type Question, type ToWorker } from './worker-link.ts';

/** A worker that has served this long has not failed at its start. */
const STEADY_MS = 30_000;
/** So often in a row may the worker of one place fail at once. */
const MOST_FAILURES = 5;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;
const ANSWER_MS = 4_000;
/** Beyond the time for open requests. */
const STOP_GRACE_MS = 5_000;

/** Worker processes, each the whole gateway, on one address. */
export interface Workers {
  /**
   * Resolves to the address of the public listener when all workers listen. Throws what the first one says that could
   * not start.
   */
  start(): Promise<string>;
  /** Rejects when workers die at once again and again. Never resolves. */
  readonly givenUp: Promise<never>;
  /** By the number of each worker; undefined: it did not answer in time, or is just being replaced. */
  ask<Q extends Question>(question: Q): Promise<readonly (readonly [worker: string, answer: Answers[Q] | undefined])[]>;
  /** Somebody serves, and everybody who serves answers. */
  areAlive(): Promise<boolean>;
  /** Every worker ends its open requests, then all are gone. */
  stop(): Promise<void>;
}

/**
 * So many workers. The primary takes connections and gives them out in turn: left to the system, few workers get most of
 * them. A worker that dies is replaced after a wait.
 */
export function createWorkers(config: Config, count: number, log: Log): Workers {
  cluster.schedulingPolicy = cluster.SCHED_RR;
  cluster.setupPrimary({ serialization: 'advanced' });
  return new Crew(config, count, log);
}

interface Place {
  readonly number: number;
  worker: Worker | undefined;
  /** Milliseconds since the process began; undefined: it does not serve yet. */
  readyAt: number | undefined;
  failures: number;
  retry: NodeJS.Timeout | undefined;
  lastFailure: LatchgateError | undefined;
}

class Crew implements Workers {
  readonly givenUp: Promise<never>;
  readonly #log: Log;
  readonly #places: readonly Place[];
  #address = '';
  readonly #asked = new Map<number, (answer: Answers[Question]) => void>();
  readonly #config: Config;
  #asking = 0;
  #isStarted = false;
  #isStopping = false;
  #giveUp: (error: LatchgateError) => void = () => {};
  #onReady: () => void = () => {};

  constructor(config: Config, count: number, log: Log) {
    this.#config = { ...config, listen: { ...config.listen } };
    this.#log = log;
    this.#places = Array.from({ length: count }, (_, at) => ({
      number: at + 1,
      worker: undefined,
      readyAt: undefined,
      failures: 0,
      retry: undefined,
      lastFailure: undefined,
    }));
    this.givenUp = new Promise((_, reject) => {
      this.#giveUp = reject;
    });
    this.givenUp.catch(() => {});
  }

  async start(): Promise<string> {
    const allReady = new Promise<void>((resolve) => {
      this.#onReady = () => {
        if (this.#places.every(({ readyAt }) => readyAt !== undefined)) resolve();
      };
    });
    for (const place of this.#places) this.#fork(place);
    await Promise.race([allReady, this.givenUp]);
    this.#isStarted = true;
    const { listen } = this.#config;
    // A worker that comes later takes the port that was really taken, whoever else is left.
    if (listen.port === 0) listen.port = Number(new URL(this.#address).port);
    return this.#address;
  }

  ask<Q extends Question>(question: Q): Promise<readonly (readonly [string, Answers[Q] | undefined])[]> {
    return Promise.all(
      this.#places.map(async (place) => [String(place.number), await this.#askOne(place, question)] as const),
    );
  }

  async areAlive(): Promise<boolean> {
    const serving = this.#places.filter(({ readyAt }) => readyAt !== undefined);
    const answers = await Promise.all(serving.map((place) => this.#askOne(place, 'alive')));
    return serving.length > 0 && answers.every((answer) => answer === true);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    const workers = this.#places.flatMap(({ worker, retry }) => {
      clearTimeout(retry);
      return worker === undefined ? [] : [worker];
    });
    await Promise.all(
      workers.map(async (worker) => {
        const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
        this.#send(worker, { type: 'stop' });
        const { delay, drain } = this.#config.shutdown;
        const limit = setTimeout(() => worker.process.kill('SIGKILL'), delay + drain + STOP_GRACE_MS);
        await ended;
        clearTimeout(limit);
      }),
    );
  }

  #fork(place: Place): void {
    const worker = cluster.fork();
    closeLastConnection(worker);
    place.worker = worker;
    place.readyAt = undefined;
    place.lastFailure = undefined;
    worker.on('message', (message: FromWorker) => this.#heard(place, worker, message));
    // Of the channel, when the worker dies while we speak: `exit` follows.
    worker.on('error', () => {});
    worker.once('exit', (code, signal) => this.#ended(place, worker, code, signal));
    this.#log.info('worker started', { worker: place.number, pid: worker.process.pid });
  }

  #heard(place: Place, worker: Worker, message: FromWorker): void {
    if (message.type === 'hello') {
      this.#send(worker, { type: 'serve', worker: place.number, config: this.#config });
    } else if (message.type === 'ready') {
      place.readyAt = performance.now();
      this.#address = message.address;
      this.#onReady();
    } else if (message.type === 'answer') {
      this.#asked.get(message.id)?.(message.answer);
    } else {
      place.lastFailure = failureOf(message);
    }
  }

  #ended(place: Place, worker: Worker, code: number | null, signal: string | null): void {
    const { readyAt, lastFailure } = place;
    place.worker = undefined;
    place.readyAt = undefined;
    if (this.#isStopping) return;
    const failure = lastFailure ?? new LatchgateError('internal', 'a worker process ended');
    const detail = { worker: place.number, pid: worker.process.pid, exitCode: code, signal, code: lastFailure?.code };
    this.#log.error('worker ended', detail);
    const isSteady = readyAt !== undefined && performance.now() - readyAt >= STEADY_MS;
    // What passes by itself, such as a database that is away, is waited for as long as it takes.
    if (isSteady) place.failures = 0;
    else if (!this.#isStarted || lastFailure?.retryable !== true) place.failures += 1;
    if (!this.#isStarted || place.failures >= MOST_FAILURES) {
      this.#giveUp(failure);
      return;
    }
    const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** place.failures);
    place.retry = setTimeout(() => this.#fork(place), waitMs);
  }

  async #askOne<Q extends Question>({ worker, readyAt }: Place, question: Q): Promise<Answers[Q] | undefined> {
    if (worker === undefined || readyAt === undefined) return undefined;
    this.#asking += 1;
    const id = this.#asking;
    let timer: NodeJS.Timeout | undefined;
    const answer = await new Promise<Answers[Question] | undefined>((resolve) => {
      this.#asked.set(id, resolve);
      timer = setTimeout(() => resolve(undefined), ANSWER_MS);
      this.#send(worker, { type: 'ask', id, question });
    });
    clearTimeout(timer);
    this.#asked.delete(id);
    return answer as Answers[Q] | undefined;
  }

  #send(worker: Worker, message: ToWorker): void {
    if (worker.isConnected()) worker.send(message, () => {});
  }
}

/**
 * Of the connections that Node gives out, one at a time may be on its way to a worker, and it is kept open until the
 * worker says that it has it. When the worker dies instead, nobody would ever answer there.
 */
function closeLastConnection({ process: child }: Worker): void {
  const send = child.send;
  let last: { close(): void } | undefined;
  child.send = (...message: unknown[]): boolean => {
    const [, handle] = message;
    if (isHandle(handle)) last = handle;
    return Reflect.apply(send, child, message);
  };
  child.once('exit', () => last?.close());
}

function isHandle(value: unknown): value is { close(): void } {
  return typeof value === 'object' && value !== null && 'close' in value && typeof value.close === 'function';
}
