import { describeTarget } from '../../conformance/target.ts';
import { manyTitles } from '../../conformance/target-many.ts';
import type { TargetSubject } from '../../conformance/target-subject.ts';
import { startReal } from './real.ts';
import { byHand, MISSING } from './subject.ts';

async function realSubject(signIn: 'assertion' | 'header'): Promise<TargetSubject> {
  const { target, admin, close } = await startReal(signIn);
  const base = [{ kind: 'role', name: 'Gamma' }] as const;
  return { target, missing: MISSING, base, byHand: byHand(admin), cleanup: close };
}

const CREATES = 'Superset makes missing roles and groups';
const MISBEHAVES = 'the Superset in memory can be made to, this one cannot';
const ONE_BY_ONE = 'Superset takes one account in a call';
const skip = {
  ...Object.fromEntries(manyTitles(['group', 'role']).map((title) => [title, ONE_BY_ONE])),
  'does not give a group that vanished, and the next plan says so': CREATES,
  'does not give a role that vanished, and the next plan says so': CREATES,
  'gives people with hostile keys accounts of their own, and finds them again':
    'two keys of it differ only in case, which are one user name here; apply.test.ts has its own',
  'fails with target_refused when the backend refuses our service account, and goes on afterwards': MISBEHAVES,
  'fails with target_unavailable when the backend answers 500, and goes on afterwards': MISBEHAVES,
  'fails with target_answer_invalid when the backend answers a page instead of its API, and goes on afterwards':
    MISBEHAVES,
  'fails with target_unavailable when the backend does not answer, and goes on afterwards': MISBEHAVES,
  'fails with target_unavailable when the backend resets the connection, and goes on afterwards': MISBEHAVES,
  'says when to come back when the backend asks for patience': MISBEHAVES,
  'ends with one account when the answer to its creation is lost': MISBEHAVES,
  'gives up when the caller does': MISBEHAVES,
};

describeTarget('superset by assertion', () => realSubject('assertion'), {
  kinds: ['group', 'role'],
  skip,
  timeoutMs: 300_000,
});
describeTarget('superset by password', () => realSubject('header'), {
  kinds: ['group', 'role'],
  skip: {
    ...skip,
    'deletes an account, and deleting it again is fine': 'an id may be used again while a cookie lives',
  },
  timeoutMs: 300_000,
});
