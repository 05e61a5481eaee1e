import { describeTarget } from '../../conformance/target.ts';
import type { Options } from '../../emulators/scim/options.ts';
import { SKIPPED, scimSubject } from './subject.ts';

const NOBODYS = 'the service does not tell whose the token is';
const WITHOUT_ME = {
  'knows its own account and protects it': NOBODYS,
  'writes a group of several accounts and never to our own among them': NOBODYS,
};

/** From a service that can do everything down to one that can do next to nothing. */
const SERVICES: Readonly<Record<string, Partial<Options>>> = {
  'that can do everything': { bulk: { maxOperations: 3, maxPayloadSize: 4_096 }, uniqueGroups: true },
  'that answers changes without a body, and lists groups without members': {
    patchAnswer: 204,
    listsMembers: false,
    memberFilter: false,
    pageSize: 7,
  },
  'that wants a version with every write': { etag: 'required', userGroups: false, pageSize: 7 },
  'without PATCH': { patch: false, userGroups: false, memberFilter: false },
  'without PATCH, filters, versions and discovery, which counts pages alone': {
    patch: false,
    filter: false,
    etag: false,
    discovery: false,
    me: false,
    userGroups: false,
    pageSize: 7,
    countsPage: true,
  },
  'that looks at no filter and gives every list whole': { filter: 'ignored', pages: false, userGroups: false },
};

for (const [name, options] of Object.entries(SERVICES)) {
  describeTarget(`SCIM service ${name}`, () => scimSubject(options), {
    kinds: ['group'],
    skip: { ...SKIPPED, ...(options.me === false ? WITHOUT_ME : {}) },
  });
}
