import type { Config } from '../config/schema.ts';
import { type ErrorCode, LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { Readiness } from '../ops/health.ts';
import type { MetricValues } from '../ops/metrics.ts';

/*
 * What the process that listens for operators (the primary) and its workers say to each other, as structured clones.
 */

export type Question = 'alive' | 'readiness' | 'metrics';

export interface Answers {
  readonly alive: true;
  readonly readiness: Readiness;
  readonly metrics: MetricValues;
}

export type ToWorker =
  | { readonly type: 'serve'; readonly worker: number; readonly config: Config }
  | { readonly type: 'ask'; readonly id: number; readonly question: Question }
  | { readonly type: 'stop' };

export type FromWorker =
  | { readonly type: 'hello' }
  | { readonly type: 'ready'; readonly address: string }
  | { readonly type: 'answer'; readonly id: number; readonly answer: Answers[Question] }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string };

/** The primary, as its worker sees it. */
export interface Primary {
  /** What to serve: the primary has read the file once, for all workers and for those that take their places. */
  readonly task: Promise<{ readonly worker: number; readonly config: Config }>;
  /** Resolves when the primary wants an end. */
  readonly stop: Promise<void>;
  /** This worker listens, and answers questions from now on. */
  ready(address: string, answers: { readonly [Q in Question]: () => Promise<Answers[Q]> }): void;
  /** Why this worker could not start. */
  failed(thrown: unknown): void;
  /** Without it the process would not end. */
  leave(): void;
}

/** In a worker. When the primary dies, Node ends the worker. */
export function connectToPrimary(): Primary {
  let answers: { readonly [Q in Question]: () => Promise<Answers[Question]> } | undefined;
  let begin: (task: { worker: number; config: Config }) => void = () => {};
  let end: () => void = () => {};
  const send = (message: FromWorker): void => {
    // Whether it arrives is not ours to know: a primary that is gone takes us along.
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  };
  const task = new Promise<{ worker: number; config: Config }>((resolve) => {
    begin = resolve;
  });
  const stop = new Promise<void>((resolve) => {
    end = resolve;
  });
  process.on('message', (message: ToWorker) => {
    if (message.type === 'serve') begin(message);
    else if (message.type === 'stop') end();
    else if (message.type === 'ask') {
      const { id, question } = message;
      // A question that cannot be answered is one that was not.
      answers?.[question]().then(
        (given) => send({ type: 'answer', id, answer: given }),
        () => {},
      );
    }
  });
  // Nobody keeps for us what comes before we listen.
  send({ type: 'hello' });
  return {
    task,
    stop,
    ready: (address, given) => {
      answers = given;
      send({ type: 'ready', address });
    },
    failed: (thrown) => {
      const { code, message } = toLatchgateError(thrown);
      send({ type: 'failed', code, message });
    },
    leave: () => process.disconnect(),
  };
}

/** What a worker said of its failure, as an error here. */
export function failureOf({ code, message }: Extract<FromWorker, { type: 'failed' }>): LatchgateError {
  return new LatchgateError(code, message);
}
