import { openDatabase } from '../../src/directory/database.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import type { Assertion } from '../../src/model/person.ts';
import { personByEmail } from '../../src/provisioning/joining.ts';
import { mappingOf } from './world.ts';

const at = new Date('2026-01-01T00:00:00Z');
const claims = { email: 'ann@acme.test', email_verified: true };

const DAY_MS = 86_400_000;
const JOIN = { withinMs: 90 * DAY_MS, lists: new Set(['hr']) };

function said(origin: string, isUnverified: boolean): Assertion {
  const word = { origin, issuer: `https://${origin}.test`, subject: 'ann', active: true, claims, at };
  return isUnverified ? { ...word, isUnverified } : word;
}

it.each([
  [false, false, true],
  [true, false, false],
  [false, true, false],
])('joins by an address only what was verified: before fed %s, now fed %s', async (wasFed, isFed, joins) => {
  const directory = createDirectory(await openDatabase('sqlite::memory:'), { now: () => at.getTime() });
  try {
    const before = said('staff', wasFed);
    const { id } = await directory.people.ensure(before, before.origin, 'Ann');
    await directory.people.saveAssertion(id, before);
    const mapping = mappingOf({ origins: ['staff', 'partners'] });
    const deps = { directory, mapping, join: JOIN, privileged: [] };
    expect((await personByEmail(deps, said('partners', isFed)))?.id).toBe(joins ? id : undefined);
  } finally {
    await directory.close();
  }
});

describe('finds whom an address may mean by what each door says of them, and not by the last word alone:', () => {
  const found = async (...people: readonly (readonly string[])[]) => {
    const directory = createDirectory(await openDatabase('sqlite::memory:'), { now: () => at.getTime() });
    try {
      const ids: string[] = [];
      for (const [who, emails] of people.entries()) {
        const subject = { subject: `p${who}`, at };
        const { id } = await directory.people.ensure({ ...said('staff', false), ...subject }, 'staff', 'P');
        ids.push(id);
        for (const [door, email] of emails.entries()) {
          const word = { ...said(door === 0 ? 'staff' : 'hr', false), ...subject, claims: { ...claims, email } };
          await directory.people.addSubject(id, word, word.origin);
          await directory.people.saveAssertion(id, word);
        }
      }
      const mapping = mappingOf({ origins: ['staff', 'hr', 'partners'] });
      const deps = { directory, mapping, join: JOIN, privileged: [] };
      const person = await personByEmail(deps, said('partners', false));
      return person === undefined ? undefined : ids.indexOf(person.id);
    } finally {
      await directory.close();
    }
  };

  it('one of two who have it by one door is neither', async () => {
    expect(await found(['ann@acme.test'], ['Ann@ACME.test', 'ann.day@acme.test'])).toBeUndefined();
  });
  it('the one who has it by one door is', async () => {
    expect(await found(['bob@acme.test'], ['ann@acme.test', 'ann.day@acme.test'])).toBe(1);
  });
  it('nobody who has it by no door any more', async () => {
    expect(await found(['ann.day@acme.test', 'day@acme.test'])).toBeUndefined();
  });
});

it.each([
  [{}, true],
  [{ email_verified: true }, true],
  [{ email_verified: false }, false],
])(
  'is joined by an address that a trusted door lists, unless it says that it is not verified: %j',
  async (more, joins) => {
    const directory = createDirectory(await openDatabase('sqlite::memory:'), { now: () => at.getTime() });
    try {
      const before = said('staff', false);
      const { id } = await directory.people.ensure(before, before.origin, 'Ann');
      await directory.people.saveAssertion(id, before);
      const mapping = mappingOf({ origins: ['staff', 'hr'], trustsEmail: true });
      const deps = { directory, mapping, join: JOIN, privileged: [] };
      const listed = { ...said('hr', false), claims: { email: 'ann@acme.test', ...more } };
      expect((await personByEmail(deps, listed))?.id).toBe(joins ? id : undefined);
    } finally {
      await directory.close();
    }
  },
);

it.each([
  ['staff', 90, true],
  ['staff', 91, false],
  ['hr', 1_000, true],
])(
  'joins by what a login vouched for lately, and by what those say who list people: %s, %i days ago, %s',
  async (origin, days, joins) => {
    const directory = createDirectory(await openDatabase('sqlite::memory:'), { now: () => at.getTime() });
    try {
      const before = { ...said(origin, false), at: new Date(at.getTime() - days * DAY_MS) };
      const { id } = await directory.people.ensure(before, origin, 'Ann');
      await directory.people.saveAssertion(id, before);
      const mapping = mappingOf({ origins: ['staff', 'hr', 'partners'] });
      const deps = { directory, mapping, join: JOIN, privileged: [] };
      expect((await personByEmail(deps, said('partners', false)))?.id).toBe(joins ? id : undefined);
    } finally {
      await directory.close();
    }
  },
);
