import {
  addressText,
  configText,
  escaped,
  exactly,
  leavesOf,
  plainFlag,
  plainText,
  quoted,
  secretReference,
} from './literals.ts';
import { type Made, Migration, type Sections } from './migration.ts';
import { nameOf } from './names.ts';
import { ProxyFile } from './oauth2-proxy-file.ts';
import { mayLimit } from './oauth2-proxy-limits.ts';
import { readProxyOptions } from './oauth2-proxy-options.ts';
import { ProxyRoutes, TARGET } from './oauth2-proxy-routes.ts';
import { ASIDE, LEFT, LEFT_PREFIXES } from './oauth2-proxy-unmatched.ts';

/** Options of oauth2-proxy to a config of ours. `file`: its name for comments. Throws `usage`. */
export function importOauth2Proxy(text: string, file: string): Made {
  const { options, isAlpha } = readProxyOptions(text);
  const migration = new Migration('oauth2-proxy', file, options.flatMap(leavesOf));
  const sections = new ProxyImport(new ProxyFile(migration, options, isAlpha)).sections();
  for (const name of migration.unspoken()) speakFor(migration, name);
  return migration.finish(sections);
}

function speakFor(migration: Migration, name: string): void {
  const bare = name.replace(/[.[].*$/, '');
  const prefix = LEFT_PREFIXES.find(([start]) => name.startsWith(start));
  if (Object.hasOwn(ASIDE, bare)) migration.aside(name, ASIDE[bare] ?? '');
  else if (Object.hasOwn(LEFT, bare)) migration.left(name, LEFT[bare] ?? '');
  else if (prefix !== undefined) migration.left(name, prefix[1]);
}

class ProxyImport {
  readonly #file: ProxyFile;

  constructor(file: ProxyFile) {
    this.#file = file;
  }

  sections(): Sections {
    const [name, login] = this.#login();
    const proxied = new ProxyRoutes(this.#file);
    const routes = proxied.routes();
    const own = { public_url: this.#publicUrl(), ...this.#listen(), session: this.#session() };
    // The last of all: whatever nobody spoke for until then may have kept people out.
    const { rules, otherwise } = this.#rules(name, Object.keys(proxied.targets));
    const sections = {
      version: 1,
      ...own,
      login: { [name]: login },
      rules,
      ...otherwise,
      targets: proxied.targets,
      routes,
      safety: { privileged: [`${TARGET}:role:Admin`] },
    };
    this.#file.migration.todo(
      'rules: oauth2-proxy lets in and gives no roles; Gamma is Superset’s role for readers. Write what each group is to have.',
    );
    this.#file.migration.todo(
      'targets: taken for Superset. For GoodData write `type: gooddata`; other programs are no targets: docs/forward-auth.md.',
    );
    return sections;
  }

  #login(): [string, Record<string, unknown>] {
    const provider = plainText(this.#file.find('provider')?.value) ?? 'google';
    const name = nameOf(provider, 'sso');
    this.#file.carried(
      'provider',
      `login.${name}; its redirect address is \`/.latchgate/callback/${name}\`: register it at the provider`,
    );
    const issuer = this.#issuer(provider, name);
    const secret = this.#file.find('client_secret_file')?.value ?? undefined;
    const fromFile = plainText(secret);
    const scope = plainText(this.#file.find('scope')?.value);
    const groups = plainText(this.#file.find('oidc_groups_claim')?.value);
    const email = plainText(this.#file.find('oidc_email_claim')?.value);
    const domains = this.#file
      .texts('email_domains')
      .filter((domain) => domain !== '*')
      .map((domain) => domain.replace(/^\*?\./, ''));
    const isUnverified = this.#letsInUnverified() && domains.length > 0;
    this.#file.carried('client_id', `login.${name}.client_id`);
    this.#file.carried(
      'client_secret',
      `login.${name}.client_secret, as a reference: the secret itself was not copied`,
    );
    this.#file.carried('client_secret_file', `login.${name}.client_secret`);
    this.#file.carried('scope', `login.${name}.scopes`);
    this.#file.carried('oidc_groups_claim', `login.${name}.claims.groups`);
    this.#file.carried('oidc_email_claim', `login.${name}.claims.email`);
    this.#file.carried(
      'insecure_oidc_allow_unverified_email',
      isUnverified
        ? `login.${name}.trust_email, which leaves out addresses that the provider calls unverified: people with such get in, and accounts are not linked by them`
        : this.#letsInUnverified()
          ? 'people with such addresses get in, and accounts are not linked by them'
          : 'rules.unverified-address',
    );
    const refresh = duration(plainText(this.#file.find('cookie_refresh')?.value));
    if (refresh !== undefined) this.#file.carried('cookie_refresh', `login.${name}.refresh`);
    const claims = {
      ...(groups === undefined ? {} : { groups: [escaped(groups)] }),
      ...(email === undefined ? {} : { email: [escaped(email)] }),
    };
    return [
      name,
      {
        issuer,
        client_id: configText(this.#file.find('client_id')?.value) ?? '${OIDC_CLIENT_ID:-latchgate}',
        client_secret:
          fromFile === undefined
            ? secretReference(this.#file.find('client_secret')?.value, name)
            : `\${file:${fromFile}}`,
        ...(scope === undefined
          ? {}
          : { scopes: [...new Set(['openid', ...scope.split(/\s+/).filter((one) => one !== '')])] }),
        ...(domains.length === 0 ? {} : { email_domains: [...new Set(domains.map((domain) => domain.toLowerCase()))] }),
        ...(isUnverified ? { trust_email: true, trust_unverified_email: false } : {}),
        ...(Object.keys(claims).length === 0 ? {} : { claims }),
        groups_absent: 'empty',
        ...(refresh === undefined ? {} : { refresh }),
      },
    ];
  }

  #issuer(provider: string, name: string): string {
    const issuer = addressText(this.#file.find('oidc_issuer_url')?.value);
    this.#file.carried('oidc_issuer_url', `login.${name}.issuer`);
    if (issuer !== undefined) return issuer;
    const tenant = plainText(this.#file.find('azure_tenant')?.value);
    if (/^(?:azure|entra-id)$/.test(provider) && tenant !== undefined) {
      this.#file.carried('azure_tenant', `login.${name}.issuer`);
      return `https://login.microsoftonline.com/${escaped(tenant)}/v2.0`;
    }
    if (provider === 'google') return 'https://accounts.google.com';
    if (provider === 'gitlab') return 'https://gitlab.com';
    const isKnown = /oidc|azure|entra|adfs|login\.gov/.test(provider);
    this.#file.migration.todo(
      isKnown
        ? `login.${name}.issuer: the issuer of the provider, which the file does not say.`
        : `login.${name}.issuer: ${provider} does not speak OpenID Connect: put a broker such as Keycloak or Dex in front of it.`,
    );
    return '${OIDC_ISSUER:-https://id.example.com}';
  }

  #rules(login: string, targets: readonly string[]) {
    const groups = this.#file.texts('allowed_groups');
    const roles = this.#file.texts('allowed_roles').map((role) => `role:${role}`);
    const domains = this.#file.texts('email_domains');
    const patterns = domains.flatMap(domainPattern);
    const grant = { grant: Object.fromEntries(targets.map((target) => [target, { roles: ['Gamma'] }])) };
    const all = [...groups, ...roles];
    const isOpen = domains.includes('*');
    const rules: Record<string, unknown> = {};
    if (!isOpen && patterns.length > 0) {
      rules['other-addresses'] = {
        when: { not: { email: patterns } },
        deny: 'Your e-mail address is not one of those that may come in here.',
      };
    }
    for (const name of ['allowed_groups', 'allowed_roles', 'email_domains']) {
      if (this.#file.isUnread(name)) this.#file.left(name, 'not in the file itself: write rules for it');
    }
    this.#file.carried(
      'email_domains',
      isOpen
        ? 'every address may come in, as is so here without a rule'
        : 'rules.other-addresses, and for linking accounts `email_domains` of the login',
    );
    this.#file.carried('allowed_groups', 'rules.allowed; whoever is in none of them is denied by `default`');
    this.#file.carried(
      'allowed_roles',
      'rules.allowed, as groups `role:NAME`; have the provider send them so, or write their names without it',
    );
    this.#verified(login, rules);
    this.#close(login, rules, !isOpen && patterns.length === 0);
    rules['allowed'] = { ...(all.length === 0 ? {} : { when: { groups: all.map(exactly) } }), ...grant };
    if (roles.length > 0)
      this.#file.migration.todo(
        'rules.allowed: roles of Keycloak are known as `role:NAME` to oauth2-proxy alone: take the prefix off, and name their claim under `claims.groups`.',
      );
    const otherwise =
      all.length === 0 ? {} : { default: { deny: 'You are in none of the groups that may come in here.' } };
    return { rules, otherwise };
  }

  #letsInUnverified(): boolean {
    return plainFlag(this.#file.find('insecure_oidc_allow_unverified_email')?.value) === true;
  }

  /**
   * oauth2-proxy refuses an `email_verified: false` and takes the provider's silence for a yes, and asks nothing where the
   * address is another claim. Of Google it wants a yes, whatever the options say.
   */
  #verified(login: string, rules: Record<string, unknown>): void {
    const isGoogle = (plainText(this.#file.find('provider')?.value) ?? 'google') === 'google';
    const isOfEmail = (plainText(this.#file.find('oidc_email_claim')?.value) ?? 'email') === 'email';
    if (!isGoogle && (this.#letsInUnverified() || !isOfEmail)) return;
    const refused = isGoogle ? { not: { email_verified: 'true' } } : { email_verified: 'false' };
    rules['unverified-address'] = {
      when: { origin: login, ...refused },
      deny: 'Your e-mail address is not verified.',
    };
  }

  /** Who got in was limited by what rules do not say: then they let nobody in. */
  #close(login: string, rules: Record<string, unknown>, isWithoutDomains: boolean): void {
    const limits = [
      ...['allowed_groups', 'allowed_roles', 'email_domains'].filter((name) => this.#file.isUnread(name)),
      ...this.#file.notCarried().filter(mayLimit),
      ...(isWithoutDomains ? ['email_domains or authenticated_emails_file'] : []),
    ];
    if (limits.length === 0) return;
    rules['not-finished'] = { when: { origin: login }, deny: 'This login is not set up to its end.' };
    const names = [...new Set(limits)].join(', ');
    this.#file.migration.todo(
      `rules.not-finished: nobody gets in until rules say what ${names} did; then take it out.`,
    );
  }

  #publicUrl(): string {
    const redirect = plainText(this.#file.find('redirect_url')?.value);
    if (redirect !== undefined && URL.canParse(redirect)) {
      this.#file.carried('redirect_url', 'public_url; the path of it is ours now');
      return new URL(redirect).origin;
    }
    this.#file.migration.todo('public_url: the address that people will see.');
    return '${PUBLIC_URL:-https://bi.example.com}';
  }

  #listen(): Record<string, string> {
    const address = plainText(this.#file.find('http_address')?.value)?.replace(/^https?:\/\//, '');
    if (address === undefined || !/^[\w.:[\]-]*:\d+$/.test(address)) return {};
    this.#file.carried('http_address', 'listen');
    return { listen: address.startsWith(':') ? `0.0.0.0${address}` : address };
  }

  #session(): Record<string, unknown> {
    const session: Record<string, unknown> = { secrets: ['${file:/run/secrets/session}'] };
    this.#file.carried('cookie_secret', 'session.secrets, as a reference: make a new one, of at least 32 characters');
    this.#file.carried(
      'cookie_secret_file',
      'session.secrets, as a reference: make a new one, of at least 32 characters',
    );
    const absolute = duration(plainText(this.#file.find('cookie_expire')?.value));
    if (absolute !== undefined) {
      session['absolute'] = absolute;
      this.#file.carried('cookie_expire', 'session.absolute');
    }
    if (plainText(this.#file.find('session_store_type')?.value) === 'redis') {
      session['store'] = this.#redis();
      this.#file.carried('session_store_type', 'session.store');
      this.#file.migration.todo('state.database: several instances that share a Redis need a PostgreSQL too.');
    }
    return session;
  }

  #redis(): unknown {
    const address = this.#file.find('redis_connection_url')?.value;
    const text = plainText(address);
    const password = this.#file.find('redis_password')?.value;
    this.#file.carried('redis_password', 'session.store.password, as a reference: the password was not copied');
    const isPlain = text !== undefined && /^rediss?:\/\/[\w.-]+(?::\d+)?(?:\/\d+)?$/.test(text);
    if (isPlain) this.#file.carried('redis_connection_url', 'session.store');
    else
      this.#file.left(
        'redis_connection_url',
        'an address with a password or more hosts: write it as docs/config-reference.md has it; the password was not copied',
      );
    const url = isPlain ? text : '${REDIS_URL:-redis://redis:6379}';
    return password === undefined ? url : { url, password: secretReference(password, 'redis') };
  }
}

/** `*` is every address; a leading dot is a domain with all below it. Compared without regard to case. */
function domainPattern(domain: string): readonly string[] {
  if (domain === '*') return [];
  const bare = domain.replace(/^\*?\./, '');
  return [bare === domain ? `~(?i).*@${quoted(bare)}` : `~(?i).*[@.]${quoted(bare)}`];
}

/** Durations of Go, as far as they are whole seconds; the largest unit that fits. */
function duration(text: string | undefined): string | undefined {
  if (text === undefined || !/^(?:\d+h)?(?:\d+m)?(?:\d+s)?$/.test(text)) return undefined;
  const units = { h: 3_600, m: 60, s: 1 } as const;
  const seconds = [...text.matchAll(/(\d+)([hms])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * units[unit as 'h'],
    0,
  );
  if (seconds === 0) return undefined;
  const unit = (['h', 'm', 's'] as const).find((one) => seconds % units[one] === 0) ?? 's';
  return `${seconds / units[unit]}${unit}`;
}
