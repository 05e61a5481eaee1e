import { hasReaders } from '../../src/config/without-people.ts';
import { codes, configText, examine } from './fixture.ts';

const SYNCING = {
  public_url: '',
  session: '',
  login: '',
  routes: '',
  rules: 'rules: { users: { when: { groups: User }, grant: { bi: { groups: [users] } } } }',
  targets: 'targets: { bi: { type: gooddata, url: "https://acme.test", token: q8Zr5vT1mX0cW7nB4kJ9sD2fG6hL3pYe } }',
  sources: 'sources: { hr: { type: file, path: people.csv } }',
  sync: 'sync: { hr-to-bi: { from: hr, to: bi } }',
};
const SUPERSET = {
  ...SYNCING,
  rules: 'rules: { users: { when: { groups: User }, grant: { bi: { roles: [Alpha] } } } }',
  targets: 'targets: { bi: { type: superset, url: "http://superset:8088" } }',
};
const look = (sections: Record<string, string> = {}) => examine(configText({ ...SYNCING, ...sections }));

describe('a file with syncs and neither logins nor routes', () => {
  it('needs nothing that only people need', () => {
    const { config, warnings } = look();
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({ login: {}, routes: [], public_url: 'http://localhost:4180' });
    expect(config && hasReaders(config)).toBe(false);
  });

  it('makes another secret up each time, because nothing lasts that would be stored with it', () => {
    const secrets = [look(), look()].flatMap(({ config }) => config?.session.secrets ?? []);
    expect(new Set(secrets).size).toBe(2);
    for (const secret of secrets) expect(secret.length).toBeGreaterThanOrEqual(32);
  });

  it('keeps what is said all the same', () => {
    const { config } = look({ public_url: 'public_url: https://sync.acme.test' });
    expect(config?.public_url).toBe('https://sync.acme.test');
  });

  it('needs a lasting secret and an address where Superset verifies who calls', () => {
    expect(codes(look(SUPERSET))).toEqual(['missing_key public_url', 'missing_key session']);
    const { public_url, session, ...others } = SUPERSET;
    const { config } = examine(configText(others));
    expect(config && hasReaders(config)).toBe(true);
  });
});

describe('any other file needs them', () => {
  it.each([
    ['without a sync', { sync: '' }, ['public_url', 'session', 'login', 'routes']],
    ['with an empty list of syncs', { sync: 'sync: {}' }, ['public_url', 'session', 'login', 'routes']],
    ['with an empty list of logins', { login: 'login: {}' }, ['public_url', 'session', 'login', 'routes']],
    ['with routes', { routes: 'routes: [{ path: /, to: bi }]' }, ['public_url', 'session', 'login']],
  ])('%s', (_what, sections, missing) => {
    const found = codes(look(sections)).filter((line) => line.startsWith('missing_key'));
    expect([...new Set(found)].sort()).toEqual(missing.map((name) => `missing_key ${name}`).sort());
  });
});
