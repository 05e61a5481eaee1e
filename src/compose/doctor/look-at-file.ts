import { readFileSync, statSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { connect } from 'node:tls';
import { examineConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { type Examined, type Finding, type FindingCode, finding } from './findings.ts';
import { look, type Patient } from './patient.ts';

/** As for the certificates that the gateway itself serves. */
const SOON_MS = 14 * 86_400_000;
const READABLE_BY_OTHERS = 0o004;
/** Fewer different characters than this are no random text of any length that is taken here. */
const FEWEST_CHARACTERS = 10;
const CONNECT_MS = 5_000;

/** What the configuration says of itself, and the files that it names. */
export function lookAtFile(patient: Patient, env: NodeJS.ProcessEnv): readonly Promise<Examined>[] {
  const { config, configFile, clock } = patient;
  return [
    look('config', 'what `check` warns of', async () => warnings(configFile, env)),
    look('config', 'secrets and who may read them', async () => [
      ...openFiles(configFile),
      ...weakSecrets(config),
      ...sharedSecrets(config),
    ]),
    look('public_url', 'the address that browsers see', async () => plainPublicUrl(config)),
    look('trusted_proxies', 'whom X-Forwarded-For is believed of', async () => wideProxies(config)),
    look('public_url', 'the certificate that browsers get', (signal) => publicCertificate(config, clock.now(), signal)),
  ];
}

/** Warnings that are findings of their own. */
const WARNINGS: Readonly<Record<string, FindingCode>> = {
  open_admin: 'admin_public',
  cookie_domain_wide: 'cookie_domain_wide',
  cleartext_token: 'cleartext_token',
  certificate_ends: 'certificate_expiring',
};

function warnings(file: string, env: NodeJS.ProcessEnv): readonly Finding[] {
  return examineConfig(file, { env }).warnings.map(({ path, code, message, hint }) =>
    finding(WARNINGS[code] ?? 'config_warning', path.map(String).join('.') || 'config', message, hint),
  );
}

function plainPublicUrl({ public_url: publicUrl, listen, login, routes }: Config): readonly Finding[] {
  const isServed = routes.length > 0 || Object.keys(login).length > 0;
  const isHere = listen.host === 'localhost' || isLoopbackAddress(listen.host);
  if (!isServed || isHere || new URL(publicUrl).protocol === 'https:') return [];
  const seen = `${publicUrl} is plain http, and the gateway listens on ${listen.host}: cookies and what people see cross the network`;
  return [finding('public_url_not_https', 'public_url', seen)];
}

/** All of 127.0.0.0/8 (RFC 1122, 3.2.1.3), mapped into IPv6 too, and ::1, in every spelling. */
function isLoopbackAddress(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && LOOPBACK.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addSubnet('::ffff:127.0.0.0', 104, 'ipv6');
LOOPBACK.addAddress('::1', 'ipv6');

function openFiles(configFile: string): readonly Finding[] {
  const named = [...readFileSync(configFile, 'utf8').matchAll(/\$\{file:([^}]+)\}/g)].map(([, path]) => path as string);
  return [...new Set(named)].flatMap((path) => {
    const full = resolve(dirname(configFile), path);
    const mode = statSync(full).mode & 0o777;
    if ((mode & READABLE_BY_OTHERS) === 0) return [];
    return [
      finding(
        'secret_file_open',
        'config',
        `${path} is readable by everybody on this machine (mode ${mode.toString(8)})`,
      ),
    ];
  });
}

function secretsByPlace({
  session,
  forward_auth: forwardAuth,
  scim,
  login,
  targets,
}: Config): readonly [string, string][] {
  const clients = Object.entries(scim?.clients ?? {});
  return [
    ...session.secrets.map((secret): [string, string] => ['session.secrets', secret]),
    ...(forwardAuth?.secrets ?? []).map((secret): [string, string] => ['forward_auth.secrets', secret]),
    ...clients.flatMap(([name, { tokens }]) =>
      tokens.map((token): [string, string] => [`scim.clients.${name}.tokens`, token]),
    ),
    ...Object.entries(login).flatMap(([name, one]): [string, string][] =>
      one.type === 'oidc' && one.client_secret !== undefined
        ? [[`login.${name}.client_secret`, one.client_secret]]
        : [],
    ),
    ...Object.entries(targets).flatMap(([name, one]): [string, string][] =>
      one.type === 'superset' && one.service_password !== undefined
        ? [[`targets.${name}.service_password`, one.service_password]]
        : [],
    ),
  ];
}

/** Those that we ask people to make up. What a provider gives is as long as it is. */
function weakSecrets(config: Config): readonly Finding[] {
  return secretsByPlace(config).flatMap(([place, secret]) => {
    const isOurs = !place.startsWith('login.');
    const isShort = secret.length < 16;
    const isPlain = new Set(secret).size < FEWEST_CHARACTERS;
    if (!isShort && !(isOurs && isPlain)) return [];
    const why = isShort ? `has ${secret.length} characters` : `has ${new Set(secret).size} different characters`;
    return [finding('secret_weak', place, `a secret ${why}: it can be guessed`)];
  });
}

function sharedSecrets(config: Config): readonly Finding[] {
  const places = new Map<string, Set<string>>();
  for (const [place, secret] of secretsByPlace(config)) {
    places.set(secret, (places.get(secret) ?? new Set()).add(place));
  }
  return [...places.values()]
    .filter((one) => one.size > 1)
    .map((one) =>
      finding('secret_shared', [...one][0] as string, `the same secret stands at ${[...one].join(' and ')}`),
    );
}

const PRIVATE: readonly [string, number, 'ipv4' | 'ipv6'][] = [
  ['10.0.0.0', 8, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['fc00::', 7, 'ipv6'],
  ['fe80::', 10, 'ipv6'],
  ['::1', 128, 'ipv6'],
];

/** Whether people outside of the own network could have this address. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && privateBlockOf(address, family === 6 ? 'ipv6' : 'ipv4') === undefined;
}

function privateBlockOf(address: string, family: 'ipv4' | 'ipv6'): number | undefined {
  return PRIVATE.find(([net, bits, type]) => {
    if (type !== family) return false;
    const block = new BlockList();
    block.addSubnet(net, bits, type);
    return block.check(address, family);
  })?.[1];
}

/** Of public addresses a /24 (/56) at most; of private ones no more than their own block. */
function wideProxies({ trusted_proxies: networks }: Config): readonly Finding[] {
  return networks.flatMap((network) => {
    const [address = '', prefix] = network.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    const bits = prefix === undefined ? 128 : Number(prefix);
    const narrowest = privateBlockOf(address, family) ?? (family === 'ipv6' ? 56 : 24);
    if (bits >= narrowest) return [];
    return [finding('trusted_proxies_wide', 'trusted_proxies', `${network} holds addresses of strangers`)];
  });
}

/** As far as this machine gets there. Whose certificate it is does not matter here: browsers say so loudly. */
async function publicCertificate(
  { public_url: publicUrl }: Config,
  now: number,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const url = new URL(publicUrl);
  const served = url.protocol === 'https:' ? await servedCertificate(url, signal) : undefined;
  if (served === undefined) return [];
  const { validFrom, validTo } = served;
  if (validTo - now >= Math.min(SOON_MS, (validTo - validFrom) / 5)) return [];
  const when = `${validTo < now ? 'ran out at' : 'runs out at'} ${new Date(validTo).toISOString()}`;
  return [finding('public_certificate_expiring', 'public_url', `the certificate at ${publicUrl} ${when}`)];
}

interface Validity {
  readonly validFrom: number;
  readonly validTo: number;
}

/** Undefined: nobody answers there. */
function servedCertificate({ hostname, port }: URL, signal: AbortSignal): Promise<Validity | undefined> {
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((done) => {
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = connect({ host, port: Number(port || 443), rejectUnauthorized: false, ...name });
    const end = (served?: Validity): void => {
      socket.destroy();
      done(served);
    };
    socket.setTimeout(CONNECT_MS, () => end());
    signal.addEventListener('abort', () => end(), { once: true });
    socket.once('error', () => end());
    socket.once('secureConnect', () => {
      const { valid_from: from, valid_to: to } = socket.getPeerCertificate();
      end({ validFrom: Date.parse(from), validTo: Date.parse(to) });
    });
  });
}
