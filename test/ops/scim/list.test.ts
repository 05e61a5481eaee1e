import { type ListPage, readList } from '../../../src/ops/scim/list.ts';

type Item = { readonly id: string };

const items = (...ids: readonly string[]): Item[] => ids.map((id) => ({ id }));
const LETTERS = items(...'abcdefghij');

/** A list in pages of at most so many, which may be another one at each request. */
function listOf(most: number, at: (request: number) => readonly Item[], total = (all: readonly Item[]) => all.length) {
  const asked: number[] = [];
  const page = async (startIndex: number): Promise<ListPage<Item>> => {
    const all = at(asked.length);
    asked.push(startIndex);
    return { items: all.slice(startIndex - 1, startIndex - 1 + most), total: total(all) };
  };
  return { page, asked };
}

it.each([1, 2, 3, 9, 10, 11, 100])('reads a list to its end in pages of %i', async (most) => {
  const { page } = listOf(most, () => LETTERS);
  expect(await readList(page)).toEqual({ items: LETTERS, whole: true });
});

it.each([1, 2, 100])('reads an empty list, and one of one, in pages of %i', async (most) => {
  expect(await readList(listOf(most, () => []).page)).toEqual({ items: [], whole: true });
  expect(await readList(listOf(most, () => items('a')).page)).toEqual({ items: items('a'), whole: true });
});

it('goes on behind what the service counts', async () => {
  const { page } = listOf(
    3,
    () => LETTERS,
    () => 3,
  );
  expect(await readList(page)).toEqual({ items: LETTERS, whole: true });
});

it('is not whole when the service counts more than it gives', async () => {
  const { page } = listOf(
    3,
    () => LETTERS,
    () => 12,
  );
  expect(await readList(page)).toEqual({ items: LETTERS, whole: false });
});

it('takes a service without pages by its word', async () => {
  const page = async () => ({ items: LETTERS, total: LETTERS.length });
  expect(await readList(page)).toEqual({ items: LETTERS, whole: true });
  expect(await readList(async () => ({ items: items('a'), total: 1 }))).toEqual({ items: items('a'), whole: true });
  expect(await readList(async () => ({ items: LETTERS, total: 11 }))).toMatchObject({ whole: false });
});

it('reads again when somebody in front goes meanwhile, so that nobody is left out', async () => {
  const { page, asked } = listOf(3, (request) => (request < 2 ? LETTERS : LETTERS.slice(1)));
  expect(await readList(page)).toEqual({ items: LETTERS.slice(1), whole: true });
  expect(asked.filter((startIndex) => startIndex === 1)).toHaveLength(2);
});

it('is not whole when the list is another one each time', async () => {
  const { page, asked } = listOf(3, (request) => items(...'abcdef'.split('').map((letter) => `${letter}${request}`)));
  expect(await readList(page)).toMatchObject({ whole: false });
  expect(asked.filter((startIndex) => startIndex === 1)).toHaveLength(3);
});
