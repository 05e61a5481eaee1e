import { parse } from 'smol-toml';
import { LatchgateError } from '../model/errors.ts';
import type { Literal, Option } from './literals.ts';
import { readYaml } from './yaml.ts';

/** Flags that may be repeated have their plural in the file. */
const PLURALS: Readonly<Record<string, string>> = {
  allowed_group: 'allowed_groups',
  allowed_role: 'allowed_roles',
  api_route: 'api_routes',
  cookie_domain: 'cookie_domains',
  email_domain: 'email_domains',
  entra_id_allowed_tenant: 'entra_id_allowed_tenants',
  extra_jwt_issuer: 'extra_jwt_issuers',
  github_user: 'github_users',
  gitlab_group: 'gitlab_groups',
  gitlab_project: 'gitlab_projects',
  google_group: 'google_groups',
  keycloak_group: 'keycloak_groups',
  oidc_audience_claim: 'oidc_audience_claims',
  oidc_extra_audience: 'oidc_extra_audiences',
  oidc_public_key_file: 'oidc_public_key_files',
  provider_ca_file: 'provider_ca_files',
  skip_auth_route: 'skip_auth_routes',
  trusted_ip: 'trusted_ips',
  trusted_proxy_ip: 'trusted_proxy_ips',
  upstream: 'upstreams',
  whitelist_domain: 'whitelist_domains',
};

const FLAG =
  /(?<![\w-])--?(?<name>[a-z][a-z0-9]*(?:[-_][a-z0-9]+)+|upstream|provider|scope|config)(?:(?:=|\s+(?!--?[a-z]))(?<value>"[^"]*"|'[^']*'|[^\s"'\\]+))?/g;
const VARIABLE = /^\s*(?:-\s+|export\s+|ENV\s+)?["']?OAUTH2_PROXY_(?<name>[A-Z0-9_]+)["']?\s*[=:]\s*(?<value>.*)$/;
const REFERENCE = /^\$\{?([A-Za-z_]\w*)\}?$/;

/** The options of oauth2-proxy, and whether they are of its alpha configuration. */
export interface ProxyOptions {
  readonly options: readonly Option[];
  readonly isAlpha: boolean;
}

/**
 * Reads oauth2-proxy's options from its file (TOML), its alpha configuration (YAML), or lines with flags or variables of
 * the environment (scripts, Compose and unit files). Names are those of the file, such as `email_domains`. Throws `usage`.
 */
export function readProxyOptions(text: string): ProxyOptions {
  if (/^(?:upstreamConfig|providers|injectRequestHeaders)\s*:/m.test(text)) {
    return { options: readYaml(text), isAlpha: true };
  }
  const lines = text.split('\n');
  const isOfFlags = lines.some((line) => /^\s*(?:-\s+)?["']?--[a-z]|oauth2[-_]proxy\s+--/.test(line));
  if (isOfFlags || lines.some((line) => VARIABLE.test(line))) {
    return { options: lines.flatMap((line, index) => optionsIn(line, index + 1)), isAlpha: false };
  }
  return { options: readToml(text, lines), isAlpha: false };
}

function readToml(text: string, lines: readonly string[]): readonly Option[] {
  let parsed: Readonly<Record<string, unknown>>;
  try {
    parsed = parse(text);
  } catch (cause) {
    throw new LatchgateError('usage', 'the file is neither a configuration of oauth2-proxy nor lines with its flags', {
      cause,
    });
  }
  return Object.entries(parsed).map(([name, value]) => {
    const line = lines.findIndex((one) => keyOf(one) === name) + 1;
    return { name: canonical(name), line, value: literalOf(value, line) };
  });
}

function keyOf(line: string): string | undefined {
  return /^\s*["']?([\w-]+)["']?\s*=/.exec(line)?.[1] ?? /^\s*\[([\w-]+)\]/.exec(line)?.[1];
}

function literalOf(value: unknown, line: number): Literal {
  if (typeof value === 'string') return textLiteral(value, line);
  if (typeof value === 'number' || typeof value === 'boolean') return { kind: 'scalar', value, line };
  if (Array.isArray(value)) return { kind: 'list', items: value.map((item) => literalOf(item, line)), line };
  if (typeof value !== 'object' || value === null || value instanceof Date) return { kind: 'code', line };
  return {
    kind: 'map',
    entries: Object.entries(value).map(([key, inner]) => ({ key, line, value: literalOf(inner, line) })),
    line,
  };
}

/** A value that is a variable of the environment as a whole stays one. */
function textLiteral(value: string, line: number): Literal {
  const name = REFERENCE.exec(value)?.[1];
  return name === undefined ? { kind: 'scalar', value, line } : { kind: 'env', name, line };
}

function optionsIn(line: string, number: number): readonly Option[] {
  if (/^\s*#/.test(line)) return [];
  const variable = VARIABLE.exec(line)?.groups;
  if (variable !== undefined) {
    const name = canonical((variable['name'] ?? '').toLowerCase());
    const value = unquoted((variable['value'] ?? '').replace(/\s+#.*$/, '').trim());
    return [
      { name, line: number, value: isList(name) ? listOf(value.split(','), number) : textLiteral(value, number) },
    ];
  }
  return [...line.matchAll(FLAG)].map(({ groups = {} }) => {
    const name = canonical(groups['name'] ?? '');
    const value = groups['value'];
    if (value === undefined) return { name, line: number, value: { kind: 'scalar', value: true, line: number } };
    const text = unquoted(value.replace(/["',]+$/, (end) => (/^["']/.test(value) ? end : '')));
    return { name, line: number, value: isList(name) ? listOf(text.split(','), number) : textLiteral(text, number) };
  });
}

function listOf(texts: readonly string[], line: number): Literal {
  return { kind: 'list', items: texts.map((text) => textLiteral(text.trim(), line)), line };
}

function isList(name: string): boolean {
  return Object.values(PLURALS).includes(name) || name === 'skip_auth_regex';
}

function unquoted(value: string): string {
  return /^(["']).*\1$/s.test(value) ? value.slice(1, -1) : value;
}

function canonical(name: string): string {
  const underscored = name.replaceAll('-', '_');
  return Object.hasOwn(PLURALS, underscored) ? (PLURALS[underscored] ?? underscored) : underscored;
}
