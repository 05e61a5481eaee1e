import { codes, configText, examine, SECRET, warningCodes } from './fixture.ts';

const complaints = (sections: Readonly<Record<string, string>>) => codes(examine(configText(sections)));
const warnings = (sections: Readonly<Record<string, string>>) => warningCodes(examine(configText(sections)));
const rule = (when: string, grant: string) => ({ rules: `rules: { r: { when: ${when}, grant: ${grant} } }` });
const GRANT = '{ superset: { roles: [Alpha] } }';

const GOODDATA = `gooddata: { type: gooddata, url: "https://gd.example.com", token: "${SECRET}" }`;
const BOTH = `targets: { superset: { type: superset, url: "http://superset:8088" }, ${GOODDATA} }`;

describe('groups that are distinguished names', () => {
  const login = (separator: string) => ({
    login: `login: { staff: { issuer: "https://id.example.com", client_id: x, groups_separator: "${separator}" } }`,
  });

  it('are not cut at what each of them holds', () => {
    const groups = 'groups: { dn: cn, dn_under: "OU=Groups,DC=example,DC=com" }';
    expect(complaints({ groups, ...login(', ') })).toEqual(['invalid_value login.staff.groups_separator']);
    expect(complaints({ groups, ...login(';') })).toEqual([]);
    expect(complaints(login(','))).toEqual([]);
  });

  it('lie below such names, and are looked at only where that is asked for', () => {
    expect(complaints({ groups: 'groups: { dn: cn, dn_under: [Groups] }' })).toEqual([
      'invalid_value groups.dn_under.0',
    ]);
    expect(warnings({ groups: 'groups: { dn_under: ["OU=Groups"] }' })).toEqual(['no_effect groups.dn_under']);
  });
});

describe('names', () => {
  it('of targets must be those of the file', () => {
    const examined = examine(
      configText({
        ...rule('{ groups: a }', '{ supersett: { roles: [Alpha] } }'),
        routes: 'routes: [{ path: /, to: super-set }]',
        default: 'default: { grant: { other: {} } }',
        safety: 'safety: { privileged: ["none:role:Admin"] }',
      }),
    );
    expect(codes(examined)).toEqual([
      'unknown_target rules.r.grant.supersett',
      'unknown_target routes.0.to',
      'unknown_target default.grant.other',
      'unknown_target safety.privileged.0',
    ]);
    expect(examined.complaints[0]).toMatchObject({ hint: 'did you mean superset?', line: 5, column: 45 });
    expect(examined.complaints[1]?.hint).toBe('did you mean superset?');
    expect(examined.complaints[2]?.hint).toBe('the targets are superset');
  });

  it('of a target that has complaints of its own are still known', () => {
    expect(complaints({ targets: 'targets: { superset: { type: superset } }' })).toEqual([
      'missing_key targets.superset.url',
    ]);
  });

  it('of origins must be those of the logins', () => {
    expect(complaints(rule('{ origin: stuff }', GRANT))).toEqual(['unknown_origin rules.r.when.origin.0']);
    expect(complaints(rule('{ origin: "st*" }', GRANT))).toEqual([]);
    const targets = 'targets: { superset: { type: superset, url: "http://s", external_ids: partners } }';
    expect(complaints({ targets })).toEqual(['unknown_origin targets.superset.external_ids']);
  });

  it('of attributes must be built in or made by a claim', () => {
    expect(complaints(rule('{ titel: x }', GRANT))).toEqual(['unknown_attribute rules.r.when.titel']);
    expect(complaints(rule('{ not: { titel: x } }', GRANT))).toEqual(['unknown_attribute rules.r.when.not.titel']);
    const login = 'login: { staff: { issuer: "https://id.example.com", client_id: x, claims: { title: job } } }';
    expect(complaints({ login, ...rule('{ title: x }', GRANT) })).toEqual([]);
    expect(complaints({ identity: 'identity: { require: [emial] }' })).toEqual([
      'unknown_attribute identity.require.0',
    ]);
    const targets = 'targets: { superset: { type: superset, url: "http://s", user_name: "upn, groups" } }';
    expect(complaints({ targets })).toEqual([
      'invalid_value targets.superset.user_name.1',
      'unknown_attribute targets.superset.user_name.0',
    ]);
  });
});

describe('permissions on workspaces', () => {
  const workspaces = (given: string) => ({
    targets: `targets: { superset: { type: superset, url: "http://s" }, gooddata: { type: gooddata, url: "https://gd", token: "${SECRET}", workspaces: ${given} } }`,
  });
  const people = (given: string) => ({
    targets: BOTH,
    ...rule("{ groups: '~team-(?<team>[a-z]+)' }", `{ gooddata: { permissions: ${given} } }`),
  });

  it('of people have names that GoodData has, on one workspace each', () => {
    expect(complaints(people('{ sales: VIEW, ops: [ANALYZE, EXPORT_PDF], "${team}": "${match}" }'))).toEqual([]);
    const examined = examine(configText(people('{ sales: VEIW, ops: [VIEW, RULE] }')));
    expect(codes(examined)).toEqual([
      'not_an_option rules.r.grant.gooddata.permissions.sales',
      'not_an_option rules.r.grant.gooddata.permissions.ops',
    ]);
    expect(examined.complaints[0]?.hint).toBe('did you mean VIEW?');
    expect(complaints(people('{ "*": VIEW }'))).toEqual(['invalid_value rules.r.grant.gooddata.permissions.*']);
    expect(complaints(people('{ "a b": VIEW }'))).toEqual(['invalid_value rules.r.grant.gooddata.permissions.a b']);
  });

  it('of groups have names that GoodData has', () => {
    expect(complaints(workspaces('{ a: { "*": MANAGE, sales: [VIEW, EXPORT] } }'))).toEqual([]);
    const examined = examine(configText(workspaces('{ a: { sales: ANALYSE } }')));
    expect(codes(examined)).toEqual(['not_an_option targets.gooddata.workspaces.a.sales']);
    expect(examined.complaints[0]?.hint).toBe('did you mean ANALYZE?');
    expect(complaints(workspaces('{ a: { sales: [] } }'))).toEqual([
      'invalid_value targets.gooddata.workspaces.a.sales',
    ]);
    expect(complaints(workspaces('{ a: { "a/b": VIEW } }'))).toEqual([
      'invalid_value targets.gooddata.workspaces.a.a/b',
    ]);
  });

  it('of groups may be a list, so that the id of a workspace can come from the environment', () => {
    const list =
      '{ a: [{ workspace: "${GD_WORKSPACE:-sales}", permissions: VIEW }, { workspace: "*", permissions: [EXPORT] }] }';
    const examined = examine(configText(workspaces(list)));
    expect(codes(examined)).toEqual([]);
    expect(complaints(workspaces('{ a: [{ workspace: "a b", permissions: VIEW }] }'))).toEqual([
      'invalid_value targets.gooddata.workspaces.a.0.workspace',
    ]);
    expect(complaints(workspaces('{ a: [{ workspace: sales, permissions: WIEV }] }'))).toEqual([
      'not_an_option targets.gooddata.workspaces.a.0.permissions',
    ]);
    expect(complaints(workspaces('{ a: [{ workspace: sales, permission: VIEW }] }'))).toEqual(
      expect.arrayContaining(['unknown_key targets.gooddata.workspaces.a.0.permission']),
    );
  });

  it('of groups that no rule gives are pointed out', () => {
    const given = (groups: string, when = '{ groups: "bi-*" }') => ({
      ...workspaces('{ viewers: { sales: VIEW } }'),
      routes: 'routes: [{ path: /, to: gooddata }]',
      ...rule(when, `{ gooddata: { groups: [${groups}] } }`),
    });
    expect(warnings(given('viewer'))).toEqual(['group_not_given targets.gooddata.workspaces.viewers']);
    expect(warnings(given('viewers'))).toEqual([]);
    expect(warnings(given('"${match}"'))).toEqual(['group_not_given targets.gooddata.workspaces.viewers']);
    expect(warnings(given('"${match}"', '{ groups: "view*" }'))).toEqual([]);
    const fallback = 'default: { grant: { gooddata: { groups: [viewers] } } }';
    expect(warnings({ ...given('"${match}"'), default: fallback })).toEqual([]);
  });
});

describe('grants', () => {
  it('of a kind that the target does not have are refused', () => {
    expect(complaints({ targets: BOTH, ...rule('{ groups: a }', '{ gooddata: { roles: [x] } }') })).toEqual([
      'unknown_entitlement_kind rules.r.grant.gooddata.roles',
    ]);
    expect(
      complaints({ targets: BOTH, ...rule('{ groups: a }', '{ superset: { permissions: { w: VIEW } } }') }),
    ).toEqual(['unknown_entitlement_kind rules.r.grant.superset.permissions']);
    expect(complaints({ safety: 'safety: { privileged: ["superset:permission:x"] }' })).toEqual([
      'unknown_entitlement_kind safety.privileged.0',
    ]);
  });

  it('may name what the rule captures', () => {
    const when = "{ groups: '~team-(?<team>[a-z]+)-(?P<level>ro|rw)' }";
    expect(complaints(rule(when, '{ superset: { roles: ["${team}_${level}", "${match}"] } }'))).toEqual([]);
  });

  it.each([
    ['a name that nothing captures', '{ groups: "~(?<team>.*)" }', '${taem}', 'unknown_capture'],
    ['a variable of the environment', '{ groups: a }', '${HOME}', 'unknown_capture'],
    ['${match} of a rule for everybody', '{}', '${match}', 'unknown_capture'],
    ['${match} of two lines', '{ title: "*", name: "*" }', '${match}', 'capture_ambiguous'],
    ['a capture of two lines', '{ groups: "~(?<x>a)", name: "~(?<x>b)" }', '${x}', 'capture_ambiguous'],
    ['a capture called match', '{ groups: "~(?<match>a)" }', '${match}', 'capture_ambiguous'],
    ['a capture in a block of not', '{ not: { groups: "~(?<x>a)" } }', '${x}', 'unknown_capture'],
  ])('may not name %s', (_, when, name, code) => {
    const login = 'login: { staff: { issuer: "https://id.example.com", client_id: x, claims: { title: job } } }';
    const found = complaints({ login, ...rule(when, `{ superset: { roles: ["${name}"] } }`) });
    expect(found).toEqual([`${code} rules.r.grant.superset.roles.0`]);
  });

  it('need their capture from every value of the line', () => {
    const when = '{ groups: ["~team-(?<team>.+)", boss] }';
    expect(complaints(rule(when, '{ superset: { roles: ["${team}"] } }'))).toEqual([
      'unknown_capture rules.r.when.groups.1',
    ]);
  });

  it('take ${match} from groups beside other lines', () => {
    expect(
      complaints(rule('{ groups: "bi-*", name: "*", origin: staff }', '{ superset: { roles: ["${match}"] } }')),
    ).toEqual([]);
  });

  it('of default capture nothing', () => {
    expect(complaints({ default: 'default: { grant: { superset: { roles: ["${match}"] } } }' })).toEqual([
      'unknown_capture default.grant.superset.roles.0',
    ]);
  });
});

describe('patterns', () => {
  it.each(['~(', '~a{1,2000}', '~(?=look)', '~(a)\\\\1', '~(?<x>a)(?<x>b)', '~['])(
    'of RE2 must compile: %s',
    (pattern) => {
      expect(complaints(rule(`{ groups: "${pattern}" }`, GRANT))).toEqual(['pattern_invalid rules.r.when.groups.0']);
      expect(complaints({ groups: `groups: { allow: [analytics-team, "${pattern}"] }` })).toEqual([
        'pattern_invalid groups.allow.1',
      ]);
      expect(complaints({ safety: `safety: { never_touch: ["${pattern}"] }` })).toEqual([
        'pattern_invalid safety.never_touch.0',
      ]);
      const routes = `routes: [{ path: /, to: superset, when: { not: { groups: "${pattern}" } } }]`;
      expect(complaints({ routes })).toEqual(['pattern_invalid routes.0.when.not.groups.0']);
    },
  );
});

describe('groups that cannot come in', () => {
  const allow = (list: string) => ({ groups: `groups: { allow: [${list}] }` });

  it.each([
    ['analytics-team', 'analytics-team', true],
    ['analytics-team', '"*-team"', true],
    ['analytics-team', '"~.*team"', true],
    ['analytics-team', 'finance-team', false],
    ['analytics-team', '"bi-*"', false],
    ['analytics-team', '"~bi-.*"', false],
    ['"a*"', '"*b"', true],
    ['"a*"', '"a*"', true],
    ['"a*c"', '"ab*"', true],
    ['"a*"', '"b*"', false],
    ['"*a"', '"*b"', false],
    ['"*x*"', '"ab"', false],
    ['"~anything"', '"b*"', true],
  ])('%s through %s: %s', (group, line, reachable) => {
    const expected = reachable ? [] : ['unreachable rules.r.when.groups.0'];
    expect(complaints({ ...allow(line), ...rule(`{ groups: ${group} }`, GRANT) })).toEqual(expected);
  });

  it('are a warning where another value of the line can, or inside not', () => {
    expect(warnings({ ...allow('a'), ...rule('{ groups: [a, b] }', GRANT) })).toEqual([
      'unreachable rules.r.when.groups.1',
    ]);
    expect(warnings({ ...allow('a'), ...rule('{ groups: a, not: { groups: b } }', GRANT) })).toEqual([
      'unreachable rules.r.when.not.groups.0',
    ]);
  });

  it('have been renamed, or lost their beginning', () => {
    const groups = 'groups: { strip: "/", rename: { raw: nice } }';
    expect(complaints({ groups, ...rule('{ groups: raw }', GRANT) })).toEqual(['unreachable rules.r.when.groups.0']);
    expect(complaints({ groups, ...rule('{ groups: /company }', GRANT) })).toEqual([
      'unreachable rules.r.when.groups.0',
    ]);
    expect(complaints({ groups, ...rule('{ groups: nice }', GRANT) })).toEqual([]);
  });

  it('get a name that is not let in', () => {
    const groups = 'groups: { rename: { raw: nice }, allow: [analytics-team] }';
    expect(complaints({ groups })).toEqual(['unreachable groups.rename.raw']);
  });

  it('are asked for by a route', () => {
    const routes = 'routes: [{ path: /, to: superset, when: { groups: other } }]';
    expect(complaints({ ...allow('analytics-team'), routes })).toEqual(['unreachable routes.0.when.groups.0']);
  });
});

describe('rules against each other', () => {
  const two = (first: string, second: string) => ({ rules: `rules: { one: { ${first} }, two: { ${second} } }` });

  it('with the same condition are a warning, and a complaint when one denies', () => {
    const same = two(
      `when: { groups: [a, b], name: x }, grant: ${GRANT}`,
      `when: { name: x, groups: [b, a] }, grant: ${GRANT}`,
    );
    expect(warnings(same)).toEqual(['duplicate_rule rules.two']);
    expect(complaints(two(`when: { groups: a }, grant: ${GRANT}`, 'when: { groups: a }, deny: No'))).toEqual([
      'duplicate_rule rules.two',
    ]);
  });

  it('are unreachable when whoever they fit is denied', () => {
    const narrow = `when: { groups: a, name: x }, grant: ${GRANT}`;
    expect(complaints(two(narrow, 'when: { groups: [a, b] }, deny: No'))).toEqual(['unreachable rules.one']);
    expect(complaints(two(narrow, 'deny: Nobody today'))).toEqual(['unreachable rules.one']);
    expect(complaints(two(narrow, 'when: { groups: a, name: y }, deny: No'))).toEqual([]);
  });

  it('do not ask for an attribute that their login does not define', () => {
    const login =
      'login: { staff: { issuer: "https://a.example", client_id: x, claims: { title: job } }, partners: { issuer: "https://b.example", client_id: x } }';
    expect(complaints({ login, ...rule('{ origin: partners, title: x }', GRANT) })).toEqual([
      'unreachable rules.r.when.title',
    ]);
    expect(complaints({ login, ...rule('{ origin: [partners, staff], title: x }', GRANT) })).toEqual([]);
  });
});

describe('privileged entitlements', () => {
  const safety = 'safety: { privileged: ["superset:role:Admin", "superset:role:team-lead"] }';
  const admin = '{ superset: { roles: [Admin] } }';

  it('are given by exact group names', () => {
    expect(complaints({ safety, ...rule('{ groups: [bi-admins, root] }', admin) })).toEqual([]);
  });

  it.each([
    ['a glob', '{ groups: "bi-*" }'],
    ['a glob beside exact names', '{ groups: [bi-admins, "bi-*"] }'],
    ['a regular expression', '{ groups: "~bi-admins" }'],
    ['another attribute', '{ name: Alice }'],
    ['no condition', '{}'],
    ['not', '{ not: { groups: bi-admins } }'],
  ])('are not given by %s', (_, when) => {
    expect(complaints({ safety, ...rule(when, admin) })).toEqual([
      'privileged_needs_exact rules.r.grant.superset.roles.0',
    ]);
  });

  it('are not given by default, in another spelling neither', () => {
    expect(complaints({ safety, default: `default: { grant: ${admin} }` })).toEqual([
      'privileged_needs_exact default.grant.superset.roles.0',
    ]);
    expect(complaints({ safety, default: 'default: { grant: { superset: { roles: [" ADMIN"] } } }' })).toEqual([
      'privileged_needs_exact default.grant.superset.roles.0',
    ]);
  });

  it('that a capture could spell are a warning', () => {
    const given = (when: string, name: string) =>
      warnings({ safety, ...rule(when, `{ superset: { roles: ["${name}"] } }`) });
    const warning = ['privileged_needs_exact rules.r.grant.superset.roles.0'];
    expect(given('{ groups: "*" }', '${match}')).toEqual(warning);
    expect(given('{ groups: "~team-(?<x>.*)" }', 'team-${x}')).toEqual(warning);
    expect(given('{ groups: "lead" }', 'team-${match}')).toEqual(warning);
    expect(given('{ groups: "bi-*" }', '${match}')).toEqual([]);
    expect(given('{ groups: "~team-(?<x>.*)" }', 'crew-${x}')).toEqual([]);
  });

  it('that are a target’s own administrators, unlisted, and that a claim could spell, are a warning', () => {
    const given = (when: string, name: string, more: Readonly<Record<string, string>> = {}) =>
      warnings({ ...more, ...rule(when, `{ superset: { roles: ["${name}"] } }`) });
    const warning = ['privileged_not_listed rules.r.grant.superset.roles.0'];
    expect(given('{ groups: "*" }', '${match}')).toEqual(warning);
    expect(given('{ groups: "~(?<x>.*)-team" }', 'Ad${x}')).toEqual(warning);
    expect(given('{ groups: "*" }', '${match}', { groups: 'groups: { allow: ["bi-*"] }' })).toEqual([]);
    expect(given('{ groups: "bi-*" }', '${match}')).toEqual([]);
    expect(given('{ groups: "*" }', 'team-${match}')).toEqual([]);
    expect(given('{ groups: "*" }', '${match}', { safety })).not.toContain(warning[0]);
    const grant = '{ gd: { groups: ["${match}"] } }';
    const targets = 'targets: { gd: { type: gooddata, url: "https://gd.example.com", token: abcdefgh } }';
    const routes = 'routes: [{ path: /, to: gd }]';
    expect(warnings({ targets, routes, ...rule('{ groups: "*" }', grant) })).toEqual([
      'privileged_not_listed rules.r.grant.gd.groups.0',
    ]);
  });
});

describe('logins', () => {
  const PEM = `-----BEGIN PRIVATE KEY-----\\n${'A'.repeat(64)}\\n-----END PRIVATE KEY-----\\n`;
  const login = (rest: string) => `{ issuer: "https://id.example.com/", client_id: latchgate, ${rest} }`;
  const logins = (entries: Readonly<Record<string, string>>) => ({
    login: `login: { ${Object.entries(entries)
      .map(([name, rest]) => `${name}: ${login(rest)}`)
      .join(', ')} }`,
  });

  it('are a client with a secret, with a key, or public', () => {
    expect(complaints(logins({ a: `client_secret: "${SECRET}"` }))).toEqual([]);
    expect(complaints(logins({ a: `private_key: "${PEM}"` }))).toEqual([]);
    expect(complaints(logins({ a: '' }))).toEqual([]);
    expect(complaints(logins({ a: `client_secret: "${SECRET}", private_key: "${PEM}"` }))).toEqual([
      'client_auth_conflict login.a.private_key',
    ]);
    expect(complaints(logins({ a: 'private_key: "-----BEGIN RSA PRIVATE KEY-----"' }))).toEqual([
      'invalid_value login.a.private_key',
    ]);
  });

  it('are different clients, at least one', () => {
    expect(complaints(logins({ a: '', b: '' }))).toEqual(['duplicate_login login.b']);
    expect(complaints({ login: 'login: {}' })).toEqual(['missing_key login']);
    expect(complaints({ targets: 'targets: {}', rules: '', routes: 'routes: [{ path: /, to: superset }]' })).toContain(
      'missing_key targets',
    );
  });

  it.each([
    '@example.com',
    '*.example.com',
    ' example.com',
    'example.com.',
    'ex ample.com',
    'a..com',
    'ann@example.com',
  ])('have domains of addresses, which %j is not', (domain) => {
    const line = `trust_email: true, email_domains: ["münchen.example", "${domain}"]`;
    expect(complaints(logins({ a: line }))).toEqual(['invalid_value login.a.email_domains']);
  });

  it('that share a domain in two ways of writing it get a warning', () => {
    const shared =
      'login: { a: { issuer: "https://a.example", client_id: x, email_domains: [münchen.example] }, b: { issuer: "https://b.example", client_id: x, email_domains: xn--mnchen-3ya.example } }';
    expect(warnings({ login: shared })).toEqual(['duplicate_email_domain login.b.email_domains.0']);
  });

  it('that share a domain, trust addresses of no domain, or misspell an attribute get a warning', () => {
    const shared =
      'login: { a: { issuer: "https://a.example", client_id: x, email_domains: [example.com] }, b: { issuer: "https://b.example", client_id: x, email_domains: Example.com } }';
    expect(warnings({ login: shared })).toEqual(['duplicate_email_domain login.b.email_domains.0']);
    expect(warnings(logins({ a: 'trust_email: true' }))).toEqual(['no_effect login.a.trust_email']);
    expect(warnings(logins({ a: 'claims: { gruops: x }' }))).toEqual(['no_effect login.a.claims.gruops']);
  });

  it('are reached by https, or on loopback', () => {
    const issuer = (url: string) => complaints({ login: `login: { a: { issuer: "${url}", client_id: x } }` });
    expect(issuer('https://user:word@id.example.com')).toEqual(['invalid_value login.a.issuer']);
    expect(issuer('http://id.example.com')).toEqual(['invalid_value login.a.issuer']);
    expect(issuer('http://localhost:9000/realm')).toEqual([]);
    expect(issuer('http://127.0.0.1.evil.example')).toEqual(['invalid_value login.a.issuer']);
    expect(issuer('https:id.example.com')).toEqual(['invalid_value login.a.issuer']);
  });
});

describe('access tokens of API clients', () => {
  const login = (...entries: string[]) => ({ login: `login: { ${entries.join(', ')} }` });
  const entry = (name: string, more: string) =>
    `${name}: { issuer: "https://id.example.com", client_id: ${name}-client, ${more} }`;

  it('are meant for an audience of their own', () => {
    expect(complaints(login(entry('a', 'bearer: { audience: [latchgate-api] }')))).toEqual([]);
    expect(complaints(login(entry('a', 'bearer: { audience: [latchgate-api, a-client] }')))).toEqual([
      'bearer_audience login.a.bearer.audience.1',
    ]);
    expect(complaints(login(entry('a', 'bearer: { audience: a-client }')))).toEqual([
      'bearer_audience login.a.bearer.audience.0',
    ]);
    expect(complaints(login(entry('a', 'bearer: { audience: [] }')))).toEqual([
      'invalid_value login.a.bearer.audience',
    ]);
    expect(complaints(login(entry('a', 'bearer: {}')))).toEqual(['missing_key login.a.bearer.audience']);
    expect(complaints(login(entry('a', 'bearer: { audience: [x], scope: [y] }')))).toEqual([
      'unknown_key login.a.bearer.scope',
    ]);
  });

  it('are of one login', () => {
    const api = 'bearer: { audience: [api] }';
    expect(complaints(login(entry('a', api), entry('b', 'bearer: { audience: [other] }')))).toEqual([]);
    expect(complaints(login(entry('a', api), entry('b', api)))).toEqual(['bearer_audience login.b.bearer.audience.0']);
    const elsewhere = 'b: { issuer: "https://other.example.com", client_id: b-client, bearer: { audience: [api] } }';
    expect(complaints(login(entry('a', api), elsewhere))).toEqual([]);
  });
});

describe('the server', () => {
  const publicUrl = (url: string) => complaints({ public_url: `public_url: "${url}"` });

  it('has a public address with https, or on loopback', () => {
    expect(publicUrl('http://localhost:4180')).toEqual([]);
    expect(publicUrl('http://127.0.0.1:4180')).toEqual([]);
    expect(publicUrl('http://[::1]:4180/')).toEqual([]);
    expect(publicUrl('http://bi.localhost:4180')).toEqual([]);
    expect(publicUrl('http://bi.localhost.example.com')).toEqual(['insecure_public_url public_url']);
    expect(publicUrl('http://bi.example.com')).toEqual(['insecure_public_url public_url']);
    expect(publicUrl('https://user:pass@bi.example.com')).toEqual(['invalid_value public_url']);
    expect(publicUrl('https://bi.example.com/bi')).toEqual(['invalid_value public_url']);
    expect(publicUrl('https://bi.example.com/?x')).toEqual(['invalid_value public_url']);
    expect(publicUrl('ftp://bi.example.com')).toEqual(['invalid_value public_url']);
    expect(publicUrl('bi.example.com')).toEqual(['invalid_value public_url']);
  });

  it('has two listeners', () => {
    const listen = (one: string, admin: string) =>
      complaints({ listen: `listen: "${one}"`, admin: `admin_listen: "${admin}"` });
    expect(listen('0.0.0.0:4180', '127.0.0.1:4180')).toEqual(['listen_conflict admin_listen']);
    expect(listen('127.0.0.1:0', '127.0.0.1:0')).toEqual([]);
    expect(listen('10.0.0.1:4180', '127.0.0.1:4180')).toEqual([]);
    expect(listen('localhost', '127.0.0.1:99999')).toEqual(['invalid_value listen', 'invalid_value admin_listen']);
  });

  it('is warned of an admin listener that anybody reaches', () => {
    const admin = (address: string) => warnings({ admin: `admin_listen: "${address}"` });
    const open = ['0.0.0.0:4181', ':4181', '[::]:4181', '203.0.113.7:4181', '8.8.8.8:0', '[2001:db8::1]:4181'];
    for (const address of open) expect([address, admin(address)]).toEqual([address, ['open_admin admin_listen']]);
    const kept = ['127.0.0.1:4181', '127.8.0.1:1', 'localhost:4181', '10.1.2.3:4181', '172.31.0.1:1', '192.168.0.1:1'];
    for (const address of [...kept, '[::1]:4181', '[fd12::1]:4181', '100.64.0.1:1', 'admin.internal:4181']) {
      expect([address, admin(address)]).toEqual([address, []]);
    }
  });

  it.each([
    'a'.repeat(40),
    'changeme-changeme-changeme-changeme',
    '<put a secret of 32 characters here>',
    '01234567890123456789012345678901',
  ])('has no secret that everybody could guess: %s', (secret) => {
    expect(complaints({ session: `session: { secrets: ["${secret}"] }` })).toEqual([
      'placeholder_secret session.secrets.0',
    ]);
  });

  it('has no placeholder for a password, and no short session secret', () => {
    const login = 'login: { a: { issuer: "https://id.example.com", client_id: x, client_secret: changeme } }';
    expect(complaints({ login })).toEqual(['placeholder_secret login.a.client_secret']);
    expect(complaints({ session: 'session: { secrets: [short] }' })).toEqual(['invalid_value session.secrets']);
    expect(complaints({ session: 'session: { secrets: [] }' })).toEqual(['invalid_value session.secrets']);
  });

  it('warns of times and addresses that are hardly meant', () => {
    expect(warnings({ session: `session: { secrets: ["${SECRET}"], idle: 2d }` })).toEqual(['no_effect session.idle']);
    const targets = `targets: { superset: { type: superset, url: "http://s" }, gd: { type: gooddata, url: "http://gd", token: "${SECRET}" } }`;
    expect(warnings({ targets })).toEqual(['cleartext_token targets.gd.url']);
    const hub = `targets: { superset: { type: superset, url: "http://s" }, hub: { type: scim, url: "http://hub", token: "${SECRET}" } }`;
    expect(warnings({ targets: hub })).toEqual(['cleartext_token targets.hub.url']);
  });

  it('leads no route to a service that has accounts and no pages, and gives it groups alone', () => {
    const hub = `{ type: scim, url: "https://hub.example.com", token: changeme }`;
    const targets = `targets: { superset: { type: superset, url: "http://s" }, hub: ${hub} }`;
    const rules = 'rules: { r: { when: { groups: a }, grant: { hub: { roles: [x] } } } }';
    expect(complaints({ targets, rules, routes: 'routes: [{ path: /, to: hub }]' })).toEqual([
      'unknown_entitlement_kind rules.r.grant.hub.roles',
      'placeholder_secret targets.hub.token',
      'target_without_pages routes.0.to',
    ]);
  });

  it('has forward-auth with a secret of its own, and a web server that is believed', () => {
    const asked = (secret: string, proxies = '[127.0.0.1]') => ({
      f: `forward_auth: { secrets: ["${secret}"] }`,
      p: `trusted_proxies: ${proxies}`,
    });
    expect([complaints(asked(SECRET)), warnings(asked(SECRET))]).toEqual([[], []]);
    expect(complaints(asked('short'))).toEqual(['invalid_value forward_auth.secrets']);
    expect(complaints(asked(`${SECRET}ü`))).toEqual(['invalid_value forward_auth.secrets']);
    expect(complaints(asked('a'.repeat(40)))).toEqual(['placeholder_secret forward_auth.secrets.0']);
    expect(complaints({ f: 'forward_auth: { secrets: [] }' })).toEqual(['invalid_value forward_auth.secrets']);
    expect(warnings(asked(SECRET, '[]'))).toEqual(['no_effect forward_auth']);
    expect(warnings({ ...asked(SECRET), m: 'mode: shadow' })).toEqual(['open_forward_auth forward_auth']);
    expect(warnings({ m: 'mode: shadow' })).toEqual([]);
  });

  it('takes addresses and networks as trusted proxies', () => {
    const proxies = (list: string) => complaints({ p: `trusted_proxies: [${list}]` });
    expect(proxies('10.0.0.0/8, 192.0.2.1, "::1", "2001:db8::/32"')).toEqual([]);
    for (const bad of ['10.0.0.0/33', 'localhost', '10.0.0.0/8/8', '10.0.0.0/', '"*"']) {
      expect(proxies(bad)).toEqual(['invalid_value trusted_proxies']);
    }
  });
});

describe('targets and routes', () => {
  it('sign in by header only with the password of the service account', () => {
    const target = (rest: string) =>
      complaints({ targets: `targets: { superset: { type: superset, url: "http://s", ${rest} } }` });
    expect(target('sign_in: header')).toEqual(['service_password_missing targets.superset.sign_in']);
    expect(target(`sign_in: header, service_password: "${SECRET}"`)).toEqual([]);
    expect(target('sign_in: assertion')).toEqual([]);
  });

  it('are each reached once', () => {
    const routes = (list: string) => complaints({ routes: `routes: [${list}]` });
    const route = (rest: string) => `{ to: superset, path: ${rest} }`;
    expect(routes([route('/a'), route('/a/')].join())).toEqual(['duplicate_route routes.1.path']);
    expect(routes([route('/a, methods: GET'), route('/a, methods: [HEAD, POST]')].join())).toEqual([
      'duplicate_route routes.1.path',
    ]);
    expect(routes([route('/a'), route('/a, methods: GET')].join())).toEqual(['duplicate_route routes.1.path']);
    expect(routes([route('/a, methods: GET'), route('/a')].join())).toEqual([]);
    expect(routes([route('/a, methods: GET'), route('/a, methods: POST'), route('/b')].join())).toEqual([]);
    expect(routes(route('/.latchgate/login'))).toEqual(['unreachable routes.0.path']);
    expect(routes(route('/, public: true, when: { groups: x }'))).toEqual(['no_effect routes.0.when']);
  });

  it.each(['a', '/a?b', '/a b', '/a//b', '/a/../b', '/a/.', '/%61', '/a;b', '/a\\\\b'])(
    'have no path that no request has: %s',
    (path) => {
      expect(complaints({ routes: `routes: [{ to: superset, path: "${path}" }]` })).toEqual([
        'invalid_value routes.0.path',
      ]);
    },
  );

  it('that nobody gets past are a warning', () => {
    expect(warnings({ rules: '' })).toEqual(['route_without_grant routes.0.to']);
    expect(warnings({ rules: '', default: 'default: { grant: { superset: {} } }' })).toEqual([]);
    expect(warnings({ rules: '', routes: 'routes: [{ path: /, to: superset, public: true }]' })).toEqual([]);
  });
});

describe('operators', () => {
  const admin_url = 'admin_url: "https://ops.example.com"';
  const operators = 'operators: { operator: { when: { groups: bi-admins } } }';

  it('need an address of their own, and a condition that names somebody', () => {
    expect(complaints({ operators, admin_url })).toEqual([]);
    expect(complaints({ operators })).toEqual(['missing_key operators']);
    expect(complaints({ operators, admin_url: 'admin_url: "http://ops.example.com"' })).toEqual([
      'insecure_public_url admin_url',
    ]);
    expect(complaints({ operators, admin_url: 'admin_url: "http://127.0.0.1:4181"' })).toEqual([]);
    expect(complaints({ operators: 'operators: {}', admin_url })).toEqual(['invalid_value operators']);
    for (const when of ['{}', '{ not: { groups: guests } }']) {
      const loose = `operators: { viewer: { when: ${when} } }`;
      expect(complaints({ operators: loose, admin_url })).toEqual(['invalid_value operators.viewer.when']);
    }
  });

  it('are not served where people are', () => {
    const public_url = 'public_url: "https://ops.example.com"';
    expect(complaints({ operators, admin_url, public_url })).toEqual(['listen_conflict admin_url']);
  });

  it('are named in the language of rules', () => {
    const of = (when: string) => complaints({ operators: `operators: { viewer: { when: ${when} } }`, admin_url });
    expect(of('{ nothing: x }')).toEqual(['unknown_attribute operators.viewer.when.nothing']);
    expect(of('{ origin: nowhere }')).toEqual(['unknown_origin operators.viewer.when.origin.0']);
    expect(of('{ groups: "~(" }')).toEqual(['pattern_invalid operators.viewer.when.groups.0']);
  });

  it('an address without them does nothing', () => {
    expect(warnings({ admin_url })).toEqual(['no_effect admin_url']);
  });
});
