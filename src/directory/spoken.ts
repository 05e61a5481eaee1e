import type { Directory } from './directory.ts';

/**
 * The directory without what nobody has verified (`isUnverified`): decisions that are carried out go by what an origin really
 * said. What is written stays as it is.
 */
export function spokenAlone(directory: Directory): Directory {
  const { people, listings } = directory;
  const isSpoken = ({ isUnverified }: { readonly isUnverified?: boolean }): boolean => isUnverified !== true;
  return {
    ...directory,
    people: {
      ...people,
      assertions: async (person) => (await people.assertions(person)).filter(isSpoken),
      assertionsOf: async (persons) => (await people.assertionsOf(persons)).filter(isSpoken),
    },
    listings: {
      ...listings,
      others: async function* (origin) {
        for await (const page of listings.others(origin)) yield page.filter(isSpoken);
      },
    },
  };
}
