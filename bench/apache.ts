import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild } from '../test/services/child.ts';
import { type OidcClient, type Setup, waitForAnswer } from './setups.ts';

export const APACHE = '/usr/sbin/apache2';
export const MODULES_FOLDER = '/usr/lib/apache2/modules';
const ERROR_LOG = 'error.log';
const MODULES = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'proxy', 'proxy_http', 'auth_openidc'];

export interface ApacheOptions {
  readonly folder: string;
  readonly port: number;
  readonly issuer: string;
  readonly client: OidcClient;
  readonly upstreamUrl: string;
}

/**
 * mod_auth_openidc in front of the same upstream, sessions in its shared-memory cache. Debian's settings of the event
 * MPM where they matter to speed, but with room in each process for all connections of a benchmark, and without a limit
 * of requests on one: a process that is short of threads, or ended for having too many, closes connections.
 */
export async function startModAuthOpenidc(options: ApacheOptions): Promise<Setup> {
  const folder = join(options.folder, 'apache');
  mkdirSync(folder, { mode: 0o755 });
  const file = join(folder, 'apache.conf');
  writeFileSync(file, configuration(folder, options));
  const child = startChild('apache', [APACHE, '-DFOREGROUND', '-d', folder, '-f', file], { group: true });
  const url = `http://127.0.0.1:${options.port}`;
  try {
    await waitForAnswer(child, `${url}/`);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${errorLog(folder)}`);
  }
  return { name: 'mod_auth_openidc', url, child, login: { redirectPaths: (path) => [path] } };
}

/** A file, because stderr is a socket here, which Apache cannot open by name. */
function errorLog(folder: string): string {
  const file = join(folder, ERROR_LOG);
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

function configuration(folder: string, { port, issuer, client, upstreamUrl }: ApacheOptions): string {
  const modules = MODULES.map((name) => `LoadModule ${name}_module ${MODULES_FOLDER}/mod_${name}.so`);
  return `${modules.join('\n')}
Listen 127.0.0.1:${port}
ServerName 127.0.0.1
${process.getuid?.() === 0 ? 'User www-data' : ''}
PidFile ${join(folder, 'apache.pid')}
DefaultRuntimeDir ${folder}
ErrorLog ${join(folder, ERROR_LOG)}
LogLevel crit
StartServers 2
MinSpareThreads 64
MaxSpareThreads 128
ThreadLimit 64
ThreadsPerChild 64
MaxRequestWorkers 128
MaxConnectionsPerChild 0
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60

OIDCProviderMetadataURL ${issuer}/.well-known/openid-configuration
OIDCClientID ${client.id}
OIDCClientSecret ${client.secret}
OIDCRedirectURI ${client.redirectUri}
OIDCCryptoPassphrase a-passphrase-of-a-throw-away-server
OIDCScope "openid profile email"
OIDCPKCEMethod S256
OIDCSessionType server-cache
OIDCCacheType shm
<Location />
  AuthType openid-connect
  Require valid-user
  ProxyPass ${upstreamUrl}/
</Location>
`;
}
