import { Counter, Histogram, type MetricObjectWithValues, type MetricValueWithName, type Registry } from 'prom-client';

const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const REQUESTS = 'latchgate_proxy_requests_total';
const SECONDS = 'latchgate_proxy_request_seconds';
const HELP = 'Duration of a request';

/** Of one target. */
interface Tally {
  /** By status class: `2xx` at 2. */
  readonly byClass: number[];
  /** How many took as long as the bound at this place at most, and longer than the one before; at the end the rest. */
  readonly byBound: number[];
  seconds: number;
}

/**
 * Counts requests as numbers in lists and makes metrics of them only when somebody looks: prom-client's own way, labels
 * put together and hashed each time, would be a visible part of the work of a request.
 */
export class RequestTally {
  readonly #targets = new Map<string, Tally>();

  constructor(registry: Registry) {
    const targets = this.#targets;
    new Counter({
      name: REQUESTS,
      help: 'Proxied requests by status class',
      labelNames: ['target', 'status'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [target, { byClass }] of targets) {
          for (const [first, count] of byClass.entries())
            if (count > 0) this.inc({ target, status: `${first}xx` }, count);
        }
      },
    });
    new Durations(targets, registry);
  }

  add(target: string, status: number, seconds: number): void {
    let tally = this.#targets.get(target);
    if (tally === undefined) {
      tally = { byClass: Array(10).fill(0), byBound: Array(BOUNDS.length + 1).fill(0), seconds: 0 };
      this.#targets.set(target, tally);
    }
    const first = Math.min(Math.trunc(status / 100), 9);
    tally.byClass[first] = (tally.byClass[first] as number) + 1;
    let place = 0;
    while (place < BOUNDS.length && seconds > (BOUNDS[place] as number)) place += 1;
    tally.byBound[place] = (tally.byBound[place] as number) + 1;
    tally.seconds += seconds;
  }
}

/** Counts by code in the same way. */
export class CodeTally {
  readonly #counts = new Map<string, number>();

  constructor(name: string, help: string, registry: Registry) {
    const counts = this.#counts;
    new Counter({
      name,
      help,
      labelNames: ['code'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [code, count] of counts) this.inc({ code }, count);
      },
    });
  }

  add(code: string): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
  }
}

/** prom-client's histogram but for where its values come from. */
class Durations extends Histogram<'target' | 'le'> {
  readonly #targets: ReadonlyMap<string, Tally>;

  constructor(targets: ReadonlyMap<string, Tally>, registry: Registry) {
    super({
      name: SECONDS,
      help: HELP,
      labelNames: ['target'],
      buckets: BOUNDS,
      registers: [registry],
    });
    this.#targets = targets;
  }

  override async get(): Promise<MetricObjectWithValues<MetricValueWithName<'target' | 'le'>>> {
    const values = [...this.#targets].flatMap(([target, tally]) => valuesOf(target, tally));
    // Its type also asks for the function by which values are collected, which none of prom-client's own answers has.
    return { name: SECONDS, help: HELP, type: 'histogram', aggregator: 'sum', values } as unknown as Awaited<
      ReturnType<Histogram<'target' | 'le'>['get']>
    >;
  }

  /** What the text is made of; like `get`, but that labels may stand apart. */
  getForPromString(): ReturnType<Durations['get']> {
    return this.get();
  }
}

/** Buckets count everything up to their bound (Prometheus exposition format). */
function valuesOf(target: string, { byBound, seconds }: Tally): MetricValueWithName<'target' | 'le'>[] {
  let count = 0;
  const buckets = byBound.map((some, place) => {
    count += some;
    return { metricName: `${SECONDS}_bucket`, labels: { le: BOUNDS[place] ?? '+Inf', target }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${SECONDS}_sum`, labels: { target }, value: seconds },
    { metricName: `${SECONDS}_count`, labels: { target }, value: count },
  ];
}
