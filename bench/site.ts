import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../test/services/child.ts';
import { APACHE, MODULES_FOLDER, startModAuthOpenidc } from './apache.ts';
import { type Gateway, type GatewayOptions, LOGIN_NAME, type StartedGateway, startLatchgate } from './gateway.ts';
import { NGINX, startPlainProxy, startUpstream } from './nginx.ts';
import { type Setup, startBackends } from './setups.ts';
import { WRK } from './wrk.ts';

const PROGRAMS = [NGINX, APACHE, `${MODULES_FOLDER}/mod_auth_openidc.so`, WRK];

/** Everything that runs during a benchmark. */
export interface Site {
  readonly folder: string;
  readonly ours: Gateway;
  readonly firstStart: StartedGateway;
  readonly plain: Setup;
  readonly apache: Setup;
  /** Ends our gateway and starts it again on the same store. */
  restartOurs(): Promise<StartedGateway>;
}

export interface SiteOptions {
  readonly people: readonly string[];
  readonly profile?: string;
}

/** Starts all of it, hands it to `work`, and ends all of it whatever happens. */
export async function withSite<T>(options: SiteOptions, work: (site: Site) => Promise<T>): Promise<T> {
  needPrograms();
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-bench-'));
  // Workers of nginx and Apache run under an account of their own when root starts them.
  chmodSync(folder, 0o755);
  const discard = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', discard);
  const stops: (() => Promise<void>)[] = [];
  try {
    return await work(await start(folder, options, stops));
  } finally {
    await Promise.all(stops.map((stop) => stop()));
    process.off('exit', discard);
    discard();
  }
}

function needPrograms(): void {
  const missing = PROGRAMS.filter((file) => !existsSync(file));
  if (missing.length === 0) return;
  throw new Error(`${missing.join(', ')} missing: install nginx, apache2, libapache2-mod-auth-openidc and wrk`);
}

async function start(folder: string, options: SiteOptions, stops: (() => Promise<void>)[]): Promise<Site> {
  const started = <S extends Setup>(setup: S): S => {
    stops.push(() => setup.child.stop());
    return setup;
  };
  const [port, apachePort] = [await freePort(), await freePort()];
  const client = clientOf('latchgate', port, `/.latchgate/callback/${LOGIN_NAME}`);
  const apacheClient = clientOf('apache', apachePort, '/.apache/callback');
  const backends = await startBackends({ people: options.people, clients: [client, apacheClient] });
  stops.push(() => backends.child.stop());
  const { issuer, targetUrl, targetToken, socketsUrl } = backends.reply;
  const upstream = started(await startUpstream(folder, targetUrl, socketsUrl));
  const plain = started(await startPlainProxy(folder, upstream.url));
  const apache = started(
    await startModAuthOpenidc({ folder, port: apachePort, issuer, client: apacheClient, upstreamUrl: upstream.url }),
  );
  const { profile } = options;
  const gateway: GatewayOptions = {
    ...{ folder, port, issuer, client, upstreamUrl: upstream.url, targetToken },
    ...(profile === undefined ? {} : { profile }),
  };
  const firstStart = await startLatchgate(gateway);
  let ours = started(firstStart.setup);
  return {
    ...{ folder, firstStart, plain, apache },
    get ours() {
      return ours;
    },
    restartOurs: async () => {
      await ours.child.stop();
      const again = await startLatchgate(gateway);
      ours = started(again.setup);
      return again;
    },
  };
}

function clientOf(id: string, port: number, callback: string) {
  return { id, secret: `${id}-secret-on-loopback-only`, redirectUri: `http://127.0.0.1:${port}${callback}` };
}
