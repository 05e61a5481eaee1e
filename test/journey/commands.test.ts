import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/cli/program.ts';
import { makeTerminal } from '../cli/terminal.ts';
import { type LyingProvider, startLyingProvider } from '../emulators/lying-oidc.ts';
import { BOTH, CLIENT_ID, claimsOf, gooddataUser, supersetPeople } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';

// Every command, as an operator types it, beside a gateway that runs.
const rules = `
  same-name:
    when: { groups: "team-*" }
    grant: { gooddata: { groups: ["\${match}"] }, superset: { groups: ["\${match}"] } }
  everybody:
    grant: { superset: { roles: [Gamma] }, gooddata: {} }
  nobody-defined:
    when: { groups: wants-missing-role }
    grant: { superset: { roles: [Undefined] } }
  suspended:
    when: { groups: suspended }
    deny: Your access is suspended.`;

let journey: Journey;
let provider: LyingProvider;

beforeAll(async () => {
  provider = await startLyingProvider({ clientId: CLIENT_ID, subject: 'ann', withUserinfo: false });
  journey = await startJourney({ issuer: provider.issuer, sections: { ...BOTH, rules } });
  await logIn({ groups: ['team-a', 'team-b'] });
  await until('both targets', () => (supersetPeople(journey.superset.state).includes('ann') ? true : undefined));
});
afterAll(async () => {
  await journey.close();
  await provider.close();
});

async function logIn(claims: Record<string, unknown>) {
  provider.lie({ claims: { ...claimsOf('ann'), ...claims } });
  return journey.browser().visit(`${journey.url}/`);
}

function file(name: string, content: unknown): string {
  const path = join(journey.folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

/** A command line without `--config`, so that its place among the arguments can vary. */
async function bare(...args: string[]) {
  const terminal = makeTerminal({ ...journey.env });
  const code = await run(args, terminal);
  return { code, out: terminal.lines.join('\n'), err: terminal.errors.join('\n') };
}

const COMMANDS = [
  ['serve'],
  ['check'],
  ['explain', '--origin', 'acme', '--claims', 'x.json'],
  ['preview', '--new', 'x.yaml'],
  ['review', '--target', 'superset', '--out', 'x.csv'],
  ['pins', 'list'],
  ['pins', 'lift', '--user', 'ann', '--target', 'superset', '--entitlement', 'Alpha'],
  ['why', 'abc'],
  ['audit', 'list'],
  ['audit', 'verify'],
  ['audit', 'who-had', 'Admin', '--at', '30d'],
  ['audit', 'undo', '1'],
  ['audit', 'lost', 'x.ndjson'],
  ['sessions', 'list'],
  ['sessions', 'end', '--all'],
  ['users', 'list'],
  ['users', 'show', 'ann'],
  ['users', 'disable', 'ann'],
  ['users', 'enable', 'ann'],
  ['plan', 'hr'],
  ['apply', 'hr'],
  ['adopt'],
  ['plans', 'list'],
  ['plans', 'show', 'pl_1'],
  ['plans', 'approve', 'pl_1'],
  ['plans', 'reject', 'pl_1'],
  ['syncs', 'list'],
  ['syncs', 'runs', 'hr'],
];

describe('every command', () => {
  it.each(
    [...COMMANDS, ['schema']].map((words) => [
      words.slice(0, words[0]?.match(/audit|sessions|users|plans|pins|syncs/) ? 2 : 1),
    ]),
  )('%j --help says what it does and which options it has, and ends with 0', async (words) => {
    const { code, out, err } = await bare(...words, '--help');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(new RegExp(`^Usage: latchgate ${words.join(' ')}`));
    expect(out).toContain('--config <file>');
  });

  it.each(COMMANDS.map((words) => [words]))(
    '%j ends with 2 on a bad config, naming the unknown key and the missing secret file with their places',
    async (words) => {
      const path = file('bad.yaml', 'version: 1\nlisten_on: x\nsession: { secrets: ["${file:./not-there}"] }\n');
      const { code, out, err } = await bare(...words, '--config', path);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toContain(`${path}:2:1: unknown_key:`);
      expect(err).toContain(`${path}:3:22: secret_file_missing: the secret file ./not-there`);
    },
  );

  it.each(COMMANDS.map((words) => [words]))('%j ends with 2 when there is no config', async (words) => {
    const { code, err } = await bare(...words, '--config', '/not/there.yaml');
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(/^\/not\/there\.yaml.*file_unreadable/) });
  });

  it('takes the config from LATCHGATE_CONFIG', async () => {
    const terminal = makeTerminal({ ...journey.env, LATCHGATE_CONFIG: journey.configFile });
    expect(await run(['check'], terminal)).toBe(0);
  });

  it.each([
    [[]],
    [['no-such-command']],
    [['users']],
    [['users', 'show']],
    [['why']],
    [['check', '--no-such-option']],
    [['explain']],
    [['explain', '--origin', 'acme']],
    [['explain', '--origin', 'acme', '--claims', 'a', '--token', 'b']],
    [['plan']],
    [['apply', '--json']],
    [['apply', 'hr', '--plan', 'plan.json']],
    [['sessions', 'end']],
    [['sessions', 'end', '--all', '--user', 'ann']],
    [['audit', 'list', '--since', 'yesterday']],
  ])('%j is no command line: 64, and a sentence', async (words) => {
    const { code, err } = await (words.length > 1 ? journey.cli(...words) : bare(...words));
    expect(code).toBe(64);
    expect(err).not.toBe('');
  });
});

describe('check and schema', () => {
  it('check says what there is', async () => {
    expect(await journey.cli('check')).toEqual({
      code: 0,
      out: `${journey.configFile}: ok: 1 login, 4 rules, 2 targets, 2 routes`,
      err: '',
    });
    expect(JSON.parse((await journey.cli('check', '--json')).out)).toMatchObject({ ok: true, complaints: [] });
  });

  it('schema prints a JSON Schema that knows the keys', async () => {
    const { code, out } = await journey.cli('schema');
    expect(code).toBe(0);
    expect(Object.keys(JSON.parse(out).properties)).toEqual(expect.arrayContaining(['login', 'targets', 'routes']));
  });
});

describe('explain', () => {
  const claims = (groups: readonly string[]) => file('claims.json', { sub: 'ann', ...claimsOf('ann'), groups });
  const explain = (...args: string[]) => journey.cli('explain', '--origin', 'acme', ...args);

  it('0: allowed, group by group and rule by rule, without network', async () => {
    const from = [journey.gooddata.requests.length, journey.superset.requests.length];
    const { code, out } = await explain('--claims', claims(['team-a', 'other']));
    expect(code).toBe(0);
    expect(out).toMatch(/^The claims are taken as they are/);
    expect(out).toContain('ALLOW');
    expect(out).toContain('same-name');
    const json = JSON.parse((await explain('--claims', claims(['team-a', 'other']), '--json')).out);
    expect(json).toMatchObject({ decision: 'allow', verified: false, attributes: { email: 'ann@acme.test' } });
    expect(json.targets.gooddata.entitlements).toMatchObject([{ kind: 'group', name: 'team-a', rule: 'same-name' }]);
    expect([journey.gooddata.requests.length, journey.superset.requests.length]).toEqual(from);
  });

  it('3: denied, in the words of the rule; or by the shape of what was sent', async () => {
    const denied = await explain('--claims', claims(['suspended']));
    expect(denied.code).toBe(3);
    expect(denied.out).toContain('Your access is suspended.');
    const shapeless = file('shapeless.json', { sub: 'ann', email: 'ann@acme.test', groups: 7 });
    const { code, out } = await explain('--claims', shapeless, '--json');
    expect([code, JSON.parse(out).code]).toEqual([3, 'groups_invalid']);
  });

  it('--target: the plan against what is there, which is read and never written', async () => {
    const from = journey.gooddata.requests.length;
    const { code, out } = await explain('--claims', claims(['team-b', 'team-new']), '--target', 'gooddata', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out).targets.gooddata).toMatchObject({
      compared: true,
      changes: [
        { op: 'create', type: 'group', key: 'team-new' },
        { op: 'grant', type: 'user', key: 'ann', entitlement: { kind: 'group', name: 'team-new' } },
        { op: 'revoke', type: 'user', key: 'ann', entitlement: { kind: 'group', name: 'team-a' } },
      ],
      held: [],
    });
    expect(journey.gooddata.requests.slice(from).filter(({ method }) => method !== 'GET')).toEqual([]);
    expect(gooddataUser(journey.gooddata.state, 'ann')?.groups).toEqual(['team-a', 'team-b']);
    const text = await explain('--claims', claims(['team-b', 'team-new']), '--target', 'gooddata');
    expect(text.out).toMatch(/team-new/);
  });

  it('--target for somebody new: the account that would be made', async () => {
    const fresh = file('fresh.json', { sub: 'zoe', ...claimsOf('zoe'), groups: ['team-a'] });
    const { code, out } = await explain('--claims', fresh, '--target', 'superset', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out).targets.superset.changes[0]).toMatchObject({ op: 'create', type: 'user', key: 'zoe' });
    expect(supersetPeople(journey.superset.state)).not.toContain('zoe');
    expect((await journey.cli('users', 'show', 'zoe')).code).toBe(1);
  });

  it('11: something is held, and the login says so too', async () => {
    const { code, out } = await explain('--claims', claims(['wants-missing-role']), '--target', 'superset', '--json');
    expect(code).toBe(11);
    expect(JSON.parse(out)).toMatchObject({ decision: 'held', code: 'role_missing' });
    expect((await logIn({ groups: ['team-a', 'team-b', 'wants-missing-role'] })).status).toBe(200);
    const held = await until('the other target', async () => {
      const lines = (await journey.cli('audit', 'list', '--json')).out.split('\n');
      return lines.find((line) => line.includes('"change.held"'));
    });
    expect(JSON.parse(held)).toMatchObject({ target: 'superset', key: 'role:Undefined', code: 'role_missing' });
  });

  it('--token: verified, and refused when it does not hold', async () => {
    const token = await provider.sign({ ...claimsOf('ann'), groups: ['team-a'] });
    const good = await explain('--token', file('token', `${token}\n`));
    expect(good.code).toBe(0);
    expect(good.out).toMatch(/^The token is verified/);
    expect(JSON.parse((await explain('--token', file('token', token), '--json')).out)).toMatchObject({
      verified: true,
    });
    const [head, , signature] = token.split('.');
    const forged = Buffer.from(JSON.stringify({ sub: 'ann', groups: ['admins'] })).toString('base64url');
    for (const bad of [`${head}.${forged}.${signature}`, 'not a token', await provider.sign({ aud: 'another' })]) {
      const { code, out, err } = await explain('--token', file('token', bad));
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(err).toMatch(/^token_invalid: /);
      expect(err).not.toContain(bad);
    }
  });

  it.each([
    [['--claims', '/not/there.json'], 1, /^not_found: /],
    [['--claims', 'EMPTY'], 64, /^usage: the claims are not JSON/],
    [['--claims', 'LIST'], 64, /^usage: the claims are not one JSON object/],
  ])('%j ends with %i', async (args, code, sentence) => {
    const files: Record<string, string> = { EMPTY: file('empty.json', ''), LIST: file('list.json', []) };
    const answer = await explain(...args.map((arg) => files[arg] ?? arg));
    expect(answer).toMatchObject({ code, err: expect.stringMatching(sentence) });
  });

  it('an origin or a target that is not there: 1, and those that are', async () => {
    const path = claims([]);
    const origin = await journey.cli('explain', '--origin', 'acmee', '--claims', path);
    expect(origin).toMatchObject({ code: 1, err: expect.stringContaining('there is acme') });
    const target = await explain('--claims', path, '--target', 'tableau');
    expect(target).toMatchObject({ code: 1, err: expect.stringContaining('gooddata, superset') });
  });
});
