// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${…}` is how a grant of the config names a capture
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ExplainOptions, type ExplainParts, explain } from '../../src/cli/explain.ts';
import type { Assertion } from '../../src/model/person.ts';

const CONFIG = `
version: 1
public_url: https://bi.example.com
session: { secrets: ["a-session-secret-that-is-long-enough-for-a-test-0123456789"] }
login:
  staff: { issuer: https://id.example.com, client_id: latchgate, client_secret: 9f86d081884c7d659a2feaa0c55ad015 }
rules:
  analysts: { when: { groups: analytics-team }, grant: { superset: { roles: [Alpha] } } }
  teams: { when: { groups: '~team:(?<team>[a-z]+)' }, grant: { superset: { roles: ["\${team}_viewer"] } } }
  suspended: { when: { groups: suspended }, deny: Ask Ann. }
targets:
  superset: { type: superset, url: "http://127.0.0.1:8088" }
routes:
  - { path: /, to: superset }
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'latchgate-explain-'));
  writeFileSync(join(folder, 'latchgate.yaml'), CONFIG);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function run(
  options: Partial<ExplainOptions>,
  input: string | undefined,
  parts: ExplainParts = {},
  isTTY = false,
): Promise<{ exit: number; out: string }> {
  const lines: string[] = [];
  const io = { out: (line: string) => void lines.push(line), err: () => {}, env: {}, isTTY };
  async function* stdin(): AsyncGenerator<string> {
    yield input ?? '';
  }
  const all = { config: join(folder, 'latchgate.yaml'), origin: 'staff', ...options };
  return { exit: await explain(all, io, { stdin: stdin(), ...parts }), out: lines.join('\n') };
}

const claims = (groups: unknown): string =>
  JSON.stringify({ sub: 's1', email: 'ann@example.com', preferred_username: 'ann', groups });

describe('explain --claims', () => {
  it('says what a person gets and why, without a network, and that nobody verified it', async () => {
    const { exit, out } = await run({ claims: '-' }, claims(['analytics-team', 'team:eng']));
    expect(exit).toBe(0);
    expect(out).toMatch(/^The claims are taken as they are/);
    expect(out).toContain('ALLOW');
    expect(out).toContain('role "Alpha"   by analysts (staff)');
    expect(out).toContain('role "eng_viewer"   by teams (staff)');
    expect(out).not.toContain('\u001b[');
  });

  it('reads a file, and colours on a terminal only', async () => {
    const file = join(folder, 'claims.json');
    writeFileSync(file, `\ufeff${claims(['analytics-team'])}`);
    expect((await run({ claims: file }, undefined, {}, true)).out).toContain('\u001b[32mALLOW');
  });

  it('prints the members that are promised as JSON', async () => {
    const { exit, out } = await run({ claims: '-', json: true }, claims(['analytics-team']));
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      decision: 'allow',
      code: null,
      attributes: { email: 'ann@example.com' },
      groups: [{ value: 'analytics-team', kept: true, by: 'groups.allow[0]' }],
      rules: [
        { name: 'analysts', matched: true },
        { name: 'teams', matched: false },
        { name: 'suspended', matched: false },
      ],
      targets: {
        superset: {
          userName: 'ann',
          profile: { userName: 'ann', email: 'ann@example.com' },
          entitlements: [{ kind: 'role', name: 'Alpha', rule: 'analysts' }],
          changes: [],
        },
      },
      verified: false,
    });
  });

  it.each([
    ['a rule', claims(['suspended']), 'denied_by_rule'],
    ['the shape of groups', claims({}), 'groups_invalid'],
    ['a subject that is not there', '{"email":"a@b.c"}', 'subject_invalid'],
    ['a subject that is a number', '{"sub":7,"email":"a@b.c"}', 'subject_invalid'],
  ])('exits 3 when denied by %s', async (_, input, code) => {
    const { exit, out } = await run({ claims: '-', json: true }, input);
    expect(exit).toBe(3);
    expect(JSON.parse(out)).toMatchObject({ decision: 'deny', code });
  });

  it.each(['not json: secret', '[]', 'null', '"text"', ''])('refuses %j, and does not repeat it', async (input) => {
    const refused = run({ claims: '-' }, input);
    await expect(refused).rejects.toMatchObject({ code: 'usage' });
    await expect(refused).rejects.not.toThrow('secret');
  });

  it('refuses more than 1 MiB', async () => {
    await expect(run({ claims: '-' }, ' '.repeat(1_048_577))).rejects.toThrow('longer than 1 MiB');
  });
});

describe('explain', () => {
  it.each([
    [{ claims: 'a', token: 'b' }, 'usage'],
    [{}, 'usage'],
    [{ claims: '-', origin: 'nobody' }, 'not_found'],
    [{ claims: '-', target: 'nowhere' }, 'not_found'],
    [{ claims: '/nonexistent/claims.json' }, 'not_found'],
    [{ claims: '-', config: '/nonexistent/latchgate.yaml' }, 'config_unreadable'],
    [{ token: '-' }, 'usage'],
    [{ claims: '-', target: 'superset' }, 'usage'],
  ])('%j: %s', async (options, code) => {
    await expect(run(options, claims([]))).rejects.toMatchObject({ code });
  });

  it('--token hands on the token without its line end, and says that it was verified', async () => {
    const seen: string[] = [];
    const verifyToken = async (origin: string, token: string): Promise<Assertion> => {
      seen.push(`${origin} ${token}`);
      const said = JSON.parse(claims(['analytics-team'])) as Record<string, unknown>;
      return { origin, issuer: 'https://id.example.com', subject: 's1', active: true, claims: said, at: new Date(0) };
    };
    const { exit, out } = await run({ token: '-' }, 'ey.J.x\n', { verifyToken });
    expect(seen).toEqual(['staff ey.J.x']);
    expect(exit).toBe(0);
    expect(out).toMatch(/^The token is verified/);
  });

  it('--target shows the changes, and exits 11 when one is held', async () => {
    const change = { op: 'create', type: 'user', key: 'ann', reason: 'login' } as const;
    const planFor = async () => ({ changes: [change], held: [{ ...change, code: 'account_ambiguous' }] });
    const text = await run({ claims: '-', target: 'superset' }, claims(['analytics-team']), { planFor });
    expect(text.exit).toBe(11);
    expect(text.out).toContain('HELD');
    expect(text.out).toContain('create user "ann"');
    expect(text.out).toContain('held: create user "ann" (account_ambiguous)');
    const json = await run({ claims: '-', target: 'superset', json: true }, claims(['analytics-team']), { planFor });
    expect(JSON.parse(json.out)).toMatchObject({
      decision: 'held',
      code: 'account_ambiguous',
      targets: { superset: { compared: true, changes: [change], held: [{ code: 'account_ambiguous' }] } },
    });
  });

  it('--target shows what would be taken where nothing is given any more', async () => {
    const change = { op: 'disable', type: 'user', key: 'ann', reason: 'no rule gives anything here' } as const;
    const planFor = async () => ({ changes: [change], held: [] });
    const { exit, out } = await run({ claims: '-', target: 'superset' }, claims([]), { planFor });
    expect(exit).toBe(0);
    expect(out).toMatch(/Account in superset\n {2}none is given\n.*\n {4}disable user "ann"/);
    const json = await run({ claims: '-', target: 'superset', json: true }, claims([]), { planFor });
    expect(JSON.parse(json.out)).toMatchObject({
      targets: { superset: { userName: null, entitlements: [], changes: [change] } },
    });
  });
});
