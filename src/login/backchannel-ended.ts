import { createHash } from 'node:crypto';
import type { Leases, Logouts } from '../directory/directory.ts';
import { LatchgateError } from '../model/errors.ts';
import type { SubjectKey } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import { loneSubjectHash, providerSessionHash, subjectHash } from '../session/seal.ts';
import type { SessionSelector, SessionStore } from '../session/store.ts';
import type { ProviderLogout } from './provider.ts';
import { LOGIN_LIMIT_MS } from './state.ts';

const PURPOSE = 'logout token';
/** After what was said, as far as clocks are allowed to differ. */
const TOLERANCE_MS = 60_000;

export interface EndedLoginsOptions {
  readonly sessions: Pick<SessionStore, 'destroyFor'>;
  readonly leases: Pick<Leases, 'once' | 'seen'>;
  readonly logouts: Logouts;
  /**
   * How old the word of a provider may be by which a session begins, in milliseconds: as long what was said is remembered.
   * Default and least: how long a person may take at the provider. Access tokens live longer.
   */
  readonly longestLifeMs?: number;
  readonly clock: Clock;
}

/** A login as the provider knows it. */
export interface ProviderLogin extends SubjectKey {
  readonly providerSession?: string | undefined;
  /** When its token was issued, in milliseconds since the epoch; absent: nobody knows of one of before. */
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
   * named, else all of the subject (OpenID Connect Back-Channel Logout 1.0 §2.4). Where both are named, sessions of the
   * subject that are of no session of the provider may be of that one, and end too. Counts as used when it is done, so
   * that one that failed may come again. Throws `token_invalid` for one that was used before.
   */
  async end(logout: ProviderLogout): Promise<number> {
    return this.endAll([logout]);
  }

  /**
   * The same for all that one message wants to be over. What is over already is passed over, so that a message of which
   * the store carried out a part may come again for the rest. Throws `token_invalid` when nothing of it is new.
   */
  async endAll(said: readonly ProviderLogout[]): Promise<number> {
    const counts: number[] = [];
    for (const logout of said) counts.push(...(await this.#ended(logout)));
    if (counts.length === 0) throw usedBefore();
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** How many sessions; nothing when it was used before. */
  async #ended(logout: ProviderLogout): Promise<readonly number[]> {
    const { sessions, leases, logouts, longestLifeMs = 0, clock } = this.#options;
    const key = createHash('sha256')
      .update(JSON.stringify([logout.issuer, logout.id]))
      .digest('base64url');
    if (await leases.seen(PURPOSE, key)) return [];
    const meant = meantBy(logout);
    const until = new Date(clock.now() + Math.max(LOGIN_LIMIT_MS, longestLifeMs) + TOLERANCE_MS);
    for (const { remembered } of meant) await logouts.save(remembered, logout.at, until);
    let ended = 0;
    for (const { selector } of meant) ended += await sessions.destroyFor(selector);
    return (await leases.once(PURPOSE, key, logout.expiresAt)) ? [ended] : [];
  }

  /**
   * Whether a session of this login must not live: its own end was told, or that of every login of the subject before it.
   * Logins that are under way when the end of a session is told are of that session, whenever their token is issued.
   */
  async has({
    issuer,
    subject,
    providerSession,
    issuedAt = Number.POSITIVE_INFINITY,
  }: ProviderLogin): Promise<boolean> {
    const { logouts, clock } = this.#options;
    const isLone = providerSession === undefined;
    const [ofSession, ofSubject, ofLone] = await Promise.all([
      isLone ? undefined : logouts.latest(providerSessionHash(issuer, providerSession)),
      logouts.latest(subjectHash(issuer, subject)),
      isLone ? logouts.latest(loneSubjectHash(issuer, subject)) : undefined,
    ]);
    const isBefore = (said: Date | undefined) => said !== undefined && issuedAt <= said.getTime();
    const isUnderWay = ofSession !== undefined && clock.now() < ofSession.getTime() + LOGIN_LIMIT_MS;
    return isUnderWay || [ofSession, ofSubject, ofLone].some(isBefore);
  }
}

/** Which sessions end, and under what that is remembered. */
function meantBy({
  issuer,
  subject,
  providerSession,
}: ProviderLogout): readonly { readonly remembered: string; readonly selector: SessionSelector }[] {
  if (providerSession === undefined) {
    if (subject === undefined) return [];
    return [{ remembered: subjectHash(issuer, subject), selector: { issuer, subject } }];
  }
  const ofSession = {
    remembered: providerSessionHash(issuer, providerSession),
    selector: { issuer, providerSession },
  };
  if (subject === undefined) return [ofSession];
  const lone = { remembered: loneSubjectHash(issuer, subject), selector: { issuer, loneSubject: subject } };
  return [ofSession, lone];
}

function usedBefore(): LatchgateError {
  return new LatchgateError('token_invalid', 'the logout token was used before', { detail: { check: 'jti' } });
}
