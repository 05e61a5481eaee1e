import type { Identity } from '../model/person.ts';

/**
 * What every request of a session needs, kept small: instances hold many of these in memory. Times are milliseconds
 * since the epoch.
 */
export interface Session {
  readonly identity: Identity;
  /** The provider's own session, when it names one: `sid` of OIDC, of SAML a hash of subject and SessionIndex. */
  readonly providerSession?: string;
  readonly createdAt: number;
  /** No use after this, however busy. */
  readonly endsAt: number;
  /** When the provider is asked again whether the login still holds; absent: it cannot be asked. */
  readonly checkAt?: number;
}

/** Tokens of the provider, for refresh and logout. Never leave the gateway, and are never kept in memory. */
export interface SessionTokens {
  readonly idToken?: string;
  readonly refreshToken?: string;
  /** By which a SAML provider knows the login when it is to be ended; JSON of its own. */
  readonly nameId?: string;
}

export interface WholeSession {
  readonly session: Session;
  readonly tokens: SessionTokens;
}

/** Metadata by which sessions can be listed and ended without their cookie. */
export interface SessionInfo {
  /** Hash by which the store looks the record up: safe to show, no use as a cookie. */
  readonly handle: string;
  readonly person: string;
  readonly origin: string;
  readonly createdAt: number;
  readonly lastSeenAt: number;
  readonly endsAt: number;
}

export type SessionSelector =
  | { readonly person: string }
  | { readonly issuer: string; readonly subject: string }
  /** Those of the subject that have no session of the provider. */
  | { readonly issuer: string; readonly loneSubject: string }
  | { readonly issuer: string; readonly providerSession: string }
  | { readonly handle: string }
  | { readonly all: true };

/**
 * Where sessions live. `id` is the secret value of the cookie: 32 random bytes in base64url. The store keeps the record
 * encrypted under a key derived from `id` and finds it by a hash, so that the store alone cannot use a session.
 * Every method throws LatchgateError `session_store_unavailable` when the store does not answer.
 */
export interface SessionStore {
  /** undefined: unknown, ended, idle too long, or a record that does not belong to this id. */
  load(id: string): Promise<Session | undefined>;
  /**
   * The record when it can be used without the store: it was read just now, and its use was written lately enough. Its
   * idle limit, `idleMs` from now and not past its end, is put off. undefined: `load` and `touch` are to be asked.
   */
  peek?(handle: string, idleMs: number): Session | undefined;
  /** As it is in the store at this moment, whatever is remembered here. undefined as for `load`. */
  loadWhole(id: string): Promise<WholeSession | undefined>;
  /**
   * Creates or replaces; `ttlMs` is the idle limit from now on. Without `tokens` those that are stored stay. A session
   * that has ended stays ended: a save that comes late (a refresh that was under way at the logout) is not written, and
   * that is no error.
   */
  save(id: string, session: Session, ttlMs: number, tokens?: SessionTokens): Promise<void>;
  /**
   * Replaces the record of a session that is there, and its tokens when they are given; its idle limit stays as it is.
   * False: there is none to replace, and none is made.
   */
  renew(id: string, session: Session, tokens?: SessionTokens): Promise<boolean>;
  /**
   * When it has run out if nobody uses it until then, in milliseconds since the epoch. A use on another instance that is
   * not written yet is allowed for: past the idle limit by a tenth of it, a second at least and a minute at most.
   * undefined: it is not there.
   */
  runsOutAt(id: string): Promise<number | undefined>;
  /** Puts the idle limit off, without writing the record. */
  touch(id: string, ttlMs: number): Promise<void>;
  destroy(id: string): Promise<void>;
  /** Ends every session that fits; says how many. */
  destroyFor(selector: SessionSelector): Promise<number>;
  /** Everybody's, or one person's. */
  list(person?: string): Promise<readonly SessionInfo[]>;
  /** How many there are, without looking at each. */
  count(): Promise<number>;
  /**
   * Called with each handle that ended, on every instance within a second. Returns how to stop. `held` names the
   * sessions for which the listener has something open: they are asked for now and then, should the word of an end have
   * been lost.
   */
  onEnded(listener: (handle: string) => void, held?: () => Iterable<string>): () => void;
  /** Resolves when the store can do its work. */
  probe(): Promise<void>;
  close(): Promise<void>;
}

export interface PrunedSessions extends SessionStore {
  /** Takes out what has run out, and tells the listeners; says how many. Runs by itself every minute. */
  prune(): Promise<number>;
}
