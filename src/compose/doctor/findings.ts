/** Everything that the doctor can find, and what to do about it: docs/doctor.md has the same table. */
export const FINDINGS = {
  // The file
  config_warning: 'Run `latchgate check`: it shows the line.',
  admin_public: 'Listen on 127.0.0.1:4181, or keep the port away from every network but that of your monitoring.',
  cookie_domain_wide: 'Name the narrowest domain that holds all hosts, or leave `session.cookie_domain` out.',
  cleartext_token: 'Write https://: whoever listens on the way has the token.',
  public_url_not_https:
    'Write the https:// address that browsers see into `public_url`, and end TLS in front or with `tls`.',
  secret_file_open: 'Let only the user of the gateway read it: `chmod 600`, or `defaultMode: 0440` in Kubernetes.',
  secret_weak: 'Make a new one, `openssl rand -base64 48`, and rotate as in docs/operations.md.',
  secret_shared: 'Give each place a secret of its own: who learns one must not have the other.',
  trusted_proxies_wide:
    'Name the addresses of the proxies in front, and nothing else: whoever is in it says who asked.',
  certificate_expiring: 'Renew the certificate; the gateway reads the files again by itself.',
  public_certificate_expiring: 'Renew the certificate of whatever ends TLS in front of the gateway.',
  // State and sessions
  state_unreachable: 'See `state.database`: address, user and password, that the server runs and lets this machine in.',
  state_on_network_disk:
    'Move the SQLite file to a local disk, or use PostgreSQL: its locks do not hold over the network.',
  state_not_shared:
    'Use PostgreSQL and Redis for more than one instance: what one remembers in a file, the others do not know.',
  postgres_old: 'Use PostgreSQL 13 or later.',
  sessions_unreachable:
    'See `session.store`: address, user, password and TLS, that Redis runs and lets this machine in.',
  redis_old: 'Use Redis 6.2 or later, or Valkey.',
  redis_evicts: 'Set `maxmemory-policy noeviction`: anything else logs people out when memory runs short.',
  audit_broken: 'Somebody or something changed the records: compare with a copy that is kept elsewhere.',
  sync_trouble: 'See `latchgate syncs runs NAME` and the log of the run.',
  scim_token_missing: 'Make one: `latchgate scim token --client NAME`, and write it down at the provider.',
  scim_token_expiring: 'Make the next one before: `latchgate scim token --client NAME`. Both hold meanwhile.',
  // Identity providers
  provider_unreachable:
    'See `issuer`, DNS, the firewall and the proxy on the way: the gateway itself has to get there.',
  provider_issuer_differs: 'Write the issuer exactly as the provider writes it, with or without the slash at the end.',
  provider_metadata_invalid: 'The address of `issuer` leads to something else, or the provider lacks the code flow.',
  provider_alg_unusable: 'Have the provider sign ID tokens with RS256, ES256 or another asymmetric algorithm.',
  provider_keys_unusable:
    'See the signing keys of the client or realm at the provider: none of those shown can verify.',
  provider_scope_unknown: 'Ask for scopes that the provider has, or add the scope there.',
  provider_no_logout: 'Logout ends the session here alone: say so to people, or turn RP-initiated logout on there.',
  provider_no_backchannel:
    'Turn back-channel logout on at the provider, if it has it; else shorten `refresh`, which notices the end as well.',
  clock_skew: 'Set the clock by NTP (chrony, systemd-timesyncd): tokens are refused that seem to come from tomorrow.',
  client_refused:
    'Copy client_id and the secret (or register the key) anew from the page of the client at the provider.',
  redirect_uri_refused: 'Register this very address at the provider as redirect URI of the client.',
  claim_missing: 'Have the provider send the claim (a mapper, a scope, an action), or name the right one in `claims`.',
  // Targets
  target_unreachable: 'See `url`, DNS and the firewall: the gateway itself has to get there.',
  target_not_itself:
    'Something else answers at `url`, a proxy or a login page: write the address of the backend itself.',
  target_refuses: 'See the token or password of the target, and that the account it belongs to is active.',
  target_rights_missing: 'Give the service account what is named; the page of the target in docs/ lists all of it.',
  superset_assertion_refused:
    'Install integrations/superset in Superset, set LATCHGATE_JWKS, _ISSUER and _AUDIENCE, and make the service account.',
  entitlement_missing: 'Create it in the target, correct the name in the rule, or let it be made with `missing`.',
  gooddata_key_missing: 'Start the gateway with this config: it registers its keys. Else register them by hand.',
  backend_public: 'Let the gateway alone reach the backend: a private address, a firewall, a network policy.',
  backend_fooled: 'Let the gateway alone reach the backend, and have the backend take that header from nobody.',
  gateway_fooled:
    'Something between `listen` and the backend lets the header through: have people come by this gateway alone.',
  forward_auth_stranger:
    'Add the address of the web server to `trusted_proxies`, or close `/.latchgate/auth` to others.',
} as const satisfies Record<string, string>;

export type FindingCode = keyof typeof FINDINGS;

export interface Finding {
  readonly code: FindingCode;
  /** What it is about: `login.staff`, `targets.superset`, `session`. */
  readonly about: string;
  /** One sentence, free of secrets and of what people are called. */
  readonly seen: string;
  readonly fix: string;
}

/** What one part of the examination did. */
export interface Examined {
  readonly about: string;
  /** What was tried, in a few words. */
  readonly what: string;
  readonly findings: readonly Finding[];
  /** Present: it was not tried, and why. */
  readonly skipped?: string;
}

export function finding(code: FindingCode, about: string, seen: string, fix: string = FINDINGS[code]): Finding {
  return { code, about, seen, fix };
}
