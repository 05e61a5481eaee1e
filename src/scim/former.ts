import type { Kysely } from 'kysely';
import type { Directory, Person } from '../directory/directory.ts';
import type { Tables } from '../directory/tables.ts';
import { scimIssuer } from '../model/origin.ts';
import { formerSubject, type ScimClient } from './client.ts';

interface FormerReads {
  readonly db: Kysely<Tables>;
  readonly people: Pick<Directory['people'], 'bySubject' | 'subjects'>;
}

/**
 * Who a new user was before their client deleted them: the same `externalId`, of the same client, of which no other user
 * is there by now. An address or a name says nothing of the kind: both are given to others.
 */
export async function personBefore(
  { db, people }: FormerReads,
  client: ScimClient,
  externalId: unknown,
): Promise<Person | undefined> {
  const former = formerSubject(client, externalId);
  const person = former === undefined ? undefined : await people.bySubject(former);
  if (person === undefined) return undefined;
  const own = (await people.subjects(person.id)).filter(({ issuer }) => issuer === scimIssuer(client.name));
  const ids = own.map(({ subject }) => subject);
  if (ids.length === 0) return person;
  const there = await db
    .selectFrom('scim_users')
    .select('id')
    .where('client', '=', client.name)
    .where('id', 'in', ids)
    .where('body', 'is not', null)
    .limit(1)
    .executeTakeFirst();
  return there === undefined ? person : undefined;
}
