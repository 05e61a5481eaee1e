import { styleText } from 'node:util';
import { type ReadyConfig, type Row, startReadySyncs } from '../test/journey/ready-syncs.ts';

const SQL = 'sql-to-auth0';
const GOODDATA = 'auth0-to-gooddata';
const PEOPLE: readonly Row[] = [
  person('Alice Adams', 'Admin'),
  person('Bob Brown', 'User'),
  person('Carol Clark', 'User'),
  person('Dave Dunn', 'User'),
  person('Erin Evans', 'User'),
  person('Frank Ford', null),
  person('Grace Green', null),
];
const STAYING = 4;

const io = {
  out: (line: string) => console.log(line.replaceAll(/^(?=.)/gm, '    ')),
  err: (line: string) => console.log(line.replaceAll(/^(?=.)/gm, '    ')),
  // As people see it: one JSON line a change is for programs.
  isTTY: true,
};

const world = await startReadySyncs({ env: process.stdout.isTTY ? {} : { NO_COLOR: '1' } });
let stopping: Promise<void> | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    stopping = world.close().finally(() => process.exit(0));
  });
}
try {
  await show();
  await world.close();
} catch (thrown) {
  // What was interrupted fails on the way: that is no news.
  if (stopping === undefined) throw thrown;
}

async function show(): Promise<void> {
  console.log(`
A table of people in SQLite, a tenant of Auth0 and an organisation of GoodData (both emulated), and the two configs as
they are: config/sql-to-auth0.yaml and config/auth0-to-gooddata.yaml. Everything is on loopback and goes at the end.`);
  world.people(PEOPLE);
  await step('1. A plan writes nothing: seven people of the table are not in the tenant.', SQL, 'plan users-to-auth0');
  await step('2. It is carried out.', SQL, 'apply users-to-auth0');
  await step('3. From there to GoodData: roles become groups.', GOODDATA, 'apply auth0-to-gooddata');
  console.log(heading('4. Somebody breaks the query: it lists four people only.'));
  world.people(PEOPLE.slice(0, STAYING));
  await step('   The brake: not one write, and the plan waits for a person.', SQL, 'apply users-to-auth0');
  await step('5. Which plans wait?', SQL, 'plans list');
  const [plan] = await held();
  await step(
    '6. It was meant: the three have left. A person approves, and they are blocked.',
    SQL,
    `plans approve ${plan}`,
  );
  await step(
    '7. GoodData follows: whoever is blocked in the tenant loses every group. The brake would ask again; we know already.',
    GOODDATA,
    'apply auth0-to-gooddata --approve',
  );
  await step('8. A second plan has nothing left to do: here,', SQL, 'plan users-to-auth0');
  await step('   and there.', GOODDATA, 'plan auth0-to-gooddata');
}

async function step(what: string, config: ReadyConfig, words: string): Promise<void> {
  if (stopping !== undefined) return stopping;
  console.log(heading(what));
  console.log(`  $ latchgate ${words} --config config/${config}.yaml\n`);
  const code = await world.command(config, words.split(' '), io);
  console.log(`\n    exit code ${code}`);
}

async function held(): Promise<string[]> {
  const lines: string[] = [];
  const silent = { out: (line: string) => void lines.push(line), err: () => {}, isTTY: false };
  await world.command(SQL, ['plans', 'list', '--json'], silent);
  return lines.map((line) => (JSON.parse(line) as { id: string }).id);
}

function person(name: string, role: string | null): Row {
  const [given = '', family = ''] = name.split(' ');
  return { email: `${given.toLowerCase()}@acme.test`, role, given_name: given, family_name: family };
}

function heading(text: string): string {
  return `\n${styleText('bold', text)}`;
}
