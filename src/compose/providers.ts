import type { Config } from '../config/schema.ts';
import { createOidcProvider, type OidcProvider } from '../login/oidc.ts';
import { createGraphGroups } from '../login/overage/graph.ts';
import { createOverage, type Overage } from '../login/overage/overage.ts';
import type { SamlProvider } from '../login/saml/saml.ts';
import { LatchgateError } from '../model/errors.ts';
import { createHttpClient } from '../ops/http.ts';
import type { Metrics } from '../ops/metrics.ts';
import type { State } from './state.ts';

export type ConfiguredLogin = OidcProvider | SamlProvider;

/**
 * One client each, so that a slow provider cannot use up the places of another. Throws `provider_metadata_invalid`,
 * `config_invalid`.
 */
export async function composeProviders(
  config: Config,
  { clock, log, directory }: Pick<State, 'clock' | 'log' | 'directory'>,
  metrics: Metrics,
): Promise<ReadonlyMap<string, ConfiguredLogin>> {
  const isSaml = Object.values(config.login).some(({ type }) => type === 'saml');
  // Here, so that its libraries take memory only where they are used.
  const saml = isSaml ? await import('../login/saml/saml.ts') : undefined;
  const { once } = directory.leases;
  const providers = new Map(
    Object.entries(config.login).map(([name, login]): [string, ConfiguredLogin] => {
      const onRetry = () => metrics.httpRetry(name);
      const http = createHttpClient({ timeoutMs: login.timeout, maxBytes: 1_048_576, log, onRetry });
      const overage = overageOf(name, login, { clock, log }, onRetry);
      const common = { name, publicUrl: config.public_url, http, clock, log, ...(overage && { overage }) };
      if (login.type !== 'saml') return [name, createOidcProvider({ ...common, config: login })];
      if (saml === undefined) throw new TypeError('SAML is not loaded');
      return [name, saml.createSamlProvider({ ...common, config: login, once })];
    }),
  );
  refuseSharedIssuers(config, providers);
  return providers;
}

/** With connections of its own, so that Microsoft Graph takes none from logins. */
function overageOf(
  name: string,
  { overage: config, claims, timeout: timeoutMs }: Config['login'][string],
  { clock, log }: Pick<State, 'clock' | 'log'>,
  onRetry: () => void,
): Overage | undefined {
  if (config === undefined) return undefined;
  const http = createHttpClient({ timeoutMs, maxBytes: 1_048_576, log, onRetry });
  const directory = createGraphGroups({ login: name, config, http, clock });
  return createOverage({ login: name, claims: claims.groups, directory, log });
}

/** `check` compares what the file says; who the provider of metadata in XML is, is known only now. */
function refuseSharedIssuers({ login }: Config, providers: ReadonlyMap<string, ConfiguredLogin>): void {
  const bare = (issuer: string) => issuer.replace(/\/+$/, '');
  const saml = [...providers.values()].filter((one) => one.type === 'saml');
  const issuers = Object.values(login).flatMap((one) => (one.type === 'oidc' ? [bare(one.issuer)] : []));
  const taken = new Set(issuers);
  for (const { name, issuer } of saml) {
    if (taken.has(bare(issuer))) {
      throw new LatchgateError('config_invalid', `the provider of login.${name} has the name of another login’s`);
    }
    taken.add(bare(issuer));
  }
}
