import type { Config } from '../../config/schema.ts';
import { originOfHost } from '../../model/origin.ts';
import { isServed, type TargetConfig } from '../../targets/schema.ts';
import type { ComposedTarget } from '../engine.ts';
import { type Examined, type Finding, finding } from './findings.ts';
import { look, notTried, type Patient } from './patient.ts';
import { askRaw, type Place, type RawAnswer } from './raw-request.ts';
import { isSameName, type Spoofed, spoofedHeaders } from './spoofed-headers.ts';

/** Where a backend says who is signed in, and 401 to nobody. */
const WHO_AM_I = { superset: '/api/v1/me/', gooddata: '/api/v1/profile' } as const;
const ALL_MS = 60_000;

type Served = Extract<TargetConfig, { readonly type: keyof typeof WHO_AM_I }>;

interface Lies {
  readonly place: Place;
  readonly host: string;
  /** Asks who is signed in. */
  readonly path: string;
  /** Where a header is turned into a session; undefined: nowhere. */
  readonly loginPath?: string;
  readonly userName: string;
  readonly spoofed: readonly Spoofed[];
}

/** Whether a header that anybody can send makes the backend believe them: sent to it, and through the gateway. */
export function lookAtSpoofing(
  name: string,
  { config }: ComposedTarget,
  patient: Patient,
): readonly Promise<Examined>[] {
  if (!isServed(config)) return [];
  const about = `targets.${name}`;
  const userName = config.type === 'superset' ? config.service_account : 'admin';
  const spoofed = spoofedHeaders(userName, name, patient.clock.now(), signInHeader(config));
  return [
    look(about, 'spoofed headers, sent to the backend', () => directly(about, config, userName, spoofed)),
    throughGateway(name, config, patient.config, userName, spoofed),
  ];
}

function signInHeader(config: Served): string | undefined {
  return config.type === 'superset' && config.sign_in === 'header' ? config.sign_in_header : undefined;
}

async function directly(
  about: string,
  config: Served,
  userName: string,
  spoofed: readonly Spoofed[],
): Promise<readonly Finding[]> {
  const url = new URL(config.url);
  const base = url.pathname.replace(/\/$/, '');
  const own = signInHeader(config);
  const lies = {
    place: placeOf(url),
    host: url.host,
    path: base + WHO_AM_I[config.type],
    ...(config.type === 'superset' ? { loginPath: `${base}/login/` } : {}),
    userName,
    // In header mode that is how we sign people in ourselves: who gets there is a finding of its own.
    spoofed:
      own === undefined
        ? spoofed
        : spoofed.filter(({ lines }) => !lines.some((line) => isSameName(line.slice(0, line.indexOf(':')), own))),
  };
  const fooled = await believed(lies, AbortSignal.timeout(ALL_MS));
  if (fooled.length === 0) return [];
  const seen = `whoever reaches ${url.host} is ${userName} by saying so: ${fooled.join('; ')}`;
  return [finding('backend_fooled', about, seen)];
}

async function throughGateway(
  name: string,
  config: Served,
  { listen, public_url: publicUrl, routes, tls }: Config,
  userName: string,
  spoofed: readonly Spoofed[],
): Promise<Examined> {
  const about = `targets.${name}`;
  const what = 'spoofed headers, sent through the gateway';
  const route = routes.find((one) => one.to === name && !one.public);
  if (route === undefined) return notTried(about, what, 'no route that needs a login leads there');
  const origin = new URL(originOfHost(publicUrl, route.host ?? new URL(publicUrl).host));
  const everywhere: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  const place = {
    host: everywhere[listen.host] ?? listen.host,
    port: listen.port,
    ...(tls === undefined ? {} : { tls: origin.hostname }),
  };
  const wanted = WHO_AM_I[config.type];
  const path = wanted.startsWith(route.path) ? wanted : route.path;
  const lies = { place, host: origin.host, path, userName, spoofed };
  if ((await ask(lies, [], AbortSignal.timeout(ALL_MS))) === undefined) {
    return notTried(about, what, `the gateway does not serve at ${place.host}:${place.port} now`);
  }
  return look(about, what, async () => {
    const fooled = await believed(lies, AbortSignal.timeout(ALL_MS));
    if (fooled.length === 0) return [];
    return [
      finding('gateway_fooled', about, `without a login, ${path} is answered to ${userName}: ${fooled.join('; ')}`),
    ];
  });
}

function placeOf(url: URL): Place {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isTls = url.protocol === 'https:';
  return { host, port: Number(url.port || (isTls ? 443 : 80)), ...(isTls ? { tls: host } : {}) };
}

/** Names of the lies that were believed. */
async function believed(lies: Lies, signal: AbortSignal): Promise<readonly string[]> {
  const honest = await ask(lies, [], signal);
  if (honest === undefined) return [];
  const names: string[] = [];
  for (const { name, lines } of lies.spoofed) {
    const answers = [await ask(lies, lines, signal), await askWithSession(lies, lines, signal)];
    if (answers.some((answer) => isBelieved(answer, honest, lies.userName))) names.push(name);
  }
  return names;
}

/** Who was not let in is, or is called by the name. */
function isBelieved(answer: RawAnswer | undefined, honest: RawAnswer, userName: string): boolean {
  if (answer === undefined || !isOk(answer)) return false;
  return !isOk(honest) || (answer.body.includes(userName) && !honest.body.includes(userName));
}

function isOk({ status }: RawAnswer): boolean {
  return status >= 200 && status < 300;
}

function ask(
  { place, host, path }: Lies,
  lines: readonly string[],
  signal: AbortSignal,
): Promise<RawAnswer | undefined> {
  return askRaw(place, [`GET ${path} HTTP/1.1`, `Host: ${host}`, 'Accept: application/json', ...lines], signal);
}

async function askWithSession(
  lies: Lies,
  lines: readonly string[],
  signal: AbortSignal,
): Promise<RawAnswer | undefined> {
  const { place, host, loginPath } = lies;
  if (loginPath === undefined) return undefined;
  const login = await askRaw(
    place,
    [`GET ${loginPath} HTTP/1.1`, `Host: ${host}`, 'Accept: text/html', ...lines],
    signal,
  );
  return login === undefined || login.cookies === '' ? undefined : ask(lies, [`Cookie: ${login.cookies}`], signal);
}
