import { type Literal, leavesOf, memberOf, type Option, plainText, plainTexts } from './literals.ts';
import type { Migration } from './migration.ts';

/** Where the alpha configuration has what the file calls by these names, below a provider. */
const ALPHA: Readonly<Record<string, readonly string[]>> = {
  provider: ['provider'],
  client_id: ['clientID'],
  client_secret: ['clientSecret'],
  client_secret_file: ['clientSecretFile'],
  scope: ['scope'],
  allowed_groups: ['allowedGroups'],
  allowed_roles: ['keycloakConfig', 'roles'],
  oidc_issuer_url: ['oidcConfig', 'issuerURL'],
  oidc_groups_claim: ['oidcConfig', 'groupsClaim'],
  oidc_email_claim: ['oidcConfig', 'emailClaim'],
  insecure_oidc_allow_unverified_email: ['oidcConfig', 'insecureAllowUnverifiedEmail'],
  azure_tenant: ['azureConfig', 'tenant'],
};

interface Found {
  /** As comments call it. */
  readonly name: string;
  readonly value: Literal;
}

/** The options of one file, by the names that the file of TOML has for them. */
export class ProxyFile {
  readonly migration: Migration;
  readonly options: readonly Option[];
  readonly isAlpha: boolean;

  constructor(migration: Migration, options: readonly Option[], isAlpha: boolean) {
    this.migration = migration;
    this.options = options;
    this.isAlpha = isAlpha;
  }

  /** The last of that name: flags may be repeated. */
  find(name: string): Found | undefined {
    const option = this.options.findLast((one) => one.name === name);
    if (option !== undefined) return { name, value: option.value };
    const path = ALPHA[name];
    const providers = this.options.find((one) => one.name === 'providers')?.value;
    if (!this.isAlpha || path === undefined || providers?.kind !== 'list') return undefined;
    const value = path.reduce<Literal | undefined>((inner, key) => memberOf(inner, key), providers.items[0]);
    return value === undefined ? undefined : { name: ['providers[0]', ...path].join('.'), value };
  }

  carried(name: string, text: string): void {
    this.migration.carried(this.find(name)?.name ?? name, text);
  }

  left(name: string, text: string): void {
    this.migration.left(this.find(name)?.name ?? name, text);
  }

  /** Names of options that are not empty, and that nobody has spoken for yet. */
  notCarried(): readonly string[] {
    const said = this.options.flatMap(leavesOf).filter(({ name, value }) => !isEmpty(name, value));
    const unspoken = new Set(this.migration.unspoken());
    return said.map(({ name }) => name).filter((name) => unspoken.has(name));
  }

  /** Whether a value of that name is not in the file itself. */
  isUnread(name: string): boolean {
    const values = this.options.filter((one) => one.name === name).map(({ value }) => value);
    return [...values, this.find(name)?.value].some((value) => value !== undefined && plainTexts(value) === undefined);
  }

  /** Of all options of that name. */
  texts(name: string): readonly string[] {
    const named = this.options.filter((one) => one.name === name).map(({ value }) => value);
    const values = named.length > 0 ? named : [this.find(name)?.value];
    return values
      .flatMap((value) => plainTexts(value)?.flatMap((text) => text.split(',')) ?? [])
      .map((text) => text.trim())
      .filter((text) => text !== '');
  }
}

/** As if it were not there: `user_id_claim` says `email` unless somebody wrote another. */
function isEmpty(name: string, value: Literal): boolean {
  if (/(?:^user_id_claim|\.userIDClaim)$/.test(name) && plainText(value) === 'email') return true;
  return plainText(value) === '' || (value.kind === 'list' && value.items.length === 0);
}
