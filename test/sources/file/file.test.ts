import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFileSource } from '../../../src/sources/file/source.ts';
import type { Source } from '../../../src/sources/source.ts';
import { describeSource, everythingSaidBy, failureOf, listAll, type SourceSubject } from '../../conformance/source.ts';
import { sourceConfig } from '../config-of.ts';
import { PEOPLE, ROWS } from '../table-people.ts';

const folder = mkdtempSync(join(tmpdir(), 'latchgate-file-source-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function fileOf(content: string | Uint8Array, ending: 'csv' | 'ndjson'): string {
  files += 1;
  const path = join(folder, `people-${files}.${ending}`);
  writeFileSync(path, content);
  return path;
}

function sourceOf(path: string, members: Readonly<Record<string, unknown>> = {}): Source {
  return createFileSource({ name: 'hr', config: sourceConfig('file', { path, ...members }) });
}

const quoted = (field: string | null) => (field === null ? '' : `"${field.replaceAll('"', '""')}"`);
const CSV = `\uFEFFEmail,Role,Title\r\n${ROWS.map(({ email, role, title }) => [email, role, title].map(quoted).join(',')).join('\r\n')}\r\n`;
const NDJSON = `${ROWS.map((row) => JSON.stringify(row)).join('\n')}\n`;

function subject(content: string, broken: string, ending: 'csv' | 'ndjson'): SourceSubject {
  const path = fileOf(content, ending);
  return {
    source: sourceOf(path),
    people: PEOPLE,
    read: ({ email, role }) => ({ email, groups: role }),
    failsInTheMiddle: async () => sourceOf(fileOf(content + broken, ending)),
    unreachable: async () => sourceOf(join(folder, `none.${ending}`)),
    contents: async () => readFileSync(path).toString('base64'),
    secrets: ['Countess', 'too-many-fields'],
    cleanup: async () => {},
  };
}

describeSource('CSV file', async () => subject(CSV, 'too-many-fields,b,c,d,e\r\n', 'csv'));
// A line that is no JSON is one unreadable row; bytes that are no text are the end.
describeSource('NDJSON file', async () => subject(NDJSON, `${'too-many-fields'.repeat(100_000)}\n{}`, 'ndjson'));

const list = async (content: string | Uint8Array, ending: 'csv' | 'ndjson', members = {}) =>
  listAll(sourceOf(fileOf(content, ending), members));

describe('a CSV file', () => {
  it('may have line breaks, quotes and delimiters in fields, and other ends of lines', async () => {
    const text = 'email,title\n"a@example.com","two\nlines, ""quoted"""\nb@example.com,plain';
    const { people } = await list(text, 'csv');
    expect(people.map(({ claims }) => claims['title'])).toEqual(['two\nlines, "quoted"', 'plain']);
  });

  it('may be cut by another character', async () => {
    const { people } = await list('email;role\na@example.com;A,B\n', 'csv', {
      delimiter: ';',
      groups_separator: ',',
    });
    expect(people).toEqual([
      { subject: 'a@example.com', active: true, claims: { email: 'a@example.com', role: ['A', 'B'] } },
    ]);
  });

  it('without a column for the key, a header line or the same fields in each line is refused', async () => {
    expect(await failureOf(list('name,role\nAda,Admin\n', 'csv'))).toMatchObject({ code: 'source_refused' });
    expect(await failureOf(list('', 'csv'))).toMatchObject({ code: 'source_answer_invalid' });
    const uneven = await failureOf(list('email,role\nada@example.com,Admin,more\n', 'csv'));
    expect(uneven).toMatchObject({ code: 'source_answer_invalid', detail: { line: 2 } });
    expect(everythingSaidBy(uneven)).not.toContain('ada@');
  });

  it('with a header line alone is an empty listing', async () => {
    expect(await list('email,role\n', 'csv')).toEqual({
      people: [],
      end: { complete: true, unreadable: 0, notes: [] },
    });
  });

  it('without a column of groups is not complete, unless it needs none', async () => {
    const text = 'email,rolle\na@example.com,Admin\n';
    expect((await list(text, 'csv')).end).toMatchObject({
      complete: false,
      why: expect.stringContaining('no column with the groups'),
    });
    expect((await list(text, 'csv', { claims: { groups: 'rolle' } })).end.complete).toBe(true);
    expect((await list(text, 'csv', { groups_absent: 'keep' })).end.complete).toBe(true);
  });

  it('that ends within quotes is refused', async () => {
    expect(await failureOf(list('email,role\nada@example.com,"Adm', 'csv'))).toMatchObject({
      code: 'source_answer_invalid',
    });
  });
});

describe('an NDJSON file', () => {
  it('may have lists of roles, further members in some lines, and numbers for keys', async () => {
    const lines = [
      { subject: 7, Email: 'a@example.com', roles: ['A', 'B'] },
      { subject: '8', dept: { name: 'x' } },
    ];
    const { people } = await list(lines.map((line) => JSON.stringify(line)).join('\r\n'), 'ndjson');
    expect(people).toEqual([
      { subject: '7', active: true, claims: { subject: 7, email: 'a@example.com', roles: ['A', 'B'] } },
      { subject: '8', active: true, claims: { subject: '8', dept: { name: 'x' } } },
    ]);
  });

  it.each([
    ['is no JSON', '{"email": "x@example'],
    ['is no object', '["x@example.com"]'],
    ['has no key', '{"role": "Admin"}'],
    ['has the key twice, in two cases', '{"email": "x@example.com", "EMAIL": "y@example.com"}'],
  ])('counts a line that %s as unreadable', async (_, line) => {
    const { people, end } = await list(`${line}\n{"email":"a@example.com"}\n`, 'ndjson');
    expect(people.map(({ subject: one }) => one)).toEqual(['a@example.com']);
    expect(end).toMatchObject({ complete: true, unreadable: 1 });
  });
});

it('bytes that are no UTF-8 are refused, and so is what is too large', async () => {
  const latin1 = Buffer.from('email\njürgen@example.com\n', 'latin1');
  expect(await failureOf(list(latin1, 'csv'))).toMatchObject({ code: 'source_answer_invalid' });
  const large = failureOf(list('email\na@example.com\n', 'csv', { max_bytes: 10 }));
  expect(await large).toMatchObject({ code: 'source_refused' });
  expect(await failureOf(listAll(sourceOf(folder)))).toMatchObject({ code: 'source_refused' });
});

it('stops at max_rows, and then is not complete', async () => {
  const text = 'email,role\na@example.com,A\nb@example.com,B\n';
  const { people, end } = await list(text, 'csv', { max_rows: 1 });
  expect(people).toHaveLength(1);
  expect(end).toMatchObject({ complete: false, why: expect.stringContaining('max_rows') });
  expect((await list(text, 'csv', { max_rows: 2 })).end.complete).toBe(true);
});

describe('a file that changes while it is read is not complete', () => {
  const LINES = 20_000;
  const content = `email\n${Array.from({ length: LINES }, (_, index) => `p${index}@example.com`).join('\n')}\n`;

  it.each([
    ['appended to', (path: string) => appendFileSync(path, 'more@example.com\n')],
    ['emptied', (path: string) => writeFileSync(path, 'email\n')],
    ['replaced', (path: string) => renameSync(fileOf(content, 'csv'), path)],
    ['deleted', (path: string) => rmSync(path)],
  ])('when %s', async (_, change) => {
    const path = fileOf(content, 'csv');
    const { signal } = new AbortController();
    let pieces = 0;
    // The signal is asked before each piece: what is done then comes between two of them.
    Object.defineProperty(signal, 'aborted', {
      get: () => {
        pieces += 1;
        if (pieces === 3) change(path);
        return false;
      },
    });
    const { end } = await listAll(sourceOf(path), signal);
    expect(end).toMatchObject({ complete: false, why: expect.stringContaining('changed') });
  });
});
