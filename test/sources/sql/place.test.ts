import { sqlPlace } from '../../../src/sources/sql/place.ts';
import { codes, configText, examine } from '../../config/fixture.ts';
import { sourceConfig } from '../config-of.ts';

const place = (members: Readonly<Record<string, unknown>>) =>
  sqlPlace(sourceConfig('sql', { query: 'select 1', ...members }));

it.each([
  [
    'postgres://u:p%40%2F@db:5433/hr',
    { driver: 'postgres', host: 'db', port: 5_433, user: 'u', password: 'p@/', database: 'hr' },
  ],
  ['postgresql://u@[::1]/hr', { driver: 'postgres', host: '::1', port: undefined, user: 'u', password: undefined }],
  ['postgres:///hr?host=/run/postgresql', { driver: 'postgres', host: '/run/postgresql', database: 'hr' }],
  ['mysql://u:100%@db/hr', { driver: 'mysql', password: '100%' }],
  ['mariadb://db/hr', { driver: 'mysql', host: 'db', user: undefined }],
  ['mssql://u:p@db/crm?instance=X', { driver: 'mssql', instance: 'X', encrypt: true }],
  ['sqlserver://db/crm?trustServerCertificate=true', { driver: 'mssql', trustCertificate: true }],
  ['sqlite:/data/people.db', { driver: 'sqlite', database: '/data/people.db' }],
])('%s', (url, expected) => {
  expect(place({ url })).toMatchObject(expected);
});

it.each([
  ['mssql://db/crm', true, false],
  ['mssql://db/crm?encrypt=false', false, false],
  ['postgres://db/hr', false, false],
  ['postgres://db/hr?sslmode=disable', false, false],
  ['postgres://db/hr?sslmode=prefer', false, false],
  ['postgres://db/hr?sslmode=require', true, false],
  ['postgres://db/hr?sslmode=verify-full', true, false],
  ['postgres://db/hr?sslmode=no-verify', true, true],
  ['mysql://db/hr?ssl-mode=REQUIRED', true, false],
  ['mysql://db/hr?ssl=true', true, false],
])('%s is encrypted: %s, with any certificate: %s', (url, encrypt, trustCertificate) => {
  expect(place({ url })).toMatchObject({ encrypt, trustCertificate });
});

it('takes the keys before the parts of the address', () => {
  const members = { server: 's', port: '1', database: 'd', user: 'u2', password: 'p2', encrypt: 'true' };
  expect(place({ url: 'postgres://u:p@db:5432/hr', ...members })).toMatchObject({
    driver: 'postgres',
    host: 's',
    port: 1,
    database: 'd',
    user: 'u2',
    password: 'p2',
    encrypt: true,
  });
});

it('takes what is empty for left out, as variables of the environment are', () => {
  const members = { url: '', server: 's', port: '', instance: '', domain: '', encrypt: '', driver: '', ca: '' };
  expect(place(members)).toMatchObject({
    driver: 'mssql',
    host: 's',
    port: undefined,
    domain: undefined,
    encrypt: true,
  });
});

describe('a config', () => {
  const complaints = (members: string) =>
    examine(configText({ sources: `sources: { hr: { type: sql, ${members} } }` }));

  it.each([
    ['query: select 1', 'missing_key sources.hr'],
    ['query: select 1, driver: sqlite, server: s', 'missing_key sources.hr'],
    ['url: "sqlite:x"', 'missing_key sources.hr.query'],
    ['url: "oracle://db/hr", query: select 1', 'invalid_value sources.hr.url'],
    ['url: "sqlite://db", query: select 1', 'invalid_value sources.hr.url'],
    ['url: "postgres://u:a b#@:x/", query: select 1', 'invalid_value sources.hr.url'],
    ['server: s, port: 70000, query: select 1', 'invalid_value sources.hr.port'],
    ['server: s, driver: oracle, query: select 1', 'not_an_option sources.hr.driver'],
    ['server: s, query: select 1, max_rows: 0', 'invalid_value sources.hr.max_rows'],
  ])('with %s is refused: %s', (members, complaint) => {
    expect(codes(complaints(members))).toEqual([complaint]);
  });

  it('says what a port has to be', () => {
    const { complaints: said } = complaints('server: s, port: many, query: select 1');
    expect(said.map(({ message }) => message)).toEqual(['`sources.hr.port` must be a whole number']);
  });

  it('says nothing of a password in an address that it cannot read', () => {
    const { complaints: said } = complaints('url: "postgres://u:hunter2@:x", query: select 1');
    expect(said).toHaveLength(1);
    expect(JSON.stringify(said)).not.toContain('hunter2');
  });

  it('takes files relative to itself', () => {
    const sources = `sources: { a: { type: sql, url: "sqlite:people.db", query: q }, b: { type: file, path: people.csv },
      c: { type: sql, driver: sqlite, database: x.db, query: q } }`;
    expect(examine(configText({ sources: sources.replaceAll('\n', ' ') })).config?.sources).toMatchObject({
      a: { url: 'sqlite:/etc/latchgate/people.db' },
      b: { path: '/etc/latchgate/people.csv' },
      c: { database: '/etc/latchgate/x.db' },
    });
  });
});
