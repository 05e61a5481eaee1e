import { type Kysely, sql } from 'kysely';

/** What SCIM clients pushed, and their tokens. */
export async function createScim(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('scim_users')
    .addColumn('client', 'text', (column) => column.notNull())
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('user_name', 'text')
    .addColumn('external_id', 'text')
    .addColumn('display', 'text')
    .addColumn('active', 'integer', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('modified_at', 'bigint', (column) => column.notNull())
    .addColumn('version', 'bigint', (column) => column.notNull())
    .addColumn('body', 'text')
    .addColumn('issuer', 'text')
    .addColumn('subject', 'text')
    .addColumn('pushed', 'bigint', (column) => column.notNull())
    .addColumn('settled', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('scim_users_pk', ['client', 'id'])
    .execute();
  await db.schema.createIndex('scim_users_name').unique().on('scim_users').columns(['client', 'user_name']).execute();
  await db.schema
    .createIndex('scim_users_external')
    .unique()
    .on('scim_users')
    .columns(['client', 'external_id'])
    .execute();
  await db.schema
    .createTable('scim_counts')
    .addColumn('client', 'text', (column) => column.primaryKey())
    .addColumn('users', 'bigint', (column) => column.notNull())
    .execute();
  // All that a page needs to leave out those before it.
  await db.schema.createIndex('scim_users_page').on('scim_users').columns(['client', 'id', 'user_name']).execute();
  await sql`create index scim_users_unsettled on scim_users (client, id) where pushed > settled`.execute(db);
  await db.schema
    .createTable('scim_emails')
    .addColumn('client', 'text', (column) => column.notNull())
    .addColumn('user_id', 'text', (column) => column.notNull())
    .addColumn('email', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('scim_emails_pk', ['client', 'email', 'user_id'])
    .execute();
  await db.schema.createIndex('scim_emails_user').on('scim_emails').columns(['client', 'user_id']).execute();
  await db.schema
    .createTable('scim_groups')
    .addColumn('client', 'text', (column) => column.notNull())
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('display_name', 'text', (column) => column.notNull())
    .addColumn('name_key', 'text', (column) => column.notNull())
    .addColumn('external_id', 'text')
    .addColumn('renamed', 'integer', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('modified_at', 'bigint', (column) => column.notNull())
    .addColumn('version', 'bigint', (column) => column.notNull())
    .addColumn('body', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('scim_groups_pk', ['client', 'id'])
    .execute();
  await db.schema.createIndex('scim_groups_name').unique().on('scim_groups').columns(['client', 'name_key']).execute();
  await db.schema.createIndex('scim_groups_external').on('scim_groups').columns(['client', 'external_id']).execute();
  await createScimMembers(db);
}

async function createScimMembers(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('scim_members')
    .addColumn('client', 'text', (column) => column.notNull())
    .addColumn('group_id', 'text', (column) => column.notNull())
    .addColumn('member_id', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('scim_members_pk', ['client', 'group_id', 'member_id'])
    .execute();
  await db.schema
    .createIndex('scim_members_member')
    .on('scim_members')
    .columns(['client', 'member_id', 'group_id'])
    .execute();
  await db.schema
    .createTable('scim_tokens')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('client', 'text', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('expires_at', 'bigint')
    .addColumn('last_used_at', 'bigint')
    .execute();
  await db.schema.createIndex('scim_tokens_hash').unique().on('scim_tokens').column('hash').execute();
  await db.schema.createIndex('scim_tokens_client').on('scim_tokens').column('client').execute();
  // Accounts that a client's deletions would take beyond what the brake allows: switched off until somebody approves.
  await db.schema
    .createTable('scim_held')
    .addColumn('person_id', 'text', (column) => column.primaryKey())
    .addColumn('client', 'text', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('held', 'integer', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('scim_held_client').on('scim_held').columns(['client', 'at']).execute();
}

/** Who was told to try again, and whom the mapping refused. */
export async function addScimOwed(db: Kysely<unknown>): Promise<void> {
  for (const table of ['scim_users', 'scim_groups']) {
    await db.schema
      .alterTable(table)
      .addColumn('owed', 'integer', (column) => column.notNull().defaultTo(0))
      .execute();
  }
  await db.schema.alterTable('scim_users').addColumn('refused', 'text').execute();
  await sql`create index scim_users_refused on scim_users (client, id) where refused is not null`.execute(db);
}

/** How often users came or went: as long as it is the same, each of them has its place in the order of the ids. */
export async function addScimChanges(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('scim_counts')
    .addColumn('changes', 'bigint', (column) => column.notNull().defaultTo(0))
    .execute();
}
