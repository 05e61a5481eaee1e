import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import { composeEngine } from '../../src/compose/engine.ts';
import { composeLog, composeState } from '../../src/compose/state.ts';
import { loadConfig } from '../../src/config/load.ts';
import { claimsOf, SUPERSET, supersetUser } from './company.ts';
import { type Journey, startJourney } from './harness.ts';

// Grants are written to a file, decided on, and read back.
const PEOPLE: readonly (readonly [string, Record<string, unknown>])[] = [
  ['ann', { groups: ['analysts', 'team-a'] }],
  ['ben', { groups: ['analysts'], given_name: '=HYPERLINK("http://x","y")', name: '=1+1 "Ben", the second' }],
  ['cat', { groups: ['team-a'] }],
];

let journey: Journey;
let file: string;
let rows: Record<string, string>[];

beforeAll(async () => {
  journey = await startJourney({ sections: { ...SUPERSET, safety: '{ stop_if: { removals: 2 } }' } });
  for (const [sub, claims] of PEOPLE) await logIn(sub, claims);
});
afterAll(() => journey.close());
beforeEach(async () => {
  file = join(journey.folder, 'review.csv');
  expect(await journey.cli('review', '--target', 'superset', '--out', file)).toMatchObject({ code: 0, err: '' });
  rows = read(readFileSync(file, 'utf8'));
});

async function logIn(sub: string, claims: Record<string, unknown>): Promise<string> {
  const config = loadConfig(journey.configFile, { env: journey.env });
  const state = await composeState(config, composeLog({ ...config, log: { level: 'error', access: false } }));
  const engines = composeEngine(config, state);
  const requestId = `r-${sub}-${Date.now()}`;
  const said = { origin: 'acme', issuer: journey.idp.issuer, subject: sub, active: true, at: new Date() };
  const how = { target: 'superset', requestId, signal: AbortSignal.timeout(20_000) };
  await engines.engine.assert({ ...said, claims: { sub, ...claimsOf(sub, claims) } }, how);
  await engines.close();
  await state.close();
  return requestId;
}

function read(text: string): Record<string, string>[] {
  return parse(text, { columns: true, bom: true }) as Record<string, string>[];
}

/** The file as somebody filled it in. */
function fill(change: (row: Record<string, string>, at: number) => Record<string, string>, more: object = {}): string {
  const path = join(journey.folder, 'filled.csv');
  writeFileSync(path, stringify(rows.map(change), { header: true, ...more }));
  return path;
}

const revoke = (user: string, entitlement: string) => (row: Record<string, string>) =>
  row['user_name'] === user && row['entitlement'] === entitlement
    ? { ...row, decision: 'revoke', reason: 'left the team' }
    : { ...row, decision: 'keep' };

const load = (path: string, ...args: string[]) => journey.cli('review', '--load', path, ...args);
const plan = () => join(journey.folder, 'plan.json');
const rolesOf = (name: string) => supersetUser(journey.superset.state, name)?.roles;

test('a review has a line for each grant, with its reason, and no line that a spreadsheet would run', () => {
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(rows.map(({ user_name, kind, entitlement }) => `${user_name} ${kind} ${entitlement}`)).toEqual([
    'ann group team-a',
    'ann role Alpha',
    'ann role Gamma',
    'ben role Alpha',
    'ben role Gamma',
    'cat group team-a',
    'cat role Gamma',
  ]);
  expect(rows[1]).toMatchObject({
    name: 'ann',
    email: 'ann@acme.test',
    target: 'superset',
    rule: 'analysts',
    origin: 'acme',
    because: 'groups: "analysts" is analysts (exact)',
    decision: '',
    reason: '',
  });
  expect(rows[1]?.['since']).toMatch(/^\d{4}-\d\d-\d\dT/);
  expect(rows[1]?.['last_seen']).toMatch(/^\d{4}-\d\d-\d\dT/);
  expect(rows[3]?.['name']).toMatch(/^'=1\+1 "Ben", the/);
  for (const cell of rows.flatMap((row) => Object.values(row))) expect(cell).not.toMatch(/^[=+\-@\t\r]/);
});

test.each([
  ['as it was written', {}],
  ['by a spreadsheet of another country', { bom: true, delimiter: ';', record_delimiter: 'windows', quoted: true }],
])('a filled-in file is read %s', async (_, written) => {
  const path = fill(revoke('ben', 'Alpha'), written);
  const { code, out } = await load(path, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    keep: 6,
    undecided: 0,
    missing: 0,
    revoke: [{ kind: 'role', name: 'Alpha' }],
  });
});

const other = 'rv_0000000000000000';
test.each<[string, string, string, (row: Record<string, string>, at: number) => Record<string, string>]>([
  ['another entitlement', 'review_changed', 'line 3', (row, at) => (at === 1 ? { ...row, entitlement: 'Admin' } : row)],
  [
    'another person',
    'review_changed',
    'line 2',
    (row, at) => (at === 0 ? { ...row, person: rows[4]?.['person'] ?? '' } : row),
  ],
  ['another reason', 'review_changed', 'line 4', (row, at) => (at === 2 ? { ...row, because: 'so it is' } : row)],
  [
    'the check of another line',
    'review_changed',
    'line 2',
    (row, at) => (at === 0 ? { ...row, check: rows[1]?.['check'] ?? '' } : row),
  ],
  ['another review', 'review_foreign', 'line 3', (row, at) => (at === 1 ? { ...row, review: other } : row)],
  ['a review that nobody made', 'review_foreign', 'line 2', (row) => ({ ...row, review: other })],
  ['another word', 'review_invalid', 'line 3', (row, at) => (at === 1 ? { ...row, decision: 'maybe' } : row)],
  ['the same line twice', 'review_invalid', 'line 3', (row, at) => (at === 1 ? (rows[0] ?? {}) : row)],
  [
    'two decisions on the same',
    'review_invalid',
    'line 3',
    (row, at) => (at < 2 ? { ...rows[0], decision: at === 0 ? 'keep' : 'revoke' } : row),
  ],
])('a file with %s is refused with its line, and nothing is done', async (_, code, line, change) => {
  const before = JSON.stringify([...journey.superset.state.users]);
  const answer = await load(fill(change), '--out', plan());
  expect(answer).toMatchObject({ code: 1, out: '' });
  expect(answer.err).toMatch(new RegExp(`^${code}: .*${line}: `));
  expect(answer.err).not.toContain('Admin');
  expect(JSON.stringify([...journey.superset.state.users])).toBe(before);
});

test('what is no review at all is refused', async () => {
  for (const text of ['', 'a,b\n1,2\n', '"', rows.length.toString()]) {
    const path = join(journey.folder, 'no.csv');
    writeFileSync(path, text);
    expect(await load(path)).toMatchObject({ code: 1, err: expect.stringMatching(/^review_invalid: /) });
  }
  expect(await load('/not/there.csv')).toMatchObject({ err: expect.stringMatching(/^not_found: /) });
  expect(await journey.cli('review', '--target', 'nowhere', '--out', file)).toMatchObject({ code: 1 });
  expect(await journey.cli('review', '--target', 'superset')).toMatchObject({ code: 64 });
});

test('a plan that was changed by hand is refused', async () => {
  await load(fill(revoke('ann', 'Alpha')), '--out', plan());
  writeFileSync(plan(), readFileSync(plan(), 'utf8').replace('"name": "Alpha"', '"name": "Gamma"'));
  expect(await journey.cli('apply', '--plan', plan())).toMatchObject({ err: expect.stringMatching(/^plan_invalid: /) });
});

test('more than the brake lets pass waits for an approval', async () => {
  await load(
    fill((row) => ({ ...row, decision: row['entitlement'] === 'Gamma' ? 'revoke' : 'keep' })),
    '--out',
    plan(),
  );
  const held = await journey.cli('apply', '--plan', plan());
  expect(held).toMatchObject({
    code: 11,
    err: expect.stringMatching(/^plan_held: nothing was written: 3 of 3 people/),
  });
  expect(rolesOf('cat')).toEqual(['Gamma']);
});

test('what is revoked is taken, stays away at the next login, says why, and comes back when it is lifted', async () => {
  const review = rows[0]?.['review'] ?? '';
  await load(fill(revoke('ann', 'Alpha')), '--out', plan());
  expect(await journey.cli('apply', '--plan', plan())).toMatchObject({ code: 0, err: '' });
  expect(rolesOf('ann')).toEqual(['Gamma']);

  const requestId = await logIn('ann', { groups: ['analysts', 'team-a'] });
  expect(rolesOf('ann')).toEqual(['Gamma']);
  expect((await journey.cli('why', requestId)).out).toContain(
    `superset:role:Alpha: not given, pinned by review ${review} (left the team)`,
  );
  expect((await journey.cli('users', 'show', 'ann')).out).toMatch(
    new RegExp(`superset +role +Alpha +- +withheld +review ${review} .*left the team`),
  );
  const claims = join(journey.folder, 'ann.json');
  writeFileSync(claims, JSON.stringify({ sub: 'ann', ...claimsOf('ann', { groups: ['analysts', 'team-a'] }) }));
  const explained = await journey.cli(
    'explain',
    '--origin',
    'acme',
    '--claims',
    claims,
    '--target',
    'superset',
    '--json',
  );
  expect(JSON.parse(explained.out)).toMatchObject({
    targets: {
      superset: { changes: [], pinned: [`superset:role:Alpha: not given, pinned by review ${review} (left the team)`] },
    },
  });
  expect((await journey.cli('preview', '--new', journey.configFile, '--json')).out).toContain('"people": []');

  const audit = (await journey.cli('audit', 'list', '--user', 'ann', '--json')).out
    .split('\n')
    .map((line) => JSON.parse(line));
  const pinned = audit.find(({ event }) => event === 'grant.pinned');
  expect(pinned).toMatchObject({
    key: 'role:Alpha',
    actor: 'operator',
    before: { rule: 'analysts', origin: 'acme' },
    after: { by: `review ${review}`, reason: 'left the team' },
  });
  expect(audit.find(({ event, key }) => event === 'grant.taken' && key === 'role:Alpha')).toMatchObject({
    requestId: pinned.requestId,
  });

  // The same plan once more: the grant is not there any more.
  expect(await journey.cli('apply', '--plan', plan())).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^review_stale: line 3: /),
  });

  // Before it was taken it was there, and what took it can be undone, or not any more.
  const who = await journey.cli('audit', 'who-had', 'role:Alpha', '--at', '0s', '--json');
  expect(JSON.parse(who.out).holders.map(({ email }: { email: string }) => email)).toEqual(['ben@acme.test']);
  const given = audit.find(({ event, key }) => event === 'grant.given' && key === 'role:Alpha');
  const then = JSON.parse((await journey.cli('audit', 'who-had', 'Alpha', '--at', given.at, '--json')).out);
  expect(then.holders).toContainEqual(
    expect.objectContaining({ email: 'ann@acme.test', because: [{ rule: 'analysts', origin: 'acme' }], off: false }),
  );
  const dry = await journey.cli('audit', 'undo', String(pinned.seq), '--dry-run');
  expect(dry).toMatchObject({ code: 0, out: expect.stringContaining(`the pin by review ${review} is lifted`) });

  const lift = ['pins', 'lift', '--user', 'ann', '--target', 'superset', '--entitlement', 'Alpha'];
  expect((await journey.cli('pins', 'list')).out).toContain(`role:Alpha   withheld  review ${review}`);
  expect(await journey.cli(...lift)).toMatchObject({ code: 0, err: '' });
  expect(rolesOf('ann')).toEqual(['Alpha', 'Gamma']);
  expect(await journey.cli(...lift)).toMatchObject({ code: 1, err: expect.stringMatching(/^not_found: /) });
  expect(await journey.cli('audit', 'undo', String(pinned.seq))).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^undo_stale: record \d+ \(pin\.lifted, .*nothing was done/),
  });
  expect(await journey.cli('audit', 'undo', 'all')).toMatchObject({ code: 64 });
});

test('a grant that was given anew since is not revoked', async () => {
  const path = fill(revoke('ben', 'Alpha'));
  await logIn('ben', { groups: [] });
  expect(await load(path)).toMatchObject({
    code: 1,
    err: expect.stringContaining('line 5: the grant is not there any more'),
  });
  await logIn('ben', { groups: ['analysts'] });
  expect(await load(path)).toMatchObject({ code: 1, err: expect.stringContaining('line 5: the grant was given anew') });
});
