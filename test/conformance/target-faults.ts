import type { ErrorCode } from '../../src/model/errors.ts';
import {
  accountsOf,
  firstLogin,
  lookupOf,
  type Prove,
  patience,
  plan,
  reconcile,
  someone,
  type TargetFault,
  type TargetSubject,
} from './target-subject.ts';

const CODES: readonly (readonly [fault: TargetFault, what: string, code: ErrorCode])[] = [
  ['unauthorized', 'refuses our service account', 'target_refused'],
  ['failing', 'answers 500', 'target_unavailable'],
  ['html', 'answers a page instead of its API', 'target_answer_invalid'],
  ['hanging', 'does not answer', 'target_unavailable'],
  ['reset', 'resets the connection', 'target_unavailable'],
];

export function describeTargetFaults(prove: Prove, subject: () => TargetSubject): void {
  const during = async (fault: TargetFault, work: () => Promise<void>) => {
    const { faults } = subject();
    if (faults === undefined) throw new Error('a target without faults has to skip this by its title');
    await faults.set(fault);
    try {
      await work();
    } finally {
      await faults.clear();
    }
  };

  for (const [fault, what, code] of CODES) {
    prove(`fails with ${code} when the backend ${what}, and goes on afterwards`, async () => {
      const { target } = subject();
      const known = someone(subject());
      await reconcile(subject(), known);
      const newcomer = someone(subject());
      const set = await firstLogin(subject(), newcomer);
      await during(fault, async () => {
        const lookup = lookupOf(known);
        const calls = [
          target.read({ kind: 'person', lookup }, patience()),
          target.read({ kind: 'all' }, patience()),
          target.probe(patience()),
          target.apply(set, patience()),
        ];
        // All at once: one that hangs costs the whole time that the target gives its backend.
        await Promise.all(calls.map((call) => expect(call).rejects.toMatchObject({ code })));
      });
      await reconcile(subject(), newcomer);
      expect(await accountsOf(subject(), newcomer)).toHaveLength(1);
      expect((await plan(subject(), newcomer)).changes).toEqual([]);
    });
  }

  prove('says when to come back when the backend asks for patience', async () => {
    const lookup = lookupOf(someone(subject()));
    await during('rate_limited', async () => {
      await expect(subject().target.read({ kind: 'person', lookup }, patience())).rejects.toMatchObject({
        code: 'target_unavailable',
        retryAfterSeconds: 7,
      });
    });
  });

  prove('ends with one account when the answer to its creation is lost', async () => {
    const person = someone(subject());
    const set = await firstLogin(subject(), person);
    await during('answer_lost', async () => {
      await subject()
        .target.apply(set, patience())
        .catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'target_unavailable' });
        });
    });
    await reconcile(subject(), person);
    expect(await accountsOf(subject(), person)).toHaveLength(1);
    expect((await plan(subject(), person)).changes).toEqual([]);
  });

  prove('gives up when the caller does', async () => {
    const controller = new AbortController();
    const lookup = lookupOf(someone(subject()));
    await during('hanging', async () => {
      const reading = subject().target.read({ kind: 'person', lookup }, controller.signal);
      controller.abort();
      await expect(reading).rejects.toMatchObject({ code: 'target_unavailable' });
    });
  });
}
