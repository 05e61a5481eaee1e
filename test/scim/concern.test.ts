import type { Directory, Person } from '../../src/directory/directory.ts';
import { Concern } from '../../src/scim/concern.ts';

it('follows up those whom it concerns in one order, in whichever they were spoken of', async () => {
  const put: string[] = [];
  const directory = {
    retries: { put: async (person: string, target: string) => void put.push(`${person} ${target}`) },
  } as unknown as Directory;
  const deps = { clock: { now: () => 0 }, targets: ['side', 'bi'] };
  const concern = new Concern(deps, 'okta', directory, () => {});
  for (const id of ['p2', 'p3', 'p1']) {
    const after = { id } as Person;
    await concern.note(undefined as never, {
      user: id,
      before: undefined,
      after,
      isDenied: false,
      wanted: ['bi', 'side'],
    });
  }
  await concern.followUp();
  expect(put).toEqual(['p1 side', 'p1 bi', 'p2 side', 'p2 bi', 'p3 side', 'p3 bi']);
});
