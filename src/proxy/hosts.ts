import { originOfHost } from '../model/origin.ts';

/** One of the names under which people reach the gateway. */
export interface ServedHost {
  /** As browsers write it: in lower case, and with its port unless that is the scheme's own. */
  readonly host: string;
  readonly origin: string;
  readonly proto: string;
  /** Spelled out even when it is the scheme's own. */
  readonly port: string;
  /** Every spelling of the authority that means this host, in lower case. */
  readonly authorities: readonly string[];
  /** Where logins begin and end: the host of `public_url`. */
  readonly isMain: boolean;
}

/** The hosts of the configuration: nobody is served under any other name. */
export interface Hosts {
  readonly main: ServedHost;
  readonly all: readonly ServedHost[];
  /** By what a Host header or `:authority` says (RFC 9110 §7.2). */
  find(authority: string): ServedHost | undefined;
  /** By the name in `routes`; without one the main host. */
  named(name: string | undefined): ServedHost | undefined;
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' };

/** `names` are those of `routes`, as `host` or `host:port`. A name without a port has that of `publicUrl`. */
export function createHosts(publicUrl: string, names: readonly string[] = []): Hosts {
  const main = servedHost(originOfHost(publicUrl, undefined), true);
  const byAuthority = new Map(main.authorities.map((authority) => [authority, main]));
  const all = [main];
  for (const name of names) {
    const host = servedHost(originOfHost(publicUrl, name), false);
    if (byAuthority.has(host.host)) continue;
    all.push(host);
    for (const authority of host.authorities) byAuthority.set(authority, host);
  }
  return {
    main,
    all,
    find: (authority) => byAuthority.get(authority) ?? byAuthority.get(authority.toLowerCase()),
    named: (name) => byAuthority.get(new URL(originOfHost(publicUrl, name)).host),
  };
}

function servedHost(origin: string, isMain: boolean): ServedHost {
  const { host, port, protocol } = new URL(origin);
  const proto = protocol.slice(0, -1);
  const ownPort = DEFAULT_PORTS[proto] as string;
  const authorities = port === '' ? [host, `${host}:${ownPort}`] : [host];
  return { host, origin, proto, port: port === '' ? ownPort : port, authorities, isMain };
}

/** RFC 3986 §3.2.2 without user info and percent-encoding, which no name of ours has. */
const AUTHORITY = /^(?:\[[0-9a-f:.]{2,45}\]|[\w.-]{1,253})(?::\d{0,5})?$/i;

/** Whether this could be a host at all; else the request is broken, not misdirected. */
export function isAuthority(text: string): boolean {
  return AUTHORITY.test(text);
}
