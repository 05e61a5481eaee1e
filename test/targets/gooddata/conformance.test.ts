import { describeTarget } from '../../conformance/target.ts';
import { goodDataSubject } from './subject.ts';

const NO_WORKSPACES = 'workspaces are not made for a permission';

describeTarget('gooddata', goodDataSubject, {
  kinds: ['group', 'permission'],
  skip: {
    'disables an account and enables it again': 'a GoodData user has no switch',
    'does not give a group that vanished, and the next plan says so': 'GoodData makes missing groups',
    'makes a missing permission under any name': NO_WORKSPACES,
    'makes a missing permission once when ten people need it at once': NO_WORKSPACES,
    'makes a permission again that vanished before it could be given': NO_WORKSPACES,
  },
});
