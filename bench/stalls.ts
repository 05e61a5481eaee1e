import { BARS, verdict } from './bars.ts';
import { Browser } from './browser.ts';
import type { Gateway } from './gateway.ts';
import { scrape } from './metrics.ts';
import { FILES } from './nginx.ts';
import { cpuWaitSeconds } from './process-tree.ts';
import { API, logInAll, loginTurn } from './rounds.ts';
import { drive } from './wrk.ts';

const CONNECTIONS = 8;
const CLIENTS = 4;
const WARM_UP_SECONDS = 2;
/** Of perf_hooks' monitorEventLoopDelay as the metrics use it: this long passes between two looks when nothing is late. */
const RESOLUTION_MS = 10;

/** How long the gateway's event loop stood still while people logged in and others' requests were proxied. */
export async function stalls(
  ours: Gateway,
  people: readonly string[],
  { folder, seconds }: { readonly folder: string; readonly seconds: number },
): Promise<string[]> {
  const { path, bytes } = FILES['1k'];
  const cookies = await logInAll(ours, people);
  const requests = cookies.map((Cookie) => ({ path, headers: { ...API, Cookie } }));
  const { name, url, child } = ours;
  const target = { name, url, pid: child.pid, folder, connections: CONNECTIONS, leastBytes: bytes };
  const browsers = people.slice(0, CLIENTS).map((person) => new Browser(person));
  const mixed = (length: number) =>
    Promise.all([drive({ ...target, requests, seconds: length }), loginTurn(ours, browsers, length)]);
  await mixed(WARM_UP_SECONDS);
  await scrape(ours);
  const waited = cpuWaitSeconds(child.pid);
  const [proxied, logins] = await mixed(seconds);
  const metric = await scrape(ours);
  const waitShare = Math.round(((cpuWaitSeconds(child.pid) - waited) / seconds) * 100);
  const lateMs = (what: 'max' | 'p99' | 'p50') =>
    Math.max(0, metric(`latchgate_nodejs_eventloop_lag_${what}_seconds`) * 1_000 - RESOLUTION_MS);
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  const late = (what: 'max' | 'p99' | 'p50') => ms(lateMs(what));
  return [
    `event loop late, ${seconds} s of ${logins.perSecond.toFixed(0)} logins per second beside ${CONNECTIONS} proxied connections (p99 ${proxied.p99Ms.toFixed(0)} ms): longest ${late('max')}, p99 ${late('p99')}, median ${late('p50')}; it waited for a CPU ${waitShare} % of the time; longest wanted ${verdict(lateMs('max'), BARS.stallMs, ms)}`,
  ];
}
