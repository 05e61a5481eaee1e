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
    ['session', 'forward-auth', 'entra', 'oidc', 'superset', 'gooddata', 'directory', 'realm', 'hr', 'auth0']
      .map((name): [string, string] => [`/run/secrets/${name}`, SECRET])
      .concat([
        ['/run/secrets/partners.pem', PEM],
        ['/etc/latchgate/db-ca.pem', PEM],
      ]),
  ),
};

it.each(['reference', 'demo', 'superset', 'gooddata'])(
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
