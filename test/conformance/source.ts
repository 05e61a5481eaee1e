import { LatchgateError } from '../../src/model/errors.ts';
import type { ListedPerson, ListingEnd, Source } from '../../src/sources/source.ts';

/** Somebody whom the place of a source holds. */
export interface SuitePerson {
  /** Shown in the claim that the source's `claims.email` names. Tells people apart in this suite. */
  readonly email: string;
  /** Without a repeat, in any order; none is a member of none. */
  readonly groups: readonly string[];
  readonly active: boolean;
}

/** A place with people in it, and ways to make it fail. Every place is this suite's own. */
export interface SourceSubject {
  /** Reads the place as it is: whole and in good order. */
  readonly source: Source;
  /** Everybody in the place. At least five, with somebody in two groups, somebody in none, and a name beyond ASCII. */
  readonly people: readonly SuitePerson[];
  /** What the claims of a listed person say, by the names that this source's config has for them. */
  read(claims: ListedPerson['claims']): { readonly email: unknown; readonly groups: unknown };
  /**
   * The same place, which fails for good after part of it was read: the connection breaks, the service answers 500,
   * the file has a broken line.
   */
  failsInTheMiddle(): Promise<Source>;
  /** A source whose place is not there: nobody listens at the address. */
  unreachable(): Promise<Source>;
  /** What the place holds, in any form that shows each change, or undefined when it cannot be asked. */
  contents(): Promise<unknown>;
  /** Texts that must not be in any message: passwords, tokens, claim values. */
  readonly secrets: readonly string[];
  cleanup(): Promise<void>;
}

export interface SourceSuiteOptions {
  /** Titles of tests that this source cannot run, each with the reason. An unknown title fails the suite. */
  readonly skip?: Readonly<Record<string, string>>;
  /** For one test; default 60 s. */
  readonly timeoutMs?: number;
}

export interface Listed {
  readonly people: readonly ListedPerson[];
  readonly end: ListingEnd;
}

/** A whole listing. */
export async function listAll(source: Source, signal: AbortSignal = new AbortController().signal): Promise<Listed> {
  const people: ListedPerson[] = [];
  const listing = source.list(signal);
  for (;;) {
    const { done, value } = await listing.next();
    if (done === true) return { people, end: value };
    people.push(value);
  }
}

/** What is thrown, or undefined. */
export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
}

/** Everything that a failure says, its causes included: what a log could show of it. */
export function everythingSaidBy(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const { message, stack, cause } = thrown;
  const detail = thrown instanceof LatchgateError ? JSON.stringify(thrown.detail) : '';
  return [message, stack, detail, cause === undefined ? '' : everythingSaidBy(cause)].join('\n');
}

const CODES = ['source_unavailable', 'source_refused', 'source_answer_invalid'];

/** What every source has to do, whatever it reads. Every implementation of Source runs this. */
export function describeSource(
  name: string,
  start: () => Promise<SourceSubject>,
  { skip = {}, timeoutMs = 60_000 }: SourceSuiteOptions = {},
): void {
  describe(`source ${name}`, () => {
    let subject: SourceSubject;
    const titles = new Set<string>();

    const prove = (title: string, test: () => Promise<void>): void => {
      titles.add(title);
      const reason = skip[title];
      if (reason === undefined) it(title, test, timeoutMs);
      else it.skip(`${title} (${reason})`, () => {});
    };

    const shown = ({ people }: Listed): readonly unknown[] =>
      people
        .map(({ active, claims }) => {
          const { email, groups } = subject.read(claims);
          return { email, groups: Array.isArray(groups) ? [...groups].sort() : groups, active };
        })
        .sort((one, other) => (String(one.email) < String(other.email) ? -1 : 1));

    const expected = (): readonly unknown[] =>
      subject.people
        .map(({ email, groups, active }) => ({ email, groups: [...groups].sort(), active }))
        .sort((one, other) => (one.email < other.email ? -1 : 1));

    beforeAll(async () => {
      subject = await start();
    }, 600_000);
    afterAll(async () => {
      await subject?.source.close();
      await subject?.cleanup();
    }, 60_000);

    prove('lists each person once, with groups, and says that it was everybody', async () => {
      const listed = await listAll(subject.source);
      expect(shown(listed)).toEqual(expected());
      expect(new Set(listed.people.map((person) => person.subject)).size).toBe(subject.people.length);
      expect(listed.end).toMatchObject({ complete: true, unreadable: 0 });
    });

    prove('gives the same subjects each time', async () => {
      const subjects = async () => (await listAll(subject.source)).people.map((person) => person.subject).sort();
      expect(await subjects()).toEqual(await subjects());
    });

    prove('gives claims that are JSON', async () => {
      const { people } = await listAll(subject.source);
      expect(JSON.parse(JSON.stringify(people))).toEqual(people);
    });

    prove('writes nothing', async () => {
      const before = await subject.contents();
      await listAll(subject.source);
      await subject.source.probe(new AbortController().signal);
      expect(await subject.contents()).toEqual(before);
    });

    prove('says nothing of anybody in its notes', async () => {
      const { people, end } = await listAll(subject.source);
      const said = JSON.stringify([end.notes, end.why ?? '']);
      const values = people.flatMap((person) => [person.subject, String(subject.read(person.claims).email)]);
      for (const value of [...values, ...subject.secrets]) expect(said).not.toContain(value);
    });

    prove('fails, and ends in nothing, when it breaks in the middle', async () => {
      const source = await subject.failsInTheMiddle();
      const thrown = await failureOf(listAll(source));
      await source.close();
      expect(thrown).toBeInstanceOf(LatchgateError);
      expect(CODES).toContain((thrown as LatchgateError).code);
      for (const secret of subject.secrets) expect(everythingSaidBy(thrown)).not.toContain(secret);
    });

    prove('is unavailable when nobody is there, and says no secret', async () => {
      const source = await subject.unreachable();
      const { signal } = new AbortController();
      const failures = [await failureOf(listAll(source)), await failureOf(source.probe(signal))];
      await source.close();
      for (const thrown of failures) {
        expect(thrown).toMatchObject({ code: 'source_unavailable', retryable: true });
        for (const secret of subject.secrets) expect(everythingSaidBy(thrown)).not.toContain(secret);
      }
    });

    prove('does not begin under a signal that has ended', async () => {
      const thrown = await failureOf(listAll(subject.source, AbortSignal.abort()));
      expect(thrown).toMatchObject({ code: 'source_unavailable' });
    });

    prove('stops at its signal, and ends in nothing', async () => {
      const controller = new AbortController();
      const listing = subject.source.list(controller.signal);
      expect(await listing.next()).toMatchObject({ done: false });
      controller.abort();
      const rest = async () => {
        for (;;) {
          const { done, value } = await listing.next();
          if (done === true) return value;
        }
      };
      expect(await failureOf(rest())).toMatchObject({ code: 'source_unavailable' });
      expect(await listing.next()).toEqual({ done: true, value: undefined });
    });

    prove('can be left in the middle and read again', async () => {
      for await (const _ of subject.source.list(new AbortController().signal)) break;
      expect(shown(await listAll(subject.source))).toEqual(expected());
    });

    prove('answers several at once', async () => {
      const listings = await Promise.all([1, 2, 3].map(() => listAll(subject.source)));
      for (const listed of listings) expect(shown(listed)).toEqual(expected());
    });

    it('skips only what there is', () => {
      expect(Object.keys(skip).filter((title) => !titles.has(title))).toEqual([]);
    });
  });
}
