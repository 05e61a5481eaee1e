import { createHmac, hkdfSync } from 'node:crypto';
import type { Config } from '../config/schema.ts';
import type { RecordClaims } from '../directory/directory.ts';
import { mappingConfigOf } from '../mapping/config.ts';
import { compileRecord } from '../mapping/recorded.ts';

/** What is kept of claims by `state.claims`; hashes are under a key that is derived from the first of `session.secrets`. */
export function composeRecord(config: Config): RecordClaims {
  const { keep, hash } = config.state.claims;
  const key = Buffer.from(hkdfSync('sha256', config.session.secrets[0] ?? '', 'latchgate', 'recorded claims', 32));
  return compileRecord({
    origins: mappingConfigOf(config).origins,
    keep,
    hash,
    digest: (text) => createHmac('sha256', key).update(text).digest('base64url'),
  });
}

/** Whether what was stored once is to be gone from the file too. */
export function isErased({ state: { claims } }: Config): boolean {
  return claims.keep !== 'all' || claims.hash.length > 0 || claims.retention !== undefined;
}
