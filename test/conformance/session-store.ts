import { newSessionId, sessionHandle } from '../../src/session/seal.ts';
import type { PrunedSessions, Session } from '../../src/session/store.ts';

const IDLE_MS = 60 * 60_000;
const ABSOLUTE_MS = 12 * IDLE_MS;
const TOKENS = { idToken: 'secret-id-token', refreshToken: 'secret-refresh-token' };

/** One empty store, as several instances see it. */
export interface SessionStoreHarness {
  /** One more instance on the same store. */
  open(): Promise<PrunedSessions>;
  now(): number;
  /** Lets time pass, for the store's expiry and for every instance. */
  fastForward(ms: number): Promise<void>;
  /** Everything that the store holds, as text. */
  dump(): Promise<string>;
  dispose(): Promise<void>;
}

export function exampleSession(now: number, more: Partial<Session> = {}): Session {
  return {
    identity: {
      issuer: 'https://id.example',
      subject: 'subject-of-alice',
      person: 'p_alice',
      origin: 'staff',
      displayName: 'Alice Liddell',
      email: 'alice@example.com',
      emailVerified: true,
      groups: ['bi-admins', 'ö'],
      attributes: {},
    },
    providerSession: 'sid-1',
    createdAt: now,
    endsAt: now + ABSOLUTE_MS,
    ...more,
  };
}

/** What every session store must do, whatever holds it. */
export function describeSessionStore(name: string, makeHarness: () => Promise<SessionStoreHarness>): void {
  describe(`sessions in ${name}`, () => {
    let harness: SessionStoreHarness;
    let here: PrunedSessions;
    let there: PrunedSessions;
    let id: string;

    beforeEach(async () => {
      harness = await makeHarness();
      here = await harness.open();
      there = await harness.open();
      id = newSessionId();
    });
    afterEach(() => harness.dispose());

    const session = (more: Partial<Session> = {}) => exampleSession(harness.now(), more);
    const of = (identity: Partial<Session['identity']>, more: Partial<Session> = {}) =>
      session({ ...more, identity: { ...session().identity, ...identity } });

    const lone = ({ providerSession: _, ...rest }: Session): Session => rest;

    it('gives a session back to who holds the id, on every instance', async () => {
      const saved = session();
      await here.save(id, saved, IDLE_MS);
      expect(await here.load(id)).toEqual(saved);
      expect(await there.load(id)).toEqual(saved);
    });

    it.each([
      ['an unknown id', newSessionId()],
      ['nothing', ''],
      ['an id that is too short', 'abc'],
      ['an id with other characters', `${'a'.repeat(42)}'`],
      ['an id with a line break', `${'a'.repeat(43)}\n`],
    ])('knows no session for %s', async (_, wrong) => {
      await here.save(id, session(), IDLE_MS);
      expect(await here.load(wrong)).toBeUndefined();
      await here.touch(wrong, IDLE_MS);
      await here.destroy(wrong);
      expect(await here.load(id)).toBeDefined();
    });

    it('does not take a handle for an id', async () => {
      await here.save(id, session(), IDLE_MS);
      expect(await here.load(sessionHandle(id))).toBeUndefined();
    });

    it('replaces a session, seen elsewhere within a second', async () => {
      await here.save(id, session(), IDLE_MS);
      await there.load(id);
      const renewed = of({ groups: ['other'] });
      await here.save(id, renewed, IDLE_MS);
      expect(await here.load(id)).toEqual(renewed);
      await harness.fastForward(1_000);
      expect(await there.load(id)).toEqual(renewed);
    });

    it('keeps the tokens apart, and until others are given', async () => {
      await here.save(id, session(), IDLE_MS, TOKENS);
      expect(await there.loadWhole(id)).toEqual({ session: session(), tokens: TOKENS });
      const changed = of({ groups: ['other'] });
      await there.save(id, changed, IDLE_MS);
      expect(await here.loadWhole(id)).toEqual({ session: changed, tokens: TOKENS });
      await there.save(id, changed, IDLE_MS, { refreshToken: 'second' });
      expect(await here.loadWhole(id)).toEqual({ session: changed, tokens: { refreshToken: 'second' } });
    });

    it('has no tokens of a session that was given none, nor of one that is not there', async () => {
      await here.save(id, session(), IDLE_MS);
      expect(await here.loadWhole(id)).toEqual({ session: session(), tokens: {} });
      expect(await here.loadWhole(newSessionId())).toBeUndefined();
      await here.destroy(id);
      expect(await here.loadWhole(id)).toBeUndefined();
      expect(await there.loadWhole(id)).toBeUndefined();
    });

    it('sees at once what another instance has just changed, when asked for the whole', async () => {
      await here.save(id, session(), IDLE_MS, TOKENS);
      await there.load(id);
      const changed = of({ groups: ['other'] });
      await here.save(id, changed, IDLE_MS, { refreshToken: 'second' });
      expect(await there.loadWhole(id)).toEqual({ session: changed, tokens: { refreshToken: 'second' } });
    });

    it('renews a session that is there, seen here at once and elsewhere within a second', async () => {
      await here.save(id, session(), IDLE_MS, TOKENS);
      await there.load(id);
      const renewed = of({ groups: ['other'] }, { checkAt: harness.now() });
      expect(await here.renew(id, renewed)).toBe(true);
      expect(await here.load(id)).toEqual(renewed);
      expect(await there.loadWhole(id)).toEqual({ session: renewed, tokens: TOKENS });
      await harness.fastForward(1_000);
      expect(await there.load(id)).toEqual(renewed);
      expect(await there.renew(id, renewed, { refreshToken: 'second' })).toBe(true);
      expect(await here.loadWhole(id)).toEqual({ session: renewed, tokens: { refreshToken: 'second' } });
    });

    it('is found by what the renewed record says', async () => {
      await here.save(id, session(), IDLE_MS);
      expect(await here.renew(id, session({ providerSession: 'sid-9' }))).toBe(true);
      expect(await there.destroyFor({ issuer: 'https://id.example', providerSession: 'sid-1' })).toBe(0);
      expect(await there.destroyFor({ issuer: 'https://id.example', providerSession: 'sid-9' })).toBe(1);
      id = newSessionId();
      await here.save(id, lone(session()), IDLE_MS);
      expect(await here.renew(id, session())).toBe(true);
      expect(await there.destroyFor({ issuer: 'https://id.example', loneSubject: 'subject-of-alice' })).toBe(0);
    });

    it('neither makes a session by a renewal nor brings one back', async () => {
      expect(await here.renew(id, session(), TOKENS)).toBe(false);
      expect(await there.load(id)).toBeUndefined();
      await here.save(id, session(), IDLE_MS, TOKENS);
      await there.load(id);
      await here.destroy(id);
      expect(await here.renew(id, session(), TOKENS)).toBe(false);
      expect(await there.renew(id, session(), TOKENS)).toBe(false);
      await harness.fastForward(1_000);
      expect(await here.load(id)).toBeUndefined();
      expect(await there.load(id)).toBeUndefined();
    });

    it('keeps many loads at once apart and together', async () => {
      const ids = Array.from({ length: 5 }, newSessionId);
      await Promise.all(ids.map((one, at) => here.save(one, of({ person: `p_${at}` }), IDLE_MS)));
      await harness.fastForward(1_000);
      const loaded = await Promise.all([...ids, ...ids, ...ids].map((one) => here.load(one)));
      expect(loaded.map((one) => one?.identity.person)).toEqual(
        [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4].map((at) => `p_${at}`),
      );
    });

    describe('time', () => {
      it('ends a session that is not used', async () => {
        await here.save(id, session(), IDLE_MS);
        await harness.fastForward(IDLE_MS - 2_000);
        expect(await here.load(id)).toBeDefined();
        await harness.fastForward(2_000);
        expect(await here.load(id)).toBeUndefined();
        expect(await there.load(id)).toBeUndefined();
        expect(await here.list()).toEqual([]);
      });

      it('puts the idle limit off when it is used', async () => {
        await here.save(id, session(), IDLE_MS);
        for (let hour = 0; hour < 4; hour += 1) {
          await harness.fastForward(IDLE_MS * 0.9);
          await here.touch(id, IDLE_MS);
        }
        expect(await here.load(id)).toBeDefined();
        expect(await there.load(id)).toBeDefined();
        await harness.fastForward(IDLE_MS);
        expect(await here.load(id)).toBeUndefined();
      });

      it('puts it off from an instance that has not loaded the session', async () => {
        await here.save(id, session(), IDLE_MS);
        await harness.fastForward(IDLE_MS * 0.9);
        await there.touch(id, IDLE_MS);
        await harness.fastForward(IDLE_MS * 0.9);
        expect(await there.load(id)).toBeDefined();
      });

      it('is not put off by a renewal', async () => {
        await here.save(id, session(), IDLE_MS);
        await there.load(id);
        await harness.fastForward(IDLE_MS - 2_000);
        await here.renew(id, session({ createdAt: harness.now() - IDLE_MS }));
        await there.renew(id, session());
        expect(await here.load(id)).toBeDefined();
        await harness.fastForward(2_000);
        expect(await here.load(id)).toBeUndefined();
        expect(await there.load(id)).toBeUndefined();
      });

      it('does not revive what was idle for too long', async () => {
        await here.save(id, session(), IDLE_MS);
        await harness.fastForward(IDLE_MS);
        await here.touch(id, IDLE_MS);
        await there.touch(id, IDLE_MS);
        expect(await here.load(id)).toBeUndefined();
        expect(await there.load(id)).toBeUndefined();
      });

      it('ends a session at its end, however busy', async () => {
        await here.save(id, session({ endsAt: harness.now() + 90_000 }), IDLE_MS);
        await harness.fastForward(89_000);
        await here.touch(id, IDLE_MS);
        expect(await here.load(id)).toBeDefined();
        await harness.fastForward(1_000);
        await here.touch(id, IDLE_MS);
        expect(await here.load(id)).toBeUndefined();
        expect(await there.load(id)).toBeUndefined();
      });
    });

    describe('when it runs out', () => {
      it('is the end of the session, or the idle limit with what may not be written yet', async () => {
        await here.save(id, session({ endsAt: harness.now() + 90_000 }), 40_000);
        for (const store of [here, there]) {
          const left = ((await store.runsOutAt(id)) ?? 0) - harness.now();
          expect(left).toBeGreaterThan(40_000);
          expect(left).toBeLessThanOrEqual(44_000);
        }
        await harness.fastForward(35_000);
        await here.touch(id, 60_000);
        for (const store of [here, there]) expect(await store.runsOutAt(id)).toBe((await here.load(id))?.endsAt);
      });

      it('is nothing of a session that is not there', async () => {
        await here.save(id, session(), IDLE_MS);
        expect(await here.runsOutAt(newSessionId())).toBeUndefined();
        expect(await here.runsOutAt('abc')).toBeUndefined();
        await here.destroy(id);
        expect(await here.runsOutAt(id)).toBeUndefined();
      });
    });

    describe('the end', () => {
      it('is at once here, and elsewhere within a second', async () => {
        await here.save(id, session(), IDLE_MS);
        await there.load(id);
        const ending = here.destroy(id);
        expect(await here.load(id)).toBeUndefined();
        await ending;
        expect(await here.load(id)).toBeUndefined();
        await harness.fastForward(1_000);
        expect(await there.load(id)).toBeUndefined();
        expect(await here.list()).toEqual([]);
      });

      it('holds against a load that was under way', async () => {
        await here.save(id, session(), IDLE_MS);
        const loads = Array.from({ length: 5 }, () => there.load(id));
        await there.destroy(id);
        await Promise.all(loads);
        expect(await there.load(id)).toBeUndefined();
      });

      it('holds against a save that comes late, here and from elsewhere', async () => {
        await here.save(id, session(), IDLE_MS);
        await there.load(id);
        await here.destroy(id);
        await here.save(id, session(), IDLE_MS);
        await there.save(id, session(), IDLE_MS);
        expect(await here.load(id)).toBeUndefined();
        expect(await there.load(id)).toBeUndefined();
        await harness.fastForward(5_000);
        expect(await (await harness.open()).load(id)).toBeUndefined();
      });

      it('holds against saves and ends at once', async () => {
        await here.save(id, session(), IDLE_MS);
        await Promise.all([
          ...Array.from({ length: 5 }, () => there.save(id, session(), IDLE_MS)),
          here.destroy(id),
          ...Array.from({ length: 5 }, () => there.save(id, session(), IDLE_MS)),
        ]);
        await harness.fastForward(1_000);
        expect(await (await harness.open()).load(id)).toBeUndefined();
        expect(await there.load(id)).toBeUndefined();
      });

      it('may come twice', async () => {
        await here.save(id, session(), IDLE_MS);
        await here.destroy(id);
        await here.destroy(id);
        expect(await there.destroyFor({ handle: sessionHandle(id) })).toBe(0);
      });

      it.each([
        ['a person', { person: 'p_alice' }, ['alice', 'alice again', 'alice elsewhere', 'alice alone']],
        [
          'a subject',
          { issuer: 'https://id.example', subject: 'subject-of-alice' },
          ['alice', 'alice again', 'alice alone'],
        ],
        ["a provider's session", { issuer: 'https://id.example', providerSession: 'sid-1' }, ['alice', 'bob']],
        [
          "a subject without a session of the provider's",
          { issuer: 'https://id.example', loneSubject: 'subject-of-alice' },
          ['alice alone'],
        ],
        [
          'everybody',
          { all: true as const },
          ['alice', 'alice again', 'alice elsewhere', 'alice alone', 'bob', 'bob alone', 'shifted'],
        ],
        ['nobody', { person: 'p_nobody' }, []],
        ['a subject of another spelling', { issuer: 'https://id.example', subject: 'Subject-of-alice' }, []],
      ])('comes for every session of %s and for no other', async (_, selector, expected) => {
        const sessions: Record<string, Session> = {
          alice: session(),
          'alice again': session({ providerSession: 'sid-2' }),
          'alice elsewhere': of({ issuer: 'https://other.example', subject: 'x' }, { providerSession: 'sid-1' }),
          'alice alone': lone(session()),
          bob: of({ person: 'p_bob', subject: 'bob' }),
          'bob alone': lone(of({ person: 'p_bob', subject: 'bob' })),
          // Reads the same as alice when issuer and subject are only put together.
          shifted: of(
            { person: 'p_shifted', issuer: 'https://id.examples', subject: 'ubject-of-alice' },
            { providerSession: 'x' },
          ),
        };
        const ids = Object.fromEntries(Object.keys(sessions).map((who) => [who, newSessionId()]));
        for (const [who, one] of Object.entries(sessions)) await here.save(ids[who] ?? '', one, IDLE_MS);
        expect(await there.destroyFor(selector)).toBe(expected.length);
        await harness.fastForward(1_000);
        for (const store of [here, there]) {
          const gone: string[] = [];
          for (const who of Object.keys(sessions)) {
            if ((await store.load(ids[who] ?? '')) === undefined) gone.push(who);
          }
          expect(gone).toEqual(expected);
        }
      });

      it('comes by the handle that a list shows', async () => {
        await here.save(id, session(), IDLE_MS);
        const [listed] = await there.list();
        expect(await there.destroyFor({ handle: listed?.handle ?? '' })).toBe(1);
        await harness.fastForward(1_000);
        expect(await here.load(id)).toBeUndefined();
      });

      it('is told to who listens here at once, and elsewhere too, once each', async () => {
        const ids = [id, newSessionId(), newSessionId()];
        for (const one of ids) await here.save(one, session(), IDLE_MS);
        const heard = { here: [] as string[], there: [] as string[], deaf: [] as string[] };
        here.onEnded(() => {
          throw new Error('a listener that fails is nobody else`s trouble');
        });
        here.onEnded((handle) => heard.here.push(handle));
        there.onEnded((handle) => heard.there.push(handle));
        here.onEnded((handle) => heard.deaf.push(handle))();
        // The first look only finds out where the list stands.
        await new Promise((resolve) => setTimeout(resolve, 600));
        await here.destroy(id);
        expect(heard.here).toEqual([sessionHandle(id)]);
        await here.destroyFor({ person: 'p_alice' });
        const everybody = ids.map(sessionHandle).sort();
        expect(heard.here.toSorted()).toEqual(everybody);
        for (let waits = 0; waits < 50 && heard.there.length < 3; waits += 1) {
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        await new Promise((resolve) => setTimeout(resolve, 600));
        expect(heard.there.toSorted()).toEqual(everybody);
        expect(heard.here.toSorted()).toEqual(everybody);
        expect(heard.deaf).toEqual([]);
        expect(await there.load(id)).toBeUndefined();
      });
    });

    it('lists who is there without what a session holds', async () => {
      await here.save(id, session(), IDLE_MS);
      const createdAt = harness.now();
      await harness.fastForward(5 * 60_000);
      const other = newSessionId();
      await there.save(other, of({ person: 'p_bob' }), IDLE_MS);
      await here.touch(id, IDLE_MS);
      expect(await here.list()).toEqual([
        {
          handle: sessionHandle(id),
          person: 'p_alice',
          origin: 'staff',
          createdAt,
          lastSeenAt: harness.now(),
          endsAt: createdAt + ABSOLUTE_MS,
        },
        expect.objectContaining({ handle: sessionHandle(other), person: 'p_bob', createdAt: harness.now() }),
      ]);
      expect((await there.list('p_bob')).map(({ handle }) => handle)).toEqual([sessionHandle(other)]);
      expect(await here.list('p_carol')).toEqual([]);
      expect(await there.count()).toBe(2);
      await harness.fastForward(IDLE_MS);
      expect(await here.list()).toEqual([]);
      expect(await here.list('p_bob')).toEqual([]);
      expect(await there.count()).toBe(0);
    });

    it('holds neither a usable cookie nor a readable token, cookie, name or subject', async () => {
      await here.save(id, session(), IDLE_MS, TOKENS);
      const held = await harness.dump();
      expect(held).toContain(sessionHandle(id));
      for (const secret of [id, 'secret', 'Alice', 'alice@', 'subject-of', 'sid-1', 'bi-admins']) {
        expect([secret, held.includes(secret)]).toEqual([secret, false]);
      }
    });
  });
}
