import type { SqlDriver, SqlSourceConfig } from './schema.ts';

/** Where a database is and how to get in, out of the address and the keys beside it. */
export interface SqlPlace {
  readonly driver: SqlDriver;
  /** `localhost` unless said. With a slash in front: a folder with a Unix socket (PostgreSQL). */
  readonly host: string;
  /** Undefined: that of the driver, or found by `instance`. */
  readonly port: number | undefined;
  readonly instance: string | undefined;
  /** For SQLite the file. */
  readonly database: string | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly domain: string | undefined;
  readonly encrypt: boolean;
  readonly trustCertificate: boolean;
  /** PEM. */
  readonly ca: string | undefined;
}

type PlaceConfig = Omit<SqlSourceConfig, 'type' | 'query' | 'claims' | 'groups_absent' | 'timeout' | 'max_rows'>;

const SCHEMES: Readonly<Record<string, SqlDriver>> = {
  'mssql:': 'mssql',
  'sqlserver:': 'mssql',
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
  'mysql:': 'mysql',
  'mariadb:': 'mysql',
};

const OFF = new Set(['0', 'false', 'off', 'no', 'disable', 'disabled', 'allow', 'prefer', 'preferred']);
const UNVERIFIED = new Set(['no-verify', 'skip-verify']);

/** The keys beside `url` take precedence over its parts. */
export function sqlPlace(config: PlaceConfig): SqlPlace {
  const { url: address = '' } = config;
  if (address.startsWith('sqlite:')) return sqlitePlace(address.slice('sqlite:'.length));
  const url = address === '' ? undefined : new URL(address);
  const driver = (url && SCHEMES[url.protocol]) ?? config.driver ?? 'mssql';
  if (driver === 'sqlite') return sqlitePlace(config.database ?? '');
  const parameters = new Map([...(url?.searchParams ?? [])].map(([name, value]) => [name.toLowerCase(), value]));
  const tls = ['sslmode', 'ssl-mode', 'ssl', 'tls', 'encrypt'].map((name) => parameters.get(name)?.toLowerCase());
  const mode = tls.find((value) => value !== undefined);
  const trusts = parameters.get('trustservercertificate')?.toLowerCase() === 'true';
  return {
    driver,
    host: config.server ?? parameters.get('host') ?? (hostOf(url) || 'localhost'),
    port: config.port ?? (url === undefined || url.port === '' ? undefined : Number(url.port)),
    instance: config.instance ?? parameters.get('instance'),
    database: config.database ?? (decoded(url?.pathname.slice(1)) || undefined),
    user: config.user ?? (decoded(url?.username) || undefined),
    password: config.password ?? (decoded(url?.password) || undefined),
    domain: config.domain ?? parameters.get('domain'),
    encrypt: config.encrypt ?? (mode === undefined ? driver === 'mssql' : !OFF.has(mode)),
    trustCertificate: config.trust_certificate || trusts || UNVERIFIED.has(mode ?? ''),
    ca: config.ca,
  };
}

function sqlitePlace(file: string): SqlPlace {
  const none = { port: undefined, instance: undefined, user: undefined, password: undefined, domain: undefined };
  return {
    driver: 'sqlite',
    host: '',
    database: file,
    encrypt: false,
    trustCertificate: false,
    ca: undefined,
    ...none,
  };
}

function hostOf(url: URL | undefined): string {
  return decoded(url?.hostname).replace(/^\[|\]$/g, '');
}

/** As it stands where it is not percent-encoded right: a password may hold a plain %. */
function decoded(part: string | undefined): string {
  try {
    return decodeURIComponent(part ?? '');
  } catch {
    return part ?? '';
  }
}
