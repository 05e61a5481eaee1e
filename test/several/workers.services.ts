import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'undici';
import type { Browser } from '../journey/browser.ts';
import { until } from '../journey/harness.ts';
import { tellLogout } from '../journey/logout-token.ts';
import { endedAfterMs, type Opened, openAll } from '../journey/open-work.ts';
import { startChild } from '../services/child.ts';
import { startGateway } from '../services/gateway.ts';
import { projectRoot } from '../services/project.ts';
import { makeCertificates } from '../services/tls.ts';
import { startLoad, type Visitor } from './load.ts';
import { command, type Site, startSite, visitorOf } from './site.ts';
import { CALLER } from './witness.ts';

const WORKERS = 3;
const CONNECTIONS = 4 * WORKERS;
const SEEN_WITHIN_MS = 1_000;
const REST_MS = 300;
const MAIN = join(projectRoot(), 'dist', 'main.js');

interface Line {
  readonly message: string;
  readonly worker?: number;
  readonly pid?: number;
  readonly code?: string;
}

function lines(log: readonly string[]): Line[] {
  return log.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Line] : []));
}

/** Process ids of the workers, the last of each. */
function workersOf(log: readonly string[]): Map<number, number> {
  const started = lines(log).filter(({ message }) => message === 'worker started');
  return new Map(started.map(({ worker = 0, pid = 0 }) => [worker, pid]));
}

/** The same question on so many connections at once, which the workers get in turn. */
async function onEach(address: string, host: string, visitor: Visitor, ca?: string): Promise<number[]> {
  const connect = ca === undefined ? {} : { connect: { ca } };
  const clients = Array.from({ length: CONNECTIONS }, () => new Client(address, connect));
  const headers = { host, cookie: visitor.cookie, accept: 'application/json', [CALLER]: visitor.user };
  const statuses = await Promise.all(
    clients.map(async (client) => {
      const { statusCode, body } = await client.request({ method: 'GET', path: '/each', headers });
      await body.dump();
      return statusCode;
    }),
  );
  await Promise.all(clients.map((client) => client.destroy()));
  return statuses;
}

/** An event stream, a download and a WebSocket on each worker: the turns are moved on by one for each. */
async function openOnEach(site: Site, { cookie }: Visitor): Promise<Opened[]> {
  const [address] = site.addresses as [string];
  const opened: Opened[] = [];
  for (let worker = 0; worker < WORKERS; worker += 1) {
    opened.push(...(await openAll([address], site.url, cookie)));
    await (await fetch(`${address}/.latchgate/jwks.json`, { headers: { connection: 'close' } })).body?.cancel();
  }
  return opened;
}

/** How many sockets a process has open. */
function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((fd) => isSocket(join(folder, fd))).length;
}

/** The same of each of these, once none of before is being closed any more. */
async function restingSockets(pids: readonly number[]): Promise<number[]> {
  let last = pids.map(socketsOf);
  return until('the end of former connections', async () => {
    const before = last;
    await sleep(REST_MS);
    last = pids.map(socketsOf);
    return last.every((count, at) => count === before[at]) ? last : undefined;
  });
}

function isSocket(file: string): boolean {
  try {
    return readlinkSync(file).startsWith('socket:');
  } catch {
    return false;
  }
}

/** How the session of each of these people ends. */
const ends: Readonly<Record<string, (site: Site, browser: Browser) => Promise<unknown>>> = {
  'who-logs-out': async (site, browser) => browser.submit(await browser.visit(`${site.url}/.latchgate/logout`)),
  'who-is-ended': (site) => command(site, 'sessions', 'end', '--user', 'who-is-ended@acme.test'),
  'who-is-disabled': (site) => command(site, 'users', 'disable', 'who-is-disabled@acme.test'),
  'who-left-the-provider': (site) => tellLogout(site, { sub: 'who-left-the-provider' }),
};

async function ready(admin: string): Promise<{ status: number; checks: Record<string, { ok: boolean }> }> {
  const answer = await fetch(`${admin}/readyz`);
  const { checks } = (await answer.json()) as { checks: Record<string, { ok: boolean }> };
  return { status: answer.status, checks };
}

describe.each(['sqlite', 'postgres'] as const)('several workers on %s', (database) => {
  let site: Site;
  const gateway = () => site.gateways[0] as NonNullable<(typeof site.gateways)[0]>;
  const address = () => site.addresses[0] as string;
  const host = () => new URL(site.url).host;
  beforeAll(async () => {
    const sections = { workers: String(WORKERS), log: '{ level: info, access: true }' };
    site = await startSite({ instances: 1, database, people: ['ann', ...Object.keys(ends)], sections, openWork: true });
  });
  afterAll(() => site?.close());

  it('say once that they are ready, and all of them serve', async () => {
    const visitor = await site.logIn('ann');
    expect(lines(gateway().log).filter(({ message }) => message === 'ready')).toHaveLength(1);
    expect(await onEach(address(), host(), visitor)).toEqual(Array.from({ length: CONNECTIONS }, () => 200));
    const served = new Set(
      lines(gateway().log).flatMap(({ message, worker }) => (message === 'request' ? worker : [])),
    );
    expect([...served].sort()).toEqual([1, 2, 3]);
  });

  it.each(Object.keys(ends))('%s: is out of all of them within a second, with all that was open there', async (who) => {
    const [anns, browser] = [await site.logIn('ann'), site.browser()];
    const visitor = await visitorOf(browser, site.url, who);
    expect(await onEach(address(), host(), visitor)).not.toContain(401);
    const pids = [...workersOf(gateway().log).values()];
    const before = await restingSockets(pids);
    const [hers, theirs] = [await openOnEach(site, anns), await openOnEach(site, visitor)];
    for (const [at, pid] of pids.entries()) expect(socketsOf(pid) - (before[at] ?? 0)).toBeGreaterThanOrEqual(WORKERS);
    await ends[who]?.(site, browser);
    const told = performance.now();
    await sleep(SEEN_WITHIN_MS);
    expect(new Set(await onEach(address(), host(), visitor))).toEqual(new Set([401]));
    expect(endedAfterMs(theirs, told)).toBeLessThan(SEEN_WITHIN_MS);
    const bytes = hers.map((one) => one.bytes);
    await until('more for ann', () => hers.every((one, at) => one.bytes > (bytes[at] ?? 0)) || undefined);
    expect(hers.filter(({ isOver }) => isOver)).toEqual([]);
    for (const one of hers) one.close();
  });

  it('are one gateway to operators: health, readiness, sums', async () => {
    const { admin } = gateway();
    expect((await fetch(`${admin}/healthz`)).status).toBe(200);
    expect(await ready(admin)).toMatchObject({ status: 200, checks: { workers: { ok: true }, state: { ok: true } } });
    const count = async () => {
      const text = await (await fetch(`${admin}/metrics`)).text();
      return Number(/^latchgate_proxy_requests_total\{target="superset",status="2xx"\} (\d+)/m.exec(text)?.[1]);
    };
    const before = await count();
    await onEach(address(), host(), await site.logIn('ann'));
    expect((await count()) - before).toBe(CONNECTIONS + 1);
  });

  it('replace one that is killed, while the others serve', async () => {
    const visitor = await site.logIn('ann');
    const load = startLoad({ url: site.url, visitors: [visitor], clients: 12 });
    const before = workersOf(gateway().log);
    process.kill(before.get(2) ?? 0, 'SIGKILL');
    await until('the new one', () => workersOf(gateway().log).get(2) !== before.get(2) || undefined);
    await until('all ready', async () => (await ready(gateway().admin)).status === 200 || undefined);
    const report = await load.stop();
    console.info(`a worker killed, ${database}: ${JSON.stringify(report)}`);
    const { wrong, refused, askedToLogIn } = report;
    expect({ wrong, refused, askedToLogIn }).toEqual({ wrong: [], refused: {}, askedToLogIn: 0 });
    // What it was at work on, and what was on its way to it: cut off, and nobody waits for good.
    expect(Object.keys(report.lost).filter((what) => !/^(GET|POST) 502 not of the gateway$/.test(what))).toEqual([]);
    expect(await onEach(address(), host(), visitor)).not.toContain(401);
    expect(lines(gateway().log)).toContainEqual(expect.objectContaining({ message: 'worker ended', worker: 2 }));
  });
});

describe('workers and their primary', () => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite({ instances: 1, database: 'sqlite', people: ['ann'], sections: { workers: '2' } });
  });
  afterAll(() => site?.close());

  /** Another gateway with workers, on a state of its own. */
  const another = ({ listen = '127.0.0.1:0', more = 'public_url: "http://127.0.0.1:1"' } = {}) =>
    startGateway({
      config: `
version: 1
${more}
listen: ${listen}
admin_listen: 127.0.0.1:0
workers: 2
session: { secrets: ["only for tests, and long enough for the rule"] }
login: { acme: { issuer: "${site.idp.issuer}", client_id: x, client_secret: of a client that is not there } }
targets: { superset: { type: superset, url: "${site.witness.url}" } }
default: { grant: { superset: { roles: [Gamma] } } }
routes: [{ path: /, to: superset }]`,
    });

  it.each(['SIGTERM', 'SIGINT'] as const)('end with 0 at %s, after the open requests', async (signal) => {
    const visitor = await site.logIn('ann');
    const load = startLoad({ url: site.url, visitors: [visitor], clients: 8, pauseMs: 1 });
    const old = site.gateways[0];
    await sleep(300);
    old?.kill(signal);
    expect(await old?.exited).toEqual({ code: 0, signal: null });
    const pids = [...workersOf(old?.log ?? []).values()];
    expect(pids).toHaveLength(2);
    expect(pids.filter(isRunning)).toEqual([]);
    expect(lines(old?.log ?? []).at(-1)?.message).toBe('stopped');
    const { wrong, lost } = await load.stop();
    // What came when nobody was there any more was refused by nginx; nothing was cut off.
    expect(wrong).toEqual([]);
    expect(Object.keys(lost).filter((what) => !/ 502 not of the gateway$/.test(what))).toEqual([]);
    await site.startAgain(0);
  });

  it('end with a primary that is killed, and leave everything to the next one', async () => {
    const old = site.gateways[0];
    const pids = [...workersOf(old?.log ?? []).values()];
    await old?.kill9();
    await until('the end of the workers', () => pids.every((pid) => !isRunning(pid)) || undefined);
    await site.startAgain(0);
    expect((await site.logIn('ann')).user).toBe('ann');
  });

  it('share a port that is free, also with one that comes later', async () => {
    const gateway = await another();
    const before = workersOf(gateway.log);
    for (const pid of before.values()) process.kill(pid, 'SIGKILL');
    await until('new ones', async () => (await ready(gateway.admin)).checks['workers']?.ok || undefined, 60_000);
    const nobody = { user: 'nobody', cookie: '' };
    expect(new Set(await onEach(gateway.url, '127.0.0.1:1', nobody))).toEqual(new Set([401]));
    await gateway.stop();
    expect(await gateway.exited).toEqual({ code: 0, signal: null });
  });

  it('speak TLS, each of them', async () => {
    const made = await makeCertificates();
    const tls = `tls: { certificate: ${made.certificateFile}, key: ${made.keyFile} }`;
    const gateway = await another({ more: `public_url: https://127.0.0.1:1\n${tls}` });
    expect(gateway.url).toMatch(/^https:/);
    const nobody = { user: 'nobody', cookie: '' };
    expect(new Set(await onEach(gateway.url, '127.0.0.1:1', nobody, made.ca))).toEqual(new Set([401]));
    const { admin } = gateway;
    expect(await (await fetch(`${admin}/metrics`)).text()).toMatch(/^latchgate_certificate\w+\{/m);
    await gateway.stop();
    expect(await gateway.exited).toEqual({ code: 0, signal: null });
    made.remove();
  });

  it('give up when one dies at once again and again: exit code 1', async () => {
    const gateway = await another();
    const killed = new Set<number>();
    const killer = setInterval(() => {
      const pid = workersOf(gateway.log).get(1) ?? 0;
      if (!killed.has(pid) && isRunning(pid)) process.kill(pid, 'SIGKILL');
      killed.add(pid);
    }, 50);
    expect(await gateway.exited).toEqual({ code: 1, signal: null });
    clearInterval(killer);
    expect([...workersOf(gateway.log).values()].filter(isRunning)).toEqual([]);
  });

  it('that cannot listen are no gateway: the reason, and exit code 1', async () => {
    const { host: taken } = new URL(site.addresses[0] as string);
    await expect(another({ listen: taken })).rejects.toThrow(/address_unavailable/);
  });

  it('keep a second gateway from the same SQLite file, and commands not', async () => {
    const config = site.gateways[0]?.configFile ?? '';
    const second = startChild('second', [process.execPath, MAIN, 'serve', '--config', config]);
    expect(await second.exited).toEqual({ code: 1, signal: null });
    expect(second.log.join('\n')).toMatch(/^state_in_use: /m);
    expect(await command(site, 'users', 'list')).toContain('ann@acme.test');
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
