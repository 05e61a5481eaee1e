import { claimName, GrafanaLogin, words } from './grafana-login.ts';
import { ISSUER, isPrivileged, ROLES } from './grafana-rules.ts';
import { addressText, configText, escaped, exactly, plainFlag, quoted, secretReference } from './literals.ts';
import { readClaimPath, readRolePath } from './role-path.ts';
import { roleRules } from './role-rules.ts';

/** A section of OAuth: `auth.generic_oauth`, `auth.azuread` and the like. */
export class GrafanaOidc extends GrafanaLogin {
  entry(): Record<string, unknown> {
    const scopes = words(this.text('scopes'));
    const domains = words(this.text('allowed_domains'));
    this.carried('client_id', 'client_id');
    this.carried('client_secret', 'client_secret, as a reference: the secret itself was not copied');
    this.carried('scopes', 'scopes');
    const issuer = this.#issuer();
    const isOneTenant = this.#isTenantOf(issuer);
    if (isOneTenant) this.carried('allowed_organizations', 'issuer, which is of that tenant alone');
    this.close(
      ['allowed_groups', 'allowed_domains', 'role_attribute_path', 'groups_attribute_path', 'org_mapping'],
      isOneTenant ? LIMITS : [...LIMITS, 'allowed_organizations'],
    );
    for (const [option, attribute] of ATTRIBUTE_PATHS) this.#claimPath(option, attribute);
    this.#roles();
    const groupsAttribute = this.#groupsAttribute();
    this.#allowedGroups(groupsAttribute);
    this.#allowedDomains(domains);
    this.#verified();
    this.organisations(groupsAttribute);
    return {
      ...this.label(),
      issuer,
      client_id: configText(this.value('client_id')) ?? '${OIDC_CLIENT_ID:-latchgate}',
      client_secret: secretReference(this.value('client_secret'), this.login),
      ...(scopes.length === 0 ? {} : { scopes: [...new Set(['openid', ...scopes.map(escaped)])] }),
      ...(domains.length === 0 ? {} : { email_domains: [...new Set(domains.map((domain) => domain.toLowerCase()))] }),
      ...(Object.keys(this.claims).length === 0 ? {} : { claims: this.claims }),
      groups_absent: 'empty',
    };
  }

  #isTenantOf(issuer: string): boolean {
    const tenants = words(this.text('allowed_organizations'));
    return (
      tenants.length > 0 && tenants.every((tenant) => issuer === `https://login.microsoftonline.com/${tenant}/v2.0`)
    );
  }

  #issuer(): string {
    const address = addressText(this.value('auth_url')) ?? addressText(this.value('token_url')) ?? '';
    const issuer = ISSUERS.flatMap(([pattern, make]) => {
      const match = pattern.exec(address);
      return match === null ? [] : [make(match)];
    })[0];
    for (const option of ['auth_url', 'token_url', 'api_url'])
      this.carried(option, 'issuer: addresses are read from its discovery document');
    const known = issuer ?? { google: 'https://accounts.google.com', gitlab: 'https://gitlab.com' }[this.login];
    const todo =
      known === undefined
        ? 'the issuer of the provider, which the file does not say'
        : 'was made from the addresses of the provider; compare with its discovery document';
    this.all.migration.todo(`login.${this.login}.issuer: ${todo}.`);
    return known ?? ISSUER;
  }

  #claimPath(option: string, attribute: string): void {
    const text = this.text(option);
    const path = text === undefined ? undefined : readClaimPath(text);
    if (path === undefined) return;
    this.claims[attribute] = [claimName(path)];
    this.carried(option, `claims.${attribute}`);
  }

  #roles(): void {
    const isStrict = plainFlag(this.value('role_attribute_strict')) === true;
    this.carried('allow_assign_grafana_admin', 'a role GrafanaAdmin beside Admin, or Admin alone');
    this.carried('role_attribute_strict', isStrict ? '`default` denies' : '`default` gives the role of everybody else');
    const text = this.text('role_attribute_path');
    if (text === undefined) {
      if (this.login === 'azuread') this.#appRoles();
      this.all.fallback(undefined, isStrict);
      return;
    }
    const name = `auth.${this.login}.role_attribute_path`;
    const branches = readRolePath(text);
    if (branches === undefined || branches.some(({ role }) => role.includes('${'))) {
      this.all.migration.left(
        name,
        'an expression of another shape: write rules for it; until then nobody gets in by default',
      );
      this.all.fallback(undefined, true);
      return;
    }
    const last = branches.at(-1);
    const always = last?.anyOf.length === 0 ? last.role : undefined;
    // Where organisations are given too, a default would not count beside them.
    const isRule = always === undefined || this.text('org_mapping') !== undefined;
    const listed = isRule ? branches : branches.slice(0, -1);
    const made = roleRules(listed, (path, isList) => this.attribute(path, isList), isPrivileged);
    const names = made.rules.map(({ role, when }) => `rules.${this.all.grantRole(role, when, this.login)}`);
    // Whom the branches behind the last that can be said leave, nobody knows: then nothing is given by default.
    const fallback = made.isCut ? undefined : isRule ? made.fallback : always;
    this.all.fallback(fallback, made.isCut || (isStrict && always === undefined));
    const said = [...names, ...(fallback === undefined ? [] : ['default'])].join(', ');
    if (made.left.length > 0) this.all.migration.left(name, `in part (${said}); not: ${made.left.join('; ')}`);
    else this.all.migration.carried(name, said);
  }

  /** Values of app roles that have the names of Grafana's; the best counts. */
  #appRoles(): void {
    this.claims['groups'] = ['roles'];
    this.rolesByValue(ROLES.map((role) => [role, [role]] as const));
  }

  #groupsAttribute(): string {
    const text = this.text('groups_attribute_path');
    const path = text === undefined ? ['groups'] : readClaimPath(text);
    if (path === undefined) {
      this.close([], ['groups_attribute_path']);
      return 'groups';
    }
    if (text !== undefined) this.carried('groups_attribute_path', 'claims');
    const isAsked = ['allowed_groups', 'org_mapping', 'groups_attribute_path'].some(
      (option) => this.text(option) !== undefined,
    );
    return isAsked ? this.attribute(path, true) : 'groups';
  }

  #allowedGroups(attribute: string): void {
    const groups = words(this.text('allowed_groups'));
    if (groups.length === 0) return;
    const when = { origin: this.login, not: { [attribute]: groups.map(exactly) } };
    const rule = this.all.add(`${this.login}-other-groups`, {
      when,
      deny: 'You are in none of the groups that may come in here.',
    });
    this.carried('allowed_groups', `rules.${rule}`, true);
  }

  /** Grafana asks it of Google alone. */
  #verified(): void {
    if (this.login !== 'google') return;
    const when = { origin: this.login, not: { email_verified: 'true' } };
    this.all.add(`${this.login}-unverified-address`, { when, deny: 'Your e-mail address is not verified.' });
  }

  #allowedDomains(domains: readonly string[]): void {
    if (domains.length === 0) return;
    const patterns = domains.map((domain) => `~(?i).*@${quoted(domain)}`);
    const when = { origin: this.login, not: { email: patterns } };
    const rule = this.all.add(`${this.login}-other-addresses`, {
      when,
      deny: 'Your e-mail address is not one of those that may come in here.',
    });
    this.carried('allowed_domains', `rules.${rule}, and for linking accounts \`email_domains\` of the login`, true);
  }
}

/** Options that keep people out by what rules here do not look at. */
const LIMITS = ['hosted_domain', 'team_ids'];

const ATTRIBUTE_PATHS = [
  ['email_attribute_path', 'email'],
  ['login_attribute_path', 'preferred_username'],
  ['name_attribute_path', 'name'],
] as const;

const ISSUERS: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  [/^(https:\/\/.+\/realms\/[^/]+)\/protocol\/openid-connect/, ([, realm = '']) => realm],
  [
    /^https:\/\/login\.microsoftonline\.com\/([^/]+)\/oauth2/,
    ([, tenant = '']) => `https://login.microsoftonline.com/${tenant}/v2.0`,
  ],
  [/^https:\/\/accounts\.google\.com\//, () => 'https://accounts.google.com'],
  [/^(https:\/\/[^/]+\/oauth2\/(?!v\d)[^/]+)\/v1/, ([, server = '']) => server],
  [/^(https:\/\/[^/]+)\/oauth2\/v1/, ([, organisation = '']) => organisation],
  [/^(https:\/\/[^/]+\.auth0\.com)\/authorize/, ([, tenant = '']) => `${tenant}/`],
];
