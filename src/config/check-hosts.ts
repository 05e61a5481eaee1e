import { originOfHost } from '../model/origin.ts';
import type { Finding } from './complaint.ts';
import type { Checked } from './declared.ts';
import type { Config } from './schema.ts';

/** The hosts of `public_url` and `routes`, and the cookie that they share. */
export function checkHosts(config: Partial<Config>): Checked {
  return { complaints: outsideCookies(config), warnings: [...wideCookies(config), ...withoutMainHost(config)] };
}

/** Every host has to get the one cookie that a login sets. */
function outsideCookies({ public_url: publicUrl, session, routes = [] }: Partial<Config>): readonly Finding[] {
  if (publicUrl === undefined || session === undefined) return [];
  const domain = session.cookie_domain;
  if (domain !== undefined && !isDomain(domain)) {
    const message = '`session.cookie_domain` must be a domain such as example.com, not an address or a single label';
    return [{ path: ['session', 'cookie_domain'], code: 'invalid_value', message }];
  }
  const main = new URL(publicUrl).hostname;
  const found: Finding[] = [];
  if (domain !== undefined && !isInside(main, domain)) {
    const message = `the host of \`public_url\`, ${main}, is not in the domain ${domain}`;
    found.push({ path: ['session', 'cookie_domain'], code: 'cookie_domain_mismatch', message, hint: MISMATCH });
  }
  for (const [index, { host }] of routes.entries()) {
    const name = host === undefined ? main : new URL(originOfHost(publicUrl, host)).hostname;
    // Another port is another origin, but gets the same cookies.
    if (name === main) continue;
    const path = ['routes', index, 'host'];
    if (domain === undefined) {
      const message = `\`routes[${index}].host\` is not the host of \`public_url\`: who logs in has no session there`;
      const hint = `session: { cookie_domain: ${sharedDomain(name, main) ?? 'a domain that both are in'} }`;
      found.push({ path, code: 'cookie_domain_missing', message, hint });
    } else if (!isInside(name, domain)) {
      const message = `${name} is not in the domain ${domain} of \`session.cookie_domain\``;
      found.push({ path, code: 'cookie_domain_mismatch', message, hint: MISMATCH });
    }
  }
  return found;
}

const MISMATCH = 'hosts that share no domain need a gateway each';

/** Browsers set no cookie for an address, nor for a single label. */
function isDomain(text: string): boolean {
  return /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)+$/.test(text) && !/\.\d+$/.test(text);
}

/** RFC 6265 §5.1.3; addresses are in no domain. */
function isInside(hostname: string, domain: string): boolean {
  return hostname === domain || hostname.endsWith(`.${domain}`);
}

/** The longest domain, of two labels at least, that both are in. */
function sharedDomain(one: string, other: string): string | undefined {
  const labels = one.split('.');
  const domains = labels.slice(0, -1).map((_, at) => labels.slice(at).join('.'));
  return domains.find((domain) => isInside(other, domain));
}

/** Registries under which everybody has a name; browsers take no cookie for those that they know. */
const REGISTRY = /^(?:co|com|net|org|gov|edu|ac|or|ne|go)\.[a-z]{2}$/;

function wideCookies({ public_url: publicUrl, session, routes = [] }: Partial<Config>): readonly Finding[] {
  const domain = session?.cookie_domain;
  if (publicUrl === undefined || domain === undefined) return [];
  const path = ['session', 'cookie_domain'];
  const code = 'cookie_domain_wide';
  if (REGISTRY.test(domain)) {
    const message = `${domain} looks like a domain under which anybody can register a name: browsers take no cookie for it`;
    return [{ path, code, message, hint: 'write the domain of your own below it' }];
  }
  const main = new URL(publicUrl).hostname;
  if (routes.some(({ host }) => new URL(originOfHost(publicUrl, host)).hostname !== main)) return [];
  const message = `every host in ${domain} gets the session cookie, though routes name none but that of \`public_url\``;
  return [{ path, code, message, hint: 'leave it out: the cookie is then of the one host alone' }];
}

/** Who logs in without an address to go back to ends there. */
function withoutMainHost({ routes = [], public_url: publicUrl }: Partial<Config>): readonly Finding[] {
  if (publicUrl === undefined || routes.length === 0) return [];
  const main = new URL(publicUrl).origin;
  if (routes.some(({ host }) => originOfHost(publicUrl, host) === main)) return [];
  const message =
    'every route has another `host` than `public_url`: who logs in there at no page’s request finds nothing';
  const hint = 'give one of them no host, or make its host the one of public_url';
  return [{ path: ['routes'], at: 'key', code: 'public_host_without_route', message, hint }];
}
