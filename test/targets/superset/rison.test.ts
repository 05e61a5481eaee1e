import fc from 'fast-check';
import { filtersFor } from '../../../src/targets/superset/accounts.ts';
import { listQuery, recordQuery, toRison } from '../../../src/targets/superset/rison.ts';
import { parseRison } from '../../emulators/superset/rison.ts';

const decoded = (query: string) => parseRison(new URLSearchParams(query).get('q') ?? '');

it('writes a list as Superset reads it', () => {
  const filters = [{ col: 'name', opr: 'in', value: ['Alpha', "o'brien!"] }] as const;
  const query = listQuery({ filters, columns: ['id', 'roles.id'], page: 2, pageSize: 100 });
  expect(query).toMatch(/^q=[A-Za-z0-9!%.~_*'()-]+$/);
  expect(decoded(query)).toEqual({
    filters: [{ col: 'name', opr: 'in', value: ['Alpha', "o'brien!"] }],
    columns: ['id', 'roles.id'],
    keys: ['none'],
    order_column: 'id',
    order_direction: 'asc',
    page: 2,
    page_size: 100,
  });
});

it('keeps every text a text of its own', () => {
  const texts = [
    "o'brien",
    'a!b',
    'x y',
    'a:b,c)',
    'josé',
    '12345',
    '-1',
    '!t',
    '!n',
    "'",
    "!'",
    '',
    '(',
    'a&q=b',
    '%27',
  ];
  for (const text of texts) expect(parseRison(toRison(text))).toBe(text);
  expect(decoded(recordQuery(texts))).toEqual({ columns: texts, keys: ['none'] });
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(decoded(recordQuery([text]))).toEqual({ columns: [text], keys: ['none'] });
    }),
  );
});

describe('a search without case', () => {
  it('is by both ends of the text', () => {
    expect(filtersFor('username', 'john_doe').map(({ opr, value }) => [opr, value])).toEqual([
      ['sw', 'john_doe'],
      ['ew', 'john_doe'],
    ]);
  });

  it.each(['%', '%%%%%%', '____', 'a', 'ab_', 'corp\\alice', '50%'])(
    'is by spellings where %s would fit many',
    (text) => {
      const [filter, ...more] = filtersFor('username', text);
      expect(more).toEqual([]);
      expect(filter?.opr).toBe('in');
      expect(filter?.value).toContain(text);
    },
  );

  it('knows every spelling of a short name', () => {
    expect([...(filtersFor('username', 'u1a')[0]?.value ?? [])].sort()).toEqual(['U1A', 'U1a', 'u1A', 'u1a']);
  });
});
