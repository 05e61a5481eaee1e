/** Options that are about logins, and what to do about them where nothing corresponds. */
export const LEFT: Readonly<Record<string, string>> = {
  CUSTOM_SECURITY_MANAGER:
    'a class of your own: if it kept people out, write a rule with `deny`, for here it lets them in; if it reads groups or names, say under `claims` where they are; then replace it by ours (docs/superset.md)',
  AUTH_ROLE_ADMIN: 'if administrators have another role, name it in `safety.privileged`',
  AUTH_ROLE_PUBLIC:
    'nobody gets through without a login; what the public role may see needs a route with `public: true`',
  PUBLIC_ROLE_LIKE:
    'nobody gets through without a login; what the public role may see needs a route with `public: true`',
  AUTH_REMOTE_USER_ENV_VAR: 'for `sign_in: header`; the assertion of docs/superset.md takes its place',
  LOGOUT_REDIRECT_URL: 'people are led to the page for logging out of the gateway',
  SAML_PROVIDERS:
    'a login of `type: saml`, see docs/saml.md: metadata of the provider, and our own to be registered there',
  SAML_CONFIG: 'a login of `type: saml`, see docs/saml.md',
  OPENID_PROVIDERS: 'OpenID 2.0 is not OpenID Connect: ask the provider for an issuer',
};
/** The same for options that begin like this. */
export const LEFT_PREFIXES: readonly (readonly [string, string])[] = [
  [
    'AUTH_LDAP_',
    'passwords are not taken: put an identity provider in front of the directory (Keycloak, ADFS); groups that it sends as distinguished names: `groups.dn`, docs/groups.md',
  ],
  ['RECAPTCHA_', 'of the form to register oneself, which there is not'],
  ['AUTH_', 'nothing here corresponds to it'],
  ['class ', 'code, which was not run: see whether it decides who gets in or what roles they have'],
  ['from ', 'another file, which was not read: import it too when it has options about logins'],
];
