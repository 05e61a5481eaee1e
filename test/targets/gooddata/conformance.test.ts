import { describeTarget } from '../../conformance/target.ts';
import { goodDataSubject } from './subject.ts';

const CREATES_GROUPS = 'GoodData makes missing groups';

describeTarget('gooddata', goodDataSubject, {
  kinds: ['group'],
  skip: {
    'disables an account and enables it again': 'a GoodData user has no switch',
    'does not give a group that vanished, and the next plan says so': CREATES_GROUPS,
  },
});
