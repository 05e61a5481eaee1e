import type { Finding } from './complaint.ts';
import type { Checked } from './declared.ts';
import type { Config } from './schema.ts';

/** Of a source, trust in what it denies adds to trust in what it does not say, and is nothing without it. */
export function checkTrust({ sources = {} }: Pick<Partial<Config>, 'sources'>): Checked {
  const warnings = Object.entries(sources).flatMap(([name, { trust_email: trusts, trust_unverified_email: also }]) =>
    also && !trusts ? [withoutTrust(['sources', name])] : [],
  );
  return { complaints: [], warnings };
}

function withoutTrust(path: readonly string[]): Finding {
  const message = `\`${path.join('.')}.trust_unverified_email\` does nothing: \`trust_email\` is off`;
  return { path: [...path, 'trust_unverified_email'], at: 'key', code: 'no_effect', message };
}
