import type { Finding } from './complaint.ts';
import type { Checked } from './declared.ts';
import type { Config } from './schema.ts';

/** Trust in what an origin denies adds to trust in what it does not say, and is nothing without it. */
export function checkTrust({ login = {}, sources = {}, scim }: Partial<Config>): Checked {
  const origins = [
    ...Object.entries(login).map(([name, one]) => [['login', name], one] as const),
    ...Object.entries(sources).map(([name, one]) => [['sources', name], one] as const),
    ...Object.entries(scim?.clients ?? {}).map(([name, one]) => [['scim', 'clients', name], one] as const),
  ];
  const warnings = origins.flatMap(([path, { trust_email: trusts, trust_unverified_email: evenUnverified }]) =>
    evenUnverified && !trusts ? [withoutTrust(path)] : [],
  );
  return { complaints: [], warnings };
}

function withoutTrust(path: readonly string[]): Finding {
  const message = `\`${path.join('.')}.trust_unverified_email\` does nothing: \`trust_email\` is off`;
  return { path: [...path, 'trust_unverified_email'], at: 'key', code: 'no_effect', message };
}
