import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/cli/program.ts';
import { composeEngine } from '../../src/compose/engine.ts';
import { composeLog, composeState } from '../../src/compose/state.ts';
import { loadConfig } from '../../src/config/load.ts';
import { makeTerminal } from '../cli/terminal.ts';
import { claimsOf, configText, type Sections, SUPERSET, supersetPeople, supersetUser } from './company.ts';
import { type Journey, startJourney } from './harness.ts';

// Fifty people have logged in. A config that moves seven of them is previewed, then it goes live.
const RULES = `
  analysts: { when: { groups: analysts }, grant: { superset: { roles: [Alpha] } } }
  east: { when: { groups: team-east }, grant: { superset: { groups: [east] } } }
  bosses: { when: { groups: bosses }, grant: { superset: { roles: [sql_lab] } } }`;
const SECTIONS: Sections = {
  ...SUPERSET,
  rules: RULES,
  default: '{ grant: { superset: { roles: [Gamma] } } }',
  safety: '{ privileged: ["superset:role:Admin"] }',
};

const PEOPLE = Array.from({ length: 50 }, (_, at) => {
  const groups = [
    ...(at % 7 === 3 ? ['team-east'] : []),
    ...(at % 2 === 0 ? ['analysts'] : []),
    ...(at > 46 ? ['bosses'] : []),
  ];
  return { sub: `person${String(at).padStart(2, '0')}`, groups };
});
const EAST = PEOPLE.filter(({ groups }) => groups.includes('team-east')).map(({ sub }) => `${sub}@acme.test`);

let journey: Journey;

beforeAll(async () => {
  journey = await startJourney({ sections: SECTIONS });
  await everybodyLogsIn(journey.configFile);
});
afterAll(() => journey.close());

async function everybodyLogsIn(file: string): Promise<void> {
  const config = loadConfig(file, { env: journey.env });
  const state = await composeState(config, composeLog({ ...config, log: { level: 'error', access: false } }));
  const engines = composeEngine(config, state);
  for (const { sub, groups } of PEOPLE) {
    const said = { origin: 'acme', issuer: journey.idp.issuer, subject: sub, active: true, at: new Date() };
    const claims = { sub, ...claimsOf(sub, { groups }) };
    const how = { target: 'superset', requestId: `r-${sub}`, signal: AbortSignal.timeout(20_000) };
    await engines.engine.assert({ ...said, claims }, how);
  }
  await engines.close();
  await state.close();
}

function newConfig(name: string, sections: Sections): string {
  const file = join(journey.folder, name);
  writeFileSync(file, configText({ ...SECTIONS, ...sections }));
  return file;
}

/** One preview, and how many connections were begun for it. */
async function preview(file: string, ...args: string[]) {
  const begun: unknown[] = [];
  const onSocket = (message: unknown): void => void begun.push(message);
  subscribe('net.client.socket', onSocket);
  const terminal = makeTerminal({ ...journey.env });
  try {
    const code = await run(['preview', '--config', journey.configFile, '--new', file, ...args], terminal);
    return { code, out: terminal.lines.join('\n'), err: terminal.errors.join('\n'), connections: begun.length };
  } finally {
    unsubscribe('net.client.socket', onSocket);
  }
}

interface Said {
  readonly looked: number;
  readonly summary: Record<string, number>;
  readonly people: readonly {
    readonly email: string;
    readonly changes: readonly { readonly op: string; readonly entitlement: { kind: string; name: string } }[];
  }[];
}

function accounts(): Map<string, string[]> {
  const { state } = journey.superset;
  return new Map(
    supersetPeople(state).map((name) => {
      const user = supersetUser(state, name);
      const roles = (user?.roles ?? []).map((role) => `role ${role}`);
      return [`${name}@acme.test`, [...roles, ...(user?.groups ?? []).map((group) => `group ${group}`)]];
    }),
  );
}

function told({ people }: Said): [string, string[]][] {
  return people.map(({ email, changes }) => [
    email,
    changes.map(({ op, entitlement: { kind, name } }) => `${op === 'grant' ? '+' : '-'} ${kind} ${name}`).sort(),
  ]);
}

test('a rule that moves seven people is said to move these seven, and does', async () => {
  expect(EAST).toHaveLength(7);
  const file = newConfig('next.yaml', { rules: RULES.replace('groups: [east]', 'groups: [orient], roles: [sql_lab]') });
  const { code, out, err, connections } = await preview(file, '--json');
  expect({ code, err, connections }).toEqual({ code: 0, err: '', connections: 0 });
  const said = JSON.parse(out) as Said;
  expect(said).toMatchObject({ looked: 50, summary: { gain: 7, lose: 7, shutOut: 0, privileged: 0 } });
  expect(said.people.map(({ email }) => email)).toEqual(EAST);

  const before = accounts();
  await everybodyLogsIn(file);
  const changed = [...accounts()].flatMap(([email, now]): [string, string[]][] => {
    const was = before.get(email) ?? [];
    const rows = [
      ...now.filter((one) => !was.includes(one)).map((one) => `+ ${one}`),
      ...was.filter((one) => !now.includes(one)).map((one) => `- ${one}`),
    ];
    return rows.length === 0 ? [] : [[email, rows.sort()]];
  });
  expect(told(said)).toEqual(changed);
});

test('whoever gains something privileged makes the check of a pull request fail', async () => {
  const file = newConfig('privileged.yaml', { rules: RULES.replace('[sql_lab]', '[Admin]') });
  const { code, out } = await preview(file, '--markdown');
  expect(code).toBe(4);
  expect(out).toContain('**3 people gain something privileged**');
  expect(out).toContain('`person47@acme.test`');
  const hidden = newConfig('hidden.yaml', {
    rules: RULES.replace('[sql_lab]', '[Admin]'),
    safety: '{ privileged: [] }',
  });
  expect(await preview(hidden)).toMatchObject({ code: 4, out: expect.stringContaining('no longer privileged') });
});

test('a config that changes nobody says so, and one that is wrong is refused', async () => {
  expect(await preview(journey.configFile)).toMatchObject({
    code: 0,
    out: 'preview: of 50 people 0 would gain something, 0 would lose something, 0 would be shut out',
  });
  const wrong = newConfig('wrong.yaml', { rules: '{ a: { when: { groups: x }, grant: { nowhere: {} } } }' });
  expect(await preview(wrong)).toMatchObject({ code: 2, connections: 0 });
  const nowhere = await journey.cli('preview', '--new', join(journey.folder, 'nowhere.yaml'));
  expect([nowhere.code, nowhere.err]).toEqual([2, expect.stringContaining('nowhere.yaml')]);
  expect(nowhere.err).toContain('(name it with --new FILE)');
  expect(await preview(journey.configFile, '--since', 'yesterday')).toMatchObject({ code: 64 });
});

test('people of whom nobody has spoken since are left out', async () => {
  const file = newConfig('later.yaml', { rules: RULES.replace('roles: [Alpha]', 'roles: [Public]') });
  const { out } = await preview(file, '--json', '--since', '2999-01-01');
  expect(JSON.parse(out)).toMatchObject({ looked: 0, people: [], notes: [expect.stringContaining('nobody')] });
});
