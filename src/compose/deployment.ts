import { hkdfSync, randomUUID } from 'node:crypto';
import type { Config } from '../config/schema.ts';
import { hasReaders } from '../config/without-people.ts';
import { LatchgateError } from '../model/errors.ts';
import type { State } from './state.ts';

const DEPLOYMENT = 'deployment';
const SECRETS = 'session secrets';
const SWAP_ATTEMPTS = 20;
const FINGERPRINT_BYTES = 12;

/**
 * Makes sure that this gateway may serve beside whoever else does: with sessions that belong to this state database, and
 * with `session.secrets` that the others have too. Throws `session_store_foreign`, `session_secrets_differ`, and what
 * the stores throw when they do not answer.
 */
export async function joinDeployment(config: Config, state: State): Promise<void> {
  await claimSessions(config, state);
  if (hasReaders(config)) await compareSecrets(config.session.secrets, state);
}

/** Two instances on one Redis, each with a database of its own, would take each other's people for nobody. */
async function claimSessions({ session: { store } }: Config, { directory: { values }, log }: State): Promise<void> {
  if (store === 'embedded') return;
  const { claimRedis } = await import('../session/redis-deployment.ts');
  await values.swap(DEPLOYMENT, undefined, randomUUID());
  const own = (await values.get(DEPLOYMENT)) as string;
  if ((await claimRedis(store, own, log)) === own) return;
  throw new LatchgateError('session_store_foreign', 'the sessions in Redis belong to another state database');
}

/** What others cannot verify would be logins that fail at random: a fingerprint shows which secrets they have. */
async function compareSecrets(secrets: readonly string[], { directory: { values }, log }: State): Promise<void> {
  const own = secrets.map(fingerprint);
  for (let attempt = 0; attempt < SWAP_ATTEMPTS; attempt += 1) {
    const raw = await values.get(SECRETS);
    const theirs = raw === undefined ? own : (JSON.parse(raw) as string[]);
    if (!own.some((one) => theirs.includes(one))) {
      throw new LatchgateError(
        'session_secrets_differ',
        '`session.secrets` has none of the secrets that were used here before',
      );
    }
    if (raw === JSON.stringify(own) || (await values.swap(SECRETS, raw, JSON.stringify(own)))) {
      if (!theirs.includes(own[0] as string) || !own.includes(theirs[0] as string)) {
        log.warn(
          'session.secrets begins with another secret than before: logins can fail until every instance has both',
        );
      }
      return;
    }
  }
  throw new LatchgateError('internal', 'the secrets of other instances change all the time');
}

function fingerprint(secret: string): string {
  return Buffer.from(hkdfSync('sha256', secret, 'latchgate', 'fingerprint', FINGERPRINT_BYTES)).toString('base64url');
}
