import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { claimsJobs, forgetOld } from '../../src/compose/claims-jobs.ts';
import { composeEngine, type Engines } from '../../src/compose/engine.ts';
import { composeLog, composeState } from '../../src/compose/state.ts';
import { loadConfig } from '../../src/config/load.ts';
import { claimsOf, configText, type Sections, SUPERSET, supersetPeople, supersetUser } from './company.ts';
import { type Journey, startJourney } from './harness.ts';

// Ten people have logged in with more claims than rules read. Then the config says what is to be recorded of them.
const YEARS_AGO = new Date(Date.now() - 800 * 86_400_000);
const DATABASE = '"sqlite:./latchgate.db"';
const USED = `{ database: ${DATABASE}, claims: { keep: used, hash: [phone] } }`;
const OLD = `{ database: ${DATABASE}, claims: { retention: 400d } }`;
const RULES = `
  analysts: { when: { groups: analysts }, grant: { superset: { roles: [Alpha] } } }
  everybody: { grant: { superset: { roles: [Gamma] } } }`;
const PEOPLE = Array.from({ length: 10 }, (_, at) => ({
  sub: `person${at}`,
  more: {
    groups: at % 2 === 0 ? ['analysts'] : ['others'],
    phone: `PHONE-${at}-SECRET`,
    badge: `BADGE-${at}-SECRET`,
    // Longer than a page of the file.
    nested: { deep: `NESTED-${at}-SECRET`.repeat(at % 2 === 0 ? 400 : 1) },
  },
}));

let journey: Journey;

beforeEach(async () => {
  journey = await startJourney({ sections: { ...SUPERSET, rules: RULES } });
});
afterEach(() => journey.close());

function config(name: string, sections: Sections = {}): string {
  const file = join(journey.folder, `${name}.yaml`);
  writeFileSync(file, configText({ ...SUPERSET, rules: RULES, ...sections }));
  return file;
}

async function working(file: string, work: (engines: Engines) => Promise<void>): Promise<void> {
  const loaded = loadConfig(file, { env: journey.env });
  const state = await composeState(loaded, composeLog({ ...loaded, log: { level: 'error', access: false } }));
  const engines = composeEngine(loaded, state);
  try {
    for (const job of claimsJobs(loaded, state)) await job.work();
    await work(engines);
  } finally {
    await engines.close();
    await state.close();
  }
}

async function logIn({ engine }: Engines, at: Date = new Date(), people = PEOPLE): Promise<void> {
  for (const { sub, more } of people) {
    const said = { origin: 'acme', issuer: journey.idp.issuer, subject: sub, active: true, at };
    const how = { target: 'superset', requestId: `r-${sub}`, signal: AbortSignal.timeout(20_000) };
    await engine.assert({ ...said, claims: { sub, ...claimsOf(sub, more) } }, how);
  }
}

/** What the database's files and this one hold of the values that nobody reads. */
function found(...others: string[]): string[] {
  const files = readdirSync(journey.folder).filter((name) => name.startsWith('latchgate.db'));
  const bytes = [...files, ...others].map((name) => readFileSync(join(journey.folder, name), 'latin1')).join('\n');
  return [...new Set(bytes.match(/(?:PHONE|BADGE|NESTED)-\d-SECRET/g) ?? [])];
}

function accounts() {
  const { state } = journey.superset;
  return supersetPeople(state).map((name) => supersetUser(state, name));
}

async function preview(before: string, after: string) {
  const { code, out } = await journey.cli('preview', '--config', before, '--new', after, '--json');
  const said = JSON.parse(out) as { people: { name: string; shutOut?: unknown }[]; notes: string[]; looked: number };
  return { code, said };
}

async function again({ engine, state }: Engines): Promise<void> {
  for (const { id } of await state.directory.people.list(100)) await engine.again(id, 'superset', 'test', 'r-again');
}

const NEXT: Sections = { rules: RULES.replace('Alpha', 'sql_lab') };

test('what nobody reads is nowhere in the files, and a preview says the same as before', async () => {
  const [all, used] = [config('all'), config('used', { state: USED })];
  await working(all, (engines) => logIn(engines));
  expect(found()).toHaveLength(30);
  const before = accounts();
  const expected = await preview(all, config('next', NEXT));
  expect(expected.said.people).toHaveLength(5);

  await working(used, async (engines) => {
    expect(found()).toEqual([]);
    await again(engines);
    expect(accounts()).toEqual(before);
    await logIn(engines);
    expect(found()).toEqual([]);
    expect(await engines.state.directory.recorded.restate()).toBe(0);
  });
  expect(await journey.cli('backup', '--config', used, '--out', join(journey.folder, 'copy.db'))).toMatchObject({
    code: 0,
  });
  expect(found('copy.db')).toEqual([]);
  expect(accounts()).toEqual(before);
  expect(await preview(used, config('next-used', { ...NEXT, state: USED }))).toEqual(expected);
});

test('a config that reads what was not recorded shuts nobody out and takes nothing from anybody', async () => {
  const used = config('used', { state: USED });
  const login = `
  acme:
    issuer: "\${ISSUER}"
    client_id: latchgate-journey
    client_secret: a secret that only tests know
    email_domains: [acme.test]
    claims: { groups: [nested.groups, groups], badge: badge }`;
  const reading = config('reading', { state: USED, login, rules: RULES.replace('groups: analysts', 'badge: "B*"') });
  await working(used, (engines) => logIn(engines));
  const before = accounts();
  const { code, said } = await preview(used, reading);
  expect([code, said.people]).toEqual([0, []]);
  expect(said.notes.join('\n')).toMatch(/^unknown: person\d(, person\d){9}: claims that the new config/m);
  await working(reading, async (engines) => {
    await again(engines).catch((error: unknown) => expect(error).toMatchObject({ code: 'claim_not_recorded' }));
    expect(accounts()).toEqual(before);
    // The next login tells.
    await logIn(engines);
  });
  expect(accounts().filter((user) => user?.roles.includes('Alpha'))).toHaveLength(10);
});

test('what is old is forgotten: who is out stays out, and who is in keeps what they have', async () => {
  await working(config('all'), async (engines) => {
    await logIn(engines, YEARS_AGO);
    const [out] = await engines.state.directory.people.search('person1@acme.test', 1);
    await engines.state.directory.people.setDisabled(out?.id ?? '', true);
    await engines.engine.leave(out?.id ?? '', 'superset', 'test', 'r-leave');
  });
  const before = accounts();
  expect(before.filter((user) => user?.active === false)).toHaveLength(1);
  const old = config('old', { state: OLD });
  const drift = (file: string) => journey.cli('drift', '--config', file, '--target', 'superset');
  const drifted = await drift(config('all'));
  expect(drifted.out).toContain('10 of people we know; 1 difference\n  account_unknown');
  await working(old, async (engines) => {
    const { people } = engines.state.directory;
    expect(found()).toEqual([]);
    for (const { id } of await people.list(100)) {
      expect((await people.assertions(id)).map(({ claims }) => claims)).toEqual([{ 'latchgate:not_recorded': [[]] }]);
      await engines.engine.again(id, 'superset', 'test', 'r-again').catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'claim_not_recorded' });
      });
    }
    expect(accounts()).toEqual(before);
    // Without the file being written anew too.
    await logIn(engines, YEARS_AGO, PEOPLE.slice(2));
    expect(found().length).toBeGreaterThan(20);
    expect(await forgetOld(engines.state, 400 * 86_400_000, [])).toBe(8);
    await engines.state.directory.recorded.settle(false);
    expect(found()).toEqual([]);
    const events: string[] = [];
    for await (const { event } of engines.state.audit.list({})) events.push(event);
    expect(events.filter((event) => event === 'claims.forgotten')).toHaveLength(18);
  });
  const csv = join(journey.folder, 'review.csv');
  expect(await journey.cli('review', '--config', old, '--target', 'superset', '--out', csv)).toMatchObject({ code: 0 });
  expect(readFileSync(csv, 'utf8').match(/not known: the claims of this person/g)).not.toBeNull();
  expect(readFileSync(csv, 'utf8')).not.toContain('this rule does not give it now');
  expect(await drift(old)).toEqual(drifted);
  const { said } = await preview(old, config('old-next', { ...NEXT, state: OLD }));
  expect([said.people, said.looked]).toEqual([[], 10]);
  expect(said.notes.filter((note) => note.startsWith('unknown: '))).toHaveLength(1);
  await working(old, async (engines) => {
    const outs: string[] = [];
    for (const one of PEOPLE) {
      await logIn(engines, new Date(), [one]).catch(() => outs.push(one.sub));
    }
    expect(outs).toEqual(['person1']);
  });
  expect(accounts()).toEqual(before);
});
