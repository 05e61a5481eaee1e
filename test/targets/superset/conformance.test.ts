import { describeTarget } from '../../conformance/target.ts';
import { manyTitles } from '../../conformance/target-many.ts';
import { inMemorySubject } from './subject.ts';

const CREATES = 'Superset makes missing roles and groups';
const ONE_BY_ONE = 'Superset takes one account in a call';
const skip = {
  ...Object.fromEntries(manyTitles(['group', 'role']).map((title) => [title, ONE_BY_ONE])),
  'does not give a group that vanished, and the next plan says so': CREATES,
  'does not give a role that vanished, and the next plan says so': CREATES,
  'gives people with hostile keys accounts of their own, and finds them again':
    'two keys of it differ only in case, which are one user name here; apply.test.ts has its own',
};

describeTarget('superset by assertion, in memory', () => inMemorySubject(), { kinds: ['group', 'role'], skip });
describeTarget('superset by password, in memory', () => inMemorySubject({ sign_in: 'header' }), {
  kinds: ['group', 'role'],
  skip: {
    ...skip,
    'deletes an account, and deleting it again is fine': 'an id may be used again while a cookie lives',
  },
});
