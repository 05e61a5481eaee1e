import type { Directory } from '../../src/directory/directory.ts';
import type { Pin } from '../../src/model/pin.ts';

type World = () => { readonly here: Directory; readonly there: Directory };

/** Pins and reviews, of which every instance knows the same. */
export function describePins(world: World): void {
  describe('pins', () => {
    const at = new Date(5_000);

    it('are of one entitlement of one person in one target, the later in place of the earlier', async () => {
      const { here, there } = world();
      const subject = { issuer: 'https://pins.example', subject: 'pinned' };
      const { id: person } = await here.people.ensure(subject, 'staff', 'Pinned');
      const about = { person, target: 'pins', by: 'review rv_1', at } as const;
      const role: Pin = { ...about, kind: 'role', name: 'Alpha', effect: 'withheld' };
      const on: Pin = { ...about, kind: 'permission', name: 'VIEW', scope: 'sales', effect: 'kept', reason: 'asked' };
      const elsewhere: Pin = { ...role, target: 'pins-elsewhere' };
      for (const pin of [{ ...role, effect: 'kept' as const }, on, elsewhere, role]) await here.pins.set(pin);
      expect(await there.pins.ofAccount(person, 'pins')).toEqual([on, role]);
      expect(await there.pins.ofPerson(person)).toEqual([on, role, elsewhere]);
      expect(await pages(there.pins.ofTarget('pins'))).toEqual([on, role]);
      expect(await pages(there.pins.ofTarget('pins', [person]))).toEqual([on, role]);
      expect(await pages(there.pins.ofTarget('pins', ['p_nobody']))).toEqual([]);
      expect(await there.pins.lift(person, 'pins', { kind: 'role', name: 'Alpha' })).toEqual(role);
      expect(await here.pins.lift(person, 'pins', { kind: 'role', name: 'Alpha' })).toBeUndefined();
      expect(await here.pins.ofAccount(person, 'pins')).toEqual([on]);
    });

    it('stay with whoever two people have become one of', async () => {
      const { here, there } = world();
      const make = (subject: string) =>
        here.people.ensure({ issuer: 'https://pins.example', subject }, 'staff', subject);
      const [one, two] = [await make('pin-one'), await make('pin-two')];
      const pin = (person: string, name: string, by: string): Pin => ({
        person,
        target: 'pins-absorbed',
        kind: 'role',
        name,
        effect: 'withheld',
        by,
        at,
      });
      await here.pins.set(pin(one.id, 'Alpha', 'first'));
      await here.pins.set(pin(two.id, 'Alpha', 'second'));
      await here.pins.set(pin(two.id, 'Beta', 'second'));
      await here.pins.set({ ...pin(one.id, 'Delta', 'first'), effect: 'kept' });
      await here.pins.set(pin(two.id, 'Delta', 'second'));
      await here.pins.set(pin(one.id, 'Gamma', 'first'));
      await here.pins.set({ ...pin(two.id, 'Gamma', 'second'), effect: 'kept' });
      await there.people.absorb(one.id, two.id);
      expect(await here.pins.ofPerson(one.id)).toEqual([
        pin(one.id, 'Alpha', 'first'),
        pin(one.id, 'Beta', 'second'),
        pin(one.id, 'Delta', 'second'),
        pin(one.id, 'Gamma', 'first'),
      ]);
    });

    it('withhold from both of whom one person was made two, and keep for the first alone', async () => {
      const { here, there } = world();
      const subject = (name: string) => ({ issuer: 'https://pins.example', subject: name });
      const { id: person } = await here.people.ensure(subject('pin-both'), 'staff', 'Both');
      await here.people.addSubject(person, subject('pin-apart'), 'partner');
      const pin: Omit<Pin, 'name' | 'effect'> = { person, target: 'pins-split', kind: 'role', by: 'review rv_1', at };
      const withheld: Pin = { ...pin, name: 'Alpha', effect: 'withheld', reason: 'asked' };
      const kept: Pin = { ...pin, name: 'Beta', effect: 'kept' };
      for (const one of [withheld, kept]) await here.pins.set(one);
      const other = await there.people.split(person, [subject('pin-apart')], 'Apart');
      expect(await here.pins.ofPerson(person)).toEqual([withheld, kept]);
      expect(await here.pins.ofPerson(other.id)).toEqual([{ ...withheld, person: other.id }]);
    });

    it('come from reviews that are known by their id', async () => {
      const { here, there } = world();
      const review = { id: 'rv_1', target: 'pins', at, rows: 3, seal: 'secret' };
      await here.reviews.save(review);
      await here.reviews.save({ ...review, id: 'rv_2', entitlement: 'role:Admin' });
      expect(await there.reviews.get('rv_1')).toEqual(review);
      expect(await there.reviews.get('rv_2')).toEqual({ ...review, id: 'rv_2', entitlement: 'role:Admin' });
      expect(await there.reviews.get('rv_3')).toBeUndefined();
    });
  });
}

async function pages(read: AsyncIterable<readonly Pin[]>): Promise<readonly Pin[]> {
  const found: Pin[] = [];
  for await (const page of read) found.push(...page);
  return found;
}
