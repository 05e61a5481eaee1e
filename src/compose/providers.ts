import type { Config } from '../config/schema.ts';
import { createOidcProvider, type OidcProvider } from '../login/oidc.ts';
import type { SamlProvider } from '../login/saml/saml.ts';
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
  return new Map(
    Object.entries(config.login).map(([name, login]): [string, ConfiguredLogin] => {
      const onRetry = () => metrics.httpRetry(name);
      const http = createHttpClient({ timeoutMs: login.timeout, maxBytes: 1_048_576, log, onRetry });
      const common = { name, publicUrl: config.public_url, http, clock, log };
      if (login.type !== 'saml') return [name, createOidcProvider({ ...common, config: login })];
      if (saml === undefined) throw new TypeError('SAML is not loaded');
      return [name, saml.createSamlProvider({ ...common, config: login, once })];
    }),
  );
}
