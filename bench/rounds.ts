import { request } from 'undici';
import { Browser } from './browser.ts';
import { FILES } from './nginx.ts';
import { cpuSeconds } from './process-tree.ts';
import type { Setup } from './setups.ts';
import { drive, type LoadRequest, type LoadResult } from './wrk.ts';

/** Clients that log in at the same time. */
export const LOGIN_CLIENTS = 8;

/** An API client's header: without a session it is answered 401 instead of a redirect, which wrk would count as success. */
export const API = { 'X-Requested-With': 'XMLHttpRequest' };
const NAVIGATION = { Accept: 'text/html' };
/** Where strangers want to go: so many that hardly two of them meet in a second. */
const ADDRESSES = Array.from({ length: 5_000 }, (_, at) => `/dashboards/${at}`);
/** Node compiles what is hot. */
const WARM_UP_SECONDS = 2;

/** Results of one setup, in the order of the rounds. */
export type Results<T> = ReadonlyMap<Setup, readonly T[]>;

/** Lets every setup have its turn in every round, each round beginning with another one. */
export async function alternate<T>(
  setups: readonly Setup[],
  rounds: number,
  turn: (setup: Setup, round: number) => Promise<T>,
): Promise<Results<T>> {
  const results = new Map<Setup, T[]>(setups.map((setup) => [setup, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (let place = 0; place < setups.length; place += 1) {
      const setup = setups[(round + place) % setups.length] as Setup;
      results.get(setup)?.push(await turn(setup, round));
    }
  }
  return results;
}

/** Logs people in and returns their Cookie headers. @throws Error when a setup shows the file without a login, or not with it. */
export async function logInAll(setup: Setup, people: readonly string[]): Promise<string[]> {
  const { path, bytes } = FILES['1k'];
  if (setup.login === undefined) return people.map(() => 'nobody=asks');
  const stranger = await fetch(`${setup.url}${path}`, { headers: API, redirect: 'manual' });
  await stranger.body?.cancel();
  if (stranger.status !== 401) throw new Error(`${setup.name}: a stranger is answered ${stranger.status}, not 401`);
  const cookies: string[] = [];
  for (const person of people) {
    const browser = new Browser(person);
    const { status, body, url } = await browser.open(`${setup.url}${path}`);
    if (status !== 200 || body.length !== bytes) {
      throw new Error(`${setup.name}: the login of ${person} ended at ${url.split('?')[0]} with ${status}:\n${body}`);
    }
    cookies.push(browser.cookies(setup.url));
  }
  return cookies;
}

export interface LoadOptions {
  readonly folder: string;
  readonly rounds: number;
  readonly seconds: number;
}

/** Proxies one file with everybody's sessions in turn. */
export async function proxied(
  setups: readonly Setup[],
  cookies: ReadonlyMap<Setup, readonly string[]>,
  file: keyof typeof FILES,
  { folder, rounds, seconds }: LoadOptions,
): Promise<Results<LoadResult>> {
  const { path, bytes } = FILES[file];
  const turn = (setup: Setup, length: number) => {
    const requests = (cookies.get(setup) ?? []).map((Cookie) => ({ path, headers: { ...API, Cookie } }));
    return driveSetup(setup, requests, { folder, seconds: length, leastBytes: bytes });
  };
  await alternate(setups, 1, (setup) => turn(setup, WARM_UP_SECONDS));
  return alternate(setups, rounds, (setup) => turn(setup, seconds));
}

/** Redirects strangers to the provider, each from an address of their own. The result counts whole ways there, of however many requests. */
export async function redirects(
  setups: readonly Setup[],
  { folder, rounds, seconds }: LoadOptions,
): Promise<Results<LoadResult>> {
  for (const setup of setups) await checkRedirects(setup);
  const turn = async (setup: Setup, length: number) => {
    const paths = ADDRESSES.flatMap((address) => setup.login?.redirectPaths(address) ?? []);
    const requests = paths.map((path) => ({ path, headers: NAVIGATION }));
    const result = await driveSetup(setup, requests, { folder, seconds: length, leastBytes: 100 });
    return { ...result, cpuPerThousand: (result.cpuPerThousand * paths.length) / ADDRESSES.length };
  };
  await alternate(setups, 1, (setup) => turn(setup, WARM_UP_SECONDS));
  return alternate(setups, rounds, (setup) => turn(setup, seconds));
}

function driveSetup(
  { name, url, child }: Setup,
  requests: readonly LoadRequest[],
  rest: { readonly folder: string; readonly seconds: number; readonly leastBytes: number },
): Promise<LoadResult> {
  return drive({ name, url, pid: child.pid, requests, ...rest });
}

/** Each of the paths redirects to the next, and the last one to somewhere else: the provider. */
async function checkRedirects({ name, url, login }: Setup): Promise<void> {
  const paths = login?.redirectPaths(ADDRESSES[0] ?? '') ?? [];
  for (const [at, path] of paths.entries()) {
    const { statusCode, headers, body } = await request(`${url}${path}`, { headers: NAVIGATION });
    await body.dump();
    const location = new URL(String(headers['location'] ?? ''), url);
    const next = paths[at + 1];
    const fits = next === undefined ? location.origin !== url : location.href === `${url}${next}`;
    if (statusCode !== 302 || !fits) throw new Error(`${name}: ${path} is no step on the way to the provider`);
  }
}

export interface LoginResult {
  readonly perSecond: number;
  readonly cpuPerThousand: number;
}

/**
 * Whole logins by eight clients: each is known to the provider from its first one, so that the provider's pages and
 * interaction are not measured; what the gateway knew of it is forgotten before each.
 */
export async function logins(
  setups: readonly Setup[],
  people: readonly string[],
  { rounds, seconds }: LoadOptions,
): Promise<Results<LoginResult>> {
  const browsers = new Map<Setup, Browser[]>();
  for (const setup of setups) {
    const own = people.slice(0, LOGIN_CLIENTS).map((person) => new Browser(person));
    browsers.set(setup, own);
    await Promise.all(own.map((browser) => logIn(setup, browser)));
  }
  const turn = (setup: Setup, length: number) => loginTurn(setup, browsers.get(setup) ?? [], length);
  await alternate(setups, 1, (setup) => turn(setup, WARM_UP_SECONDS));
  return alternate(setups, rounds, (setup) => turn(setup, seconds));
}

/** Logs these people in again and again, all at the same time. */
export async function loginTurn(setup: Setup, browsers: readonly Browser[], seconds: number): Promise<LoginResult> {
  const cpu = cpuSeconds(setup.child.pid);
  const start = performance.now();
  let count = 0;
  const client = async (browser: Browser) => {
    while (performance.now() - start < seconds * 1_000) {
      await logIn(setup, browser);
      count += 1;
    }
  };
  await Promise.all(browsers.map(client));
  const perSecond = count / ((performance.now() - start) / 1_000);
  return { perSecond, cpuPerThousand: ((cpuSeconds(setup.child.pid) - cpu) / count) * 1_000 };
}

async function logIn(setup: Setup, browser: Browser): Promise<void> {
  const { path, bytes } = FILES['1k'];
  browser.forget(setup.url);
  const { status, body, url } = await browser.open(`${setup.url}${path}`);
  if (status === 200 && body.length === bytes) return;
  throw new Error(`${setup.name}: a login ended at ${url.split('?')[0]} with ${status}:\n${body}`);
}
