import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../src/cli/program.ts';
import { startGoodDataEmulator } from '../test/emulators/gooddata/server.ts';
import { listAll, startTenant, users } from '../test/sources/auth0/tenant.ts';

/** What applying takes, in calls of GoodData. */
export interface ApplyFigures {
  readonly people: number;
  readonly changes: number;
  readonly reads: number;
  /** Pages of all users, of those who change once more, and two looks. */
  readonly leastReads: number;
  readonly writes: number;
  readonly leastWrites: number;
}

/** What reading a tenant takes, in calls of Auth0 that are no call for a token. */
export interface ReadFigures {
  readonly people: number;
  readonly listed: number;
  readonly complete: boolean;
  readonly calls: number;
  /** Roles x pages of their members + users/100. */
  readonly least: number;
}

const PAGE = 100;
/** GoodData's users, as the target asks for them: all, and those who are about to be written to. */
const GOODDATA_PAGE = 500;
const GOODDATA_IDS = 50;
/** Who we are there, and whether a group exists. */
const GOODDATA_LOOKS = 2;

/** Half of `changes` are names, each of which is a call of its own; half are people who join one group, which is one. */
export async function measureApply(people: number, changes: number): Promise<ApplyFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-bench-'));
  const ids = Array.from({ length: people }, (_, at) => `p${at}`);
  const emulator = await startGoodDataEmulator({
    seed: {
      groups: [{ id: 'users' }, { id: 'team' }],
      users: ids.map((id) => ({ id, authenticationId: id, email: `${id}@acme.test`, ...named(id), groups: ['users'] })),
    },
  });
  const config = join(folder, 'latchgate.yaml');
  const list = (rows: readonly string[]) =>
    writeFileSync(join(folder, 'people.csv'), ['subject,email,given_name,family_name,role', ...rows].join('\n'));
  const row = (id: string, family: string, role: string) =>
    `${id},${id}@acme.test,${named(id).firstname},${family},${role}`;
  const apply = async () => {
    const lines: string[] = [];
    const say = (line: string) => void lines.push(line);
    const words = ['apply', 'hr-to-gooddata', '--config', config];
    const code = await run(words, { out: say, err: say, env: {}, isTTY: true });
    if (code !== 0) throw new Error(lines.join('\n'));
  };
  try {
    writeFileSync(config, configText(emulator.url, emulator.token));
    list(ids.map((id) => row(id, named(id).lastname, 'users')));
    await apply();
    emulator.requests.length = 0;
    const half = changes / 2;
    list(
      ids.flatMap((id, at) => [
        row(id, at < half ? 'Renamed' : named(id).lastname, 'users'),
        ...(at >= half && at < changes ? [row(id, named(id).lastname, 'team')] : []),
      ]),
    );
    await apply();
    const calls = emulator.requests.map(({ method, path }) => `${method} ${path}`);
    const reads = calls.filter((call) => call.startsWith('GET')).length;
    const leastReads = Math.ceil(people / GOODDATA_PAGE) + Math.ceil(changes / GOODDATA_IDS) + GOODDATA_LOOKS;
    return { people, changes, reads, leastReads, writes: calls.length - reads, leastWrites: half + 1 };
  } finally {
    await emulator.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function named(id: string) {
  return { firstname: id.toUpperCase(), lastname: 'Adams' };
}

function configText(url: string, token: string): string {
  return `
version: 1
state: { database: "sqlite:./state.db" }
sources: { hr: { type: file, path: people.csv } }
rules: { same-name: { when: { groups: [users, team] }, grant: { gooddata: { groups: ["\${match}"] } } } }
targets: { gooddata: { type: gooddata, url: "${url}", token: "${token}", timeout: 60s } }
sync: { hr-to-gooddata: { from: hr, to: gooddata } }
`;
}

/** Five roles: everybody has the first, every second the second, and so on. */
export async function measureRead(people: number): Promise<ReadFigures> {
  const roles = Array.from({ length: 5 }, (_, at) => ({ name: `role-${at + 1}` }));
  const seeded = users(people, (index) => ({
    roles: roles.filter((_, at) => index % (at + 1) === 0).map(({ name }) => name),
  }));
  const tenant = await startTenant({ seed: { roles, users: seeded } });
  try {
    const { people: listed, end } = await listAll(tenant.source);
    const calls = tenant.calls().filter((call) => !call.endsWith('/oauth/token')).length;
    const members = [...tenant.emulator.state.roles.values()].map((role) => Math.ceil(role.members.size / PAGE));
    const least = members.reduce((sum, pages) => sum + pages, 0) + Math.ceil(people / PAGE);
    return { people, listed: listed.length, complete: end.complete, calls, least };
  } finally {
    await tenant.close();
  }
}
