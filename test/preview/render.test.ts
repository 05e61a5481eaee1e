import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PreviewChange } from '../../src/preview/compare.ts';
import type { Preview, PreviewPerson } from '../../src/preview/outcome.ts';
import { renderPreviewMarkdown } from '../../src/preview/render-markdown.ts';
import { renderPreviewText } from '../../src/preview/render-text.ts';

/* What people read of a preview. UPDATE_GOLDEN=1 writes the files anew. */
const FOLDER = join(import.meta.dirname, '../golden/preview');

function golden(file: string, made: string): string {
  const path = join(FOLDER, file);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, made);
  return existsSync(path) ? readFileSync(path, 'utf8') : 'no such file: run once with UPDATE_GOLDEN=1';
}

const NOTHING = { target: 'superset', privileged: false, before: null, after: null } as const;
const role = (op: 'grant' | 'revoke', name: string, rule: string, privileged = false): PreviewChange => ({
  ...NOTHING,
  op,
  entitlement: { kind: 'role', name },
  privileged,
  [op === 'grant' ? 'after' : 'before']: { rule, origin: 'staff' },
});

function person(name: string, changes: readonly PreviewChange[], more: Partial<PreviewPerson> = {}): PreviewPerson {
  const email = `${name.split(' ')[0]?.toLowerCase()}@acme.test`;
  return { person: `p_${name.length}`, name, email, origins: ['staff'], changes, letIn: false, ...more };
}

const moves = [role('grant', 'Alpha', 'analysts'), role('revoke', 'Gamma', 'default')];
const PREVIEW: Preview = {
  looked: 120,
  people: [
    person('Ada Adams', moves),
    person('Ben Brown', moves),
    person('Cleo | `@all` <b>', [role('grant', 'Admin', 'admins', true)]),
    person('Dan\u202egnp', [{ ...NOTHING, op: 'close', code: 'denied_by_rule', after: { rule: 'no', origin: '' } }], {
      shutOut: { code: 'denied_by_rule', rule: 'no', message: 'Not here.' },
    }),
    person('Eve Evans', [role('revoke', 'sql_lab', 'bosses')]),
    person('Flo Fox', [{ ...NOTHING, op: 'refuse', code: 'profile_incomplete' }]),
    person('Gus Gray', [{ ...NOTHING, op: 'update', fields: ['email', 'givenName'] }]),
    person('Hal Hill', [{ ...NOTHING, op: 'update', fields: ['email', 'givenName'] }]),
  ],
  summary: { gain: 3, lose: 5, shutOut: 2, privileged: 1, profile: 2, otherRule: 4 },
  notes: ['target side is new: who has an account there already is not known here, and counts as without one'],
};

it('reads in a terminal', () => {
  const text = renderPreviewText(PREVIEW);
  expect(golden('six.txt', text)).toBe(text);
});

it('reads in a pull request, where no name is markup or a mention', () => {
  const text = renderPreviewMarkdown(PREVIEW);
  expect(golden('six.md', text)).toBe(text);
});

it('fits in a comment on GitHub however many people move', () => {
  const people = Array.from({ length: 5_000 }, (_, at) => person(`Person ${at}`, moves));
  const text = renderPreviewMarkdown({ ...PREVIEW, people });
  expect(text.length).toBeLessThan(65_536);
  expect(text).toContain('and 4900 more');
  expect(renderPreviewMarkdown({ ...PREVIEW, people }, { all: true })).toContain('`Person 4999`');
});
