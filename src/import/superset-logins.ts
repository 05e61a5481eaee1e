import { addressText, configText, type Literal, memberOf, plainFlag, plainText, secretReference } from './literals.ts';
import type { Migration } from './migration.ts';
import { nameOf } from './names.ts';
import type { PythonOptions } from './python-options.ts';

/** Where Flask-AppBuilder finds `role_keys`, by the name of the provider. */
const ROLE_KEYS: Readonly<Record<string, string>> = {
  azure: 'roles',
  okta: 'groups',
  auth0: 'groups',
  keycloak: 'groups',
  keycloak_before_17: 'groups',
  authentik: 'groups',
  openshift: 'groups',
};

/** Entries of `login`, of OAUTH_PROVIDERS or to be filled in. */
export function supersetLogins(migration: Migration, options: PythonOptions): Record<string, Record<string, unknown>> {
  const named = typeOf(options);
  const providers = options.written('OAUTH_PROVIDERS');
  if (named === 'AUTH_OAUTH' && providers?.kind === 'list' && providers.items.length > 0) {
    migration.carried('AUTH_TYPE', '`login`; in superset_config.py the lines of docs/superset.md take its place');
    return Object.fromEntries(providers.items.map((provider, index) => loginOf(migration, provider, index)));
  }
  migration.left(
    'AUTH_TYPE',
    `${named ?? 'made by code'}: a provider of OpenID Connect or SAML takes its place; \`login.sso\` has to be filled in`,
  );
  migration.left('OAUTH_PROVIDERS', 'made by code: write `login` by hand');
  migration.todo('login.sso: issuer, client id and secret of your identity provider.');
  return { sso: placeholder('sso') };
}

/** `AUTH_OAUTH` and the like; undefined: by code. */
function typeOf(options: PythonOptions): string | undefined {
  const type = options.find('AUTH_TYPE');
  if (type === undefined) return 'AUTH_DB';
  return type.kind === 'scalar' ? (TYPES[String(type.value)] ?? String(type.value)) : undefined;
}

type Closed = Record<string, { readonly when: { readonly origin: string }; readonly deny: string }>;

/** Rules that let nobody in by a login of which the file does not say, or rules do not, who got in. */
export function closedLogins(migration: Migration, options: PythonOptions): Closed {
  const closed: Closed = {};
  const close = (login: string, limit: string, line: number): void => {
    const rule = `${login}-not-finished`;
    if (Object.hasOwn(closed, rule)) return;
    migration.todo(`rules.${rule}: nobody gets in until rules say whom ${limit}; then take it out.`, line);
    closed[rule] = { when: { origin: login }, deny: 'This login is not set up to its end.' };
  };
  const named = typeOf(options);
  const providers = options.written('OAUTH_PROVIDERS');
  if (named !== 'AUTH_OAUTH' || providers?.kind !== 'list' || providers.items.length === 0) {
    const limits = limitsOf(named, options);
    if (limits.length > 0) close('sso', `${limits.join(', ')} let in`, options.written('AUTH_TYPE')?.line ?? 0);
    return closed;
  }
  for (const [index, provider] of providers.items.entries()) {
    const login = loginName(provider, index);
    const whitelist = memberOf(provider, 'whitelist');
    if (whitelist !== undefined && !(whitelist.kind === 'list' && whitelist.items.length === 0)) {
      close(login, 'whitelist let in (a pattern found anywhere in the address)', whitelist.line);
    } else if (provider.kind !== 'map' || provider.entries.some(({ key }) => key === '(computed)')) {
      close(login, 'this provider, made by code, let in', provider.line);
    } else if (options.isChanged('OAUTH_PROVIDERS'))
      close(login, 'OAUTH_PROVIDERS, changed by code, let in', provider.line);
  }
  return closed;
}

/** What may have kept people out of a Superset whose login has to be filled in. */
function limitsOf(type: string | undefined, options: PythonOptions): readonly string[] {
  const isSet = (name: string): boolean => {
    const value = options.find(name);
    return value !== undefined && !(value.kind === 'scalar' && !value.value);
  };
  if (type === undefined) return ['AUTH_TYPE, made by code,'];
  if (type === 'AUTH_OAUTH') return isSet('OAUTH_PROVIDERS') ? ['OAUTH_PROVIDERS, made by code,'] : [];
  if (type === 'AUTH_REMOTE_USER') return ['the server that logged people in'];
  if (type !== 'AUTH_LDAP' || plainFlag(options.find('AUTH_USER_REGISTRATION') ?? NOT) === false) return [];
  return ['AUTH_LDAP_SEARCH_FILTER', 'AUTH_LDAP_SEARCH'].filter(isSet);
}

const NOT: Literal = { kind: 'scalar', value: false, line: 0 };

function loginName(provider: Literal, index: number): string {
  return nameOf(plainText(memberOf(provider, 'name')) ?? `provider-${index + 1}`, `provider-${index + 1}`);
}

function loginOf(migration: Migration, provider: Literal, index: number): [string, Record<string, unknown>] {
  const base = `OAUTH_PROVIDERS[${index}]`;
  const original = plainText(memberOf(provider, 'name')) ?? `provider-${index + 1}`;
  const name = loginName(provider, index);
  const app = memberOf(provider, 'remote_app') ?? provider;
  const at = memberOf(provider, 'remote_app') === undefined ? base : `${base}.remote_app`;
  const issuer = issuerOf(original, app);
  const line = provider.line;
  if (issuer === undefined) {
    migration.todo(`login.${name}.issuer: the issuer of the provider; it could not be told from its addresses.`, line);
  } else if (/\/(?:common|organizations|consumers)\/v2\.0$/.test(issuer)) {
    migration.todo(
      `login.${name}.issuer: put your tenant's id in place of ${issuer.split('/').at(-2)}, which is no issuer.`,
      line,
    );
  } else
    migration.todo(
      `login.${name}.issuer: was made from the addresses of the provider; compare with its discovery document.`,
      line,
    );
  const clientId = configText(memberOf(app, 'client_id'));
  const scope = plainText(memberOf(memberOf(app, 'client_kwargs'), 'scope'));
  const groups = ROLE_KEYS[original];
  if (groups === undefined) {
    migration.todo(
      `login.${name}.claims.groups: where the provider has the groups; Superset took them from role_keys of your own code, or had none.`,
      line,
    );
  }
  migration.carried(
    `${base}.name`,
    `login.${name}; rules and redirect address have it: register \`/.latchgate/callback/${name}\` at the provider`,
  );
  migration.carried(`${at}.client_id`, `login.${name}.client_id`);
  migration.carried(
    `${at}.client_secret`,
    `login.${name}.client_secret, as a reference: the secret itself was not copied`,
  );
  migration.carried(`${at}.client_kwargs.scope`, `login.${name}.scopes`);
  for (const part of ['server_metadata_url', 'api_base_url', 'access_token_url', 'authorize_url', 'jwks_uri']) {
    migration.carried(`${at}.${part}`, `login.${name}.issuer: addresses are read from its discovery document`);
  }
  migration.left(`${base}.whitelist`, 'limits who gets in: see the rule that closes this login');
  if (provider.kind !== 'map') migration.left(base, 'made by code: fill `login` in by hand');
  for (const part of NOT_NEEDED) migration.aside(`${base}.${part}`, 'not needed: discovery and OpenID Connect say it');
  if (at !== base) migration.aside(at, 'not needed: discovery and OpenID Connect say it');
  return [
    name,
    {
      issuer: issuer ?? placeholder(name)['issuer'],
      client_id: clientId ?? placeholder(name)['client_id'],
      client_secret: secretReference(memberOf(app, 'client_secret'), name),
      ...(scope === undefined
        ? {}
        : { scopes: [...new Set(['openid', ...scope.split(/[\s,]+/).filter((one) => one !== '')])] }),
      ...(groups === undefined || groups === 'groups' ? {} : { claims: { groups } }),
      groups_absent: 'empty',
    },
  ];
}

const NOT_NEEDED = ['icon', 'token_key'];

/** Numbers of the constants of flask_appbuilder.const. */
const TYPES: Readonly<Record<string, string>> = {
  0: 'AUTH_OID',
  1: 'AUTH_DB',
  2: 'AUTH_LDAP',
  3: 'AUTH_REMOTE_USER',
  4: 'AUTH_OAUTH',
  5: 'AUTH_SAML',
};

function placeholder(name: string): Record<string, string> {
  return {
    issuer: '${OIDC_ISSUER:-https://id.example.com}',
    client_id: '${OIDC_CLIENT_ID:-latchgate}',
    client_secret: `\${file:/run/secrets/${name}}`,
  };
}

/** By what the addresses of the provider have in common with its issuer. */
function issuerOf(provider: string, app: Literal): string | undefined {
  const metadata = addressText(memberOf(app, 'server_metadata_url'));
  if (metadata?.endsWith('/.well-known/openid-configuration'))
    return metadata.slice(0, -'/.well-known/openid-configuration'.length);
  const addresses = ['api_base_url', 'access_token_url', 'authorize_url'].flatMap(
    (name) => addressText(memberOf(app, name)) ?? [],
  );
  for (const address of addresses) {
    const issuer = ISSUERS.flatMap(([pattern, make]) => {
      const match = pattern.exec(address);
      return match === null ? [] : [make(match)];
    })[0];
    if (issuer !== undefined) return issuer;
  }
  return provider === 'google' ? 'https://accounts.google.com' : undefined;
}

const ISSUERS: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  [/^(https:\/\/.+\/realms\/[^/]+)\/protocol\/openid-connect/, ([, realm = '']) => realm],
  [
    /^https:\/\/login\.microsoftonline\.com\/([^/]+)\/oauth2/,
    ([, tenant = '']) => `https://login.microsoftonline.com/${tenant}/v2.0`,
  ],
  [
    /^https:\/\/(?:accounts\.google\.com|www\.googleapis\.com|oauth2\.googleapis\.com)\//,
    () => 'https://accounts.google.com',
  ],
  [/^(https:\/\/[^/]+\/oauth2\/(?!v\d)[^/]+)\/v1/, ([, server = '']) => server],
  [/^(https:\/\/[^/]+)\/oauth2\/v1/, ([, organisation = '']) => organisation],
  [/^(https:\/\/[^/]+\.auth0\.com)(?:\/|$)/, ([, tenant = '']) => `${tenant}/`],
];
