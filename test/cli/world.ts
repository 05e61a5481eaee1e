import type { Audit } from '../../src/audit/audit.ts';
import { createAudit } from '../../src/audit/log.ts';
import { type Database, openDatabase } from '../../src/directory/database.ts';
import type { Directory } from '../../src/directory/directory.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { createEmbeddedSessions } from '../../src/session/embedded.ts';
import type { SessionStore } from '../../src/session/store.ts';
import { TestClock } from '../conformance/state.ts';

export const ISSUER = 'https://id.example';

/** State in memory with two people: Alice, of whom an origin has spoken, and Bob, whose name tries to disguise itself. */
export interface World extends Directory {
  readonly clock: TestClock;
  readonly database: Database;
  readonly audit: Audit;
  readonly sessions: SessionStore;
  readonly alice: string;
  readonly bob: string;
}

export async function makeWorld(): Promise<World> {
  const clock = new TestClock();
  const database = await openDatabase('sqlite::memory:');
  const directory = createDirectory(database, clock);
  const sessions = createEmbeddedSessions(database, { clock });
  const { id: alice } = await directory.people.ensure({ issuer: ISSUER, subject: 'sub-a' }, 'staff', 'Alice');
  clock.fastForward(1_000);
  const { id: bob } = await directory.people.ensure({ issuer: ISSUER, subject: 'sub-b' }, 'staff', 'Bob\u202egnp');
  await directory.people.saveAssertion(alice, {
    issuer: ISSUER,
    subject: 'sub-a',
    origin: 'staff',
    active: true,
    at: new Date(clock.now()),
    claims: { name: 'Alice', email: 'alice@example.com', secret: 'c' },
  });
  return {
    ...directory,
    clock,
    database,
    audit: createAudit(database, clock),
    sessions,
    alice,
    bob,
    close: async () => {
      await sessions.close();
      await directory.close();
    },
  };
}
