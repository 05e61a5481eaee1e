import fc from 'fast-check';
import { mappingConfigOf } from '../../src/mapping/config.ts';
import { compileMapping } from '../../src/mapping/mapping.ts';
import { assertionOf } from '../mapping/config-of.ts';
import { checked, importGrafana, importOauth2Proxy, importSuperset, inputOf } from './examples.ts';

/*
 * What is made means the same: for what a provider says, our mapping gives what the other program would have given.
 */
type Claims = Readonly<Record<string, unknown>>;

/** Names that one is given, or the code by which one is refused. */
function decider(made: string): (claims: Claims, origin?: string) => readonly string[] | string {
  const { config, complaints } = checked(made);
  if (config === undefined) throw new Error(JSON.stringify(complaints));
  const mapping = compileMapping(mappingConfigOf(config));
  return (claims, origin = Object.keys(config.login)[0] ?? '') => {
    // What is undefined was not said.
    const sent = Object.entries({ email: 'ann@example.com', email_verified: true, ...claims });
    const said = assertionOf(Object.fromEntries(sent.filter(([, value]) => value !== undefined)), { origin });
    const { code, accounts } = mapping.map({ person: 'p_1', assertions: [said], current: origin });
    return code ?? [...(accounts.get('superset')?.entitlements ?? [])].map(({ name }) => name).sort();
  };
}

describe('superset_config.py', () => {
  const oauth = decider(importSuperset(inputOf('superset-oauth.py'), 'superset_config.py'));
  /** As the file has it; Flask-AppBuilder gives the role for registering beside what the groups give. */
  const MAPPING: Readonly<Record<string, readonly string[]>> = {
    superset_users: ['Gamma', 'Alpha'],
    superset_admins: ['Admin'],
    'team*': ['Team'],
    'finance, EMEA': ['Finance'],
  };

  it('AUTH_ROLES_MAPPING: every group adds its roles, and everybody has the role for registering', () => {
    const groups = fc.subarray([
      ...Object.keys(MAPPING),
      'unused',
      'Superset_users',
      'teams',
      'finance',
      'EMEA',
      'toString',
    ]);
    fc.assert(
      fc.property(groups, (keys) => {
        const given = keys.flatMap((key) => (Object.hasOwn(MAPPING, key) ? (MAPPING[key] ?? []) : []));
        expect(oauth({ groups: keys })).toEqual([...new Set([...given, 'Public'])].sort());
      }),
    );
  });

  it.each<[Claims, readonly string[]]>([
    [{ groups: ['bi-admins'] }, ['Admin']],
    [{ groups: ['bi-admins'], email: 'boss@acme.test' }, ['Admin']],
    [{ groups: ['bi-admins-x'] }, ['Gamma']],
    [{ groups: [], email: 'boss@acme.test' }, ['Alpha']],
    [{ groups: ['other'] }, ['Gamma']],
    [{}, ['Gamma']],
  ])('AUTH_USER_REGISTRATION_ROLE_JMESPATH: %j', (claims, roles) => {
    expect(decider(importSuperset(inputOf('superset-keycloak.py'), 'superset_config.py'))(claims)).toEqual(roles);
  });

  it('groups of LDAP are known by their whole name, and nobody is registered', () => {
    const made = importSuperset(inputOf('superset-ldap.py'), 'superset_config.py');
    expect(decider(made)({ groups: ['cn=fab_users,ou=groups,dc=example,dc=com'] })).toEqual(['User']);
    expect(decider(made)({ groups: ['fab_users', 'cn=fab_users,ou=other,dc=example,dc=com'] })).toEqual([]);
    expect(checked(made).config?.targets['superset']).toMatchObject({ missing: { users: 'refuse' } });
  });

  it('azure has its groups in roles', () => {
    const made = importSuperset(
      `AUTH_TYPE = AUTH_OAUTH
AUTH_USER_REGISTRATION = True
AUTH_USER_REGISTRATION_ROLE = "Admin"
AUTH_ROLES_MAPPING = {"Analyst": ["Alpha"]}
OAUTH_PROVIDERS = [{"name": "azure", "remote_app": {"client_id": "x", "client_secret": "y", "api_base_url": "https://login.microsoftonline.com/TENANT/oauth2"}}]`,
      'superset_config.py',
    );
    expect(decider(made)({ roles: ['Analyst'], groups: ['Other'] })).toEqual(['Alpha']);
    expect(checked(made).config?.login['azure']).toMatchObject({
      issuer: 'https://login.microsoftonline.com/TENANT/v2.0',
    });
    // Everybody an administrator: never, whatever the file says.
    expect(decider(made)({ roles: [] })).toEqual([]);
    expect(made).toContain('line 3: AUTH_USER_REGISTRATION_ROLE (left)');
  });
});

describe('grafana.ini', () => {
  const ini = (more: string) =>
    importGrafana(`[auth.generic_oauth]\nenabled = true\nclient_id = x\n${more}\n`, 'grafana.ini');
  const path = (expression: string, more = '') => decider(ini(`role_attribute_path = ${expression}\n${more}`));

  it.each<[string, string, Claims, readonly string[] | string]>([
    [
      'roles',
      "contains(info.roles[*], 'admin') && 'Admin' || contains(info.roles[*], 'editor') && 'Editor' || 'Viewer'",
      { info: { roles: ['engineer', 'admin'] } },
      ['Admin'],
    ],
    [
      'the first that fits',
      "contains(info.roles[*], 'admin') && 'Admin' || contains(info.roles[*], 'editor') && 'Editor' || 'Viewer'",
      { info: { roles: ['editor', 'admin'] } },
      ['Admin'],
    ],
    [
      'the second',
      "contains(info.roles[*], 'admin') && 'Admin' || contains(info.roles[*], 'editor') && 'Editor' || 'Viewer'",
      { info: { roles: ['editor'] } },
      ['Editor'],
    ],
    [
      'the last',
      "contains(info.roles[*], 'admin') && 'Admin' || contains(info.roles[*], 'editor') && 'Editor' || 'Viewer'",
      { info: { roles: [] } },
      ['Viewer'],
    ],
    ['nothing sent', "contains(groups[*], 'admin') && 'Admin' || 'Viewer'", {}, ['Viewer']],
    ['everybody', `"'Editor'"`, { groups: ['x'] }, ['Editor']],
    [
      'an administrator of Grafana',
      "contains(groups[*], 'root') && 'GrafanaAdmin' || 'Viewer'",
      { groups: ['root'] },
      ['Admin'],
    ],
    [
      'several groups for one role',
      "(contains(groups[*], 'a') || contains(groups[*], 'b')) && 'Editor' || 'Viewer'",
      { groups: ['b'] },
      ['Editor'],
    ],
    [
      'a group and an address',
      "contains(groups[*], 'a') && email == 'ann@example.com' && 'Editor' || 'Viewer'",
      { groups: ['a'] },
      ['Editor'],
    ],
    [
      'a group and another address',
      "contains(groups[*], 'a') && email == 'bob@example.com' && 'Editor' || 'Viewer'",
      { groups: ['a'] },
      ['Viewer'],
    ],
    ['a part of an address', "contains(email, '@example.com') && 'Editor' || 'Viewer'", {}, ['Editor']],
    ['no role', "contains(groups[*], 'out') && 'None' || 'Viewer'", { groups: ['out'] }, []],
    [
      'a claim with a dot in its name',
      "contains(resource_access.\"grafana.prod\".roles[*], 'e') && 'Editor' || 'Viewer'",
      { resource_access: { 'grafana.prod': { roles: ['e'] } } },
      ['Editor'],
    ],
    [
      'the name of a group in another case',
      "contains(groups[*], 'admin') && 'Admin' || 'Viewer'",
      { groups: ['Admin'] },
      ['Viewer'],
    ],
    ['a group like a pattern', "contains(groups[*], '*') && 'Editor' || 'Viewer'", { groups: ['a'] }, ['Viewer']],
    ['a group that is a pattern', "contains(groups[*], '*') && 'Editor' || 'Viewer'", { groups: ['*'] }, ['Editor']],
    // Less than there: an administrator by an address alone is none here.
    ['an administrator by an address', "email == 'ann@example.com' && 'Admin' || 'Viewer'", {}, ['Viewer']],
    [
      'an expression of another shape',
      "groups[?@ == 'a'] | [0] && 'Admin' || 'Viewer'",
      { groups: ['a'] },
      'denied_by_default',
    ],
    [
      'a branch that cannot be said',
      "contains(groups[*], 'a') && contains(groups[*], 'b') && 'None' || 'Editor'",
      { groups: ['a'] },
      'denied_by_default',
    ],
  ])('role_attribute_path: %s', (_, expression, claims, roles) => {
    expect(path(expression)(claims)).toEqual(roles);
  });

  it('without a role by the expression: that of everybody else, or nobody gets in', () => {
    const expression = "contains(groups[*], 'editors') && 'Editor'";
    expect(path(expression)({ groups: [] })).toEqual(['Viewer']);
    expect(path(expression, '[users]\nauto_assign_org_role = Reader')({ groups: [] })).toEqual(['Reader']);
    expect(path(expression, 'role_attribute_strict = true')({ groups: [] })).toBe('denied_by_default');
    expect(path(expression, 'role_attribute_strict = true')({ groups: ['editors'] })).toEqual(['Editor']);
  });

  it('any chain of groups gives the role of the first that fits', () => {
    const group = fc.constantFrom('a', 'b', 'c', 'd');
    const branch = fc.record({ group, role: fc.constantFrom('Admin', 'Editor', 'Viewer', 'Reader') });
    fc.assert(
      fc.property(
        fc.array(branch, { minLength: 1, maxLength: 6 }),
        fc.uniqueArray(group),
        fc.boolean(),
        (branches, groups, withOrgs) => {
          const expression = branches.map((one) => `contains(groups[*], '${one.group}') && '${one.role}'`).join(' || ');
          const orgs = withOrgs ? 'org_mapping = *:Main:Viewer' : '';
          const expected = branches.find((one) => groups.includes(one.group))?.role ?? 'Last';
          const given = path(`${expression} || 'Last'`, orgs)({ groups });
          expect(given).toEqual([expected, ...(withOrgs ? ['Main:Viewer'] : [])].sort());
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each<[Claims, readonly string[] | string]>([
    [{ groups: ['/bi'] }, ['Main Org.:Viewer', 'Viewer']],
    [
      { groups: ['/finance'], resource_access: { 'grafana.prod': { roles: ['editor'] } } },
      ['Editor', 'Finance:Editor', 'Main Org.:Viewer'],
    ],
    [
      { groups: ['/bi'], resource_access: { 'grafana.prod': { roles: ['grafanaadmin'] } } },
      ['Admin', 'GrafanaAdmin', 'Main Org.:Viewer'],
    ],
    // Roles of the client are no groups.
    [{ groups: ['/bi', 'grafanaadmin'] }, ['Main Org.:Viewer', 'Viewer']],
    [{ groups: ['/other'] }, 'denied_by_rule'],
    [{ groups: ['/bi'], email: 'ann@EXAMPLE.org' }, ['Main Org.:Viewer', 'Viewer']],
    [{ groups: ['/bi'], email: 'ann@example.com.evil.example' }, 'denied_by_rule'],
  ])('the example of Keycloak: %j', (claims, roles) => {
    expect(decider(importGrafana(inputOf('grafana-keycloak.ini'), 'grafana.ini'))(claims)).toEqual(roles);
  });

  it.each<[Claims, readonly string[] | string]>([
    [{ roles: ['Editor', 'Admin'] }, ['Admin']],
    [{ roles: ['Viewer'] }, ['Viewer']],
    [{ roles: ['None'] }, []],
    [{ roles: ['viewer'], groups: ['Admin'] }, 'denied_by_default'],
  ])('the example of Azure AD, with its app roles: %j', (claims, roles) => {
    expect(decider(importGrafana(inputOf('grafana-azuread.ini'), 'grafana.ini'))(claims)).toEqual(roles);
  });

  it.each<[Claims, readonly string[]]>([
    [{ Role: ['developer', 'operator'] }, ['Admin']],
    [{ Role: 'developer' }, ['Editor']],
    [{ Role: ['guest'], Group: ['admin'] }, ['Viewer']],
  ])('the example of SAML: %j', (claims, roles) => {
    const said = { mail: 'ann@example.com', ...claims };
    expect(decider(importGrafana(inputOf('grafana-saml.ini'), 'grafana.ini'))(said)).toEqual(roles);
  });
});

describe('what kept people out, and is not in the file or cannot be said', () => {
  const ann = { groups: ['a'], roles: ['Viewer'], mail: 'ann@example.com' };

  it.each([
    'allowed_groups = $__env{GROUPS}',
    'allowed_domains = ${DOMAINS}',
    'role_attribute_path = $__file{/etc/path}',
    "groups_attribute_path = groups[?starts_with(@, 'a')]\nallowed_groups = a",
    'allowed_organizations = other',
    'hosted_domain = example.com',
    'team_ids = 1,2',
  ])('of Grafana keeps everybody out: %s', (limit) => {
    const made = importGrafana(`[auth.generic_oauth]\nenabled = true\n${limit}`, 'grafana.ini');
    expect(decider(made)(ann)).toBe('denied_by_rule');
    expect(made).toContain('not-finished: nobody gets in until');
  });

  it('of SAML too', () => {
    const made = importGrafana(`${inputOf('grafana-saml.ini')}\nallowed_organizations = Sales`, 'grafana.ini');
    expect(decider(made)({ ...ann, Role: 'viewer' })).toBe('denied_by_rule');
  });

  it.each([
    ['allowed_groups = "${GROUPS}"\nemail_domains = ["*"]'],
    ['allowed_groups = ["a", "${GROUP}"]\nemail_domains = ["*"]'],
    ['email_domains = "${DOMAIN}"'],
    ['authenticated_emails_file = "/etc/emails"'],
    ['provider = "oidc"'],
    ['email_domains = ["*"]\ngithub_org = "acme"'],
  ])('of oauth2-proxy keeps everybody out: %s', (text) => {
    expect(decider(importOauth2Proxy(text, 'oauth2-proxy.cfg'))(ann)).toBe('denied_by_rule');
  });

  it.each([
    ...['allowed_group', 'keycloak_group', 'keycloak_groups', 'github_user', 'github_users', 'gitlab_group'],
    ...['gitlab_groups', 'gitlab_project', 'gitlab_projects', 'google_group', 'google_groups', 'github_repo'],
    ...['github_team', 'bitbucket_team', 'bitbucket_repository', 'entra_id_allowed_tenant', 'entra_id_allowed_tenants'],
    ...['user_id_claim', 'an_option_of_a_later_version'],
  ])('of oauth2-proxy, by its name in the file and as a flag: %s', (name) => {
    const inFile = `email_domains = ["*"]\n${name} = ["acme"]`;
    const asFlag = `oauth2-proxy --email-domain=* --${name.replaceAll('_', '-')}=acme\n`;
    const outcomes = [inFile, asFlag].map((text) => decider(importOauth2Proxy(text, 'oauth2-proxy.cfg'))({}));
    expect(outcomes).toEqual(
      name === 'allowed_group' ? ['denied_by_default', 'denied_by_default'] : ['denied_by_rule', 'denied_by_rule'],
    );
  });

  it.each(['config', 'alpha-config'])('of oauth2-proxy in another file: --%s', (flag) => {
    const made = importOauth2Proxy(`oauth2-proxy --email-domain=* --${flag}=/etc/other\n`, 'start.sh');
    expect(decider(made)(ann)).toBe('denied_by_rule');
  });

  it.each([
    ...['keycloakConfig: { groups: [a] }', 'googleConfig: { group: [a] }', 'githubConfig: { org: acme }'],
    ...['gitlabConfig: { group: [a] }', 'gitlabConfig: { projects: [a] }', 'bitbucketConfig: { team: acme }'],
    ...['microsoftEntraIDConfig: { allowedTenants: [a] }', 'anotherConfig: { only: [a] }'],
  ])('of oauth2-proxy, named by what is to do of an alpha configuration: %s', (line) => {
    const text = `providers:\n  - provider: oidc\n    ${line}\nemail_domains: ["*"]\n`;
    const made = importOauth2Proxy(text, 'alpha.yaml');
    expect(decider(made)(ann)).toBe('denied_by_rule');
    expect(made).toContain(`what providers[0].${line.replace(/: \{ (\w+):.*/, '.$1')} did`);
  });

  it.each(['github_org = ""', 'keycloak_groups = []', 'user_id_claim = "email"', 'cookie_csrf_samesite = "lax"'])(
    'limits nobody: %s',
    (line) => {
      const made = importOauth2Proxy(`email_domains = ["*"]\n${line}`, 'oauth2-proxy.cfg');
      expect(decider(made)(ann)).toEqual(['Gamma']);
    },
  );

  it('every address is said', () => {
    expect(decider(importOauth2Proxy('email_domains = ["*"]', 'oauth2-proxy.cfg'))(ann)).toEqual(['Gamma']);
  });
});

describe('oauth2-proxy', () => {
  // An option that nobody knows closes the login: that is looked at above.
  const known = inputOf('oauth2-proxy.cfg').replace(/^something_new = .*$/m, '');
  const decide = decider(importOauth2Proxy(known, 'oauth2-proxy.cfg'));

  it.each<[Claims, readonly string[] | string]>([
    [{ groups: ['/bi-users'], email: 'ann@yourcompany.com' }, ['Gamma']],
    [{ groups: ['/bi-users'], email: 'Ann@YourCompany.COM' }, ['Gamma']],
    [{ groups: ['bi*admins'], email: 'ann@sub.partner.example' }, ['Gamma']],
    [{ groups: ['bi-admins'], email: 'ann@yourcompany.com' }, 'denied_by_default'],
    [{ groups: ['other'], email: 'ann@yourcompany.com' }, 'denied_by_default'],
    [{ email: 'ann@yourcompany.com' }, 'denied_by_default'],
    [{ groups: ['/bi-users'], email: 'ann@notyourcompany.com' }, 'denied_by_rule'],
    [{ groups: ['/bi-users'], email: 'ann@yourcompany.com.evil.example' }, 'denied_by_rule'],
    [{ groups: ['/bi-users'], email: 'yourcompany.com@evil.example' }, 'denied_by_rule'],
  ])('allowed_groups and email_domains: %j', (claims, outcome) => {
    expect(decide(claims)).toEqual(outcome);
  });

  it.each<[string, Claims, readonly string[] | string]>([
    ['provider = "oidc"', { email_verified: false }, 'denied_by_rule'],
    ['provider = "oidc"', { email_verified: true }, ['Gamma']],
    ['provider = "oidc"', { email_verified: undefined }, ['Gamma']],
    ['provider = "oidc"\ninsecure_oidc_allow_unverified_email = true', { email_verified: false }, ['Gamma']],
    ['provider = "oidc"\ninsecure_oidc_allow_unverified_email = false', { email_verified: false }, 'denied_by_rule'],
    ['provider = "oidc"\noidc_email_claim = "upn"', { email_verified: false, upn: 'ann@acme.com' }, ['Gamma']],
    ['provider = "google"', { email_verified: true }, ['Gamma']],
    ['provider = "google"', { email_verified: false }, 'denied_by_rule'],
    ['provider = "google"', { email_verified: undefined }, 'denied_by_rule'],
    ['insecure_oidc_allow_unverified_email = true', { email_verified: false }, 'denied_by_rule'],
  ])('addresses that are not verified: %s, %j', (options, claims, outcome) => {
    const made = importOauth2Proxy(`${options}\nemail_domains = ["acme.com"]\n`, 'oauth2-proxy.cfg');
    expect(checked(made).complaints).toEqual([]);
    expect(decider(made)({ email: 'ann@acme.com', ...claims })).toEqual(outcome);
  });

  it('every upstream is one that people get to', () => {
    expect(checked(importOauth2Proxy(inputOf('oauth2-proxy.cfg'), 'oauth2-proxy.cfg')).warnings).toEqual([]);
  });

  it.each([
    ['^/static/', '/static'],
    ['^/static/.*', '/static'],
    ['^/static', '/static'],
    ['^/healthz$', '/healthz'],
    [String.raw`^/favicon\.ico$`, '/favicon.ico'],
    ['^/embed$', undefined],
    ['/static', undefined],
    ['^/(a|b)', undefined],
    ['^/.*', undefined],
    ['^/', undefined],
    ['.*', undefined],
    ['^/a/[^/]+$', undefined],
    ['^/a/../b', undefined],
    ['^/a?', undefined],
  ])('skip_auth_routes: %s opens %s', (expression, path) => {
    const made = importOauth2Proxy(`skip_auth_routes = [ ${JSON.stringify(expression)} ]`, 'oauth2-proxy.cfg');
    const open = checked(made)
      .config?.routes.filter((route) => route.public)
      .map((route) => route.path);
    expect(open).toEqual(path === undefined ? [] : [path]);
  });
});

describe('who got in nowhere else', () => {
  it('whitelist of a provider of Superset: nobody gets in by it until its rule is written', () => {
    const file = `
AUTH_TYPE = 4
AUTH_USER_REGISTRATION = True
AUTH_USER_REGISTRATION_ROLE = 'Gamma'
OAUTH_PROVIDERS = [{
  'name': 'google', 'whitelist': ['@acme.com$'],
  'remote_app': {'client_id': 'x', 'server_metadata_url': 'https://accounts.google.com/.well-known/openid-configuration'},
}]`;
    const made = importSuperset(file, 'superset_config.py');
    expect(decider(made)({ email: 'evil@gmail.com' })).toBe('denied_by_rule');
    expect(made).toMatch(/TO DO[\s\S]*google-not-finished/);
    expect(decider(importSuperset(file.replace("['@acme.com$']", '[]'), 'superset_config.py'))({})).toEqual(['Gamma']);
  });

  const PROVIDER = `'name': 'google', 'remote_app': {'client_id': 'x', 'api_base_url': 'https://accounts.google.com/'}`;
  const OAUTH = `AUTH_TYPE = AUTH_OAUTH
AUTH_USER_REGISTRATION = True
AUTH_USER_REGISTRATION_ROLE = 'Gamma'
AUTH_ROLES_MAPPING = {'bi': ['Alpha']}
`;

  it.each([
    `BASE = {'whitelist': ['@acme.com$']}\nOAUTH_PROVIDERS = [{**BASE, ${PROVIDER}}]`,
    `OAUTH_PROVIDERS = [{${PROVIDER}}]\nOAUTH_PROVIDERS[0]['whitelist'] = ['@acme.com$']`,
    `OAUTH_PROVIDERS = [{${PROVIDER}}]\nfor p in OAUTH_PROVIDERS: p['whitelist'] = ['@acme.com$']`,
    `OAUTH_PROVIDERS = [{${PROVIDER}}]\nfor p in OAUTH_PROVIDERS:\n    p['whitelist'] = ['@acme.com$']`,
    `OAUTH_PROVIDERS = [{${PROVIDER}}]\nlimit(OAUTH_PROVIDERS)`,
    `OAUTH_PROVIDERS = [{${PROVIDER}}]\np = OAUTH_PROVIDERS[0]\np['whitelist'] = ['@acme.com$']`,
    `ONE = {${PROVIDER}}\nOAUTH_PROVIDERS = [ONE]\nONE['whitelist'] = ['@acme.com$']`,
    `OAUTH_PROVIDERS = []\nOAUTH_PROVIDERS.append({${PROVIDER}, 'whitelist': ['@acme.com$']})`,
    `OAUTH_PROVIDERS = [{${PROVIDER}}]\nOAUTH_PROVIDERS += more()`,
    `if os.environ.get('SSO'):\n    OAUTH_PROVIDERS = [{${PROVIDER}, 'whitelist': ['@acme.com$']}]`,
    `OAUTH_PROVIDERS = providers()`,
  ])('providers of Superset made or changed by code: nobody gets in, and TO DO says why: %s', (lines) => {
    const made = importSuperset(`${OAUTH}${lines}`, 'superset_config.py');
    expect(decider(made)({ email: 'evil@gmail.com' })).toBe('denied_by_rule');
    expect(made.split('# Every option')[0]).toMatch(/TO DO[\s\S]*-not-finished: nobody gets in/);
    expect(made).toMatch(/OAUTH_PROVIDERS.* \(left\)/);
  });

  it.each([
    `del AUTH_ROLES_MAPPING['bi']`,
    `AUTH_ROLES_MAPPING.pop('bi')`,
    `AUTH_ROLES_MAPPING['bi'] = ['Public']`,
    `for group in GROUPS:\n    AUTH_ROLES_MAPPING[group] = []`,
  ])('roles of a mapping that code changes are given to nobody: %s', (line) => {
    const made = importSuperset(`${OAUTH}OAUTH_PROVIDERS = [{${PROVIDER}}]\n${line}`, 'superset_config.py');
    expect(decider(made)({ groups: ['bi'] })).toEqual(['Gamma']);
    expect(made.split('# Every option')[0]).toMatch(/AUTH_ROLES_MAPPING.*:/);
  });

  it.each([
    [
      'AUTH_USER_REGISTRATION = False',
      (made: string) => checked(made).config?.targets['superset']?.missing.users,
      'refuse',
    ],
    ['AUTH_USER_REGISTRATION_ROLE = "Public"', (made: string) => decider(made)({}), []],
  ])('what a block sets anew is not as it was before: %s', (line, see, expected) => {
    const file = `${OAUTH}OAUTH_PROVIDERS = [{${PROVIDER}}]\nif os.environ.get("PRODUCTION"):\n    ${line}`;
    expect(see(importSuperset(file, 'superset_config.py'))).toEqual(expected);
    expect(see(importSuperset(file.replace(/\nif .*:\n +.*/, ''), 'superset_config.py'))).not.toEqual(expected);
  });

  it.each([
    ['AUTH_TYPE = AUTH_LDAP\nAUTH_LDAP_SEARCH_FILTER = "(memberOf=cn=bi,dc=acme)"', 'denied_by_rule'],
    ['AUTH_TYPE = AUTH_LDAP\nAUTH_LDAP_SEARCH = "ou=bi,dc=acme"', 'denied_by_rule'],
    ['AUTH_TYPE = AUTH_LDAP\nAUTH_LDAP_SEARCH_FILTER = ""', ['Gamma']],
    ['AUTH_TYPE = AUTH_REMOTE_USER', 'denied_by_rule'],
    ['AUTH_TYPE = type_of()', 'denied_by_rule'],
    ['AUTH_TYPE = AUTH_DB', ['Gamma']],
  ])('a Superset without a provider: %s', (lines, outcome) => {
    const made = importSuperset(
      `${lines}\nAUTH_USER_REGISTRATION = True\nAUTH_USER_REGISTRATION_ROLE = 'Gamma'`,
      'superset_config.py',
    );
    expect(decider(made)({})).toEqual(outcome);
  });

  it.each<[Claims, readonly string[] | string]>([
    [{ email_verified: true }, ['Viewer']],
    [{ email_verified: false }, 'denied_by_rule'],
    [{ email_verified: undefined }, 'denied_by_rule'],
  ])('by Google into Grafana: %j', (claims, outcome) => {
    const made = importGrafana('[auth.google]\nenabled = true\nclient_id = a', 'grafana.ini');
    expect(decider(made)(claims, 'google')).toEqual(outcome);
  });

  const CLOSED = `auth.generic_oauth:
    client_id: a
    auth_url: https://a.example.com/auth
    allowed_domains: acme.com
    role_attribute_strict: true
    role_attribute_path: contains(groups[*], 'a') && 'Editor'
`;
  const INI = CLOSED.replace('auth.generic_oauth:', '[auth.generic_oauth]').replaceAll(/^( +\w+): /gm, '$1 = ');

  it.each([
    ['values of the Helm chart', `replicas: 1\ngrafana.ini:\n  ${CLOSED}`],
    ['values of a chart above it', `grafana:\n  grafana.ini:\n    ${CLOSED.replaceAll('\n', '\n  ')}`],
    ['a ConfigMap', `kind: ConfigMap\ndata:\n  grafana.ini: |\n    ${INI.replaceAll('\n', '\n    ')}`],
    ['the file', INI],
    [
      'variables of a container',
      `grafana.ini:\n  ${CLOSED.replace('acme.com', 'other.com')}env:\n- name: GF_AUTH_GENERIC_OAUTH_ALLOWED_DOMAINS\n  value: acme.com\n`,
    ],
  ])('Grafana, by %s', (_, text) => {
    const decide = decider(importGrafana(text, 'grafana'));
    expect(decide({ email: 'ann@acme.com', groups: ['a'] })).toEqual(['Editor']);
    expect(decide({ email: 'ann@acme.com', groups: [] })).toBe('denied_by_default');
    expect(decide({ email: 'evil@gmail.com', groups: ['a'] })).toBe('denied_by_rule');
  });

  it('a limit of Grafana that comes from a secret closes its login', () => {
    const env =
      'env:\n- name: GF_AUTH_GENERIC_OAUTH_ALLOWED_DOMAINS\n  valueFrom: { secretKeyRef: { name: a, key: b } }\n';
    const decide = decider(importGrafana(`grafana.ini:\n  ${CLOSED}${env}`, 'values.yaml'));
    expect(decide({ email: 'ann@acme.com', groups: ['a'] })).toBe('denied_by_rule');
  });

  it.each([
    'hello world',
    '<grafana/>',
    'a: 1\nb: 2',
    'grafana.ini:\n  auth.generic_oauth: *oauth',
    `x: &x { allowed_domains: acme.com }\ngrafana.ini:\n  auth.generic_oauth: *x`,
    `x: &x { allowed_domains: acme.com }\ngrafana.ini:\n  auth.generic_oauth:\n    <<: *x\n    client_id: a`,
  ])('what cannot be read as a configuration of Grafana is refused: %s', (text) => {
    expect(() => importGrafana(text, 'grafana.ini')).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it.each(['ldap', 'jwt', 'proxy', 'basic'])('a Grafana with auth.%s alone lets nobody in', (section) => {
    const made = importGrafana(`[auth.${section}]\nenabled = true`, 'grafana.ini');
    expect(checked(made).complaints).toEqual([]);
    expect(decider(made)({})).toBe('denied_by_rule');
    if (section !== 'basic') expect(made).toMatch(new RegExp(`sso-not-finished: nobody gets in[^-]*auth\\.${section}`));
  });

  it('logins of Grafana that give everybody else different roles: nobody has one by it', () => {
    const made = importGrafana(
      `
[auth.generic_oauth]
enabled = true
client_id = a
auth_url = https://a.example.com/auth
role_attribute_path = contains(groups[*], 'admins') && 'Editor' || 'Editor'
[auth.okta]
enabled = true
client_id = b
auth_url = https://b.example.com/auth`,
      'grafana.ini',
    );
    expect(decider(made)({ email: 'who@b.example.com' }, 'okta')).toMatch(/^denied/);
  });

  it.each([String.raw`^/api/v1\.0$`, '^/api/delivery$', '^/mapping$', '^/alive$'])(
    'skip_auth_routes: %s, a single path, opens nothing below it',
    (expression) => {
      const made = importOauth2Proxy(`skip_auth_routes = [ ${JSON.stringify(expression)} ]`, 'oauth2-proxy.cfg');
      expect(checked(made).config?.routes.filter((route) => route.public)).toEqual([]);
    },
  );
});
