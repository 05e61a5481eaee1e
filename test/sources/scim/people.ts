import type { SuitePerson } from '../../conformance/source.ts';

/** People whom a SCIM service holds; more than a page of the tests. */
export const PEOPLE: readonly SuitePerson[] = [
  { email: 'ada@example.com', groups: ['Admin', 'User'], active: true },
  { email: 'Grace@Example.com', groups: ['User'], active: true },
  { email: 'carol@example.com', groups: [], active: true },
  { email: 'jürgen@example.com', groups: ['Bücher'], active: true },
  { email: 'gone@example.com', groups: ['User'], active: false },
  ...Array.from({ length: 20 }, (_, index) => ({ email: `p${index}@example.com`, groups: ['User'], active: true })),
];

export const GROUPS: readonly string[] = [...new Set(PEOPLE.flatMap(({ groups }) => groups))];

/** The resource of one of them (RFC 7643 §4.1), with the e-mail that counts among others. */
export function userResource({ email, active }: SuitePerson): Record<string, unknown> {
  return {
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
    userName: `user-${email}`,
    externalId: `ext-${email}`,
    name: { givenName: 'Given', familyName: 'Family' },
    displayName: 'Given Family',
    active,
    emails: [
      { value: `home-${email}`, type: 'home' },
      { value: email, type: 'work', primary: true },
    ],
  };
}
