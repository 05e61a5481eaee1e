import type { AuditEntry } from '../../src/audit/audit.ts';
import { createAudit } from '../../src/audit/log.ts';
import { type AuditSearch, createAuditSearch } from '../../src/audit/search.ts';
import { createConsoleSessionRows } from '../../src/directory/console-sessions.ts';
import type { Database } from '../../src/directory/database.ts';
import type { State, StateFactory } from './state.ts';

const HOUR = 3_600_000;

/** What the operators' page reads and keeps in the state, whatever database it is in. */
export function describeConsoleState(name: string, makeState: StateFactory): void {
  describe(`the operators' page on ${name}`, () => {
    let state: State;
    let database: Database;
    let search: AuditSearch;
    let start: Date;
    beforeEach(async () => {
      state = await makeState();
      database = await state.open();
      search = createAuditSearch(database);
      start = new Date(state.clock.now());
    });
    afterEach(() => state.dispose());

    const write = (...entries: Partial<AuditEntry>[]) =>
      createAudit(database, state.clock).append(
        entries.map((entry) => ({ event: 'grant.given', actor: 'login:acme', ...entry })),
      );
    const found = async (...query: Parameters<AuditSearch['find']>) =>
      (await search.find(...query)).records.map(({ seq }) => seq);

    it('finds records by who, what, request and time, newest first', async () => {
      await write({ person: 'p_a', requestId: 'r1' }, { person: 'p_b', requestId: 'r1' });
      state.clock.fastForward(HOUR);
      await write(
        { event: 'person.disabled', actor: 'p_a', person: 'p_b', requestId: 'r2' },
        { event: 'plan.approved' },
      );
      const later = new Date(start.getTime() + HOUR);
      expect(await found({}, 10)).toEqual([4, 3, 2, 1]);
      expect(await found({ person: 'p_a' }, 10)).toEqual([3, 1]);
      expect(await found({ requestId: 'r1' }, 10)).toEqual([2, 1]);
      expect(await found({ event: 'p' }, 10)).toEqual([]);
      expect(await found({ event: 'person.' }, 10)).toEqual([3]);
      expect(await found({ event: 'plan.approved', requestId: 'r2' }, 10)).toEqual([]);
      expect(await found({ since: later }, 10)).toEqual([4, 3]);
      expect(await found({ until: later }, 10)).toEqual([2, 1]);
      expect(await found({ since: new Date(later.getTime() + 1) }, 10)).toEqual([]);
    });

    it('takes a value for the member that is meant alone, and no character for more than itself', async () => {
      await write(
        { after: { event: 'x.y', requestId: 'rz', person: 'p_z' } },
        { event: 'a_b', key: 'x.y' },
        { event: 'a%b"\\' },
        { event: 'axb' },
      );
      expect(await found({ event: 'x.y' }, 10)).toEqual([]);
      expect(await found({ requestId: 'rz' }, 10)).toEqual([]);
      expect(await found({ person: 'p_z' }, 10)).toEqual([]);
      expect(await found({ event: 'a_b' }, 10)).toEqual([2]);
      expect(await found({ event: 'a%b"\\' }, 10)).toEqual([3]);
      expect(await found({ event: '%' }, 10)).toEqual([]);
      expect(await found({ event: "' or '1'='1" }, 10)).toEqual([]);
    });

    it('goes on where a page ended, through everything once', async () => {
      const entries = Array.from({ length: 23 }, (_, at) => ({ event: at % 3 === 0 ? 'a.b' : 'c.d' }));
      await write(...entries);
      const seen: number[] = [];
      for (let before: number | undefined = Number.MAX_SAFE_INTEGER; before !== undefined; ) {
        const page = await search.find({ event: 'a.b', before }, 3);
        seen.push(...page.records.map(({ seq }) => seq));
        before = page.before;
      }
      expect(seen).toEqual([22, 19, 16, 13, 10, 7, 4, 1]);
    });

    it('counts events by spans of time, and nothing before', async () => {
      await write({ event: 'old' });
      state.clock.fastForward(HOUR);
      const since = new Date(Math.floor(state.clock.now() / HOUR) * HOUR);
      await write({}, {}, { event: 'login.allowed' });
      state.clock.fastForward(HOUR);
      await write({});
      const { counts, isWhole } = await search.countEvents(since, HOUR);
      expect(isWhole).toBe(true);
      const at = since.getTime();
      const sorted = [...counts].sort((one, other) => one.at - other.at || one.event.localeCompare(other.event));
      expect(sorted).toEqual([
        { at, event: 'grant.given', count: 2 },
        { at, event: 'login.allowed', count: 1 },
        { at: at + HOUR, event: 'grant.given', count: 1 },
      ]);
    });

    it('answers of an empty audit', async () => {
      expect(await search.find({}, 10)).toEqual({ records: [] });
      expect(await search.countEvents(start, HOUR)).toEqual({ counts: [], isWhole: true });
    });

    it('keeps sessions by their handles, and forgets those that ran out', async () => {
      const rows = createConsoleSessionRows(database);
      const now = state.clock.now();
      const row = (handle: string, until: number) => ({ handle, sealed: 'v1.x', idle_until: until, ends_at: until });
      await rows.add(row('old', now + 1), now);
      await rows.add(row('one', now + HOUR), now + 1);
      expect(await rows.get('old')).toBeUndefined();
      await rows.touch('one', now + 2 * HOUR);
      expect(await rows.get('one')).toEqual({ ...row('one', now + HOUR), idle_until: now + 2 * HOUR });
      await rows.remove('one');
      await rows.touch('one', now + 3 * HOUR);
      expect(await rows.get('one')).toBeUndefined();
    });
  });
}
