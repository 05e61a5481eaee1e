import { createHmac, hkdfSync } from 'node:crypto';
import type { Config } from '../config/schema.ts';
import type { RecordClaims, Recording } from '../directory/directory.ts';
import { compileAddress } from '../mapping/address.ts';
import { mappingConfigOf } from '../mapping/config.ts';
import { compileRecord } from '../mapping/recorded.ts';

/** How what origins say is written down: `state.claims`, and the addresses by which people are found. */
export function composeRecording(config: Config): Recording {
  return { claims: composeRecord(config), address: compileAddress(mappingConfigOf(config).origins) };
}

/** Of another config there may be other addresses: where each origin says them. */
export function addressesOf(config: Config): string {
  const { origins } = mappingConfigOf(config);
  return JSON.stringify(Object.entries(origins).map(([name, { claims }]) => [name, claims.email]));
}

/** What is kept of claims by `state.claims`; hashes are under a key that is derived from the first of `session.secrets`. */
function composeRecord(config: Config): RecordClaims {
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
