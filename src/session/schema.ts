import { z } from 'zod';
import { domainName, durationMs, text, textList } from '../config/values.ts';

/** Where sessions are, when they are in Redis. */
export interface RedisServers {
  /** One address, or several of which the sentinels name the master, or those of a cluster to begin with. */
  readonly kind: 'single' | 'sentinel' | 'cluster';
  readonly nodes: readonly RedisNode[];
  /** As the sentinels call it; with `sentinel` alone. */
  readonly master?: string;
  readonly database: number;
  readonly tls: boolean;
  /** PEM; the certificates of the system when absent. */
  readonly ca?: string;
  readonly username?: string;
  readonly password?: string;
  readonly sentinelPassword?: string;
}

export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

const FORMS = 'redis://HOST:PORT, redis-sentinel://HOST:PORT,HOST:PORT/MASTER or redis-cluster://HOST:PORT,HOST:PORT';
const WITH_TLS = 'rediss for TLS';
const ADDRESS = /^(rediss?)(?:-(sentinel|cluster))?:\/\/(?:(.*)@)?([^@/?#]+)(?:\/([^/?#]*))?$/s;
const NODE = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/;
const DEFAULT_PORT = 6379;
const DEFAULT_SENTINEL_PORT = 26_379;

const redisSchema = z.strictObject({
  url: text
    .regex(/^rediss?(-(sentinel|cluster))?:\/\//, `must be ${FORMS} (${WITH_TLS})`)
    .meta({ description: `The address, as in the short form: ${FORMS}; ${WITH_TLS}.`, title: 'Redis address' }),
  password: text.optional().describe('Of the servers, when it is not in the address. Take it from a file.'),
  sentinel_password: text.optional().describe('Of the sentinels, when they have one.'),
  ca: text.optional().meta({
    description: 'The certificate authority of the servers (PEM).',
    examples: ['${file:/etc/latchgate/ca.pem}'],
  }),
});

const storeSchema = z
  .union([text, redisSchema], 'must be a text or a map of keys and values')
  .transform((store, context): 'embedded' | RedisServers => {
    if (store === 'embedded') return store;
    const { url, password, sentinel_password, ca } = typeof store === 'string' ? { url: store } : store;
    const fail = (message: string, path: string[] = typeof store === 'string' ? [] : ['url']) => {
      context.addIssue({ code: 'custom', message, path });
      return z.NEVER;
    };
    const servers = parseRedisAddress(url);
    if (typeof servers === 'string') return fail(servers);
    if (password !== undefined && servers.password !== undefined) {
      return fail('must not stand beside a password in the address', ['password']);
    }
    if (sentinel_password !== undefined && servers.kind !== 'sentinel') {
      return fail('needs an address that begins with redis-sentinel:// or rediss-sentinel://', ['sentinel_password']);
    }
    if (servers.username !== undefined && servers.password === undefined && password === undefined) {
      return fail('must have a password beside the user name');
    }
    if (ca !== undefined && !servers.tls) return fail('needs an address that begins with rediss', ['ca']);
    return {
      ...servers,
      ...(password === undefined ? {} : { password }),
      ...(sentinel_password === undefined ? {} : { sentinelPassword: sentinel_password }),
      ...(ca === undefined ? {} : { ca }),
    };
  });

export const sessionSchema = z.strictObject({
  store: storeSchema
    .prefault('embedded')
    .meta({ title: '`embedded`, a Redis address, or a map' })
    .describe(
      'Where sessions are kept: `embedded`, in the state database, or the address of the Redis that several instances share.',
    ),
  secrets: textList
    .refine((secrets) => secrets.length > 0, 'must have at least one secret')
    .refine(
      (secrets) => secrets.every((secret) => secret.length >= 32),
      'must have at least 32 characters in each secret',
    )
    .meta({
      description:
        'Secrets of at least 32 characters. The first signs and encrypts, all verify: rotation logs nobody out.',
      examples: [['${file:/run/secrets/session}']],
    }),
  idle: durationMs.prefault('1h').describe('A session that is not used ends after this.'),
  absolute: durationMs.prefault('12h').describe('Every session ends after this.'),
  cookie_domain: domainName.optional().meta({
    description:
      'The domain that all hosts of `public_url` and `routes` are in, when there are several: one login is good for all of them, and every host below the domain gets the cookie.',
    examples: ['example.com'],
  }),
});

export type SessionConfig = z.output<typeof sessionSchema>;

/** What the address says, or what is wrong with it. The last `@` ends the password, so that one may be in it. */
function parseRedisAddress(url: string): RedisServers | string {
  const parts = ADDRESS.exec(url);
  if (parts === null) return `must be embedded or ${FORMS} (${WITH_TLS})`;
  const [, scheme, suffix, userInfo, hosts = '', path = ''] = parts;
  const kind = (suffix ?? 'single') as RedisServers['kind'];
  const nodes = parseNodes(hosts, kind === 'sentinel' ? DEFAULT_SENTINEL_PORT : DEFAULT_PORT);
  if (nodes === undefined) return 'must name its servers as HOST:PORT';
  if (kind === 'single' && nodes.length > 1) {
    return 'must name one server only: redis-sentinel:// and redis-cluster:// take several';
  }
  const who = userInfo === undefined ? {} : parseUserInfo(userInfo);
  if (who === undefined) return 'must have its user name and password percent-encoded';
  const servers = { kind, nodes, tls: scheme === 'rediss', database: 0, ...who };
  if (kind === 'sentinel') {
    return path === '' ? 'must end with the name of the master: /MASTER' : { ...servers, master: path };
  }
  if (path === '') return servers;
  if (kind === 'cluster') return 'must not name a database: a cluster has none';
  return /^\d{1,3}$/.test(path) ? { ...servers, database: Number(path) } : 'must end with the number of the database';
}

function parseNodes(hosts: string, defaultPort: number): RedisNode[] | undefined {
  const nodes: RedisNode[] = [];
  for (const part of hosts.split(',')) {
    const node = NODE.exec(part);
    const port = Number(node?.[2] ?? defaultPort);
    if (node?.[1] === undefined || port < 1 || port > 65_535) return undefined;
    nodes.push({ host: node[1].replace(/^\[|\]$/g, ''), port });
  }
  return nodes;
}

function parseUserInfo(userInfo: string): Pick<RedisServers, 'username' | 'password'> | undefined {
  const at = userInfo.indexOf(':');
  try {
    const username = decodeURIComponent(at === -1 ? userInfo : userInfo.slice(0, at));
    const password = at === -1 ? '' : decodeURIComponent(userInfo.slice(at + 1));
    return { ...(username === '' ? {} : { username }), ...(password === '' ? {} : { password }) };
  } catch {
    return undefined;
  }
}
