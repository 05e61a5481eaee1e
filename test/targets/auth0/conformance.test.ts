import { describeTarget } from '../../conformance/target.ts';
import { auth0Subject } from './subject.ts';

const NO_USER = 'Auth0 is managed by an application, which is none of its users';

describeTarget('auth0', auth0Subject, {
  kinds: ['role'],
  skip: {
    'knows its own account and protects it': NO_USER,
    'writes a role of several accounts and never to our own among them': NO_USER,
    'takes the next name when another account took the first one meanwhile':
      'the user name is the e-mail, and nobody has another one',
    'does not give a role that vanished, and the next plan says so':
      'a missing role is made; refused in target.test.ts',
  },
});
