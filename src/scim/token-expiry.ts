import type { Clock } from '../ops/clock.ts';
import type { ScimClient } from './client.ts';
import type { StoredToken, Tokens } from './store/tokens.ts';

/** How the tokens of a client stand: for readiness. */
export interface TokenStanding {
  readonly ok: boolean;
  /** `scim_token_expiring`, `scim_token_missing`. */
  readonly code?: string;
  /** A sentence with the time that is left. */
  readonly reason: string;
}

const DAY_MS = 86_400_000;
const WARN_MS = 30 * DAY_MS;

/** Whether somebody has to make a new token soon. One that stands in the config does not run out. */
export async function tokenStanding(
  { name, config }: ScimClient,
  tokens: Tokens,
  clock: Clock,
): Promise<TokenStanding> {
  if (config.tokens.length > 0) return { ok: true, reason: 'a token of the config' };
  const now = clock.now();
  const live = (await tokens.list(name)).map(endOf).filter((end) => end > now);
  if (live.length === 0) {
    return { ok: false, code: 'scim_token_missing', reason: `no token: latchgate scim token --client ${name}` };
  }
  const last = Math.max(...live);
  if (last === Number.POSITIVE_INFINITY) return { ok: true, reason: 'a token that does not run out' };
  const days = Math.floor((last - now) / DAY_MS);
  const reason = `the last token runs out in ${days === 1 ? 'a day' : `${days} days`}`;
  return last - now < WARN_MS ? { ok: false, code: 'scim_token_expiring', reason } : { ok: true, reason };
}

function endOf({ expiresAt }: StoredToken): number {
  return expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
}
