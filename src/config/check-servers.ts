import { BlockList, isIP } from 'node:net';
import { isLoopback } from '../model/loopback.ts';
import type { Finding } from './complaint.ts';
import type { Checked } from './declared.ts';
import type { Config } from './schema.ts';

/** What concerns the gateway as a server: addresses, cookies, secrets, tokens on the wire. */
export function checkServers(config: Partial<Config>): Checked {
  const complaints = [...publicUrl(config), ...listeners(config), ...secrets(config)];
  return {
    complaints,
    warnings: [
      ...openAdmin(config),
      ...unaskedForwardAuth(config),
      ...openForwardAuth(config),
      ...sessionTimes(config),
      ...plainPublicUrl(config),
      ...cleartextTokens(config),
    ],
  };
}

function publicUrl({ public_url }: Partial<Config>): readonly Finding[] {
  if (public_url === undefined || isSafeTransport(public_url) || isOnThisMachine(public_url)) return [];
  return [
    {
      path: ['public_url'],
      code: 'insecure_public_url',
      message: '`public_url` must be https://: session cookies do not travel over plain http',
      hint: 'http:// is accepted for 127.0.0.1, localhost and names that end in .localhost; end TLS in front and write the address that browsers see',
    },
  ];
}

function isSafeTransport(address: string): boolean {
  if (!URL.canParse(address)) return true;
  const url = new URL(address);
  return url.protocol === 'https:' || isLoopback(url.hostname);
}

/** Browsers ask for such names on their own machine (RFC 6761 §6.3). */
function isOnThisMachine(address: string): boolean {
  return new URL(address).hostname.endsWith('.localhost');
}

const EVERY_ADDRESS = new Set(['0.0.0.0', '::']);

function listeners({ listen, admin_listen: admin }: Partial<Config>): readonly Finding[] {
  if (listen === undefined || admin === undefined || listen.port !== admin.port || listen.port === 0) return [];
  const overlap = listen.host === admin.host || EVERY_ADDRESS.has(listen.host) || EVERY_ADDRESS.has(admin.host);
  if (!overlap) return [];
  const message = `\`admin_listen\` has the port ${admin.port} that \`listen\` has`;
  return [
    { path: ['admin_listen'], code: 'listen_conflict', message, hint: 'give it another port, such as 127.0.0.1:4181' },
  ];
}

function plainPublicUrl({ public_url: publicUrl, tls }: Partial<Config>): readonly Finding[] {
  if (publicUrl === undefined || tls === undefined || new URL(publicUrl).protocol === 'https:') return [];
  const message = '`public_url` says http though `tls` is set: cookies are not Secure, and links and origins are wrong';
  return [{ path: ['public_url'], code: 'insecure_public_url', message, hint: 'write https://' }];
}

/** Where only the own network, if any, gets to: RFC 1918, RFC 6598, RFC 4193, link-local and loopback. */
const NOT_PUBLIC = new BlockList();
for (const block of [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  '127.0.0.0/8',
]) {
  const [address = '', bits] = block.split('/');
  NOT_PUBLIC.addSubnet(address, Number(bits), 'ipv4');
}
for (const block of ['fc00::/7', 'fe80::/10', '::1/128']) {
  const [address = '', bits] = block.split('/');
  NOT_PUBLIC.addSubnet(address, Number(bits), 'ipv6');
}

/** In a container it may have to be so: hence no complaint. */
function openAdmin({ admin_listen: admin }: Partial<Config>): readonly Finding[] {
  if (admin === undefined || !isPublic(admin.host)) return [];
  const message = EVERY_ADDRESS.has(admin.host)
    ? '`admin_listen` answers on every address of this machine, and asks nobody to log in'
    : '`admin_listen` answers on a public address, and asks nobody to log in';
  const hint = 'write 127.0.0.1:4181, or keep the port away from every network but that of your monitoring';
  return [{ path: ['admin_listen'], code: 'open_admin', message, hint }];
}

function isPublic(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return false;
  return EVERY_ADDRESS.has(host) || !NOT_PUBLIC.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

function unaskedForwardAuth({
  forward_auth: forwardAuth,
  trusted_proxies: trusted,
}: Partial<Config>): readonly Finding[] {
  if (forwardAuth === undefined || trusted === undefined || trusted.length > 0) return [];
  const message = '`forward_auth` is set, and no web server is in `trusted_proxies`: nobody is believed';
  return [{ path: ['forward_auth'], at: 'key', code: 'no_effect', message, hint: 'add the address of the web server' }];
}

/** Right for a backend with its own login; hence no complaint. */
function openForwardAuth({ forward_auth: forwardAuth, mode }: Partial<Config>): readonly Finding[] {
  if (forwardAuth === undefined || mode !== 'shadow') return [];
  const message =
    'in shadow mode `forward_auth` answers yes to everything: what a web server guards by it alone is open';
  const hint = 'let no web server ask here but for backends that have their own login';
  return [{ path: ['forward_auth'], at: 'key', code: 'open_forward_auth', message, hint }];
}

function sessionTimes({ session }: Partial<Config>): readonly Finding[] {
  if (session === undefined || session.idle <= session.absolute) return [];
  const message = '`session.idle` is longer than `session.absolute`, which ends the session before';
  return [{ path: ['session', 'idle'], code: 'no_effect', message }];
}

function cleartextTokens({ targets = {} }: Partial<Config>): readonly Finding[] {
  return Object.entries(targets).flatMap(([name, target]): Finding[] => {
    if (target.type === 'superset' || isSafeTransport(target.url)) return [];
    const what = target.type === 'auth0' ? 'client secret' : 'token';
    const message = `the ${what} of \`targets.${name}\` crosses the network unencrypted`;
    return [{ path: ['targets', name, 'url'], code: 'cleartext_token', message, hint: 'write https://' }];
  });
}

/** Words that stand in examples and in answers to "how do I fill this in". */
const PLACEHOLDERS =
  /change.?me|replace.?me|placeholder|your[-_ ](secret|token|password|client)|<[^>]*>|^(secret|password|todo|xxx+|example|token)$/i;

/** A text that repeats itself or counts up is no secret, however long it is. */
export function isGuessable(secret: string): boolean {
  return (
    PLACEHOLDERS.test(secret) ||
    new Set(secret).size <= 4 ||
    '01234567890123456789012345678901234567890123456789'.includes(secret)
  );
}

function secrets({ session, forward_auth, login = {}, targets = {} }: Partial<Config>): readonly Finding[] {
  const found: Finding[] = Object.entries({ session, forward_auth }).flatMap(([name, part]) =>
    (part?.secrets ?? []).flatMap((secret, index) =>
      isGuessable(secret) ? [placeholder([name, 'secrets', index], 'openssl rand -base64 48 makes one')] : [],
    ),
  );
  for (const [name, provider] of Object.entries(login)) {
    const path = ['login', name, 'client_secret'];
    if (provider.type === 'oidc' && isPlaceholder(provider.client_secret))
      found.push(placeholder(path, 'copy it from the page of the client at the provider'));
  }
  for (const [name, target] of Object.entries(targets)) {
    const [key, value] = secretOf(target);
    if (isPlaceholder(value)) found.push(placeholder(['targets', name, key], 'put the real one into a secret file'));
  }
  return found;
}

function secretOf(target: Config['targets'][string]): readonly [key: string, value: string | undefined] {
  if (target.type === 'auth0') return ['client_secret', target.client_secret];
  return target.type === 'superset' ? ['service_password', target.service_password] : ['token', target.token];
}

function isPlaceholder(value: string | undefined): boolean {
  return value !== undefined && PLACEHOLDERS.test(value);
}

function placeholder(path: Finding['path'], hint: string): Finding {
  const shown = path.filter((step) => typeof step === 'string').join('.');
  return {
    path,
    code: 'placeholder_secret',
    message: `\`${shown}\` is a placeholder that everybody could guess`,
    hint,
  };
}
