import { type Kysely, type Migration, sql } from 'kysely';
import { addAddresses } from './migrations-addresses.ts';
import { createAuditCheckpoints } from './migrations-audit.ts';
import { createConsoleSessions } from './migrations-console.ts';
import { addUnverified, indexEmails } from './migrations-people.ts';
import { createPins } from './migrations-pins.ts';
import { addScimChanges, addScimOwed, createScim } from './migrations-scim.ts';
import { AUDIT_HEAD_ID } from './tables-audit.ts';

/** Which database is behind: the few places where the two differ ask this. */
export type Engine = 'sqlite' | 'postgres';

/**
 * Every step of the state database's shape, by name. A step that has been released is never changed: what comes later is
 * a new step. Steps only go forward; the way back is a backup.
 */
export function migrations(engine: Engine): Record<string, Migration> {
  return {
    '0001_directory': { up: createDirectory },
    '0002_audit': { up: createAudit },
    '0003_sessions': { up: (db) => createSessions(db, engine) },
    '0004_session_tokens': { up: addSessionTokens },
    '0005_provider_logouts': { up: createProviderLogouts },
    '0006_plans': { up: createPlans },
    '0007_owners': { up: addOwners },
    '0008_counts': { up: createCounts },
    '0009_scim': { up: createScim },
    '0010_scim_owed': { up: addScimOwed },
    '0011_handovers': { up: createHandovers },
    '0012_people_email': { up: indexEmails },
    '0013_pins': { up: createPins },
    '0014_audit_checkpoints': { up: createAuditCheckpoints },
    '0015_console_sessions': { up: createConsoleSessions },
    '0016_unverified': { up: addUnverified },
    '0017_scim_changes': { up: addScimChanges },
    '0018_addresses': { up: addAddresses },
  };
}

async function addSessionTokens(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('sessions').addColumn('sealed_tokens', 'text').execute();
}

async function createProviderLogouts(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('provider_logouts')
    .addColumn('key', 'text', (column) => column.primaryKey())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('provider_logouts_expiry').on('provider_logouts').column('expires_at').execute();
}

async function createHandovers(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('handovers')
    .addColumn('key', 'text', (column) => column.primaryKey())
    .addColumn('sealed', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('handovers_expiry').on('handovers').column('expires_at').execute();
}

async function createPlans(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('plans')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('sync', 'text', (column) => column.notNull())
    .addColumn('target', 'text', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('code', 'text')
    .addColumn('fingerprint', 'text', (column) => column.notNull())
    .addColumn('body', 'text', (column) => column.notNull())
    .addColumn('decided_by', 'text')
    .addColumn('decided_at', 'bigint')
    .execute();
  await db.schema.createIndex('plans_sync').on('plans').columns(['sync', 'at']).execute();
  await db.schema
    .createTable('sync_runs')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('sync', 'text', (column) => column.notNull())
    .addColumn('started_by', 'text', (column) => column.notNull())
    .addColumn('started_at', 'bigint', (column) => column.notNull())
    .addColumn('finished_at', 'bigint')
    .addColumn('outcome', 'text')
    .addColumn('code', 'text')
    .addColumn('plan_id', 'text')
    .addColumn('counts', 'text', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('sync_runs_started').on('sync_runs').columns(['sync', 'started_at']).execute();
}

async function addOwners(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('people').addColumn('owner', 'text').execute();
  await db.schema.alterTable('people').addColumn('left_at', 'bigint').execute();
  await db.schema.alterTable('people').addColumn('disabled_at', 'bigint').execute();
  await db.schema.createIndex('people_left').on('people').column('left_at').execute();
  // What a sync reads whole: everybody's accounts and grants in one target, person by person.
  await db.schema.createIndex('accounts_target_person').on('accounts').columns(['target', 'person_id']).execute();
  await db.schema.createIndex('grants_target_person').on('grants').columns(['target', 'person_id', 'key']).execute();
}

async function createCounts(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('counts')
    .addColumn('purpose', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('times', 'bigint', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('counts_pk', ['purpose', 'key'])
    .execute();
  await db.schema.createIndex('counts_expiry').on('counts').column('expires_at').execute();
}

async function createDirectory(db: Kysely<unknown>): Promise<void> {
  await createPeople(db);
  await createAccounts(db);
  await createCoordination(db);
}

async function createPeople(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('people')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('display_name', 'text', (column) => column.notNull())
    .addColumn('email', 'text')
    .addColumn('disabled', 'integer', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('last_seen_at', 'bigint')
    .execute();
  await db.schema
    .createTable('subjects')
    .addColumn('issuer', 'text', (column) => column.notNull())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('origin', 'text', (column) => column.notNull())
    .addColumn('person_id', 'text', (column) => column.notNull().references('people.id'))
    .addPrimaryKeyConstraint('subjects_pk', ['issuer', 'subject'])
    .execute();
  await db.schema.createIndex('subjects_person').on('subjects').column('person_id').execute();
  await db.schema
    .createTable('assertions')
    .addColumn('origin', 'text', (column) => column.notNull())
    .addColumn('issuer', 'text', (column) => column.notNull())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('person_id', 'text', (column) => column.notNull().references('people.id'))
    .addColumn('active', 'integer', (column) => column.notNull())
    .addColumn('claims', 'text', (column) => column.notNull())
    .addColumn('remembered_groups', 'text')
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('assertions_pk', ['origin', 'issuer', 'subject'])
    .execute();
  await db.schema.createIndex('assertions_person').on('assertions').column('person_id').execute();
}

async function createAccounts(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('accounts')
    .addColumn('person_id', 'text', (column) => column.notNull().references('people.id'))
    .addColumn('target', 'text', (column) => column.notNull())
    .addColumn('account_id', 'text')
    .addColumn('user_name', 'text', (column) => column.notNull())
    .addColumn('created', 'integer', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('accounts_pk', ['person_id', 'target'])
    .execute();
  // One account, one person: the rule that two logins at once cannot get past.
  await db.schema.createIndex('accounts_owner').unique().on('accounts').columns(['target', 'account_id']).execute();
  await db.schema
    .createTable('grants')
    .addColumn('person_id', 'text', (column) => column.notNull().references('people.id'))
    .addColumn('target', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('origin', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('scope', 'text')
    .addColumn('rule', 'text', (column) => column.notNull())
    .addColumn('entitlement_id', 'text')
    .addColumn('confirmed', 'integer', (column) => column.notNull())
    .addColumn('since', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('grants_pk', ['person_id', 'target', 'key', 'origin'])
    .execute();
  await db.schema.createIndex('grants_target').on('grants').column('target').execute();
}

async function createCoordination(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('leases')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('holder', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('once_keys')
    .addColumn('purpose', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('once_keys_pk', ['purpose', 'key'])
    .execute();
  await db.schema.createIndex('once_keys_expiry').on('once_keys').column('expires_at').execute();
  await db.schema
    .createTable('retries')
    .addColumn('person_id', 'text', (column) => column.notNull())
    .addColumn('target', 'text', (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('due_at', 'bigint', (column) => column.notNull())
    .addColumn('code', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('retries_pk', ['person_id', 'target'])
    .execute();
  await db.schema.createIndex('retries_due').on('retries').column('due_at').execute();
  await db.schema
    .createTable('decisions')
    .addColumn('request_id', 'text', (column) => column.primaryKey())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('record', 'text', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('decisions_at').on('decisions').column('at').execute();
  await db.schema
    .createTable('state_values')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('value', 'text', (column) => column.notNull())
    .execute();
}

async function createAudit(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('audit_records')
    .addColumn('seq', 'bigint', (column) => column.primaryKey())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('person_id', 'text')
    .addColumn('body', 'text', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('audit_records_person').on('audit_records').columns(['person_id', 'seq']).execute();
  await db.schema.createIndex('audit_records_at').on('audit_records').columns(['at', 'seq']).execute();
  await db.schema
    .createTable('audit_head')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('seq', 'bigint', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .execute();
  await sql`insert into audit_head (id, seq, hash) values (${AUDIT_HEAD_ID}, 0, ${'0'.repeat(64)})`.execute(db);
}

async function createSessions(db: Kysely<unknown>, engine: Engine): Promise<void> {
  await db.schema
    .createTable('sessions')
    .addColumn('handle', 'text', (column) => column.primaryKey())
    .addColumn('person_id', 'text', (column) => column.notNull())
    .addColumn('origin', 'text', (column) => column.notNull())
    .addColumn('subject_hash', 'text', (column) => column.notNull())
    .addColumn('provider_session_hash', 'text')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('last_seen_at', 'bigint', (column) => column.notNull())
    .addColumn('idle_until', 'bigint', (column) => column.notNull())
    .addColumn('ends_at', 'bigint', (column) => column.notNull())
    .addColumn('sealed', 'text', (column) => column.notNull())
    .execute();
  for (const column of ['person_id', 'subject_hash', 'provider_session_hash', 'idle_until', 'ends_at']) {
    await db.schema.createIndex(`sessions_${column}`).on('sessions').column(column).execute();
  }
  const ended = db.schema.createTable('ended_sessions');
  await (engine === 'postgres'
    ? ended.addColumn('seq', 'bigserial', (column) => column.primaryKey())
    : ended.addColumn('seq', 'integer', (column) => column.primaryKey().autoIncrement())
  )
    .addColumn('handle', 'text', (column) => column.notNull())
    .addColumn('ended_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('ended_sessions_handle').on('ended_sessions').column('handle').execute();
}
