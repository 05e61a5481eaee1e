import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../src/cli/program.ts';
import { makeTerminal } from '../cli/terminal.ts';
import { type RunningSuperset, startSuperset } from '../services/superset.ts';
import { type AsAdmin, adminByPassword, SERVICE } from '../targets/superset/subject.ts';

// Beside a real Superset that people use as it is: three things differ from what our rules give, and nothing is written.
const PEOPLE = { ann: 'Gamma', bob: 'Gamma', cid: 'Gamma' } as const;

let folder: string;
let superset: RunningSuperset;
let admin: AsAdmin;
let before: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'latchgate-shadow-'));
  superset = await startSuperset({ mode: 'header', servicePassword: SERVICE.password });
  admin = adminByPassword(superset.url, superset.admin);
  const roles = await roleIds();
  for (const [sub, role] of Object.entries(PEOPLE)) {
    // Bob was given more by hand, and Cid goes by another name; Dan has no account.
    const given = sub === 'bob' ? [roles[role], roles['Alpha']] : [roles[role]];
    const { status } = await admin('POST', 'users/', {
      username: sub,
      first_name: sub,
      last_name: sub === 'cid' ? 'Other' : 'Adams',
      email: `${sub}@acme.test`,
      password: 'their own',
      active: true,
      roles: given,
    });
    expect(status).toBe(201);
  }
  before = await everything();
  writeFileSync(join(folder, 'latchgate.yaml'), config());
  const claims = ['ann', 'bob', 'cid', 'dan'].map((sub) => ({
    sub,
    given_name: sub,
    family_name: 'Adams',
    email: `${sub}@acme.test`,
    email_verified: true,
    preferred_username: sub,
  }));
  writeFileSync(join(folder, 'claims.ndjson'), claims.map((one) => `${JSON.stringify(one)}\n`).join(''));
}, 900_000);
afterAll(async () => {
  await superset?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function roleIds(): Promise<Record<string, number>> {
  const { body } = await admin('GET', 'roles/?q=(page_size:100)');
  return Object.fromEntries((body.result as { id: number; name: string }[]).map(({ id, name }) => [name, id]));
}

/** Users with their roles and when they were changed, roles, groups. */
async function everything(): Promise<string> {
  const lists = await Promise.all(
    ['users', 'roles', 'groups'].map((resource) => admin('GET', `${resource}/?q=(page_size:100)`)),
  );
  // Superset itself counts logins, ours to its API too.
  const seen = ({ last_login: _at, login_count: _count, fail_login_count: _failed, ...row }: Record<string, unknown>) =>
    row;
  return JSON.stringify(lists.map(({ body }) => (body.result as Record<string, unknown>[]).map(seen)));
}

function config(): string {
  return `version: 1
mode: shadow
public_url: http://127.0.0.1:4180
listen: 127.0.0.1:4180
session: { secrets: ["only for tests, and long enough for the rule"] }
login: { staff: { issuer: "http://127.0.0.1:1", client_id: latchgate, email_domains: [acme.test] } }
rules: { everybody: { grant: { superset: { roles: [Gamma] } } } }
targets:
  superset: { type: superset, url: "${superset.url}", sign_in: header, service_password: "${SERVICE.password}", timeout: 60s }
routes: [{ path: /, to: superset }]
safety: { never_touch: [admin] }
`;
}

async function latchgate(...args: string[]): Promise<{ readonly code: number; readonly out: string }> {
  const terminal = makeTerminal({});
  const code = await run([...args, '--config', join(folder, 'latchgate.yaml')], terminal);
  return { code, out: [...terminal.lines, ...terminal.errors].join('\n') };
}

it('says these three and no other, and writes nothing', async () => {
  const fed = await latchgate('shadow', 'feed', '--origin', 'staff', '--claims', join(folder, 'claims.ndjson'));
  expect(fed).toMatchObject({ code: 0, out: expect.stringMatching(/^4 taken, 0 not/) });
  const { code, out } = await latchgate('drift', '--json');
  const { rows } = JSON.parse(out) as { rows: { kind: string; account: string; seen: string }[] };
  expect(rows.map(({ kind, account }) => `${kind} ${account}`).sort()).toEqual([
    'account_not_made dan',
    'entitlement_by_hand bob',
    'profile_changed cid',
  ]);
  expect(code).toBe(10);
  expect(await latchgate('drift', 'repair', '--all')).toMatchObject({
    code: 1,
    out: expect.stringContaining('shadow_mode'),
  });
  expect(await everything()).toBe(before);
  expect(await latchgate('users', 'show', 'bob@acme.test', '--json')).toMatchObject({
    out: expect.stringMatching(/"accounts":\s*\[\]/),
  });
}, 300_000);

it('finds nothing wrong with that Superset, be it asked by spoofed headers too', async () => {
  const { code, out } = await latchgate('doctor', '--json');
  const found = (JSON.parse(out) as { findings: { code: string; about: string }[] }).findings;
  expect(found.filter(({ about }) => about.startsWith('targets.'))).toEqual([]);
  expect(code).toBe(6);
}, 300_000);
