import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../test/services/child.ts';
import { cpuSeconds } from './process-tree.ts';

export const WRK = '/usr/bin/wrk';
export const CONNECTIONS = 32;

export interface LoadRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Load {
  /** For the error message. */
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  /** They take turns. */
  readonly requests: readonly LoadRequest[];
  readonly seconds: number;
  /** Default 32. */
  readonly connections?: number;
  /** Every answer has at least so many bytes, on average. */
  readonly leastBytes: number;
  readonly folder: string;
}

export interface LoadResult {
  /** Of the process tree. */
  readonly cpuPerThousand: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Summary {
  readonly requests: number;
  readonly bytes: number;
  /** Answers of 400 and more. */
  readonly refused: number;
  readonly socketErrors: number;
  readonly p50: number;
  readonly p99: number;
}

/** One turn of wrk: one thread, keep-alive connections. @throws Error when a single request was not answered well. */
export async function drive(load: Load): Promise<LoadResult> {
  const script = join(load.folder, 'load.lua');
  writeFileSync(script, luaFor(load.requests));
  const command = [
    WRK,
    '-t1',
    `-c${load.connections ?? CONNECTIONS}`,
    `-d${load.seconds}s`,
    '--timeout',
    '10s',
    '-s',
    script,
    load.url,
  ];
  const before = cpuSeconds(load.pid);
  const output = await run('wrk', command, { timeoutMs: (load.seconds + 30) * 1_000 });
  const cpu = cpuSeconds(load.pid) - before;
  const summary = JSON.parse(output.split('\n').findLast((line) => line.startsWith('{')) ?? '{}') as Summary;
  if (!(summary.requests > 0) || summary.refused > 0 || summary.socketErrors > 0) {
    throw new Error(`${load.name}: not every request was answered well: ${JSON.stringify(summary)}\n${output}`);
  }
  if (summary.bytes / summary.requests < load.leastBytes) {
    throw new Error(`${load.name}: answers are smaller than what was asked for: ${JSON.stringify(summary)}`);
  }
  return {
    cpuPerThousand: (cpu / summary.requests) * 1_000,
    p50Ms: summary.p50 / 1_000,
    p99Ms: summary.p99 / 1_000,
  };
}

/** Requests are put together once, so that wrk only hands them out. */
function luaFor(requests: readonly LoadRequest[]): string {
  const entries = requests.map(({ path, headers }) => {
    const pairs = Object.entries(headers).map(([name, value]) => `[${quote(name)}]=${quote(value)}`);
    return `{ path = ${quote(path)}, headers = { ${pairs.join(', ')} } }`;
  });
  return `local entries = { ${entries.join(',\n')} }
local requests, at = {}, 0
function init()
  for i, entry in ipairs(entries) do requests[i] = wrk.format("GET", entry.path, entry.headers) end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"bytes":%d,"refused":%d,"socketErrors":%d,"p50":%d,"p99":%d}\\n',
    summary.requests, summary.bytes, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
`;
}

/** JSON's escapes are Lua's, as long as the text is printable ASCII. */
function quote(text: string): string {
  if (!/^[\x20-\x7e]*$/.test(text)) throw new RangeError('only printable ASCII goes into a request');
  return JSON.stringify(text);
}
