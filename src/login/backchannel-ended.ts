import { createHash } from 'node:crypto';
import type { Leases, Logouts } from '../directory/directory.ts';
import { LatchgateError } from '../model/errors.ts';
import type { SubjectKey } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import { providerSessionHash, subjectHash } from '../session/seal.ts';
import type { SessionStore } from '../session/store.ts';
import type { ProviderLogout } from './provider.ts';
import { LOGIN_LIMIT_MS } from './state.ts';

const PURPOSE = 'logout token';

export interface EndedLoginsOptions {
  readonly sessions: Pick<SessionStore, 'destroyFor'>;
  readonly leases: Pick<Leases, 'once' | 'seen'>;
  readonly logouts: Logouts;
  readonly clock: Clock;
}

/** A login as the provider knows it. */
export interface ProviderLogin extends SubjectKey {
  readonly providerSession?: string | undefined;
  /** When its ID token was issued, in milliseconds since the epoch. */
  readonly issuedAt?: number | undefined;
}

/**
 * What providers said is over. It is remembered before sessions are ended, and looked for after a session was stored: a
 * session that is stored at that very moment is found by one of the two.
 */
export class EndedLogins {
  readonly #options: EndedLoginsOptions;

  constructor(options: EndedLoginsOptions) {
    this.#options = options;
  }

  /**
   * Ends the sessions that are meant, on every instance, and says how many: those of the provider's session where one is
   * named, else all of the subject (OpenID Connect Back-Channel Logout 1.0 §2.7). Counts as used when it is done, so that
   * one that failed may come again. Throws `token_invalid` for one that was used before.
   */
  async end(logout: ProviderLogout): Promise<number> {
    const { sessions, leases, logouts, clock } = this.#options;
    const key = createHash('sha256')
      .update(JSON.stringify([logout.issuer, logout.id]))
      .digest('base64url');
    if (await leases.seen(PURPOSE, key)) throw usedBefore();
    const { issuer, subject = '', providerSession } = logout;
    const isSession = providerSession !== undefined;
    const remembered = isSession ? providerSessionHash(issuer, providerSession) : subjectHash(issuer, subject);
    await logouts.save(remembered, logout.at, new Date(clock.now() + LOGIN_LIMIT_MS));
    const ended = await sessions.destroyFor(isSession ? { issuer, providerSession } : { issuer, subject });
    if (!(await leases.once(PURPOSE, key, logout.expiresAt))) throw usedBefore();
    return ended;
  }

  /** Whether a session of this login must not live: its own end was told, or that of every login of the subject before it. */
  async has({
    issuer,
    subject,
    providerSession,
    issuedAt = Number.POSITIVE_INFINITY,
  }: ProviderLogin): Promise<boolean> {
    const { logouts } = this.#options;
    const [ofSession, ofSubject] = await Promise.all([
      providerSession === undefined ? undefined : logouts.latest(providerSessionHash(issuer, providerSession)),
      logouts.latest(subjectHash(issuer, subject)),
    ]);
    return ofSession !== undefined || (ofSubject !== undefined && issuedAt <= ofSubject.getTime());
  }
}

function usedBefore(): LatchgateError {
  return new LatchgateError('token_invalid', 'the logout token was used before', { detail: { check: 'jti' } });
}
