import { sql } from 'kysely';
import type { Audit, AuditEntry, AuditRecord } from '../../src/audit/audit.ts';
import { createAudit } from '../../src/audit/log.ts';
import { chainHash } from '../../src/audit/record.ts';
import type { Database } from '../../src/directory/database.ts';
import type { State, StateFactory } from './state.ts';

const entry = (more: Partial<AuditEntry> = {}): AuditEntry => ({
  event: 'grant.given',
  actor: 'p_alice',
  person: 'p_alice',
  target: 'superset',
  key: 'role:Alpha',
  before: null,
  after: { b: 1, a: ['ö', 'x\u0000'] },
  requestId: 'r1',
  ...more,
});

async function all(records: AsyncIterable<AuditRecord>): Promise<AuditRecord[]> {
  const list: AuditRecord[] = [];
  for await (const record of records) list.push(record);
  return list;
}

/** What every audit must do, whatever holds it; reaches into its tables to tamper with them. */
export function describeAudit(name: string, makeState: StateFactory): void {
  describe(`audit on ${name}`, () => {
    let state: State;
    let database: Database;
    let here: Audit;
    let there: Audit;

    beforeEach(async () => {
      state = await makeState();
      database = await state.open();
      here = createAudit(database, state.clock);
      there = createAudit(await state.open(), state.clock);
    });
    afterEach(() => state.dispose());

    const write = (count: number) =>
      here.append(Array.from({ length: count }, (_, at) => entry({ key: `k${at + 1}` })));
    const tamper = (statement: ReturnType<typeof sql>) => database.run((db) => statement.execute(db));

    it('gives back what was appended, in order', async () => {
      await here.append([entry(), entry({ event: 'login.allowed' })]);
      state.clock.fastForward(1_000);
      await there.append([{ event: 'users.disabled', actor: 'operator' }]);
      await here.append([]);
      const records = await all(here.list({}));
      expect(records.map(({ hash, ...facts }) => facts)).toEqual([
        { ...entry(), seq: 1, at: new Date(state.clock.now() - 1_000) },
        { ...entry({ event: 'login.allowed' }), seq: 2, at: new Date(state.clock.now() - 1_000) },
        { event: 'users.disabled', actor: 'operator', seq: 3, at: new Date(state.clock.now()) },
      ]);
      for (const { hash } of records) expect(hash).toMatch(/^[0-9a-f]{64}$/);
      expect(await there.verify()).toEqual({ records: 3 });
    });

    it('lists by person, by time and up to a limit', async () => {
      await here.append([entry(), entry({ person: 'p_bob' }), { event: 'serve.started', actor: 'operator' }]);
      state.clock.fastForward(1_000);
      await here.append([entry(), entry({ person: 'p_bob' })]);
      const seqs = async (query: Parameters<Audit['list']>[0]) =>
        (await all(there.list(query))).map((record) => record.seq);
      expect(await seqs({ person: 'p_alice' })).toEqual([1, 4]);
      expect(await seqs({ since: new Date(state.clock.now()) })).toEqual([4, 5]);
      expect(await seqs({ since: new Date(state.clock.now()), person: 'p_bob' })).toEqual([5]);
      expect(await seqs({ limit: 2 })).toEqual([1, 2]);
      expect(await seqs({ limit: 0 })).toEqual([]);
    });

    it('pages through many records and verifies them', async () => {
      await write(1_200);
      expect(await all(here.list({}))).toHaveLength(1_200);
      expect(await all(here.list({ limit: 1_000 }))).toHaveLength(1_000);
      expect(await there.verify()).toEqual({ records: 1_200 });
    });

    it('appends all or nothing', async () => {
      await expect(here.append([entry(), entry({ after: 1n })])).rejects.toMatchObject({ code: 'internal' });
      expect(await all(here.list({}))).toEqual([]);
      await write(1);
      expect(await here.verify()).toEqual({ records: 1 });
    });

    it('keeps one chain when two instances append at once', async () => {
      await Promise.all(
        Array.from({ length: 40 }, (_, at) => (at % 2 ? here : there).append([entry(), entry({ key: `${at}` })])),
      );
      expect(await here.verify()).toEqual({ records: 80 });
    });

    it('verifies while others append', async () => {
      await write(700);
      const appends = Promise.all(Array.from({ length: 20 }, () => there.append([entry()])));
      expect((await here.verify()).firstBad).toBeUndefined();
      await appends;
      expect(await here.verify()).toEqual({ records: 720 });
    });

    it('verifies an empty chain', async () => {
      expect(await here.verify()).toEqual({ records: 0 });
    });

    describe('names the first record that does not hold', () => {
      beforeEach(() => write(600));

      const expectBad = async (firstBad: number, why: RegExp) => {
        const verdict = await there.verify();
        expect(verdict).toEqual({ records: firstBad - 1, firstBad, why: expect.stringMatching(why) });
      };

      it('when a text was changed', async () => {
        await tamper(sql`update audit_records set body = replace(body, 'k550', 'k999') where seq = 550`);
        await expectBad(550, /hash/);
      });

      it('when a text was changed and its hash with it', async () => {
        await tamper(sql`update audit_records set body = replace(body, 'k3', 'k9') where seq = 3`);
        const [second] = await all(here.list({ limit: 2 })).then((records) => records.slice(1));
        const { rows } = await database.run((db) =>
          sql<{ body: string }>`select body from audit_records where seq = 3`.execute(db),
        );
        const hash = chainHash(second?.hash ?? '', rows[0]?.body ?? '');
        await tamper(sql`update audit_records set hash = ${hash} where seq = 3`);
        await expectBad(4, /hash/);
      });

      it('when a hash was changed', async () => {
        await tamper(sql`update audit_records set hash = ${'0'.repeat(64)} where seq = 2`);
        await expectBad(2, /hash/);
      });

      it.each(['person_id', 'at'])('when the column %s says something else than the text', async (column) => {
        await tamper(sql`update audit_records set ${sql.ref(column)} = 7 where seq = 10`);
        await expectBad(10, /columns/);
      });

      it('when the first was taken out', async () => {
        await tamper(sql`delete from audit_records where seq = 1`);
        await expectBad(1, /missing/);
      });

      it('when one in the middle was taken out', async () => {
        await tamper(sql`delete from audit_records where seq = 400`);
        await expectBad(400, /missing/);
      });

      it('when one was taken out and the rest moved up', async () => {
        await tamper(sql`delete from audit_records where seq = 400`);
        for (let seq = 401; seq <= 600; seq += 1) {
          await tamper(sql`update audit_records set seq = ${seq - 1} where seq = ${seq}`);
        }
        await expectBad(400, /hash|columns/);
      });

      it('when one was put in', async () => {
        await tamper(sql`update audit_records set seq = seq + 1000 where seq >= 500`);
        await tamper(sql`update audit_records set seq = seq - 999 where seq >= 1000`);
        await tamper(
          sql`insert into audit_records (seq, at, person_id, body, hash) select 500, at, person_id, body, hash from audit_records where seq = 499`,
        );
        await expectBad(500, /hash/);
      });

      it('when two were exchanged', async () => {
        await tamper(sql`update audit_records set seq = 9999 where seq = 20`);
        await tamper(sql`update audit_records set seq = 20 where seq = 21`);
        await tamper(sql`update audit_records set seq = 21 where seq = 9999`);
        await expectBad(20, /hash/);
      });

      it('when the end was cut off', async () => {
        await tamper(sql`delete from audit_records where seq > 590`);
        await expectBad(591, /cut off/);
      });

      it('when the end was cut off and others were appended since', async () => {
        await tamper(sql`delete from audit_records where seq > 590`);
        await write(1);
        await expectBad(591, /missing/);
      });

      it('when one was put in at the end, in chain', async () => {
        const last = (await all(here.list({}))).at(-1);
        const body = '{"seq":601}';
        await tamper(
          sql`insert into audit_records (seq, at, person_id, body, hash) values (601, 0, null, ${body}, ${chainHash(last?.hash ?? '', body)})`,
        );
        const { firstBad } = await there.verify();
        expect(firstBad).toBe(601);
      });

      it('when everything was taken out', async () => {
        await tamper(sql`delete from audit_records`);
        await expectBad(1, /cut off/);
      });

      it('when the head is gone, and goes on from nowhere then neither', async () => {
        await tamper(sql`delete from audit_head`);
        await expectBad(601, /head/);
        await expect(here.append([entry()])).rejects.toMatchObject({ code: 'audit_broken' });
      });
    });

    it('says state_unavailable when the database is closed', async () => {
      await database.close();
      await expect(here.append([entry()])).rejects.toMatchObject({ code: 'state_unavailable' });
      await expect(here.verify()).rejects.toMatchObject({ code: 'state_unavailable' });
    });
  });
}
