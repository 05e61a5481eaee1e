import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Libsql from 'libsql';
import { migrations } from '../../src/directory/migrations.ts';
import { CLIENT_ID, CLIENT_SECRET, GOODDATA, person } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';

// A database that a former version has written (the sqlite3 command's dump of it), with somebody who is logged in and
// somebody who was disabled.
const DUMP = join(import.meta.dirname, '..', 'golden', 'state', 'schema-0011.sql');
const COOKIE = 's%3AOjH_QLIEGOFl1z5f3iAdX3kmK9RDEm0IjTMFurJvFzw.M%2FBZ4NmlAKHe3%2BVaJ1LTsI3ktAIxC3nFukjSckfpLhk';
const RECORDS = 13;

let journey: Journey;
let before: string;

beforeAll(async () => {
  journey = await startJourney({
    people: ['ann', 'bob'].map((sub) => person(sub, { groups: ['team-a', 'team-b'] })),
    sections: {
      ...GOODDATA,
      login: `
  acme:
    issuer: "\${ISSUER}"
    client_id: ${CLIENT_ID}
    client_secret: ${CLIENT_SECRET}
    refresh: off
    email_domains: [acme.test]`,
      session: '{ secrets: ["only for tests, and long enough for the rule"], idle: 3650d, absolute: 3650d }',
      audit: '{ checkpoint: { every: 0s } }',
    },
    start: false,
  });
  const file = join(journey.folder, 'latchgate.db');
  const database = new Libsql(file);
  database.exec('pragma journal_mode=wal');
  database.exec(readFileSync(DUMP, 'utf8'));
  database.close();
  before = join(journey.folder, 'before.db');
  expect((await journey.cli('backup', '--out', before)).code).toBe(0);
  await journey.start();
});
afterAll(() => journey.close());

const steps = (file: string): string[] => {
  const database = new Libsql(file);
  const rows = database.prepare('select name from kysely_migration order by name').all() as { readonly name: string }[];
  database.close();
  return rows.map(({ name }) => name);
};

it('brings the database to this version, and a backup leaves it as it was', () => {
  expect(steps(before).at(-1)).toBe('0011_handovers');
  expect(steps(join(journey.folder, 'latchgate.db'))).toEqual(Object.keys(migrations('sqlite')).sort());
});

it('whoever was logged in still is', async () => {
  const browser = journey.browser();
  browser.setCookie(journey.url, 'latchgate', COOKIE);
  const { status, text } = await browser.visit(`${journey.url}/.latchgate/userinfo`, { follow: false });
  expect(status).toBe(200);
  expect(JSON.parse(text)).toMatchObject({ user: 'ann', groups: ['team-a', 'team-b'] });
});

it('people, accounts, grants, and who is disabled, are what they were', async () => {
  const show = async (user: string) => JSON.parse((await journey.cli('users', 'show', user, '--json')).out);
  expect(await show('ann@acme.test')).toMatchObject({
    subjects: [{ subject: 'ann', origin: 'acme' }],
    grants: [{ name: 'team-a' }, { name: 'team-b' }],
    accounts: [{ target: 'gooddata', state: 'ready' }],
  });
  expect(await show('bob@acme.test')).toMatchObject({ disabled: true });
});

it('people are found by the address that was said of them before there was a place for it', async () => {
  const found = await until('the addresses', () => {
    const database = new Libsql(join(journey.folder, 'latchgate.db'));
    const rows = database.prepare('select address from assertions order by address').raw().all();
    database.close();
    return rows.flat().includes(null) ? undefined : rows.flat();
  });
  expect(found).toEqual(['ann@acme.test', 'bob@acme.test']);
});

it('the audit goes on from where it was, and what was there is signed as well', async () => {
  await until(
    'a checkpoint',
    async () => {
      const { code, out } = await journey.cli('audit', 'verify', '--json');
      expect(code).toBe(0);
      const verdict = JSON.parse(out) as { records: number; signedUpTo: number | null };
      expect(verdict.records).toBeGreaterThanOrEqual(RECORDS);
      return (verdict.signedUpTo ?? 0) >= RECORDS || undefined;
    },
    20_000,
  );
}, 30_000);
