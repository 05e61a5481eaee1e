import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { doctorLines } from '../../src/cli/doctor.ts';
import { type Examined, FINDINGS, finding } from '../../src/compose/doctor/findings.ts';
import { page } from '../markdown.ts';

/** What people read. `UPDATE_GOLDEN=1 npm test -- test/cli/doctor` writes it anew; look at what changed. */
const GOLDEN = join(import.meta.dirname, '../golden/doctor.txt');

const LOOKS: readonly Examined[] = [
  {
    about: 'config',
    what: 'what `check` warns of',
    findings: [finding('admin_public', 'admin_listen', 'it answers on every address')],
  },
  {
    about: 'login.staff',
    what: 'discovery and clock',
    findings: [finding('clock_skew', 'login.staff', 'the clock here is 190 s behind that of the provider')],
  },
  { about: 'login.staff', what: 'signing keys', findings: [] },
  {
    about: 'targets.superset',
    what: 'spoofed headers, sent to the backend',
    findings: [
      finding(
        'backend_fooled',
        'targets.superset',
        'whoever reaches superset:8088 is latchgate by saying so: X-Remote-User',
      ),
    ],
  },
  {
    about: 'targets.superset',
    what: 'spoofed headers, sent through the gateway',
    findings: [],
    skipped: 'the gateway does not serve at 127.0.0.1:4180 now',
  },
  { about: 'targets.odd\u202etxt', what: 'the service account and its rights', findings: [] },
];

it('prints part by part what was looked at, what was seen and how it is put right', () => {
  const text = `${doctorLines(LOOKS).join('\n')}\n`;
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(GOLDEN, text);
  expect(text).toBe(readFileSync(GOLDEN, 'utf8'));
});

it('docs/doctor.md names every finding with its fix, and no other', () => {
  const rows = [...page('docs/doctor.md').text.matchAll(/^\| `([a-z_]+)` \| .+? \| (.+) \|$/gm)];
  const named = Object.fromEntries(rows.map(([, code, fix]) => [code, fix]));
  expect(named).toEqual({ ...FINDINGS });
});
