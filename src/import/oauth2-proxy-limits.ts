import { ASIDE, LEFT } from './oauth2-proxy-unmatched.ts';

/**
 * Whether an option of oauth2-proxy that was not carried may have kept people out: all but those that are known not to.
 * The names are those of its file (pkg/apis/options/legacy_options.go) and of its alpha configuration (providers.go).
 */
export function mayLimit(name: string): boolean {
  if (name.startsWith('providers[0].')) return !OF_PROVIDER.test(name.slice('providers[0].'.length));
  if (
    /^(?:providers\[\d|(?:upstreamConfig|inject(?:Request|Response)Headers|server|metricsServer)(?:[.[]|$))/.test(name)
  )
    return false;
  const bare = name.replace(/[.[].*$/, '');
  if (LIMITS.has(bare)) return true;
  return !(Object.hasOwn(ASIDE, bare) || Object.hasOwn(LEFT, bare) || OTHERS.test(bare));
}

/** Of those that somebody has to look at: who got in was said by them. */
const LIMITS: ReadonlySet<string> = new Set(['allowed_groups', 'google_groups', 'user_id_claim']);

/** About the session, the logs, its own address, or how it speaks with the provider, and not about who gets in. */
const OTHERS = new RegExp(
  `^(?:${[
    '(?:cookie|redis|session|logging|metrics|tls|upstream)_\\w+',
    '(?:standard|request|auth)_logging_format|errors_to_info_log|exclude_logging_paths?|show_debug_on_error',
    'force_https|relative_redirect_url|encode_state|allow_query_semicolons|disable_keep_alives|gcp_healthchecks',
    'ping_user_agent|signature_key|basic_auth_password|set_basic_auth|custom_sign_in_logo|use_system_trust_store',
    'skip_claims_from_profile_url|oidc_audience_claims|oidc_public_key_files|acr_values|jwt_key|jwt_key_file',
    'pubjwk_url|force_code_challenge_method|resource|validate_url|azure_graph_group_field|github_token',
    'entra_id_federated_token_auth|google_use_application_default_credentials|google_target_principal',
    'client_id|client_secret|scope|provider|oidc_issuer_url|oidc_groups_claim|oidc_email_claim',
    'skip_auth_routes|skip_auth_regex|insecure_oidc_allow_unverified_email',
  ].join('|')})$`,
);

/** The same below a provider of the alpha configuration. */
const OF_PROVIDER = new RegExp(
  `^(?:${[
    'id|name|caFiles|useSystemTrustStore|loginURL|redeemURL|profileURL|validateURL|resource|backendLogoutURL|scope',
    'provider|clientID|clientSecret|clientSecretFile|skipClaimsFromProfileURL|code_challenge_method|authRequestResponseMode',
    'oidcConfig\\.(?:insecureSkip\\w+|skipDiscovery|jwksURL|audienceClaims|extraAudiences|publicKeyFiles|issuerURL)',
    'azureConfig\\.(?:tenant|graphGroupField)|ADFSConfig\\.skipScope|microsoftEntraIDConfig\\.federatedTokenAuth',
    'googleConfig\\.(?:adminEmail|serviceAccountJson|useApplicationDefaultCredentials|targetPrincipal)|githubConfig\\.token',
  ].join('|')})$|^(?:loginURLParameters|loginGovConfig)\\b`,
);
