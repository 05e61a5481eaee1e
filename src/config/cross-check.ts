import { checkAuthority } from './check-authority.ts';
import { checkClaims } from './check-claims.ts';
import { checkDrift } from './check-drift.ts';
import { checkHosts } from './check-hosts.ts';
import { checkLogins } from './check-logins.ts';
import { checkOperators } from './check-operators.ts';
import { checkPrivileged } from './check-privileged.ts';
import { checkRoutes } from './check-routes.ts';
import { checkRules } from './check-rules.ts';
import { checkScim } from './check-scim.ts';
import { checkServers } from './check-servers.ts';
import { checkSources } from './check-sources.ts';
import { checkSyncs } from './check-syncs.ts';
import { checkTrust } from './check-trust.ts';
import { checkUserNames } from './check-user-names.ts';
import { checkWorkers } from './check-workers.ts';
import { checkWorkspaces } from './check-workspaces.ts';
import type { Check, Checked, Declared } from './declared.ts';
import type { Config } from './schema.ts';

const CHECKS: readonly Check[] = [
  checkServers,
  checkWorkers,
  checkHosts,
  checkLogins,
  checkClaims,
  checkSources,
  checkAuthority,
  checkScim,
  checkTrust,
  checkRules,
  checkWorkspaces,
  checkPrivileged,
  checkRoutes,
  checkOperators,
  checkUserNames,
  checkSyncs,
  checkDrift,
];

/**
 * Holds the parts of a configuration against each other. Pure. Looks at those parts that are sound in themselves, so
 * that people see these complaints beside those about single values.
 */
export function crossCheck(config: Partial<Config>, declared: Declared): Checked {
  const results = CHECKS.map((check) => check(config, declared));
  return {
    complaints: results.flatMap((result) => result.complaints),
    warnings: results.flatMap((result) => result.warnings),
  };
}
