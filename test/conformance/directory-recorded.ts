import type { Directory } from '../../src/directory/directory.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import type { State } from './state.ts';

type World = () => { readonly here: Directory; readonly state: State };

const DAY = 86_400_000;
const ISSUER = 'https://recorded.example';

/** What is kept of claims, and for how long. */
export function describeRecorded(world: World): void {
  describe('recorded claims', () => {
    const start = new Date('2026-01-01T00:00:00Z');
    const said = (subject: string, more: { origin?: string; active?: boolean; at?: Date } = {}) => {
      const { origin = 'staff', active = true, at = start } = more;
      return { origin, issuer: ISSUER, subject, active, claims: { email: `${subject}@acme.test`, phone: '1' }, at };
    };
    const save = async (subject: string, ...all: readonly Parameters<typeof said>[1][]) => {
      const { here } = world();
      const { id } = await here.people.ensure({ issuer: ISSUER, subject }, 'staff', subject);
      for (const one of all) await here.people.saveAssertion(id, said(subject, one), ['a group']);
      return id;
    };
    const claims = async (person: string) =>
      (await world().here.people.assertions(person)).map((one) => [one.origin, one.claims, one.rememberedGroups]);

    it('are what the config says of what is said from now on, and of what was said before when it is stated anew', async () => {
      const { here, state } = world();
      const id = await save('ann', {});
      const cut = createDirectory(await state.open(), state.clock, { claims: (_, { phone: __, ...rest }) => rest });
      expect(cut.listings.asRecorded('staff', { phone: '1', unit: 'x' })).toBe('{"unit":"x"}');
      expect(await cut.recorded.restate()).toBe(1);
      expect(await cut.recorded.restate()).toBe(0);
      await cut.recorded.settle(true);
      await cut.recorded.settle(false);
      expect(await claims(id)).toEqual([['staff', { email: 'ann@acme.test' }, ['a group']]]);
      await cut.people.saveAssertion(id, said('ann', { at: new Date(start.getTime() + 1) }));
      expect(await claims(id)).toEqual([['staff', { email: 'ann@acme.test' }, ['a group']]]);
      expect(await here.people.get(id)).toMatchObject({ email: 'ann@acme.test' });
    });

    it('find people by the address of each, wherever the config says that it is, until it is forgotten', async () => {
      const { here, state } = world();
      const of = async (email: string) => (await here.people.byEmail(email)).map(({ id }) => id).sort();
      const word = (name: string, origin: string, email: string) => ({ ...said(name, { origin }), claims: { email } });
      const ann = await save('ann');
      const bob = await save('bob');
      await here.people.saveAssertion(ann, word('ann', 'staff', 'Ann@Acme.test'));
      await here.people.saveAssertion(ann, word('ann', 'hr', 'day@acme.test'));
      await here.people.saveAssertion(bob, word('bob', 'staff', 'ann@acme.test'));
      expect([await of('ANN@acme.test'), await of('day@acme.test')]).toEqual([[ann, bob].sort(), [ann]]);
      await here.people.saveAssertion(ann, word('ann', 'staff', 'ann.day@acme.test'));
      expect([await of('ann@acme.test'), await of('Ann.Day@acme.test')]).toEqual([[bob], [ann]]);
      const address = ({ claims: { mail } }: { readonly claims: Readonly<Record<string, unknown>> }) =>
        typeof mail === 'string' ? mail : undefined;
      const other = createDirectory(await state.open(), state.clock, { address });
      await here.people.saveAssertion(bob, { ...word('bob', 'hr', 'b@acme.test'), claims: { mail: 'B@acme.test' } });
      expect(await of('b@acme.test')).toEqual([]);
      expect(await other.recorded.restate()).toBe(4);
      expect(await of('b@acme.test')).toEqual([bob]);
      await here.people.forgetEmail(bob);
      expect([await other.recorded.restate(), await of('b@acme.test'), await of('ann@acme.test')]).toEqual([0, [], []]);
      expect(await of('')).toEqual([]);
      await other.people.saveAssertion(bob, { ...word('bob', 'hr', ''), claims: { mail: 'b@acme.test' } });
      expect(await of('b@acme.test')).toEqual([bob]);
      await here.recorded.forget(new Date(start.getTime() + DAY), []);
      expect(await of('b@acme.test')).toEqual([]);
    });

    it('are emptied when they are old, and never where something else speaks for the person', async () => {
      const { here } = world();
      const later = new Date(start.getTime() + 2 * DAY);
      const [gone, unseen, seen, listed, both] = [
        await save('gone', { origin: 'hr', active: false }),
        await save('unseen', {}),
        await save('seen', { at: later }),
        await save('listed', { origin: 'hr' }),
        await save('both', {}, { origin: 'hr' }),
      ];
      const kept = await Promise.all([seen, listed, both].map(claims));
      const before = new Date(start.getTime() + DAY);
      const forgotten = await here.recorded.forget(before, ['hr']);
      expect(new Set(forgotten)).toEqual(
        new Set([
          { person: gone, origin: 'hr' },
          { person: unseen, origin: 'staff' },
        ]),
      );
      expect(await here.recorded.forget(before, ['hr'])).toEqual([]);
      expect(await claims(gone)).toEqual([['hr', { 'latchgate:not_recorded': [[]] }, undefined]]);
      expect(await claims(unseen)).toEqual([['staff', { 'latchgate:not_recorded': [[]] }, undefined]]);
      expect(await Promise.all([seen, listed, both].map(claims))).toEqual(kept);
      expect(await here.people.bySubject({ issuer: ISSUER, subject: 'gone' })).toMatchObject({ id: gone });
      expect((await here.people.assertions(gone))[0]).toMatchObject({ active: false, at: start });
      // Of an origin that is no list any more nothing is heard either.
      expect((await here.recorded.forget(before, [])).map(({ origin }) => origin)).toEqual(['hr', 'staff', 'hr']);
      await here.people.saveAssertion(unseen, said('unseen', { at: later }), ['new']);
      expect(await claims(unseen)).toEqual([['staff', { email: 'unseen@acme.test', phone: '1' }, ['new']]]);
    });
  });
}
