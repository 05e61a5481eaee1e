import { inOneTransaction } from '../../src/directory/database.ts';
import type { Directory, ListedAssertion } from '../../src/directory/directory.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import type { State } from './state.ts';

type World = () => { readonly here: Directory; readonly there: Directory; readonly state: State };

const ISSUER = 'latchgate:source:hr';
const PARTNER = { issuer: 'https://partner.example', subject: 'p-1' };

async function all<T>(pages: AsyncIterable<readonly T[]>): Promise<T[]> {
  const rows: T[] = [];
  for await (const page of pages) rows.push(...page);
  return rows;
}

/** What syncs read and write of many people at once. */
export function describeListings(world: World): void {
  const listed = (subject: string, more: Partial<ListedAssertion['assertion']> = {}): ListedAssertion => ({
    assertion: {
      origin: 'hr',
      issuer: ISSUER,
      subject,
      active: true,
      claims: { email: `${subject}@acme.test` },
      at: new Date(world().state.clock.now()),
      ...more,
    },
    groups: [`group of ${subject}`],
    description: { displayName: subject, email: `${subject}@acme.test` },
    owner: 'hr',
  });
  const known = () => all(world().there.listings.subjects(ISSUER, 'hr'));

  describe('listings', () => {
    it('makes the people who are new, whom the source then owns, and finds them again', async () => {
      const { here, there } = world();
      const [ann, bob] = await here.listings.save([listed('ann'), listed('bob')]);
      expect(ann).toMatchObject({ displayName: 'ann', email: 'ann@acme.test', owner: 'hr', disabled: false });
      expect(await there.people.get(ann?.id ?? '')).toEqual(ann);
      expect(await known()).toEqual([
        {
          subject: 'ann',
          person: ann?.id,
          disabled: false,
          owner: 'hr',
          active: true,
          rememberedGroups: ['group of ann'],
        },
        {
          subject: 'bob',
          person: bob?.id,
          disabled: false,
          owner: 'hr',
          active: true,
          rememberedGroups: ['group of bob'],
        },
      ]);
      expect(await here.listings.save([listed('bob'), listed('ann')])).toEqual([bob, ann]);
      expect(await all(there.listings.claims(ISSUER, 'hr'))).toEqual([
        { subject: 'ann', active: true, claims: '{"email":"ann@acme.test"}' },
        { subject: 'bob', active: true, claims: '{"email":"bob@acme.test"}' },
      ]);
    });

    it('says of a subject of another origin that this one has not spoken of it', async () => {
      const { here } = world();
      const { id } = await here.people.ensure({ issuer: ISSUER, subject: 'ann' }, 'staff', 'Ann');
      expect(await known()).toEqual([{ subject: 'ann', person: id, disabled: false }]);
      await here.listings.save([{ ...listed('ann'), person: id }]);
      expect(await known()).toMatchObject([{ person: id, owner: 'hr', active: true }]);
    });

    it('makes one person of two, unless the other one has an account', async () => {
      const { here, there, state } = world();
      const [ann, again] = await here.listings.save([listed('ann'), listed('ann-2')]);
      const [person, other] = [ann?.id ?? '', again?.id ?? ''];
      await here.listings.saveGone(
        'hr',
        [{ issuer: ISSUER, subject: 'ann', person, owner: 'hr' }],
        new Date(state.clock.now()),
      );
      await here.accounts.save({ person: other, target: 'bi', userName: 'ann', created: true, state: 'intended' });
      await expect(there.people.absorb(person, other)).rejects.toMatchObject({ code: 'account_taken' });
      await here.accounts.remove(other, 'bi');
      await here.retries.put(other, 'bi', 'target_pending', new Date(state.clock.now()));
      const kept = await there.people.absorb(person, other);
      expect(kept).toMatchObject({ id: person, owner: 'hr' });
      expect(kept.leftAt).toBeUndefined();
      expect(await here.people.get(person)).toEqual(kept);
      expect(await here.people.get(other)).toBeUndefined();
      expect(await here.retries.count()).toBe(0);
      expect((await known()).map((row) => [row.subject, row.person, row.active])).toEqual([
        ['ann', person, false],
        ['ann-2', person, true],
      ]);
      await expect(there.people.absorb(person, other)).rejects.toMatchObject({ code: 'not_found' });
      await expect(there.people.absorb(person, person)).rejects.toMatchObject({ code: 'not_found' });
    });

    it('lets nobody in by making one of two, be it at the moment that they are let go of', async () => {
      const { here, there, state } = world();
      for (let round = 0; round < 10; round += 1) {
        const [inside, other] = await here.listings.save([listed(`in-${round}`), listed(`out-${round}`)]);
        const [person, gone] = [inside?.id ?? '', other?.id ?? ''];
        const subject = { issuer: ISSUER, subject: `out-${round}` };
        const goes = () =>
          round % 2 === 0
            ? there.people.setDisabled(gone, true)
            : there.listings.saveGone('hr', [{ ...subject, person: gone, owner: 'hr' }], new Date(state.clock.now()));
        const isGone = round < 4;
        if (isGone) await goes();
        const [linked, went] = await Promise.allSettled([here.people.absorb(person, gone), goes()]);
        if (isGone) expect(linked.status).toBe('rejected');
        if (linked.status === 'rejected') {
          expect(linked.reason).toMatchObject({
            code: 'usage',
            message: expect.stringContaining(`${gone} is out, and by this would be let in`),
          });
          expect((await here.people.bySubject(subject))?.id).toBe(gone);
        } else {
          // Whoever disables somebody who is no more is told so.
          expect(went.status).toBe(round % 2 === 0 ? 'rejected' : 'fulfilled');
          expect((await here.people.bySubject(subject))?.id).toBe(person);
        }
      }
    });

    it('makes two people of one, each with what is said of them', async () => {
      const { here, there, state } = world();
      const [ann] = await here.listings.save([listed('ann')]);
      const person = ann?.id ?? '';
      const partner = PARTNER;
      await here.people.addSubject(person, partner, 'partners');
      await here.people.saveAssertion(person, { ...listed('ann').assertion, ...partner, origin: 'partners' });
      await here.accounts.save({ person, target: 'bi', userName: 'ann', created: true, state: 'intended' });
      await here.people.setDisabled(person, true);
      await here.listings.saveGone(
        'hr',
        [{ issuer: ISSUER, subject: 'ann', person, owner: 'hr' }],
        new Date(state.clock.now()),
      );
      const isOut = { code: 'usage', message: expect.stringContaining(`latchgate users enable ${person}`) };
      await expect(there.people.split(person, [partner], 'p-1')).rejects.toMatchObject(isOut);
      expect((await here.people.bySubject(partner))?.id).toBe(person);
      await here.people.setDisabled(person, false);
      await here.people.setDisabled(person, true);
      const other = await there.people.split(person, [partner], 'p-1');
      expect(other).toEqual(await here.people.get(other.id));
      expect(other).toMatchObject({ displayName: 'p-1', disabled: true });
      expect([other.owner, other.leftAt, other.email]).toEqual([undefined, undefined, undefined]);
      expect(await here.people.get(person)).toMatchObject({ owner: 'hr', leftAt: expect.any(Date), disabled: true });
      expect((await here.people.bySubject(partner))?.id).toBe(other.id);
      const origins = async (id: string) => (await here.people.assertions(id)).map(({ origin }) => origin);
      expect([await origins(person), await origins(other.id)]).toEqual([['hr'], ['partners']]);
      expect(await here.accounts.ofPerson(other.id)).toEqual([]);
      await expect(there.people.split(other.id, [partner], 'x')).rejects.toMatchObject({ code: 'usage' });
      expect((await here.people.bySubject(partner))?.id).toBe(other.id);
      await expect(there.people.split('p_nobody', [partner], 'x')).rejects.toMatchObject({ code: 'not_found' });
    });

    it('makes two people of one once, however often it is asked for at once', async () => {
      const { here, there } = world();
      const [ann] = await here.listings.save([listed('ann')]);
      const person = ann?.id ?? '';
      const partners = [1, 2].map((at) => ({ issuer: 'https://partner.example', subject: `p-${at}` }));
      for (const partner of partners) await here.people.addSubject(person, partner, 'partners');
      const asked = [here, there, here, there].map(({ people }, at) =>
        people.split(person, [at < 2 ? PARTNER : (partners[1] ?? PARTNER)], 'p'),
      );
      const answers = await Promise.allSettled(asked);
      const codes = answers.map((one) => (one.status === 'fulfilled' ? 'done' : one.reason.code));
      expect([codes.slice(0, 2).sort(), codes.slice(2).sort()]).toEqual([
        ['done', 'not_found'],
        ['done', 'not_found'],
      ]);
      expect(await here.people.list(10)).toHaveLength(3);
      expect(await here.people.subjects(person)).toHaveLength(1);
    });

    it('lets nobody in whom the owner lets go while one is made two', async () => {
      const { here, there, state } = world();
      for (let round = 0; round < 20; round += 1) {
        const subject = `ann-${round}`;
        const partner = { ...PARTNER, subject };
        const [ann] = await here.listings.save([listed(subject)]);
        const person = ann?.id ?? '';
        await here.people.addSubject(person, partner, 'partners');
        await here.people.saveAssertion(person, { ...listed(subject).assertion, ...partner, origin: 'partners' });
        const gone = { issuer: ISSUER, subject, person, owner: 'hr' };
        // The owner's own subject becomes somebody else, or the partner's does.
        const moved = round % 2 === 0 ? partner : { issuer: ISSUER, subject };
        const goes = () => there.listings.saveGone('hr', [gone], new Date(state.clock.now()));
        const [split] = await Promise.allSettled([here.people.split(person, [moved], 'x'), goes()]);
        if (split.status === 'rejected') expect(split.reason).toMatchObject({ code: 'usage' });
        expect(await there.people.bySubject({ issuer: ISSUER, subject })).toMatchObject({
          owner: 'hr',
          leftAt: expect.any(Date),
        });
        const other = await there.people.bySubject(partner);
        expect(other?.leftAt === undefined).toBe(split.status === 'fulfilled');
      }
    });

    it('says of who has a subject by now what a list says of whom had it when it was read', async () => {
      const { here, there, state } = world();
      const [ann] = await here.listings.save([listed('ann')]);
      const person = ann?.id ?? '';
      await here.people.addSubject(person, PARTNER, 'partners');
      await here.people.saveAssertion(person, { ...listed('ann').assertion, ...PARTNER, origin: 'partners' });
      const other = await here.people.split(person, [{ issuer: ISSUER, subject: 'ann' }], 'ann');
      const [saved] = await there.listings.save([{ ...listed('ann'), person, description: { displayName: 'New' } }]);
      expect(saved).toMatchObject({ id: other.id, displayName: 'New', owner: 'hr' });
      await there.people.saveAssertion(person, listed('ann').assertion);
      expect((await here.people.assertions(other.id)).map(({ origin }) => origin)).toEqual(['hr']);
      expect(await here.people.get(person)).toMatchObject({ displayName: 'ann' });
      const gone = { issuer: ISSUER, subject: 'ann', person, owner: 'hr' };
      const at = new Date(state.clock.now());
      expect(await there.listings.saveGone('hr', [gone], at)).toMatchObject([{ id: other.id, leftAt: at }]);
      expect(await there.listings.saveGone('hr', [gone], at)).toMatchObject([{ id: other.id, leftAt: at }]);
      const left = await here.people.get(person);
      expect([left?.owner, left?.leftAt]).toEqual([undefined, undefined]);
      const named = { ...listed('x').assertion, ...PARTNER, origin: 'partners' };
      await there.listings.save([{ ...listed('x'), assertion: named, person: other.id, owner: 'hr' }]);
      expect((await here.people.get(person))?.owner).toBeUndefined();
    });

    it('lets the owner alone say who has left, and who is back', async () => {
      const { here, there, state } = world();
      const [ann] = await here.listings.save([listed('ann')]);
      const id = ann?.id ?? '';
      const other = { ...listed('ann', { origin: 'crm', issuer: 'latchgate:source:crm' }), person: id };
      await here.listings.save([other]);
      const gone = { issuer: ISSUER, subject: 'ann', person: id, owner: 'hr' };
      const at = new Date(state.clock.now());
      await here.listings.saveGone('crm', [{ ...gone, issuer: 'latchgate:source:crm' }], at);
      expect(await there.people.get(id)).toMatchObject({ owner: 'hr' });
      expect((await there.people.get(id))?.leftAt).toBeUndefined();
      expect(await here.listings.saveGone('hr', [gone], at)).toMatchObject([{ id, leftAt: at }]);
      state.clock.fastForward(1_000);
      await here.listings.saveGone('hr', [gone], new Date(state.clock.now()));
      expect((await there.people.get(id))?.leftAt).toEqual(at);
      expect(await known()).toMatchObject([{ subject: 'ann', active: false, leftAt: at }]);
      await here.listings.save([other]);
      expect((await there.people.get(id))?.leftAt).toEqual(at);
      await here.listings.save([listed('ann')]);
      expect((await there.people.get(id))?.leftAt).toBeUndefined();
      await here.listings.save([listed('ann', { active: false })]);
      expect((await there.people.get(id))?.leftAt).toBeDefined();
    });

    it('has nobody leave whom the owner lists by another subject', async () => {
      const { here } = world();
      const [ann] = await here.listings.save([listed('ann')]);
      const id = ann?.id ?? '';
      await here.people.addSubject(id, { issuer: ISSUER, subject: 'ann-2' }, 'hr');
      await here.listings.save([listed('ann-2')]);
      const at = new Date();
      expect(
        (await here.listings.saveGone('hr', [{ issuer: ISSUER, subject: 'ann', person: id, owner: 'hr' }], at))[0]
          ?.leftAt,
      ).toBeUndefined();
      const last = await here.listings.saveGone(
        'hr',
        [{ issuer: ISSUER, subject: 'ann-2', person: id, owner: 'hr' }],
        at,
      );
      expect(last).toMatchObject([{ leftAt: at }]);
    });

    it('gives people to the source that is said to own them', async () => {
      const { here, there } = world();
      const [ann] = await here.listings.save([listed('ann')]);
      const other = {
        ...listed('ann', { origin: 'crm', issuer: 'latchgate:source:crm' }),
        person: ann?.id ?? '',
        owner: 'crm',
      };
      expect(await here.listings.save([other])).toMatchObject([{ id: ann?.id, owner: 'crm' }]);
      expect(await there.people.get(ann?.id ?? '')).toMatchObject({ owner: 'crm' });
    });

    it('makes one person of two runs at once, and saves all of a page or nothing', async () => {
      const { here, there } = world();
      const rows = Array.from({ length: 30 }, (_, at) => listed(`s${at}`));
      const [mine, theirs] = await Promise.all([here.listings.save(rows), there.listings.save(rows)]);
      expect(mine.map(({ id }) => id)).toEqual(theirs.map(({ id }) => id));
      const bad = { ...listed('x'), person: 'p_nobody', assertion: { ...listed('x').assertion, subject: 'a\u0000b' } };
      await expect(here.listings.save([listed('fine'), bad])).rejects.toMatchObject({
        code: 'internal',
      });
      expect((await known()).map(({ subject }) => subject)).not.toContain('fine');
    });

    it('reads more people than fit a page, each once, and what every other origin said', async () => {
      const { here } = world();
      const rows = Array.from({ length: 4_100 }, (_, at) => listed(`s${at}`));
      const people = await here.listings.save(rows);
      await here.listings.save([{ ...listed('z', { origin: 'crm', issuer: 'i' }), person: people[0]?.id ?? '' }]);
      expect(new Set((await known()).map(({ subject }) => subject)).size).toBe(4_100);
      expect(await all(here.listings.others('hr'))).toMatchObject([
        { origin: 'crm', subject: 'z', person: people[0]?.id },
      ]);
      expect(await all(here.listings.others('crm'))).toHaveLength(4_100);
      expect(await all(here.listings.claims(ISSUER, 'hr'))).toHaveLength(4_100);
    }, 60_000);

    it('keeps a further subject for whoever had it first', async () => {
      const { here, there } = world();
      const [ann, bob] = await here.listings.save([listed('ann'), listed('bob')]);
      const alias = { issuer: 'latchgate:external:staff', subject: '7' };
      expect(await here.people.addSubject(ann?.id ?? '', alias, 'hr')).toBe(ann?.id);
      expect(await there.people.addSubject(bob?.id ?? '', alias, 'hr')).toBe(ann?.id);
      expect((await there.people.bySubject(alias))?.id).toBe(ann?.id);
    });

    it('finds who went before a day and still has an account', async () => {
      const { here, there, state } = world();
      const people = await here.listings.save([listed('ann'), listed('bob'), listed('cyd'), listed('dan')]);
      const [ann = '', bob = '', cyd = '', dan = ''] = people.map(({ id }) => id);
      for (const [person, accountId] of [
        [ann, '1'],
        [bob, '2'],
        [dan, '3'],
      ] as const) {
        await here.accounts.save({
          person,
          target: 'bi',
          accountId,
          userName: accountId,
          created: true,
          state: 'disabled',
        });
      }
      const at = new Date(state.clock.now());
      const goneOf = (subject: string, person: string) => ({ issuer: ISSUER, subject, person, owner: 'hr' });
      await here.listings.saveGone('hr', [goneOf('ann', ann), goneOf('cyd', cyd)], at);
      await here.people.setDisabled(bob, true);
      expect((await there.people.get(bob))?.disabledAt).toEqual(at);
      expect((await there.people.goneBefore(at, 10)).map(({ id }) => id).sort()).toEqual([ann, bob].sort());
      expect(await there.people.goneBefore(new Date(at.getTime() - 1), 10)).toEqual([]);
      const [first = ''] = [ann, bob].sort();
      expect((await there.people.goneBefore(at, 1)).map(({ id }) => id)).toEqual([first]);
      expect(await there.people.goneBefore(at, 10, first)).toHaveLength(1);
      await here.people.setDisabled(bob, false);
      expect((await there.people.goneBefore(at, 10)).map(({ id }) => id)).toEqual([ann]);
    });
  });

  describe('what a target holds', () => {
    it('is read whole, or of some people, page by page', async () => {
      const { here, there } = world();
      const people = await here.listings.save(Array.from({ length: 1_200 }, (_, at) => listed(`s${at}`)));
      for (const { id, displayName } of people) {
        await here.accounts.save({
          person: id,
          target: 'bi',
          accountId: id,
          userName: displayName,
          created: true,
          state: 'ready',
        });
      }
      const grant = { target: 'bi', kind: 'role' as const, rule: 'r', origin: 'hr' };
      await here.ledger.intend(
        people.flatMap(({ id }) => [
          { ...grant, person: id, name: 'A' },
          { ...grant, person: id, name: 'B' },
          { ...grant, person: id, name: 'A', target: 'other' },
        ]),
      );
      const links = await all(there.accounts.ofTarget('bi'));
      expect(new Set(links.map(({ person }) => person)).size).toBe(1_200);
      expect(links[0]).toEqual(await there.accounts.get(links[0]?.person ?? '', 'bi'));
      const grants = await all(there.ledger.ofTarget('bi'));
      const dated = await all(there.ledger.dated('bi'));
      expect(dated.map(({ since: _, ...grant }) => grant)).toEqual(grants);
      expect(dated.every(({ since }) => since instanceof Date)).toBe(true);
      expect(new Set(grants.map(({ person, name }) => `${person} ${name}`)).size).toBe(2_400);
      const some = people.slice(100, 800).map(({ id }) => id);
      expect((await all(there.accounts.ofTarget('bi', some))).map(({ person }) => person).sort()).toEqual(
        some.toSorted(),
      );
      expect(await all(there.ledger.ofTarget('bi', some))).toHaveLength(1_400);
      expect(await all(there.ledger.ofTarget('bi', []))).toEqual([]);
    }, 60_000);
  });

  describe('several leases as one', () => {
    const never = new AbortController().signal;

    it('are those that nobody holds; the others are left to their holders', async () => {
      const { here, there } = world();
      const held = await there.leases.acquire('b', 60_000, never);
      const mine = await here.leases.acquireFree(['a', 'b', 'c', 'a'], 60_000);
      expect([...mine.names]).toEqual(['a', 'c']);
      expect([...(await there.leases.acquireFree(['a', 'c', 'd'], 60_000)).names]).toEqual(['d']);
      await expect(there.leases.acquire('a', 60_000, AbortSignal.timeout(150))).rejects.toMatchObject({
        code: 'lease_lost',
      });
      await mine.release();
      await mine.release();
      await held.release();
      expect([...(await there.leases.acquireFree(['a', 'b', 'c'], 60_000)).names]).toEqual(['a', 'b', 'c']);
    });

    it('pass on when their holder dies', async () => {
      const { here, there, state } = world();
      await here.leases.acquireFree(['a'], 60_000);
      state.clock.fastForward(60_000);
      expect([...(await there.leases.acquireFree(['a'], 60_000)).names]).toEqual(['a']);
    });
  });

  describe('several stores in one transaction', () => {
    it('keep all or nothing of what was done', async () => {
      const { here, there, state } = world();
      const [ann] = await here.listings.save([listed('ann')]);
      const database = await state.open();
      const work = (fails: boolean) =>
        inOneTransaction(database, async (within) => {
          const stores = createDirectory(within, state.clock);
          await stores.accounts.save({
            person: ann?.id ?? '',
            target: 'bi',
            userName: 'ann',
            created: true,
            state: 'intended',
          });
          await stores.ledger.intend([
            { person: ann?.id ?? '', target: 'bi', kind: 'role', name: 'A', rule: 'r', origin: 'hr' },
          ]);
          if (fails) throw new Error('half done');
          return stores.ledger.count('bi');
        });
      await expect(work(true)).rejects.toThrow();
      expect(await there.accounts.count('bi')).toBe(0);
      expect(await work(false)).toBe(1);
      expect(await there.accounts.count('bi')).toBe(1);
    });
  });
}
