import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { createSqlSource } from '../../../src/sources/sql/source.ts';
import { describeSource, failureOf, listAll } from '../../conformance/source.ts';
import { sourceConfig } from '../config-of.ts';
import { PEOPLE, ROWS } from '../table-people.ts';

const folder = mkdtempSync(join(tmpdir(), 'latchgate-sqlite-source-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = join(folder, 'people.db');
{
  const database = new Libsql(file);
  database.exec('create table people (Email text, role text, title text)');
  const insert = database.prepare('insert into people values (?, ?, ?)');
  for (const { email, role, title } of ROWS) insert.run([email, role, title]);
  database.close();
}

const sourceOf = (query: string, members: Readonly<Record<string, unknown>> = {}) =>
  createSqlSource({ name: 'hr', config: sourceConfig('sql', { url: `sqlite:${file}`, query, ...members }) });

describeSource('SQL on SQLite', async () => ({
  source: sourceOf('select EMAIL, role, title from people'),
  people: PEOPLE,
  read: ({ email, role }) => ({ email, groups: role }),
  // Rows come until the last one, which cannot be made.
  failsInTheMiddle: async () =>
    sourceOf(`with recursive n(i) as (select 1 union all select i + 1 from n limit 2000)
      select i || '@example.com' as email, case when i = 1999 then json('{bad') else 'User' end as role from n`),
  unreachable: async () =>
    createSqlSource({
      name: 'hr',
      config: sourceConfig('sql', { url: `sqlite:${join(folder, 'none.db')}`, query: 'select 1' }),
    }),
  contents: async () => readFileSync(file).toString('base64'),
  secrets: ['Countess', '{bad'],
  cleanup: async () => {},
}));

it('does not make a database that is not there', async () => {
  const missing = createSqlSource({
    name: 'hr',
    config: sourceConfig('sql', { url: `sqlite:${join(folder, 'missing.db')}`, query: 'select 1 as email' }),
  });
  await failureOf(listAll(missing));
  expect(() => readFileSync(join(folder, 'missing.db'))).toThrow();
});

it.each([
  ['delete from people'],
  ['delete from people returning email'],
  ['create table more (email text)'],
  ["insert into people values ('x@example.com', 'Admin', '')"],
])('refuses %s', async (query) => {
  const before = readFileSync(file);
  expect(await failureOf(listAll(sourceOf(query)))).toMatchObject({ code: 'source_refused' });
  expect(readFileSync(file).equals(before)).toBe(true);
});

it.each([
  ['select nothing from people', 'source_refused'],
  ['select email from nowhere', 'source_refused'],
  ['selec', 'source_refused'],
  ['select role from people', 'source_refused'],
  ['select email, title, Email from people', 'source_refused'],
])('%s is %s', async (query, code) => {
  const source = sourceOf(query);
  expect(await failureOf(listAll(source))).toMatchObject({ code });
  expect(await failureOf(source.probe(new AbortController().signal))).toMatchObject({ code });
});

it('reads a file that is no database as nothing that can be read', async () => {
  const config = sourceConfig('sql', {
    url: `sqlite:${import.meta.filename}`,
    query: 'select name as email from sqlite_master',
  });
  expect(await failureOf(listAll(createSqlSource({ name: 'hr', config })))).toMatchObject({
    code: 'source_answer_invalid',
  });
});

it('a query that gives no column of groups is not complete, unless it needs none', async () => {
  const query = 'select email, role as rolle from people';
  expect((await listAll(sourceOf(query))).end).toMatchObject({
    complete: false,
    why: expect.stringContaining('no column with the groups'),
  });
  expect((await listAll(sourceOf(query, { groups_absent: 'keep' }))).end.complete).toBe(true);
});

it('goes on when another connection holds the database for a moment, and gives up after its time', async () => {
  const writer = new Libsql(file);
  writer.exec('begin exclusive');
  const patient = listAll(sourceOf('select email, role, title from people'));
  const hasty = failureOf(listAll(sourceOf('select email from people', { timeout: '1s' })));
  expect(await hasty).toMatchObject({ code: 'source_unavailable' });
  writer.exec('rollback');
  writer.close();
  expect((await patient).people).toHaveLength(PEOPLE.length);
});
