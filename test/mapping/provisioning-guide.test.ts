import { compileMapping } from '../../src/mapping/mapping.ts';
import { assertionOf, configOf, type WrittenConfig } from './config-of.ts';

/*
 * The cases of a provisioning guide: what a provider sends, by which rules, and what the person then has.
 */
const NESTED = '~/?(?<company>[a-z0-9-]+)[:/](?<team>[a-z0-9-]+)';

function entitlements(config: WrittenConfig, claims: Record<string, unknown>): readonly string[] {
  const mapping = compileMapping(configOf({ identity: { require: [] }, ...config }));
  const { accounts } = mapping.map({ person: 'p_1', assertions: [assertionOf(claims)], current: 'staff' });
  return [...accounts].flatMap(([target, { entitlements: given = [] }]) =>
    given.map(({ kind, name, scope }) => `${target}:${kind}:${name}${scope === undefined ? '' : `@${scope}`}`),
  );
}

const nested: WrittenConfig = {
  rules: {
    teams: {
      when: { groups: NESTED },
      grant: { gooddata: { groups: ['${company}.${team}'], permissions: { '${company}': 'VIEW' } } },
    },
  },
};
const both: WrittenConfig = {
  rules: {
    leads: {
      when: { groups: 'finance-team', title: ['Analyst', 'Senior Analyst'] },
      grant: { superset: { roles: ['Finance'] } },
    },
  },
};
const adding: WrittenConfig = {
  rules: {
    sales: { when: { groups: 'sales' }, grant: { superset: { roles: ['Sales'] } } },
    marketing: { when: { groups: 'marketing' }, grant: { superset: { roles: ['Marketing', 'Sales'] } } },
  },
  default: { grant: { superset: { roles: ['Gamma'] } } },
};
const allowed: WrittenConfig = {
  groups: { allow: ['bi-*'] },
  rules: { same: { when: { groups: '*' }, grant: { superset: { groups: ['${match}'] } } } },
};
const byName: WrittenConfig = {
  groups: { dn: 'cn', dn_under: ['OU=Groups,DC=example,DC=com'] },
  rules: { analysts: { when: { groups: 'BI-Analysts' }, grant: { superset: { roles: ['Alpha'] } } } },
};
const ENTRA_ID = '8b1f6c1e-0d3e-4a57-9a53-1c3f0e1a2b3c';
const renamed: WrittenConfig = {
  groups: { rename: { [ENTRA_ID]: 'bi-admins' }, allow: ['bi-admins'] },
  rules: { admins: { when: { groups: 'bi-admins' }, grant: { superset: { roles: ['Admin'] } } } },
  privileged: ['superset:role:Admin'],
};

it.each<[string, WrittenConfig, Record<string, unknown>, readonly string[]]>([
  ['company:team', nested, { groups: ['acme:sales'] }, ['gooddata:group:acme.sales', 'gooddata:permission:VIEW@acme']],
  [
    '/company/team',
    nested,
    { groups: ['/acme/sales'] },
    ['gooddata:group:acme.sales', 'gooddata:permission:VIEW@acme'],
  ],
  [
    'several of them, each once',
    nested,
    { groups: ['acme:sales', '/acme/sales', 'acme:hr'] },
    ['gooddata:group:acme.hr', 'gooddata:group:acme.sales', 'gooddata:permission:VIEW@acme'],
  ],
  ['a level more is another group', nested, { groups: ['/acme/sales/emea'] }, []],
  ['a part of it is not enough', nested, { groups: ['x acme:sales', 'acme:sales\u2028', 'ACME:sales', 'acme:'] }, []],
  ['group and job title', both, { groups: ['finance-team'], title: 'Analyst' }, ['superset:role:Finance']],
  ['the group alone', both, { groups: ['finance-team'] }, []],
  ['the job title alone', both, { groups: ['sales'], title: 'Analyst' }, []],
  ['the group with another title', both, { groups: ['finance-team'], title: 'analyst' }, []],
  [
    'several groups add up',
    adding,
    { groups: ['marketing', 'sales'] },
    ['superset:role:Marketing', 'superset:role:Sales'],
  ],
  ['no group that a rule knows: the default role', adding, { groups: ['other'] }, ['superset:role:Gamma']],
  ['no group at all: the default role', adding, { groups: [] }, ['superset:role:Gamma']],
  ['with a role by rule the default is not added', adding, { groups: ['sales'] }, ['superset:role:Sales']],
  [
    'a group from outside the allow list is nobody’s',
    allowed,
    { groups: ['bi-eng', 'Admin', 'x-bi-eng', 'BI-eng', 'Admin,bi-eng'] },
    ['superset:group:bi-eng'],
  ],
  [
    'groups in another claim are none',
    allowed,
    { groups: ['bi-eng'], roles: ['bi-admins'] },
    ['superset:group:bi-eng'],
  ],
  ['one text with commas is one group', allowed, { groups: 'Admin,bi-eng' }, []],
  ['a distinguished name', byName, { groups: 'CN=BI-Analysts,OU=Groups,DC=example,DC=com' }, ['superset:role:Alpha']],
  ['its CN in another tree', byName, { groups: 'CN=BI-Analysts,OU=Mine,DC=example,DC=com' }, []],
  ['its CN inside another value', byName, { groups: String.raw`CN=x\,CN=BI-Analysts,OU=Groups,DC=example,DC=com` }, []],
  ['an object id of Entra ID', renamed, { groups: [ENTRA_ID] }, ['superset:role:Admin']],
  ['an object id that has no name here', renamed, { groups: [ENTRA_ID.replace('8', '9')] }, []],
])('%s', (_, config, claims, expected) => {
  const titled = { ...config, origins: { staff: { claims: { title: 'title' } } } };
  expect(entitlements(titled, claims)).toEqual(expected);
});
