import { type Kysely, sql } from 'kysely';
import { LatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import type { Database } from './database.ts';
import type {
  GoneSubject,
  ListedAssertion,
  ListedClaims,
  ListedSubject,
  Listings,
  Person,
  Recording,
  RememberedAssertion,
} from './directory.ts';
import { PAGE, pageOf, Same } from './pages.ts';
import { ensureIn, insertSubject, rowBySubject, shown, upsertAssertion } from './people.ts';
import { toAssertion, toPerson } from './person-rows.ts';
import type { AssertionRow, PersonRow, Tables } from './tables.ts';

export function createListings(database: Database, clock: Clock, record: Recording): Listings {
  return {
    subjects: (issuer, origin) => subjects(database, issuer, origin),
    claims: (issuer, origin) => claims(database, issuer, origin),
    asRecorded: (origin, said) => JSON.stringify(record.claims(origin, said)),
    others: (origin) => others(database, origin),
    save: (rows) =>
      database.transaction(async (trx) => {
        const people: Person[] = [];
        for (const row of rows) people.push(await saveListed(trx, clock, row, record));
        return people;
      }),
    saveGone: (origin, rows, at) =>
      database.transaction(async (trx) => {
        const people: Person[] = [];
        for (const row of rows) people.push(await saveGone(trx, origin, row, at.getTime()));
        return people;
      }),
  };
}

const SUBJECT_COLUMNS = [
  'subject',
  'person_id',
  'disabled',
  'disabled_at',
  'owner',
  'left_at',
  'active',
  'remembered_groups',
] as const;

async function* subjects(
  database: Database,
  issuer: string,
  origin: string,
): AsyncGenerator<readonly ListedSubject[], void> {
  const same = new Same();
  for (let after: string | undefined; ; ) {
    const rows = await pageOf(database, SUBJECT_COLUMNS, (db) =>
      db
        .selectFrom('subjects')
        .innerJoin('people', 'people.id', 'subjects.person_id')
        .leftJoin('assertions', (join) =>
          join
            .on('assertions.origin', '=', origin)
            .onRef('assertions.issuer', '=', 'subjects.issuer')
            .onRef('assertions.subject', '=', 'subjects.subject'),
        )
        .select([
          'subjects.subject',
          'subjects.person_id',
          'people.disabled',
          'people.disabled_at',
          'people.owner',
          'people.left_at',
          'assertions.active',
          'assertions.remembered_groups',
        ])
        .where('subjects.issuer', '=', issuer)
        .$if(after !== undefined, (query) => query.where('subjects.subject', '>', after ?? ''))
        .orderBy('subjects.subject')
        .limit(PAGE),
    );
    yield rows.map(([subject, person, disabled, disabledAt, owner, leftAt, active, groups]) => ({
      subject: subject as string,
      person: person as string,
      disabled: disabled === 1,
      ...(disabledAt === null ? {} : { disabledAt: same.date(disabledAt as number) }),
      ...(owner === null ? {} : { owner: same.text(owner as string) }),
      ...(leftAt === null ? {} : { leftAt: same.date(leftAt as number) }),
      ...(active === null ? {} : { active: active === 1 }),
      ...(groups === null ? {} : { rememberedGroups: same.list(groups as string) }),
    }));
    after = rows.at(-1)?.[0] as string | undefined;
    if (rows.length < PAGE) return;
  }
}

async function* claims(
  database: Database,
  issuer: string,
  origin: string,
): AsyncGenerator<readonly ListedClaims[], void> {
  for (let after: string | undefined; ; ) {
    const rows = await database.run((db) =>
      db
        .selectFrom('assertions')
        .select(['subject', 'active', 'claims'])
        .where('origin', '=', origin)
        .where('issuer', '=', issuer)
        .$if(after !== undefined, (query) => query.where('subject', '>', after ?? ''))
        .orderBy('subject')
        .limit(PAGE)
        .execute(),
    );
    yield rows.map((row) => ({ subject: row.subject, active: row.active === 1, claims: row.claims }));
    after = rows.at(-1)?.subject;
    if (rows.length < PAGE) return;
  }
}

async function* others(
  database: Database,
  origin: string,
): AsyncGenerator<readonly (RememberedAssertion & { readonly person: PersonId })[], void> {
  for (let last: AssertionRow | undefined; ; ) {
    const rows = await database.run((db) => {
      const page = db.selectFrom('assertions').selectAll().where('origin', '<>', origin);
      const from = last;
      return page
        .$if(from !== undefined, (query) =>
          query.where(sql<boolean>`(origin, issuer, subject) > (${from?.origin}, ${from?.issuer}, ${from?.subject})`),
        )
        .orderBy('origin')
        .orderBy('issuer')
        .orderBy('subject')
        .limit(PAGE)
        .execute();
    });
    yield rows.map((row) => ({ ...toAssertion(row), person: row.person_id }));
    last = rows.at(-1);
    if (rows.length < PAGE) return;
  }
}

async function saveListed(
  trx: Kysely<Tables>,
  clock: Clock,
  { person, joins, assertion, groups, description, owner }: ListedAssertion,
  record: Recording,
): Promise<Person> {
  const { origin } = assertion;
  const email = shown(description.email) ?? null;
  if (person !== undefined && joins === true) await insertSubject(trx, person, assertion, origin);
  // A subject that became somebody else's meanwhile stays theirs.
  const met =
    (person === undefined ? undefined : ((await rowBySubject(trx, assertion)) ?? (await rowOf(trx, person)))) ??
    (await ensureIn(trx, clock, assertion, origin, description.displayName, { email, owner }));
  const whose = await upsertAssertion(trx, met.id, assertion, groups, record);
  const before = whose === met.id ? met : await mustBe(trx, whose);
  const row = {
    ...before,
    display_name: shown(description.displayName) ?? before.display_name,
    email: email ?? before.email,
    // Who owns the one says nothing of another.
    owner: person === undefined || before.id === person ? owner : before.owner,
  };
  // Whom this very assertion lists need not be looked for among the others.
  const isListed = assertion.active && owner === origin;
  const after = isListed ? { ...row, left_at: null } : await withLeft(trx, row, origin, assertion.at.getTime());
  return describe(trx, before, after);
}

async function saveGone(trx: Kysely<Tables>, origin: string, gone: GoneSubject, at: number): Promise<Person> {
  const said = await trx
    .updateTable('assertions')
    .set({ active: 0, at })
    .where('origin', '=', origin)
    .where('issuer', '=', gone.issuer)
    .where('subject', '=', gone.subject)
    .where('active', '=', 1)
    .returning('person_id')
    .executeTakeFirst();
  const met = said === undefined ? await rowBySubject(trx, gone) : undefined;
  const before = met ?? (await mustBe(trx, said?.person_id ?? gone.person));
  const owner = before.id === gone.person ? gone.owner : before.owner;
  return describe(trx, before, await withLeft(trx, { ...before, owner }, origin, at));
}

async function mustBe(trx: Kysely<Tables>, person: PersonId): Promise<PersonRow> {
  const row = await rowOf(trx, person);
  if (row === undefined) throw new LatchgateError('internal', 'somebody of whom an origin spoke is not there');
  return row;
}

/** Whether the owner lists the person, by whichever of their subjects. */
async function withLeft(trx: Kysely<Tables>, row: PersonRow, origin: string, at: number): Promise<PersonRow> {
  if (row.owner !== origin) return row;
  const active = await trx
    .selectFrom('assertions')
    .select('subject')
    .where('person_id', '=', row.id)
    .where('origin', '=', origin)
    .where('active', '=', 1)
    .limit(1)
    .executeTakeFirst();
  return { ...row, left_at: active === undefined ? (row.left_at ?? at) : null };
}

async function describe(trx: Kysely<Tables>, before: PersonRow, after: PersonRow): Promise<Person> {
  const { display_name, email, owner, left_at } = after;
  const isSame =
    before.display_name === display_name &&
    before.email === email &&
    before.owner === owner &&
    before.left_at === left_at;
  if (!isSame) {
    await trx.updateTable('people').set({ display_name, email, owner, left_at }).where('id', '=', before.id).execute();
  }
  return toPerson(after);
}

function rowOf(trx: Kysely<Tables>, person: PersonId): Promise<PersonRow | undefined> {
  return trx.selectFrom('people').selectAll().where('id', '=', person).executeTakeFirst();
}
