import { LatchgateError } from '../model/errors.ts';

/** Every kind of complaint about a configuration, and what to do about it. The table in docs is made from this. */
export const COMPLAINTS = {
  // The file
  file_unreadable: 'The file is not there, or may not be read.',
  file_too_large: 'A configuration has at most 1 MiB.',
  file_not_text: 'The file is not UTF-8 text.',
  file_empty: 'The file has no keys.',
  yaml_syntax: 'The file is not YAML 1.2.',
  yaml_tab: 'YAML is indented with blanks; a tab stands where blanks must.',
  yaml_duplicate_key: 'A key stands twice in one map. One of the two would be lost.',
  yaml_alias: 'An alias has no anchor, names a block that it is part of, or makes the file too large.',
  yaml_tag: 'Tags (`!name`) have no meaning here.',
  yaml_key: 'A key is not a text, or is one that cannot be used.',
  // Variables and secret files
  env_missing: 'A variable of the environment is not set. Set it, or give a default: `${NAME:-default}`.',
  substitution_invalid:
    'Text between `${` and `}` that is neither a variable nor a secret file. `$${` writes a literal `${`.',
  secret_file_missing: 'A secret file is not there.',
  secret_file_unreadable: 'A secret file is there but cannot be read, is not text, or is longer than 64 KiB.',
  secret_file_empty: 'A secret file has nothing in it.',
  placeholder_secret: 'A secret is one that everybody could guess.',
  // Keys and values
  unknown_key: 'There is no such key. The nearest one is named.',
  missing_key: 'A key that is needed is not there.',
  empty_value: 'A key has no value. Leave it out to get its default.',
  wrong_type: 'A value of another type is needed.',
  not_an_option: 'The value is not one of the words that this key takes.',
  invalid_value: 'The value has the right type but cannot be used.',
  // Between keys
  unknown_target: 'No target of that name is configured.',
  unknown_origin: 'No login, source or SCIM client of that name is configured.',
  unknown_source: 'No source of that name is configured.',
  unknown_attribute: 'No login defines an attribute of that name.',
  hashed_claim_read:
    'A claim of which only a hash is to be stored is read by an attribute: nothing can be decided by a hash.',
  unknown_entitlement_kind: 'The target has no entitlements of that kind.',
  group_not_given: 'A group of `workspaces` that no rule gives to anybody.',
  pattern_invalid: 'Not a regular expression of the RE2 syntax.',
  unknown_capture: 'A grant names a capture that the rule does not make.',
  capture_ambiguous: 'A capture of a grant could be taken from more than one line of `when`.',
  unreachable: 'A group that a rule or rename asks for is never let in by `groups`.',
  privileged_needs_exact: 'A privileged entitlement is given by a rule whose `groups` line has exact names only.',
  privileged_not_listed:
    'A rule makes names out of claims, and one of them could be that of the target’s administrators.',
  duplicate_rule: 'Two rules fit the same people.',
  duplicate_sync: 'Two syncs have the same source and the same target.',
  shared_target: 'Two sources are synced to one target in which more is managed than what is recorded.',
  schedule_conflict: 'A sync has both `every` and `cron`.',
  duplicate_route: 'Two routes have the same path and fit the same requests.',
  bearer_audience: 'Access tokens would be taken for those of another client or login.',
  duplicate_login: 'Two logins are the same client of the same provider.',
  duplicate_issuer: 'A SAML login and another one have the same name of their provider, by which its people are known.',
  duplicate_token: 'Two SCIM clients have the same token, which alone says who a client is.',
  duplicate_origin: 'Two of a login, a source and a SCIM client have the same name.',
  duplicate_email_domain: 'Two logins claim the same e-mail domain.',
  certificate_unusable: 'A file of `tls` cannot be read, is not PEM, or its key is not that of the certificate.',
  certificate_missing: 'A host that is served is in no certificate: browsers refuse it.',
  certificate_ends: 'A certificate has run out, or will soon.',
  cookie_domain_missing: 'Several hosts need a cookie that all of them get.',
  cookie_domain_mismatch: 'A host is not in the domain of the session cookie.',
  cookie_domain_wide: 'More hosts get the session cookie than are served here.',
  public_host_without_route: 'The host of `public_url` serves nothing but the login.',
  state_not_shared: 'Several processes need a database that all of them can open.',
  listen_conflict: 'Two listeners would share an address.',
  insecure_public_url: 'Secure cookies need https; plain http is accepted on loopback only.',
  open_admin: 'Health, metrics and readiness are shown to anybody who reaches the port.',
  open_forward_auth: 'In shadow mode forward-auth lets everybody through.',
  cleartext_token: 'A token crosses the network unencrypted.',
  saml_unsigned: 'A SAML login would take what nobody has signed.',
  saml_loosened: 'A SAML login takes messages that are signed in part, or that nobody asked for.',
  user_name_of_first_door:
    'Several doors lead to one person, and the first of them decides on the user name of the account.',
  client_auth_conflict: 'A login has both a client secret and a private key.',
  service_password_missing: 'Superset with `sign_in: header` needs `service_password`.',
  target_without_pages: 'A route leads to a target that has accounts only.',
  route_without_grant: 'A route leads to a target in which nobody is given anything.',
  no_effect: 'A key is set that does nothing here.',
} as const satisfies Record<string, string>;

export type ComplaintCode = keyof typeof COMPLAINTS;

/** Keys and indices from the top of the file. */
export type Path = readonly (string | number)[];

/** What is wrong, before it is known where in the file the path stands. */
export interface Finding {
  readonly path: Path;
  /** Which of the two the position is of; `value` by default. */
  readonly at?: 'key' | 'value';
  readonly code: ComplaintCode;
  /** A sentence without a full stop. Never holds a value that came from the environment or a secret file. */
  readonly message: string;
  /** What to write instead. */
  readonly hint?: string;
}

/** What is wrong and where: line and column begin at 1; both are 0 when the file could not be read at all. */
export interface Complaint extends Finding {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** `file:line:column: code: sentence (hint)`. */
export function formatComplaint(complaint: Complaint): string {
  const place = complaint.line === 0 ? complaint.file : `${complaint.file}:${complaint.line}:${complaint.column}`;
  const hint = complaint.hint === undefined ? '' : ` (${complaint.hint})`;
  return `${place}: ${complaint.code}: ${complaint.message}${hint}`;
}

/** By place, then by code: the order in which people read the file. Repeats are dropped. */
export function sortComplaints(complaints: readonly Complaint[]): Complaint[] {
  const seen = new Set<string>();
  return complaints
    .filter((complaint) => {
      const line = formatComplaint(complaint);
      return seen.has(line) ? false : seen.add(line);
    })
    .sort((a, b) => a.line - b.line || a.column - b.column || (a.code < b.code ? -1 : a.code > b.code ? 1 : 0));
}

/** As people write it: `rules.admins.grant`, `routes[1].path`, `login.staff.claims."a.b"`. */
export function showPath(path: Path): string {
  let shown = '';
  for (const step of path) {
    if (typeof step === 'number') shown += `[${step}]`;
    else shown += `${shown === '' ? '' : '.'}${/^[\w@*-]+$/.test(step) ? step : JSON.stringify(step)}`;
  }
  return shown === '' ? 'the file' : `\`${shown}\``;
}

/** The configuration cannot be used: `complaints` are sorted by place, and there is at least one. Exit code 2. */
export class ConfigError extends LatchgateError {
  readonly complaints: readonly Complaint[];

  constructor(complaints: readonly Complaint[], code: 'config_invalid' | 'config_unreadable' = 'config_invalid') {
    super(code, complaints.map(formatComplaint).join('\n'));
    this.complaints = complaints;
  }
}
