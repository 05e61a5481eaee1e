import { copyFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from './browser.ts';
import { GOODDATA, person } from './company.ts';
import { type Instance, type Journey, startJourney, until } from './harness.ts';

// What docs/operations.md says of backups and of session.secrets, done as it says.
const EARLY = ['ann', 'bob', 'cy'];
const LATE = ['dee', 'eve'];
const FIRST = 'only for tests, and long enough for the rule';
const SECOND = 'the next one of the tests, which is as long again';

let journey: Journey;
let instance: Instance;
let errors: unknown[];

beforeEach(async () => {
  errors = [];
  journey = await startJourney({
    people: [...EARLY, ...LATE].map((sub) => person(sub, { groups: ['team-a'] })),
    sections: { ...GOODDATA, audit: '{ checkpoint: { every: 0s } }' },
    start: false,
  });
  instance = await journey.start();
});
afterEach(() => journey.close());

async function logIn(sub: string): Promise<Browser> {
  const browser = journey.browser();
  expect((await browser.logIn(`${journey.url}/`, sub)).status).toBe(200);
  return browser;
}

async function user(browser: Browser): Promise<string> {
  const { status, text } = await browser.visit(`${journey.url}/.latchgate/userinfo`, { follow: false });
  return status === 200 ? (JSON.parse(text) as { user: string }).user : String(status);
}

/** Asks as each of them, all the time. */
function busy(browsers: ReadonlyMap<string, Browser>): () => Promise<number> {
  let isOver = false;
  let asked = 0;
  const working = [...browsers].map(async ([sub, browser]) => {
    while (!isOver) {
      const answer = await user(browser).catch(String);
      if (!answer.startsWith(sub)) errors.push({ sub, answer });
      asked += 1;
      await sleep(5);
    }
  });
  return async () => {
    isOver = true;
    await Promise.all(working);
    return asked;
  };
}

const database = () => join(journey.folder, 'latchgate.db');

/** Nothing of what was there is left. */
function restore(backup: string): void {
  for (const end of ['', '-wal', '-shm']) rmSync(`${database()}${end}`, { force: true });
  copyFileSync(backup, database());
}

it('a backup that was made under load brings back who was logged in, who is who, the ledger and the audit', async () => {
  const browsers = new Map<string, Browser>();
  for (const sub of EARLY) browsers.set(sub, await logIn(sub));
  const stop = busy(browsers);
  const out = join(journey.folder, "it's a backup.db");
  const [made] = await Promise.all([journey.cli('backup', '--out', out, '--json'), logIn('dee')]);
  expect(made).toMatchObject({ code: 0 });
  expect(JSON.parse(made.out)).toEqual({ file: out, bytes: statSync(out).size });
  expect(statSync(out).mode & 0o777).toBe(0o600);
  const late = await logIn('eve');
  await until(
    'a checkpoint of all that',
    async () => {
      const { records, signedUpTo } = JSON.parse((await journey.cli('audit', 'verify', '--json')).out);
      return records === signedUpTo || undefined;
    },
    20_000,
  );
  const keptLater = (await journey.cli('audit', 'checkpoint', '--all')).out;
  expect(await stop()).toBeGreaterThan(10);
  await instance.stop();

  restore(out);
  instance = await journey.start();
  for (const [sub, browser] of browsers) expect(await user(browser)).toMatch(new RegExp(`^${sub}`));
  // Of whom the backup does not know.
  expect(await user(late)).toBe('401');
  expect((await journey.cli('audit', 'verify')).code).toBe(0);
  const { out: shown } = await journey.cli('users', 'show', 'ann@acme.test', '--json');
  expect(JSON.parse(shown)).toMatchObject({ grants: [{ target: 'gooddata', name: 'team-a' }] });
  // Whoever came since is found again at the next login.
  expect(await user(await logIn('eve'))).toMatch(/^eve/);
  expect(errors).toEqual([]);

  // What a restored database has lost of the audit, a checkpoint from before shows.
  const file = join(journey.folder, 'checkpoints');
  writeFileSync(file, keptLater);
  expect(await journey.cli('audit', 'verify', '--checkpoint', file)).toMatchObject({
    code: 5,
    err: expect.stringMatching(/^audit_broken/),
  });
}, 60_000);

it('a backup is never written over another, nor half', async () => {
  const out = join(journey.folder, 'backup.db');
  expect((await journey.cli('backup', '--out', out)).code).toBe(0);
  const before = readFileSync(out);
  expect(await journey.cli('backup', '--out', out)).toMatchObject({ code: 64, err: expect.stringMatching(/^usage/) });
  expect(readFileSync(out).equals(before)).toBe(true);
  await instance.stop();
  restore(out);
  writeFileSync(database(), 'this is no database, whatever its name says'.repeat(100));
  const half = join(journey.folder, 'half.db');
  expect((await journey.cli('backup', '--out', half)).code).toBe(1);
  expect(existsSync(half)).toBe(false);
});

it('session.secrets are rotated without anybody being logged out, or anything being unreadable', async () => {
  const browsers = new Map<string, Browser>();
  for (const sub of EARLY) browsers.set(sub, await logIn(sub));
  const keys = async () => (await fetch(`${journey.url}/.latchgate/jwks.json`)).text();
  const [published, auditKeys] = [await keys(), (await journey.cli('audit', 'key')).out];
  const text = readFileSync(journey.configFile, 'utf8');
  for (const secrets of [
    [FIRST, SECOND],
    [SECOND, FIRST],
  ]) {
    const config = text.replace(/^session:.*$/m, `session: { secrets: ${JSON.stringify(secrets)} }`);
    expect(config).not.toBe(text);
    writeFileSync(journey.configFile, config);
    await instance.stop();
    instance = await journey.start();
    for (const [sub, browser] of browsers) expect(await user(browser)).toMatch(new RegExp(`^${sub}`));
    expect(await keys()).toBe(published);
    expect((await journey.cli('audit', 'key')).out).toBe(auditKeys);
  }
  const late = await logIn('dee');
  // As after session.absolute: whoever logged in since the second became the first stays in.
  writeFileSync(journey.configFile, text.replace(/^session:.*$/m, `session: { secrets: ["${SECOND}"] }`));
  await instance.stop();
  instance = await journey.start();
  expect(await user(late)).toMatch(/^dee/);
  expect(await keys()).toBe(published);
  expect((await journey.cli('audit', 'verify', '--json')).code).toBe(0);
  expect((await journey.cli('audit', 'key')).out).toBe(auditKeys);
}, 60_000);
