import type { EntitlementKind } from '../../src/model/entitlement.ts';
import { describeAccounts, describeListing } from './target-accounts.ts';
import { describeEntitlements } from './target-entitlements.ts';
import { describeTargetFaults } from './target-faults.ts';
import { describeHostileInput } from './target-hostile.ts';
import { describeMany } from './target-many.ts';
import { describeRaces } from './target-races.ts';
import type { Prove, TargetSubject } from './target-subject.ts';

export interface TargetSuiteOptions {
  /** Kinds of entitlements to prove; the same as `can.kinds`. */
  readonly kinds: readonly EntitlementKind[];
  /** Titles of tests that this target cannot run, each with the reason. An unknown title fails the suite. */
  readonly skip?: Readonly<Record<string, string>>;
  /** For one test; default 15 s. */
  readonly timeoutMs?: number;
  /** How many accounts to make by hand for the listing; default 105, more than a page of anything. */
  readonly listed?: number;
}

/**
 * What every target has to do, whatever is behind it. `start` is called once; the backend may be shared and hold other
 * accounts. Every implementation of Target runs this.
 */
export function describeTarget(name: string, start: () => Promise<TargetSubject>, options: TargetSuiteOptions): void {
  describe(`target ${name}`, () => {
    let subject: TargetSubject;
    const titles = new Set<string>();
    const skip = options.skip ?? {};

    const prove: Prove = (title, test) => {
      titles.add(title);
      const reason = skip[title];
      if (reason === undefined) it(title, test, options.timeoutMs ?? 60_000);
      else it.skip(`${title} (${reason})`, () => {});
    };

    beforeAll(async () => {
      subject = await start();
    }, 120_000);
    afterAll(async () => {
      await subject?.cleanup();
    }, 60_000);

    describeAccounts(prove, () => subject);
    for (const kind of options.kinds) describeEntitlements(prove, () => subject, kind);
    for (const kind of options.kinds) describeMany(prove, () => subject, kind);
    describeRaces(prove, () => subject, options.kinds[0] ?? 'group');
    describeListing(prove, () => subject, options.listed ?? 105);
    describeHostileInput(prove, () => subject);
    describeTargetFaults(prove, () => subject);

    it('skips only what there is, and proves every kind that the target has', () => {
      expect(Object.keys(skip).filter((title) => !titles.has(title))).toEqual([]);
      expect([...options.kinds].sort()).toEqual([...subject.target.can.kinds].sort());
    });
  });
}
