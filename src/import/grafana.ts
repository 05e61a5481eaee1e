import { readGrafana } from './grafana-file.ts';
import { GrafanaOidc } from './grafana-oidc.ts';
import { GrafanaRules, ISSUER, isPrivileged, ROLES, TARGET } from './grafana-rules.ts';
import { GrafanaSaml } from './grafana-saml.ts';
import { ASIDE, LEFT } from './grafana-unmatched.ts';
import { type Literal, leavesOf, type Option, plainFlag, plainText } from './literals.ts';
import { type Made, Migration, type Sections } from './migration.ts';

const STAYS = 'not about who logs in: it stays in Grafana';
/** Sections that are about logins. */
const ABOUT_LOGINS = /^auth(?:\.|$)|^users\.(?:allow_sign_up|auto_assign)/;
const OIDC = ['generic_oauth', 'azuread', 'okta', 'google', 'gitlab', 'grafana_com', 'github'] as const;

/**
 * `grafana.ini`, variables `GF_…`, or values of the Helm chart to a config of ours. `file`: its name for comments. Throws
 * `usage` when it is none of these.
 */
export function importGrafana(text: string, file: string): Made {
  const options = readGrafana(text);
  const migration = new Migration('grafana', file, options.flatMap(leavesOf).sort(byLine));
  const sections = new GrafanaImport(migration, options).sections();
  for (const name of migration.unspoken()) speakFor(migration, name);
  return migration.finish(sections);
}

function byLine(one: Option, other: Option): number {
  return one.line - other.line;
}

function speakFor(migration: Migration, name: string): void {
  const key = name.slice(name.lastIndexOf('.') + 1);
  if (!ABOUT_LOGINS.test(name)) migration.aside(name, STAYS);
  else if (/^auth\.[a-z_]+\./.test(name) && Object.hasOwn(ASIDE, key)) migration.aside(name, ASIDE[key] ?? '');
  else if (/^auth\.[a-z_]+\./.test(name) && Object.hasOwn(LEFT, key)) migration.left(name, LEFT[key] ?? '');
  else migration.left(name, 'nothing here corresponds to it');
}

class GrafanaImport {
  readonly #migration: Migration;
  readonly #options: readonly Option[];
  readonly #all: GrafanaRules;

  constructor(migration: Migration, options: readonly Option[]) {
    this.#migration = migration;
    this.#options = options;
    this.#all = new GrafanaRules(migration, options);
  }

  sections(): Sections {
    const migration = this.#migration;
    const login: Record<string, unknown> = {};
    const isOn = (section: string): boolean =>
      plainFlag(this.#find(`auth.${section}.enabled`)) ?? this.#has(`auth.${section}.client_id`);
    for (const section of OIDC.filter(isOn)) {
      migration.carried(`auth.${section}.enabled`, `login.${section}`);
      login[section] = new GrafanaOidc(this.#all, section).entry();
    }
    if (plainFlag(this.#find('auth.saml.enabled')) === true) {
      migration.carried('auth.saml.enabled', 'login.saml');
      login['saml'] = new GrafanaSaml(this.#all, 'saml').entry();
    }
    for (const section of [...OIDC, 'saml'])
      if (login[section] === undefined) migration.aside(`auth.${section}`, 'switched off');
    if (Object.keys(login).length === 0) {
      login['sso'] = {
        issuer: ISSUER,
        client_id: '${OIDC_CLIENT_ID:-latchgate}',
        client_secret: '${file:/run/secrets/sso}',
      };
      const others = ['ldap', 'jwt', 'proxy'].filter((section) => this.#find(`auth.${section}.enabled`) !== undefined);
      const deny = 'This login is not set up to its end.';
      const rule = this.#all.add('sso-not-finished', { when: { origin: 'sso*' }, deny });
      migration.todo(
        'login.sso: issuer, client id and secret of your identity provider; the file switches no login on that can be one.',
      );
      migration.todo(
        `rules.${rule}: nobody gets in until rules say whom ${['Grafana', ...others.map((one) => `auth.${one}`)].join(', ')} let in; then take it out.`,
      );
    }
    migration.todo(
      'targets, and roles in rules: taken for Superset, with the names of Grafana’s roles. Write those of your backend.',
    );
    return {
      version: 1,
      public_url: this.#publicUrl(),
      session: { secrets: ['${file:/run/secrets/session}'] },
      login,
      rules: this.#all.rules,
      default: this.#all.default(),
      targets: {
        [TARGET]: {
          type: 'superset',
          url: '${SUPERSET_URL:-http://superset:8088}',
          ...this.#missing(Object.keys(login)),
        },
      },
      routes: [{ path: '/', to: TARGET }],
      safety: {
        privileged: ROLES.filter(isPrivileged).map((role) => `${TARGET}:role:${role}`),
        never_touch: ['admin'],
      },
    };
  }

  #has(name: string): boolean {
    return this.#options.some((option) => option.name === name);
  }

  #find(name: string): Literal | undefined {
    return this.#all.find(name);
  }

  #missing(logins: readonly string[]): object {
    const names = ['users.allow_sign_up', ...logins.map((login) => `auth.${login}.allow_sign_up`)];
    const isClosed =
      logins.length > 0 && logins.every((login) => plainFlag(this.#find(`auth.${login}.allow_sign_up`)) === false);
    for (const name of names) {
      const note = isClosed ? 'targets.superset.missing.users: refuse' : 'accounts are made, for all logins alike';
      this.#migration.carried(
        name,
        name.startsWith('users.') ? 'of a form to register oneself, which there is not' : note,
      );
    }
    return isClosed ? { missing: { users: 'refuse' } } : {};
  }

  #publicUrl(): string {
    const address = plainText(this.#find('server.root_url'));
    if (address !== undefined && URL.canParse(address) && /^https?:/.test(address)) {
      this.#migration.carried('server.root_url', 'public_url, without its path');
      return new URL(address).origin;
    }
    this.#migration.todo('public_url: the address that people will see.');
    return '${PUBLIC_URL:-https://bi.example.com}';
  }
}
