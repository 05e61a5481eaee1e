import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GOODDATA, person } from './company.ts';
import { type Journey, startJourney } from './harness.ts';
import { SCIM_TOKEN } from './scim-client.ts';

// What docs/operations.md says of what was decided after a backup that is restored, done as it says.
let journey: Journey;
afterEach(() => journey.close());

function restore(backup: string): void {
  const database = join(journey.folder, 'latchgate.db');
  for (const end of ['', '-wal', '-shm']) rmSync(`${database}${end}`, { force: true });
  copyFileSync(backup, database);
}

interface Answer {
  readonly lost: number;
  readonly commands: readonly string[][];
  readonly byHand: readonly string[];
}

async function lost(file: string): Promise<Answer> {
  const { code, out, err } = await journey.cli('audit', 'lost', file, '--json');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out);
}

it('whom an operator disabled after the backup, a token that was revoked and a grant that was pinned are named, and stay out of what is restored', async () => {
  journey = await startJourney({
    people: ['ann', 'bob', 'cy'].map((sub) => person(sub, { groups: ['team-a'] })),
    sections: { ...GOODDATA, scim: JSON.stringify({ clients: { okta: { tokens: [SCIM_TOKEN] } } }) },
    start: false,
  });
  const instance = await journey.start();
  const browser = journey.browser();
  expect((await browser.logIn(`${journey.url}/`, 'ann')).status).toBe(200);
  await journey.logIn('bob');
  await journey.logIn('cy');
  expect((await journey.cli('users', 'disable', 'bob@acme.test')).code).toBe(0);
  const token = JSON.parse((await journey.cli('scim', 'token', '--client', 'okta', '--json')).out);
  const backup = join(journey.folder, 'backup.db');
  expect((await journey.cli('backup', '--out', backup)).code).toBe(0);

  const ann = JSON.parse((await journey.cli('users', 'disable', 'ann@acme.test', '--json')).out).id;
  const bob = JSON.parse((await journey.cli('users', 'show', 'bob@acme.test', '--json')).out).id;
  expect((await journey.cli('users', 'enable', 'bob@acme.test')).code).toBe(0);
  expect((await journey.cli('scim', 'revoke', token.id)).code).toBe(0);
  const cy = JSON.parse((await journey.cli('users', 'show', 'cy@acme.test', '--json')).out).id;
  const records = (await journey.cli('audit', 'list', '--user', cy, '--json')).out.trim().split('\n');
  const given = records.map((line) => JSON.parse(line)).find(({ event }) => event === 'grant.given');
  expect((await journey.cli('audit', 'undo', String(given.seq))).code).toBe(0);
  const kept = join(journey.folder, 'audit.ndjson');
  expect((await journey.cli('audit', 'export', '--out', kept)).code).toBe(0);
  await instance.stop();
  expect(await lost(kept)).toEqual({ lost: 0, commands: [], byHand: [] });

  restore(backup);
  const { commands, byHand } = await lost(kept);
  expect(commands).toEqual([
    ['sessions', 'end', '--all'],
    ['users', 'disable', ann],
    ['users', 'enable', bob],
    ['scim', 'revoke', token.id],
  ]);
  const pinned = `${cy}: ${given.key} of gooddata was pinned as withheld: revoke it by latchgate review --target gooddata`;
  expect(byHand).toEqual([pinned]);
  expect((await journey.cli('audit', 'lost', kept)).out.trim().split('\n')).toEqual([
    ...commands.map((command) => ['latchgate', ...command].join(' ')),
    `# ${pinned}`,
  ]);
  for (const command of commands) expect((await journey.cli(...command)).code).toBe(0);
  // What is done is not said again.
  expect((await lost(kept)).commands).toEqual([['sessions', 'end', '--all']]);

  await journey.start();
  const { status } = await browser.visit(`${journey.url}/.latchgate/userinfo`, { follow: false });
  expect(status).toBe(401);
  expect((await journey.logIn('ann')).status).toBe(403);
  expect((await journey.logIn('bob')).status).toBe(200);
}, 60_000);

it('what is no audit is refused, and nothing in a file becomes a command of a shell', async () => {
  journey = await startJourney({ people: [person('ann')], sections: GOODDATA, start: false });
  const file = join(journey.folder, 'kept.ndjson');
  const write = (...lines: readonly unknown[]) =>
    writeFileSync(file, lines.map((line) => JSON.stringify(line)).join('\n'));
  const record = { seq: 9, hash: 'h9', at: '2026-01-01T00:00:00.000Z', actor: 'operator' };
  const id = "p_1'; rm -rf /\n; '";
  const data = { ...record, event: 'person.disabled', person: id };
  write([{ specversion: '1.0', type: 'latchgate.audit.person.disabled', data }]);
  const { code, out } = await journey.cli('audit', 'lost', file);
  expect(code).toBe(0);
  expect(out.trim().split('\n')).toEqual(['latchgate sessions end --all', expect.stringMatching(/^# p_1'; rm -rf/)]);
  for (const text of ['not JSON', '{"seq":1}', '{"seq":1,"hash":"h","event":"x","person":7}']) {
    writeFileSync(file, text);
    expect(await journey.cli('audit', 'lost', file)).toMatchObject({
      code: 64,
      err: expect.stringMatching(/^usage: line 1/),
    });
  }
  writeFileSync(file, '\n');
  expect(await journey.cli('audit', 'lost', file)).toMatchObject({
    code: 64,
    err: expect.stringContaining('no record'),
  });
});
