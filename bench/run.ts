import { setTimeout as sleep } from 'node:timers/promises';
import { BARS, verdict } from './bars.ts';
import { type Flags, type Part, parseFlags, USAGE } from './flags.ts';
import { liveSessions } from './memory.ts';
import { pssBytes } from './process-tree.ts';
import { median, number, ratioOf, type Spread, show, table } from './ratios.ts';
import { LOGIN_CLIENTS, logInAll, logins, proxied, type Results, redirects } from './rounds.ts';
import { scimLines } from './scim.ts';
import type { Setup } from './setups.ts';
import { type Site, withSite } from './site.ts';
import { idleSockets } from './sockets.ts';
import { stalls } from './stalls.ts';
import { syncLines } from './sync.ts';
import { CONNECTIONS } from './wrk.ts';

/** A gateway that has just started still collects what only the start needed. */
const IDLE_SECONDS = 3;

interface Row {
  readonly what: string;
  readonly plain?: Spread;
  readonly apache: Spread;
}

async function main(): Promise<void> {
  const flags = parseFlags(process.argv.slice(2));
  if (flags === 'help') return console.log(USAGE);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  const people = Array.from({ length: Math.max(flags.sessions, LOGIN_CLIENTS) }, (_, at) => `person${at + 1}`);
  const profile = flags.profile === undefined ? {} : { profile: flags.profile };
  if (flags.only.some((part) => part !== 'sync' && part !== 'scim')) {
    await withSite({ people, ...profile }, (site) => measure(site, people, flags));
  }
  const parts = { sync: () => syncLines(flags.people), scim: () => scimLines(flags.people, flags.rounds) };
  for (const part of ['sync', 'scim'] as const) {
    if (!flags.only.includes(part)) continue;
    const progress = note(part);
    const lines = await parts[part]();
    progress();
    console.log(`\n${lines.join('\n')}`);
  }
}

async function measure(site: Site, people: readonly string[], flags: Flags): Promise<void> {
  const wanted = (part: Part) => flags.only.includes(part);
  const lines = wanted('start') ? [await idleLine(site)] : [];
  const rows: Row[] = [];
  await proxyRows(site, people, flags, rows);
  if (wanted('1k') || wanted('64k')) lines.push(`memory after the proxied load: ${megabytes(site.ours)}`);
  if (wanted('redirect')) {
    const progress = note('login redirects');
    const results = await redirects([site.ours, site.apache], { ...flags, folder: site.folder });
    rows.push({ what: 'login redirect: CPU', apache: against(site.ours, site.apache, results, 'cpuPerThousand') });
    rows.push({ what: 'login redirect: p99', apache: against(site.ours, site.apache, results, 'p99Ms') });
    progress();
  }
  if (wanted('logins')) {
    const progress = note('logins');
    const results = await logins([site.ours, site.apache], people, { ...flags, folder: site.folder });
    rows.push({ what: 'logins per second', apache: against(site.ours, site.apache, results, 'perSecond') });
    rows.push({ what: 'CPU per login', apache: against(site.ours, site.apache, results, 'cpuPerThousand') });
    progress();
  }
  lines.push(...(await alone(site, people, flags)));
  if (wanted('start')) lines.push(...(await startLines(site, flags.rounds)));
  print(rows, lines, flags);
}

/** What is measured of Latchgate alone. */
async function alone(site: Site, people: readonly string[], flags: Flags): Promise<string[]> {
  const { ours, folder } = site;
  const parts = {
    memory: () => liveSessions(ours, people.slice(0, flags.sessions), flags.live),
    sockets: () => idleSockets(ours, people.slice(0, flags.sessions), flags.sockets),
    stalls: () => stalls(ours, people, { folder, seconds: flags.stallSeconds }),
  };
  const lines = [];
  for (const part of ['memory', 'sockets', 'stalls'] as const) {
    if (!flags.only.includes(part)) continue;
    const progress = note(part);
    lines.push(...(await parts[part]()));
    progress();
  }
  return lines;
}

async function proxyRows(site: Site, people: readonly string[], flags: Flags, rows: Row[]): Promise<void> {
  const files = (['1k', '64k'] as const).filter((file) => flags.only.includes(file));
  if (files.length === 0) return;
  const { ours, plain, apache } = site;
  const setups = [ours, plain, apache];
  const cookies = new Map<Setup, string[]>();
  for (const setup of setups) cookies.set(setup, await logInAll(setup, people.slice(0, flags.sessions)));
  for (const file of files) {
    const title = file === '1k' ? '1 KiB' : '64 KiB';
    const progress = note(title);
    const results = await proxied(setups, cookies, file, { ...flags, folder: site.folder });
    const row = (what: string, member: 'cpuPerThousand' | 'p50Ms' | 'p99Ms'): Row => ({
      what: `${title}: ${what}`,
      plain: against(ours, plain, results, member),
      apache: against(ours, apache, results, member),
    });
    rows.push(row('CPU per request', 'cpuPerThousand'), row('p50', 'p50Ms'), row('p99', 'p99Ms'));
    progress();
  }
}

function against<K extends string>(
  ours: Setup,
  theirs: Setup,
  results: Results<Readonly<Record<K, number>>>,
  member: K,
): Spread {
  const values = (setup: Setup) => (results.get(setup) ?? []).map((result) => result[member]);
  return ratioOf(values(ours), values(theirs));
}

/** The medians beside what is wanted of them. */
function wantedOf({ what, plain, apache }: Row): string {
  const bars = BARS.ratios[what];
  const one = (whose: string, spread: Spread | undefined, most: number | undefined) =>
    spread === undefined || most === undefined ? [] : `${whose} ${verdict(spread.median, most, number)}`;
  return [...[one('nginx', plain, bars?.plain)].flat(), ...[one('Apache', apache, bars?.apache)].flat()].join(', ');
}

async function idleLine({ ours }: Site): Promise<string> {
  await sleep(IDLE_SECONDS * 1_000);
  return `idle memory (PSS, ${IDLE_SECONDS} s after the start): ${megabytes(ours)}; aim: under 100 MB`;
}

async function startLines(site: Site, rounds: number): Promise<string[]> {
  const starts = [];
  for (let round = 0; round < rounds; round += 1) starts.push(await site.restartOurs());
  const line = (what: string, some: readonly { readySeconds: number; readyCpuSeconds: number }[]) => {
    const wall = median(some.map(({ readySeconds }) => readySeconds));
    const cpu = median(some.map(({ readyCpuSeconds }) => readyCpuSeconds));
    return `start to ready, ${what}: ${wall.toFixed(2)} s (CPU ${cpu.toFixed(2)} s); aim: under 1 s`;
  };
  return [line('new store', [site.firstStart]), line('existing store', starts)];
}

function megabytes({ child }: Setup): string {
  return `${Math.round(pssBytes(child.pid) / 1_000_000)} MB`;
}

/** Says on stderr what is going on; the returned function says that it is over. */
function note(what: string): () => void {
  const start = performance.now();
  process.stderr.write(`${what} …`);
  return () => process.stderr.write(` ${((performance.now() - start) / 1_000).toFixed(0)} s\n`);
}

function print(rows: readonly Row[], lines: readonly string[], { rounds, seconds, sessions }: Flags): void {
  if (rows.length > 0) {
    const head = ['Latchgate as a multiple of', 'nginx, plain proxy', 'Apache mod_auth_openidc', 'wanted'];
    const lines = rows.map((row) => {
      return [row.what, row.plain === undefined ? '-' : show(row.plain), show(row.apache), wantedOf(row)];
    });
    console.log(`\n${table([head, ...lines])}\n`);
    console.log(
      'Ratio of the medians (least..most ratio of a round). Below 1 is better, for logins per second above 1.',
    );
  }
  console.log(
    `${rounds} rounds of ${seconds} s for each setup, taking turns; wrk with 1 thread and ${CONNECTIONS} connections;`,
  );
  console.log(
    `${sessions} sessions in turn; ${LOGIN_CLIENTS} clients for logins. Metrics on, access log off (as with the others).`,
  );
  if (lines.length > 0) console.log(`\n${lines.join('\n')}`);
}

try {
  await main();
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
