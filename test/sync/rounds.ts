import type { MemorySource } from './memory-source.ts';

/** Whom the source lists in the first round, and in the second, in which a quarter each is new, gone, moved or renamed. */
export function addPeople(source: MemorySource, people: number, round: number): void {
  source.people.clear();
  for (let at = 0; at < people; at += 1) {
    const kind = round === 1 ? -1 : at % 4;
    if (kind === 0) continue;
    const groups = kind === 1 ? ['team-b', 'all'] : ['team-a', 'all'];
    const names = kind === 2 ? { given_name: `Renamed ${at}`, family_name: 'Lee' } : {};
    source.add(`p${at}`, { groups, ...names });
    if (kind === 3) source.add(`n${at}`, { groups: ['team-a'] });
  }
}
