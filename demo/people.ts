import type { EmulatedPerson } from '../test/emulators/oidc/provider.ts';

/** Groups of the demo company. The gateway's rules in config/demo.yaml say what each gives. */
export const GROUPS = ['analytics-team', 'finance-team', 'bi-admins', 'bi-suspended'] as const;

/** The claim by which GoodData itself knows groups: one flat name with dots in it. */
export const GROUPS_CLAIM = 'urn.gooddata.user_groups';

function person(sub: string, given: string, family: string, groups: readonly string[], note: string): EmulatedPerson {
  return {
    sub,
    label: `${given} ${family}`,
    note,
    claims: {
      given_name: given,
      family_name: family,
      name: `${given} ${family}`,
      preferred_username: given.toLowerCase(),
      email: `${given.toLowerCase()}@acme.test`,
      email_verified: true,
      [GROUPS_CLAIM]: groups,
    },
  };
}

export const PEOPLE: readonly EmulatedPerson[] = [
  person('auth0|alice', 'Alice', 'Adams', ['analytics-team'], 'analytics-team'),
  person('auth0|bob', 'Bob', 'Brown', ['finance-team', 'bi-admins'], 'finance-team, bi-admins'),
  person('auth0|carol', 'Carol', 'Clark', [], 'no group at all'),
  person('auth0|erin', 'Erin', 'Evans', ['analytics-team', 'bi-suspended'], 'suspended'),
];
