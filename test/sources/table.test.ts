import { Table, type TableOptions } from '../../src/sources/table.ts';
import { sourceConfig } from './config-of.ts';

const { claims } = sourceConfig('file', { path: 'people.csv' });

function read(names: readonly string[], rows: readonly (readonly unknown[])[], options: Partial<TableOptions> = {}) {
  const table = new Table({ claims, ...options });
  const columns = table.columns(names);
  for (const row of rows) table.add(columns, row);
  const { unreadable } = table;
  const notes = table.notes();
  return { people: [...table.people()], unreadable, notes };
}

it('makes one person of several rows: roles are gathered, the first other value counts', () => {
  const { people, notes } = read(
    ['email', 'role', 'title'],
    [
      ['a@example.com', 'Admin', null],
      ['b@example.com', 'User', 'Analyst'],
      ['A@EXAMPLE.COM', 'User', 'Chief'],
      ['a@example.com', 'Admin', 'Deputy'],
      ['b@example.com', 'User', 'Analyst'],
    ],
  );
  expect(people).toEqual([
    {
      subject: 'a@example.com',
      active: true,
      claims: { email: 'a@example.com', role: ['Admin', 'User'], title: 'Chief' },
    },
    { subject: 'b@example.com', active: true, claims: { email: 'b@example.com', role: ['User'], title: 'Analyst' } },
  ]);
  expect(notes).toEqual([
    'people with several rows, whose groups are gathered: 2',
    'people whose rows differ in title, where the first value counts: 1',
  ]);
});

it('gives an empty list to whom no row gives a role', () => {
  const rows = [
    ['a@example.com', null],
    ['b@example.com', ''],
    ['c@example.com', []],
    ['d@example.com', ' '],
  ];
  const { people } = read(['email', 'role'], rows);
  expect(people.map(({ claims: { role } }) => role)).toEqual([[], [], [], []]);
});

it('takes the blanks around a role for none of it', () => {
  const rows = [
    ['a@example.com', ' Admin'],
    ['a@example.com', 'Data Team  '],
    ['b@example.com', [' User\t']],
  ];
  const { people } = read(['email', 'role'], rows);
  expect(people.map(({ claims: { role } }) => role)).toEqual([['Admin', 'Data Team'], ['User']]);
});

it('gives no groups at all when there is no such column', () => {
  expect(read(['email'], [['a@example.com']]).people[0]?.claims).toEqual({ email: 'a@example.com' });
});

it.each([
  ['null', null],
  ['empty', ''],
  ['no address', 'nobody'],
  ['two addresses', 'a@b@c'],
  ['of blanks', 'a b@example.com'],
  ['with a control character', 'a\u0000@example.com'],
  ['longer than 255', `${'a'.repeat(250)}@x.com`],
  ['a truth', true],
  ['a broken number', 1.5],
  ['an object', {}],
])('a key that is %s names nobody', (_, key) => {
  const { people, unreadable, notes } = read(['email'], [[key], ['a@example.com']]);
  expect(people).toHaveLength(1);
  expect(unreadable).toBe(1);
  expect(notes).toEqual(['rows without a key that can be used: 1']);
});

it.each([
  ['the column subject before the e-mail', ['subject', 'email'], ['S1', 'a@example.com'], {}, 'S1'],
  ['the named column before both', ['subject', 'email', 'ID'], ['S1', 'a@x.com', 42n], { key: 'id' }, '42'],
  ['the e-mail in lower case', ['EMAIL'], ['Ada@Example.COM'], {}, 'ada@example.com'],
  ['a named e-mail in lower case too', ['mail'], ['Ada@Example.COM'], { key: 'Mail' }, 'ada@example.com'],
  ['another key exactly', ['subject'], ['Abc'], {}, 'Abc'],
  // The Kelvin sign: its lower case in Unicode is a plain k.
  ['letters beyond ASCII as they are', ['email'], ['\u212A@example.com'], {}, '\u212A@example.com'],
])('takes %s', (_, names, row, options, subject) => {
  expect(read(names, [row], options).people.map((person) => person.subject)).toEqual([subject]);
});

it('spells claims as the config does, whatever the case of the column', () => {
  const named = { ...claims, department: ['Dept'], city: ['Address.City'] };
  const { people } = read(['EMAIL', 'DEPT', 'ADDRESS', 'Other'], [['a@x.com', 'R&D', { City: 'Ulm' }, 1]], {
    claims: named,
  });
  expect(people[0]?.claims).toEqual({ email: 'a@x.com', Dept: 'R&D', Address: { City: 'Ulm' }, other: 1 });
});

it('cuts roles where it is told to, in lists too', () => {
  const rows = [
    ['a@x.com', 'A; B;;'],
    ['a@x.com', ['C;D', null, 7]],
  ];
  expect(read(['email', 'roles'], rows, { separator: ';' }).people[0]?.claims['roles']).toEqual([
    'A',
    'B',
    'C',
    'D',
    '7',
  ]);
});

it('takes truths, dates and large numbers as JSON can say them, and leaves bytes out', () => {
  const names = ['email', 'email_verified', 'since', 'big', 'small', 'ratio', 'photo'];
  const row = ['a@x.com', 1, new Date(0), 2n ** 60n, 5n, 0.5, Buffer.from('x')];
  const { people, notes } = read(names, [row]);
  expect(people[0]?.claims).toEqual({
    email: 'a@x.com',
    email_verified: true,
    since: '1970-01-01T00:00:00.000Z',
    big: '1152921504606846976',
    small: 5,
    ratio: '0.5',
  });
  expect(notes).toEqual(['columns left out, because they hold bytes: photo']);
});

it('takes a column with the name of a member of every object as any other', () => {
  const { people } = read(['email', '__proto__', 'constructor'], [['a@x.com', 'x', 'y']]);
  expect(Object.entries(people[0]?.claims ?? {})).toEqual([
    ['email', 'a@x.com'],
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
});

it('refuses two columns of one name', () => {
  expect(() => read(['email', 'Role', 'ROLE'], [])).toThrow(expect.objectContaining({ code: 'source_refused' }));
});

it('holds people, not rows', () => {
  const table = new Table({ claims });
  const columns = table.columns(['email', 'role']);
  for (let row = 0; row < 200_000; row += 1) table.add(columns, [`p${row % 1_000}@example.com`, `role-${row % 7}`]);
  expect(table.size).toBe(1_000);
  const given = table.people();
  for (let person = 0; person < 400; person += 1) given.next();
  // What was given is forgotten, but for the one that was given last.
  expect(table.size).toBe(601);
});
