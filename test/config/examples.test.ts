import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { documentedKeys } from '../../src/config/docs.ts';
import { examine, SECRET } from './fixture.ts';

const FOLDER = join(import.meta.dirname, '..', '..', 'config');
const read = (name: string) => readFileSync(join(FOLDER, `${name}.yaml`), 'utf8');
const PEM = `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(64)}\n-----END PRIVATE KEY-----\n`;

const WORLD = {
  env: {
    ENTRA_TENANT: 'contoso',
    ENTRA_CLIENT_ID: 'latchgate',
    AUTH0_CLIENT_ID: 'latchgate',
    AUTH0_CLIENT_SECRET: SECRET,
    AUTH0_SECRET: SECRET,
    AUTH0_URL: 'https://acme.eu.auth0.com',
    AUTH0_DOMAIN: 'acme.eu.auth0.com',
    AUTH0_CONNECTION: 'Username-Password-Authentication',
    USERS_DB_QUERY: 'SELECT email, role FROM users',
    MSSQL_SERVER: 'sql.example.com',
    GOODDATA_HOST: 'https://acme.cloud.gooddata.com',
    GOODDATA_TOKEN: SECRET,
    GOODDATA_WORKSPACE_ID: 'sales',
    PUBLIC_URL: 'https://bi.example.com',
    ISSUER: 'https://id.example.com/realms/staff',
    GOODDATA_URL: 'https://acme.cloud.gooddata.com',
    DEMO_URL: 'http://localhost:4180',
    DEMO_PORT: '4180',
    DEMO_DATABASE: '/tmp/demo.db',
    DEMO_SESSION_SECRET: SECRET,
    DEMO_ISSUER: 'http://localhost:9000',
    DEMO_CLIENT_ID: 'latchgate',
    DEMO_CLIENT_SECRET: SECRET,
    DEMO_GOODDATA_URL: 'http://localhost:3000',
    DEMO_GOODDATA_TOKEN: SECRET,
  },
  files: Object.fromEntries(
    [
      'session',
      'forward-auth',
      'entra',
      'oidc',
      'superset',
      'gooddata',
      'directory',
      'realm',
      'hr',
      'auth0',
      'hub',
      'scim-okta',
      'audit-hook',
    ]
      .map((name): [string, string] => [`/run/secrets/${name}`, SECRET])
      .concat([
        ['/run/secrets/partners.pem', PEM],
        ['/run/secrets/saml-signing.pem', PEM],
        ['/run/secrets/saml-decryption.pem', PEM],
        ['/run/secrets/saml-decryption-next.pem', PEM],
        ['/etc/latchgate/db-ca.pem', PEM],
        ['/etc/latchgate/siem-ca.pem', PEM],
      ]),
  ),
};

it.each(['reference', 'demo', 'superset', 'gooddata', 'sql-to-auth0', 'auth0-to-gooddata'])(
  'config/%s.yaml starts without a complaint or warning',
  (name) => {
    const { config, complaints, warnings } = examine(read(name), WORLD);
    expect([...complaints, ...warnings]).toEqual([]);
    expect(config).toBeDefined();
  },
);

it.each(['superset', 'gooddata'])('config/%s.yaml is short', (name) => {
  const lines = read(name)
    .split('\n')
    .filter((line) => /^\s*[^#\s]/.test(line));
  expect(lines.length).toBeGreaterThanOrEqual(10);
  expect(lines.length).toBeLessThanOrEqual(30);
});

describe('a config that only syncs', () => {
  const ONLY_ENVIRONMENT = { env: WORLD.env };

  it.each(['sql-to-auth0', 'auth0-to-gooddata'])('config/%s.yaml needs nothing but its environment', (name) => {
    expect(examine(read(name), ONLY_ENVIRONMENT).complaints).toEqual([]);
    expect(read(name)).not.toContain('${file:');
  });

  it('reads the environment of the script from SQL to Auth0', () => {
    const env = {
      ...WORLD.env,
      MSSQL_DATABASE: 'crm',
      MSSQL_USER: 'reader',
      MSSQL_PASSWORD: 'p@ss/word#1',
      CLIENT_IGNORE_USERS: 'Boss@acme.test, auth0|7',
      AUTH0_MAX_RETRIES: '7',
      AUTH0_BACKOFF_FACTOR: '0.25',
    };
    const { config } = examine(read('sql-to-auth0'), { env });
    expect(config?.sources['users']).toMatchObject({
      type: 'sql',
      server: 'sql.example.com',
      port: 1433,
      database: 'crm',
      user: 'reader',
      password: 'p@ss/word#1',
      query: 'SELECT email, role FROM users',
    });
    expect(config?.targets['auth0']).toMatchObject({
      url: 'https://acme.eu.auth0.com',
      connection: 'Username-Password-Authentication',
      never_delete: ['Boss@acme.test', 'auth0|7'],
      retry: { attempts: 7, backoff: 0.25 },
    });
  });

  it('reads the environment of the script from Auth0 to GoodData', () => {
    const { config } = examine(read('auth0-to-gooddata'), ONLY_ENVIRONMENT);
    expect(config?.sources['auth0']).toMatchObject({ url: 'https://acme.eu.auth0.com', client_secret: SECRET });
    expect(config?.targets['gooddata']).toMatchObject({
      url: 'https://acme.cloud.gooddata.com',
      workspaces: { adminGroup: { sales: ['MANAGE'] }, userGroup: { sales: ['VIEW'] } },
    });
    expect(config?.sync['auth0-to-gooddata']).toMatchObject({ every: 3_600_000, do: 'plan' });
  });
});

describe('config/reference.yaml', () => {
  const text = read('reference');
  const value: unknown = parse(text);

  it.each(documentedKeys().map(({ path }) => path))('shows %s', (path) => {
    const isShown = has(value, path.split(/\.|(?=\[\])/)) || new RegExp(`# ${path.split('.').at(-1)}: `).test(text);
    expect(isShown).toBe(true);
  });

  it('would show a key that is not there as missing', () => {
    expect(has(value, ['login', 'NAME', 'nothing'])).toBe(false);
    expect(has(value, ['routes', '[]', 'nothing'])).toBe(false);
  });
});

/** Whether the path is there; `NAME` and the like stand for any key, `[]` for any item. */
function has(value: unknown, [step, ...rest]: readonly string[]): boolean {
  if (step === undefined) return value !== undefined;
  if (typeof value !== 'object' || value === null) return false;
  const isAny = /^([A-Z]+|\[\])$/.test(step);
  return Object.entries(value).some(([key, member]) => (isAny || key === step) && has(member, rest));
}
