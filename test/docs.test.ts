import { existsSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { run } from '../src/cli/program.ts';
import { FINDINGS } from '../src/compose/doctor/findings.ts';
import { COMPLAINTS } from '../src/config/complaint.ts';
import type { Tables } from '../src/directory/tables.ts';
import { DRIFT_KINDS } from '../src/drift/kinds.ts';
import { ERRORS } from '../src/model/errors.ts';
import { createMetrics } from '../src/ops/metrics.ts';
import { checked, completed } from './docs-config.ts';
import { anchors, codeBlocks, links, page, pages, projectFolder } from './markdown.ts';

const { scripts } = JSON.parse(readFileSync(join(projectFolder, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
};
const all = pages();

describe.each(all.map((one) => [one.file, one] as const))('%s', (file, text) => {
  it('has no link that leads nowhere', () => {
    const relative = links(text).filter((link) => !/^[a-z]+:/i.test(link));
    expect(relative.filter((link) => !leadsSomewhere(file, link))).toEqual([]);
  });

  it('names no file that is not there', () => {
    const named = [
      ...text.text.matchAll(/`((?:src|test|config|docs|integrations|demo|bench|scripts)\/[\w./-]+?)\/?`/g),
    ].map(([, path]) => path ?? '');
    expect(named.filter((path) => !existsSync(join(projectFolder, path)))).toEqual([]);
  });

  it('names no command that the program does not take', async () => {
    const named = [...text.text.matchAll(/`latchgate ([a-z]+(?:-[a-z]+)*(?: [a-z]+(?:-[a-z]+)*)?)/g)].map(
      ([, words]) => words ?? '',
    );
    const unknown: string[] = [];
    for (const words of new Set(named)) if (!(await isCommand(words.split(' ')))) unknown.push(words);
    expect(unknown).toEqual([]);
  });

  it('names no npm script that package.json does not have', () => {
    const named = [...text.text.matchAll(/\bnpm run ([\w:]+)/g)].map(([, name]) => name ?? '');
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  it('shows only configuration that the gateway takes', () => {
    const parts = codeBlocks(text, 'yaml').map((yaml) => (/^version:/m.test(yaml) ? yaml : completed(yaml)));
    expect(parts.flatMap((yaml) => checked(yaml).complaints)).toEqual([]);
  });
});

describe('docs/operations.md', () => {
  it('names every metric, and no other', async () => {
    const metrics = createMetrics();
    metrics.audit({ ok: true, verifiedAt: 1, checkpointAt: 1, unsignedSeconds: 0 });
    const { body } = await metrics.render();
    const there = [...body.matchAll(/^# TYPE (latchgate_\w+)/gm)].map(([, name]) => name ?? '');
    const named = [...page('docs/operations.md').text.matchAll(/^\| `(latchgate_\w+)`/gm)].map(
      ([, name]) => name ?? '',
    );
    expect(named.sort()).toEqual(there.sort());
  });
});

describe('docs/storage.md', () => {
  it('names every table, and no other', () => {
    const tables: Record<keyof Tables, true> = {
      people: true,
      subjects: true,
      assertions: true,
      accounts: true,
      grants: true,
      pins: true,
      reviews: true,
      leases: true,
      once_keys: true,
      provider_logouts: true,
      handovers: true,
      counts: true,
      retries: true,
      decisions: true,
      plans: true,
      sync_runs: true,
      state_values: true,
      audit_records: true,
      audit_head: true,
      audit_checkpoints: true,
      audit_removed: true,
      audit_deliveries: true,
      sessions: true,
      ended_sessions: true,
      scim_users: true,
      scim_counts: true,
      scim_emails: true,
      scim_groups: true,
      scim_members: true,
      scim_tokens: true,
      scim_held: true,
      console_sessions: true,
    };
    const [section = ''] = page('docs/storage.md').text.split('## What is hashed');
    const named = [...section.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(
      ([, cell]) => (cell ?? '').match(/\w+/g) ?? [],
    );
    expect(named.filter((name) => !name.startsWith('kysely_')).sort()).toEqual(Object.keys(tables).sort());
  });
});

it('every reason code that the docs name is one of ours', () => {
  const codes = new Set([ERRORS, COMPLAINTS, FINDINGS, DRIFT_KINDS].flatMap((table) => Object.keys(table)));
  const like =
    /`((?:account|login|provider|target|token|groups|email|profile|denied|state|upstream|user_name)_[a-z_]+)`/g;
  const notCodes = new Set([
    'email_domains',
    'provider_logouts',
    'email_verified',
    'groups_absent',
    'groups_separator',
    'login_hint',
    'login_url',
    'state_values',
    'user_name',
  ]);
  const named = all.flatMap(({ text }) => [...text.matchAll(like)].map(([, code]) => code ?? ''));
  expect([...new Set(named)].filter((code) => !codes.has(code) && !notCodes.has(code))).toEqual([]);
});

function leadsSomewhere(file: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? file : normalize(join(file, '..', path));
  if (!existsSync(join(projectFolder, target))) return false;
  return anchor === undefined || !target.endsWith('.md') || anchors(page(target)).includes(anchor);
}

/** Whether the program knows `users disable`, or `why`, whose next word is an argument. */
async function isCommand(words: readonly string[]): Promise<boolean> {
  const shown: string[] = [];
  const io = { out: (line: string) => void shown.push(line), err: () => {}, env: {}, isTTY: false };
  if ((await run([...words, '--help'], io)) !== 0) return false;
  return shown.join('\n').includes(`Usage: latchgate ${words.join(' ')}`);
}
