import type { Database } from '../../directory/database.ts';
import type { ScimTokenRow } from '../../directory/tables.ts';
import { LatchgateError } from '../../model/errors.ts';
import type { Clock } from '../../ops/clock.ts';
import { sha256 } from '../../ops/hash.ts';
import { randomText } from '../../ops/random.ts';

/** By which leak scanners know the tokens that are made here. */
const TOKEN_PREFIX = 'lgscim_';
const TOKEN_BYTES = 32;
const ID_BYTES = 6;
/** One that is used, and the one that follows it. */
const LIVE_TOKENS = 2;

/** A token of which only the SHA-256 is kept. */
export interface StoredToken {
  readonly id: string;
  readonly client: string;
  readonly createdAt: Date;
  readonly expiresAt?: Date;
  readonly lastUsedAt?: Date;
}

export interface Tokens {
  /** The token itself is only here. Throws `scim_tokens_full` when the client has two that hold. */
  make(client: string, expiresAt?: Date): Promise<{ readonly token: string; readonly stored: StoredToken }>;
  /** Of one client or of all, oldest first; those that have run out too. */
  list(client?: string): Promise<readonly StoredToken[]>;
  /** Throws `not_found`. */
  revoke(id: string): Promise<StoredToken>;
  /** By its SHA-256 in base64url; undefined: there is none, or it has run out. */
  byHash(hash: string): Promise<StoredToken | undefined>;
  used(id: string, at: Date): Promise<void>;
}

export function createTokens(database: Database, clock: Clock): Tokens {
  return {
    make: (client, expiresAt) =>
      database.transaction(async (trx) => {
        const now = clock.now();
        const rows = await trx.selectFrom('scim_tokens').select('expires_at').where('client', '=', client).execute();
        const live = rows.filter(({ expires_at: at }) => at === null || at > now);
        if (live.length >= LIVE_TOKENS) {
          throw new LatchgateError('scim_tokens_full', `${client} has two tokens that hold: revoke one first`);
        }
        const token = TOKEN_PREFIX + randomText(TOKEN_BYTES);
        const row: ScimTokenRow = {
          id: `t_${randomText(ID_BYTES).replaceAll(/[-_]/g, '0')}`,
          client,
          hash: sha256(token),
          created_at: now,
          expires_at: expiresAt?.getTime() ?? null,
          last_used_at: null,
        };
        await trx.insertInto('scim_tokens').values(row).execute();
        return { token, stored: toToken(row) };
      }),
    list: (client) =>
      database.run(async (db) => {
        const all = db.selectFrom('scim_tokens').selectAll().orderBy('created_at').orderBy('id');
        const rows = await (client === undefined ? all : all.where('client', '=', client)).execute();
        return rows.map(toToken);
      }),
    revoke: (id) =>
      database.run(async (db) => {
        const row = await db.deleteFrom('scim_tokens').where('id', '=', id).returningAll().executeTakeFirst();
        if (row === undefined) throw new LatchgateError('not_found', 'there is no such token');
        return toToken(row);
      }),
    byHash: (hash) =>
      database.run(async (db) => {
        const row = await db.selectFrom('scim_tokens').selectAll().where('hash', '=', hash).executeTakeFirst();
        if (row === undefined || (row.expires_at !== null && row.expires_at <= clock.now())) return undefined;
        return toToken(row);
      }),
    used: (id, at) =>
      database.run(async (db) => {
        await db.updateTable('scim_tokens').set({ last_used_at: at.getTime() }).where('id', '=', id).execute();
      }),
  };
}

function toToken(row: ScimTokenRow): StoredToken {
  return {
    id: row.id,
    client: row.client,
    createdAt: new Date(row.created_at),
    ...(row.expires_at === null ? {} : { expiresAt: new Date(row.expires_at) }),
    ...(row.last_used_at === null ? {} : { lastUsedAt: new Date(row.last_used_at) }),
  };
}
