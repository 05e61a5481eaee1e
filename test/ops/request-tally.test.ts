import { AggregatorRegistry, Counter, Histogram, Registry } from 'prom-client';
import { RequestTally } from '../../src/ops/request-tally.ts';

const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

function both() {
  const [ours, theirs] = [new Registry(), new Registry()];
  const tally = new RequestTally(ours);
  const common = { registers: [theirs] };
  const counter = new Counter({
    ...common,
    name: 'latchgate_proxy_requests_total',
    help: 'Proxied requests by status class',
    labelNames: ['target', 'status'],
  });
  const histogram = new Histogram({
    ...common,
    name: 'latchgate_proxy_request_seconds',
    help: 'Duration of a request',
    labelNames: ['target'],
    buckets: BUCKETS,
  });
  const add = (target: string, status: number, seconds: number) => {
    tally.add(target, status, seconds);
    counter.inc({ target, status: `${Math.floor(status / 100)}xx` });
    histogram.observe({ target }, seconds);
  };
  return { ours, theirs, add };
}

const lines = (text: string) => text.split('\n').toSorted();

describe('the count of proxied requests', () => {
  it('reads as prom-client would write it, also when it is looked at again', async () => {
    const { ours, theirs, add } = both();
    for (const target of ['a', 'b"\\']) {
      for (const seconds of [0, 0.005, 0.0050001, 0.3, 29, 30, 31]) add(target, seconds > 1 ? 503 : 200, seconds);
      add(target, 101, 0.01);
      expect(lines(await ours.metrics())).toEqual(lines(await theirs.metrics()));
    }
  });

  it('adds up over processes as prom-client would', async () => {
    const parts = [both(), both()];
    parts[0]?.add('a', 200, 0.02);
    parts[1]?.add('a', 404, 4);
    parts[1]?.add('b', 200, 0.001);
    const merged = async (side: 'ours' | 'theirs') => {
      const values = await Promise.all(parts.map((part) => part[side].getMetricsAsJSON()));
      return AggregatorRegistry.aggregate(values).metrics();
    };
    expect(lines(await merged('ours'))).toEqual(lines(await merged('theirs')));
  });

  it('says nothing of targets that nobody asked', async () => {
    const { ours } = both();
    expect((await ours.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([]);
  });
});
