import { CompactSign, decodeProtectedHeader, generateKeyPair } from 'jose';
import { sql } from 'kysely';
import type { Audit, AuditEntry } from '../../src/audit/audit.ts';
import { openCheckpoint } from '../../src/audit/checkpoint.ts';
import { Checkpoints } from '../../src/audit/checkpoints.ts';
import { createAudit } from '../../src/audit/log.ts';
import { chainHash, recordBody } from '../../src/audit/record.ts';
import { removeOld } from '../../src/audit/retention.ts';
import type { Database } from '../../src/directory/database.ts';
import { createLeases } from '../../src/directory/leases.ts';
import { createStateValues } from '../../src/directory/values.ts';
import type { Signer } from '../../src/ops/keys.ts';
import { createSigner } from '../../src/ops/signer.ts';
import type { State, StateFactory } from './state.ts';

const DAY_MS = 86_400_000;
const EVERY_MS = 300_000;
const RECORDS = 10;
const never = new AbortController().signal;
const SECRETS = ['the secret of the sessions, 32 characters'];

/** One instance with everything that it does beside its audit. */
interface Instance {
  readonly database: Database;
  readonly audit: Audit;
  readonly signer: Signer;
  readonly checkpoints: Checkpoints;
  readonly errors: unknown[];
  removeOld(delivered?: number): Promise<number>;
}

const entry = (more: Partial<AuditEntry> = {}): AuditEntry => ({ event: 'grant.given', actor: 'p_alice', ...more });

/** What every audit must prove by what it has signed; reaches into its tables as somebody would who writes them. */
export function describeSignedAudit(name: string, makeState: StateFactory): void {
  describe(`signed audit on ${name}`, () => {
    let state: State;
    let here: Instance;
    let there: Instance;

    beforeEach(async () => {
      state = await makeState();
      here = await instanceOn(state);
      there = await instanceOn(state);
    });
    afterEach(() => state.dispose());

    const write = (count: number, from: Instance = here) =>
      from.audit.append(Array.from({ length: count }, (_, at) => entry({ key: `k${at + 1}` })));
    const tamper = (...statements: ReturnType<typeof sql>[]) =>
      here.database.transaction(async (trx) => {
        for (const statement of statements) await statement.execute(trx);
      });
    const tokens = async (): Promise<string[]> => {
      const rows = await here.database.run((db) =>
        db.selectFrom('audit_checkpoints').select('token').orderBy('seq').execute(),
      );
      return rows.map(({ token }) => token);
    };
    const spans = async () => {
      const keys = await there.signer.publicKeys();
      const opened = await Promise.all((await tokens()).map((token) => openCheckpoint(token, keys)));
      return opened.map((one) => [one?.after, one?.seq]);
    };
    /** 35 records of two instances in turn: three full checkpoints, and one because of the time. */
    const signed = async () => {
      for (let at = 0; at < 7; at += 1) await write(5, at % 2 ? there : here);
      await here.checkpoints.look(never);
      state.clock.fastForward(EVERY_MS);
      await there.checkpoints.look(never);
    };
    const bad = async (witnesses: Parameters<Audit['verify']>[0] = {}) => {
      const one = await here.audit.verify(witnesses);
      expect(await there.audit.verify(witnesses)).toEqual(one);
      return one;
    };
    /** As somebody does who knows how the chain is made: from this record on everything is made anew. */
    const rewrite = async (from: number, change: (body: string) => string | undefined) => {
      const { rows } = await here.database.run((db) =>
        sql<{
          seq: number;
          body: string;
          hash: string;
        }>`select seq, body, hash from audit_records order by seq`.execute(db),
      );
      let hash = rows.find(({ seq }) => seq === from - 1)?.hash ?? '0'.repeat(64);
      let seq = from - 1;
      const statements = [sql`delete from audit_records where seq >= ${from}`];
      for (const row of rows.filter((one) => one.seq >= from)) {
        const text = row.seq === from ? change(row.body) : row.body;
        if (text === undefined) continue;
        seq += 1;
        const { at, seq: _, ...facts } = JSON.parse(text) as AuditEntry & { at: string; seq: number };
        const body = recordBody(facts, seq, new Date(at));
        hash = chainHash(hash, body);
        statements.push(
          sql`insert into audit_records (seq, at, person_id, body, hash) values (${seq}, ${Date.parse(at)}, null, ${body}, ${hash})`,
        );
      }
      await tamper(...statements, sql`update audit_head set seq = ${seq}, hash = ${hash}`);
    };

    describe('checkpoints', () => {
      it('are made by one instance for all: after so many records, or when the first waits for so long', async () => {
        await write(25);
        await Promise.all([here.checkpoints.look(never), there.checkpoints.look(never)]);
        await there.checkpoints.look(never);
        expect(await spans()).toEqual([
          [0, 10],
          [10, 20],
        ]);
        state.clock.fastForward(EVERY_MS);
        await there.checkpoints.look(never);
        await here.checkpoints.look(never);
        expect(await spans()).toEqual([
          [0, 10],
          [10, 20],
          [20, 25],
        ]);
        expect(await here.audit.verify()).toEqual({
          records: 25,
          signed: { seq: 25, at: new Date(state.clock.now()) },
        });
      });

      it('are left to the next one by an instance that stops, and so is the walk along the chain', async () => {
        await write(600);
        await here.checkpoints.look(AbortSignal.abort());
        expect(await spans()).toEqual([]);
        expect(await there.checkpoints.verified()).toBeUndefined();
        await there.checkpoints.look(never);
        expect(await spans()).toHaveLength(60);
        expect(await here.checkpoints.verified()).toMatchObject({ ok: true });
      });

      it('say how long the oldest record waits for one', async () => {
        expect(await here.checkpoints.standing()).toEqual({ unsignedMs: 0 });
        await write(1);
        state.clock.fastForward(1_000);
        expect(await there.checkpoints.standing()).toEqual({ unsignedMs: 1_000 });
        state.clock.fastForward(EVERY_MS);
        await here.checkpoints.look(never);
        expect(await there.checkpoints.standing()).toEqual({ unsignedMs: 0, lastAt: state.clock.now() });
      });

      it('are verified years later, when other keys sign', async () => {
        await write(10);
        await here.checkpoints.look(never);
        for (let year = 0; year < 3; year += 1) {
          state.clock.fastForward(370 * DAY_MS);
          await here.signer.publicKeys();
          state.clock.fastForward(DAY_MS);
          await write(10);
          await here.checkpoints.look(never);
        }
        expect(new Set((await here.signer.publicKeys()).map(({ kid }) => kid)).size).toBeGreaterThan(2);
        expect((await there.audit.verify()).signed?.seq).toBe(40);
      });

      it('are not made of what does not hold, and all instances say so', async () => {
        await write(12);
        await here.checkpoints.look(never);
        await write(20);
        await tamper(sql`update audit_records set body = replace(body, 'grant', 'Grant') where seq = 14`);
        await there.checkpoints.look(never);
        expect(await spans()).toEqual([[0, 10]]);
        expect(await here.checkpoints.verified()).toMatchObject({ ok: false, firstBad: 14 });
        expect(there.errors).toEqual([expect.objectContaining({ firstBad: 14 })]);
      });

      it('that a running instance has seen are missed when somebody takes them out with their records', async () => {
        await signed();
        await here.checkpoints.look(never);
        await tamper(sql`delete from audit_checkpoints where seq > 10`, sql`delete from audit_records where seq > 10`);
        const { rows } = await here.database.run((db) =>
          sql<{ hash: string }>`select hash from audit_records where seq = 10`.execute(db),
        );
        await tamper(sql`update audit_head set seq = 10, hash = ${rows[0]?.hash}`);
        expect((await bad()).firstBad).toBeUndefined();
        await here.checkpoints.look(never);
        expect(await there.checkpoints.verified()).toMatchObject({ ok: false, firstBad: 35 });
      });

      it('let the whole chain be walked once a day, and say when it holds again', async () => {
        await write(1);
        await here.checkpoints.look(never);
        expect(await there.checkpoints.verified()).toEqual({ at: state.clock.now(), ok: true });
        await tamper(sql`update audit_records set body = replace(body, 'grant', 'Grant') where seq = 1`);
        state.clock.fastForward(DAY_MS);
        await there.checkpoints.look(never);
        expect(await here.checkpoints.verified()).toMatchObject({ ok: false, firstBad: 1 });
        await tamper(sql`update audit_records set body = replace(body, 'Grant', 'grant') where seq = 1`);
        state.clock.fastForward(DAY_MS);
        await here.checkpoints.look(never);
        expect(await there.checkpoints.verified()).toMatchObject({ ok: true });
      });
    });

    describe('names the first record that does not hold, of two instances', () => {
      beforeEach(signed);

      it('in no case when nothing was done', async () => {
        expect(await bad()).toMatchObject({ records: 35, signed: { seq: 35 } });
        expect((await bad()).firstBad).toBeUndefined();
      });

      it.each([1, 7, 10, 11, 30, 33, 35])('when record %i was flipped', async (seq) => {
        await tamper(sql`update audit_records set body = replace(body, 'given', 'taken') where seq = ${seq}`);
        expect(await bad()).toMatchObject({ firstBad: seq, why: expect.stringMatching(/hash/) });
      });

      it.each([1, 10, 11, 24])('when record %i was dropped, and everything after it made anew', async (seq) => {
        await rewrite(seq, () => undefined);
        expect(await bad()).toMatchObject({ firstBad: seq, why: expect.stringMatching(/signed/) });
      });

      it.each([1, 7, 10, 11, 20, 33, 35])('when record %i and everything after it was made anew', async (seq) => {
        await rewrite(seq, (body) => body.replace('given', 'taken'));
        expect(await bad()).toMatchObject({ records: seq - 1, firstBad: seq, why: expect.stringMatching(/signed/) });
      });

      it('when two were swapped, and everything after them made anew', async () => {
        await tamper(
          sql`update audit_records set body = replace(body, '"k5"', '"kx"') where seq = 15`,
          sql`update audit_records set body = replace(body, '"k1"', '"k5"') where seq = 16`,
          sql`update audit_records set body = replace(body, '"kx"', '"k1"') where seq = 15`,
        );
        await rewrite(15, (body) => body);
        expect((await bad()).firstBad).toBe(15);
      });

      it('when one was put in, and everything after it made anew', async () => {
        await tamper(
          sql`update audit_records set seq = seq + 1000 where seq >= 18`,
          sql`update audit_records set seq = seq - 999 where seq >= 1000`,
          sql`insert into audit_records (seq, at, person_id, body, hash) select 18, at, person_id, body, hash from audit_records where seq = 17`,
        );
        await rewrite(18, (body) => body.replace('given', 'taken'));
        expect((await bad()).firstBad).toBe(18);
      });

      it('when the end was cut off, and the head made to fit', async () => {
        await tamper(sql`delete from audit_records where seq > 23`);
        await tamper(sql`update audit_head set seq = 23, hash = (select hash from audit_records where seq = 23)`);
        expect(await bad()).toMatchObject({ firstBad: 24, why: expect.stringMatching(/cut off: a checkpoint .* 35/) });
      });

      it('when the end was cut off at a checkpoint, and the head made to fit', async () => {
        await tamper(
          sql`delete from audit_records where seq > 30`,
          sql`update audit_head set seq = 30, hash = (select hash from audit_records where seq = 30)`,
        );
        expect(await bad()).toMatchObject({ firstBad: 31, why: expect.stringMatching(/cut off/) });
      });

      it.each([5, 10])('when the first %i were cut off', async (count) => {
        await tamper(sql`delete from audit_records where seq <= ${count}`);
        expect(await bad()).toMatchObject({ firstBad: 1, why: expect.stringMatching(/missing/) });
      });

      it('when they were cut off as if they had been removed because of their age', async () => {
        const [first] = await tokens();
        await tamper(
          sql`delete from audit_records where seq <= 10`,
          sql`delete from audit_checkpoints where seq < 10`,
          sql`insert into audit_removed (id, seq, token) values (1, 10, ${first})`,
        );
        expect(await bad()).toMatchObject({ firstBad: 1, why: expect.stringMatching(/not signed/) });
      });

      it('when a checkpoint was taken out', async () => {
        await tamper(sql`delete from audit_checkpoints where seq = 20`);
        expect(await bad()).toMatchObject({ firstBad: 11, why: expect.stringMatching(/up to 20 is missing/) });
      });

      it('when a checkpoint is somebody else’s', async () => {
        const [, second = ''] = await tokens();
        const forged = await forge(second);
        await tamper(sql`update audit_checkpoints set token = ${forged} where seq = 20`);
        expect(await bad()).toMatchObject({ firstBad: 11, why: expect.stringMatching(/not signed/) });
      });

      it('when the keys were exchanged', async () => {
        await tamper(sql`delete from state_values where name = 'keys:audit'`);
        state.clock.fastForward(120_000);
        expect(await bad()).toMatchObject({ firstBad: 1, why: expect.stringMatching(/not signed/) });
      });

      it('when something was appended past the head', async () => {
        await tamper(
          sql`insert into audit_records (seq, at, person_id, body, hash) select 36, at, person_id, body, hash from audit_records where seq = 35`,
        );
        expect((await bad()).firstBad).toBe(36);
      });

      it('when everything was made anew and signed with other keys, by what was kept elsewhere', async () => {
        const keys = await here.signer.publicKeys();
        const [, kept = ''] = await tokens();
        const checkpoint = await openCheckpoint(kept, keys);
        if (checkpoint === undefined) throw new Error('it was signed by us');
        await rewrite(14, (body) => body.replace('given', 'taken'));
        await tamper(sql`delete from state_values`, sql`delete from audit_checkpoints`);
        const later = await instanceOn(state);
        await later.checkpoints.look(never);
        state.clock.fastForward(EVERY_MS);
        await later.checkpoints.look(never);
        // By itself it is whole: nothing in the database says anything else.
        expect(await later.audit.verify()).toMatchObject({ records: 35, signed: { seq: 35 } });
        expect(await later.audit.verify({ kept: [checkpoint] })).toMatchObject({
          firstBad: 14,
          why: expect.stringMatching(/kept elsewhere/),
        });
        expect(await later.audit.verify({ keys })).toMatchObject({
          firstBad: 1,
          why: expect.stringMatching(/not signed/),
        });
      });
    });

    describe('retention', () => {
      it('removes what is old up to a checkpoint, and the rest goes on from its hash', async () => {
        await signed();
        state.clock.fastForward(30 * DAY_MS);
        await write(8);
        expect(await here.removeOld()).toBe(35);
        expect(await there.removeOld()).toBe(0);
        const removedAt = new Date(state.clock.now());
        // The removal is a record of its own.
        expect(await bad()).toEqual({ records: 9, from: 36, removedAt, signed: { seq: 35, at: removedAt } });
        state.clock.fastForward(EVERY_MS);
        await there.checkpoints.look(never);
        expect(await bad()).toMatchObject({ records: 9, from: 36, signed: { seq: 44 } });
        expect(here.errors).toEqual([]);
      });

      it('leaves what is not signed yet, and what was not delivered yet', async () => {
        await write(15);
        await here.checkpoints.look(never);
        state.clock.fastForward(30 * DAY_MS);
        expect(await here.removeOld(9)).toBe(0);
        expect(await here.removeOld(10)).toBe(10);
        expect(await bad()).toMatchObject({ records: 6, from: 11 });
      });

      it('removes nothing that was tampered with', async () => {
        await signed();
        state.clock.fastForward(30 * DAY_MS);
        await rewrite(14, (body) => body.replace('given', 'taken'));
        await expect(here.removeOld()).rejects.toMatchObject({ code: 'audit_broken', detail: { firstBad: 14 } });
        expect(await bad()).toMatchObject({ firstBad: 14 });
      });

      it('does not hide what somebody cuts off further', async () => {
        await signed();
        state.clock.fastForward(30 * DAY_MS);
        await write(25);
        await here.removeOld();
        state.clock.fastForward(EVERY_MS);
        await here.checkpoints.look(never);
        expect((await bad()).firstBad).toBeUndefined();
        await tamper(sql`delete from audit_records where seq <= 45`);
        expect(await bad()).toMatchObject({ firstBad: 36, why: expect.stringMatching(/missing/) });
        await tamper(sql`update audit_removed set seq = 45`);
        expect(await bad()).toMatchObject({ firstBad: 1, why: expect.stringMatching(/not signed/) });
        await tamper(sql`delete from audit_removed`);
        expect(await bad()).toMatchObject({ firstBad: 1, why: expect.stringMatching(/missing/) });
      });

      it('goes on while others append and verify', async () => {
        await signed();
        state.clock.fastForward(30 * DAY_MS);
        const [removed, verdict] = await Promise.all([here.removeOld(), there.audit.verify(), write(20, there)]);
        expect(removed).toBe(35);
        expect(verdict.firstBad).toBeUndefined();
        expect((await bad()).firstBad).toBeUndefined();
      });
    });
  });
}

async function instanceOn(state: State): Promise<Instance> {
  const database = await state.open();
  const { clock } = state;
  const values = createStateValues(database);
  const leases = createLeases(database, clock);
  const signer = createSigner({
    values,
    name: 'audit',
    alg: 'ES256',
    secrets: SECRETS,
    clock,
    rotateAfterMs: 365 * DAY_MS,
    keepAfterMs: Number.POSITIVE_INFINITY,
  });
  const audit = createAudit(database, clock, signer);
  const errors: unknown[] = [];
  const log = { error: (_: string, fields: unknown) => void errors.push(fields), warn() {}, info() {}, debug() {} };
  const deps = { database, audit, leases, values, signer, clock, log };
  return {
    database,
    audit,
    signer,
    errors,
    checkpoints: new Checkpoints({ ...deps, records: RECORDS, everyMs: EVERY_MS }),
    removeOld: (delivered = Number.MAX_SAFE_INTEGER) =>
      removeOld({ ...deps, keepMs: 20 * DAY_MS, delivered: async () => delivered }),
  };
}

/** The same facts under a signature by a key of the forger's own. */
async function forge(token: string): Promise<string> {
  const [, facts = ''] = token.split('.');
  const { privateKey } = await generateKeyPair('ES256');
  const { kid = '' } = decodeProtectedHeader(token);
  return new CompactSign(Buffer.from(facts, 'base64url')).setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey);
}
