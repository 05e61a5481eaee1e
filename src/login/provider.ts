import type { Assertion } from '../model/person.ts';
import type { SessionTokens } from '../session/store.ts';
import type { LogoutMessage } from './saml/logout-request.ts';

/** What has to be remembered between the start and the end of a login; sealed into the `state` parameter. */
export interface Transaction {
  readonly provider: string;
  readonly nonce: string;
  readonly codeVerifier: string;
  /** Path on our own origin, or listed origin, to go to afterwards; already checked. */
  readonly returnTo: string;
  /** Seconds since the epoch. */
  readonly startedAt: number;
}

export interface Completed {
  readonly assertion: Assertion;
  readonly providerSession?: string;
  /** When the provider issued the ID token, in milliseconds since the epoch; absent: it sent none. */
  readonly issuedAt?: number;
  /** When a session by this login has to be over, in milliseconds since the epoch; absent: the provider does not say. */
  readonly endsAt?: number;
  readonly tokens: SessionTokens;
}

export interface BeginInput {
  /** Opaque to the provider; comes back as it is. Of unreserved characters alone (RFC 3986 §2.3). */
  readonly state: string;
  readonly transaction: Transaction;
  readonly loginHint?: string | undefined;
}

export interface CompleteInput {
  /** The whole callback address as the browser called it, on public_url. */
  readonly callback: URL;
  readonly state: string;
  readonly transaction: Transaction;
}

export interface LogoutInput {
  readonly idToken?: string;
  readonly nameId?: string;
  readonly returnTo: URL;
}

/** What a browser is to post at the provider (SAML bindings §3.5). */
export interface PostForm {
  readonly action: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** How a browser gets to the provider: an address, or a form. */
export type Journey = string | PostForm;

/** A configured way to log in. Throws LatchgateError; never lets a library's error out. */
export interface LoginProvider {
  readonly name: string;
  readonly label: string;
  readonly type: 'oidc' | 'saml';
  readonly emailDomains: readonly string[];
  /** To the provider; at once, when nobody has to be asked for it. */
  begin(input: BeginInput): Journey | Promise<Journey>;
  /** Where the provider ends its own session; undefined when it cannot. */
  logoutJourney(input: LogoutInput, signal: AbortSignal): Promise<Journey | undefined>;
  /** For readiness: throws `provider_unavailable`. */
  probe(signal: AbortSignal): Promise<void>;
}

/** A provider that sends people back with a code in the address (OIDC Core §3.1.2.5). */
export interface AnswersByRedirect {
  complete(input: CompleteInput, signal: AbortSignal): Promise<Completed>;
  /** A token that somebody holds (`explain --token`): verified, and its claims as an assertion. */
  verify(token: string, signal: AbortSignal): Promise<Assertion>;
}

export interface AcceptInput {
  /** `SAMLResponse` of the form. */
  readonly response: string;
  /** Of the login that it answers; undefined: it began at the provider. */
  readonly transaction: Transaction | undefined;
}

/** What a provider wants to be over, and the way to tell it that it is. */
export interface AskedLogout {
  readonly logouts: readonly ProviderLogout[];
  /** For a browser that came along; undefined: the provider wants no answer. */
  answer(): Promise<Journey | undefined>;
}

/** A provider whose answers browsers post to us (SAML 2.0). */
export interface AnswersByPost {
  /** What we are, for the provider to read (SAML metadata §2.4.4). */
  metadata(): Promise<string>;
  /**
   * Verifies an answer, which counts once over all instances. Which browser it came from is not looked at. Throws
   * `saml_*`, `provider_refused`, `provider_misconfigured`, `provider_unavailable`.
   */
  accept(input: AcceptInput, signal: AbortSignal): Promise<Completed>;
  /** The provider's own wish to end logins (SAML core §3.7.3). Throws `saml_*`. */
  verifyLogoutRequest(message: LogoutMessage, signal: AbortSignal): Promise<AskedLogout>;
}

export interface RefreshInput {
  readonly issuer: string;
  readonly subject: string;
  readonly refreshToken: string;
  readonly idToken?: string;
  /**
   * Given a new refresh token as soon as it has arrived, and waited for, before anything else of the answer is looked at:
   * by then the provider may take the former one for stolen.
   */
  readonly keep?: (refreshToken: string) => Promise<void>;
}

/** A provider that can say how things stand without the person: asked again for live sessions. */
export interface Refreshable {
  /** How often it is asked for one session, in milliseconds; absent: never. */
  readonly refreshEveryMs?: number;
  /**
   * New claims and tokens of the same subject. Throws `login_ended` when the provider ended the login, `token_invalid`
   * when it answers for somebody else, `provider_unavailable` when it should be asked again later.
   */
  refresh(previous: RefreshInput, signal: AbortSignal): Promise<Completed>;
  /** RFC 7009, for a token that nobody is going to use; does nothing where the provider has no address for it. */
  revoke(refreshToken: string, signal: AbortSignal): Promise<void>;
}

/** The word of a provider that logins of it are over. */
export interface ProviderLogout {
  /** No other word of this issuer has it. */
  readonly id: string;
  readonly issuer: string;
  /** Without `providerSession`: every login of this subject. With it: also those that have none. One of the two is there. */
  readonly subject?: string;
  readonly providerSession?: string;
  /** When it was said. */
  readonly at: Date;
  /** From then on it is not accepted any more. */
  readonly expiresAt: Date;
}

/** A provider that tells us by itself when logins are over (OpenID Connect Back-Channel Logout 1.0). */
export interface TellsLogouts {
  /** §2.6. Throws `token_invalid` with the failed check in its detail, `token_key_unknown`, `provider_unavailable`. */
  verifyLogout(token: string, signal: AbortSignal): Promise<ProviderLogout>;
}

/** What an access token that an API client brings says. Times in milliseconds since the epoch. */
export interface AccessToken {
  readonly issuer: string;
  readonly subject: string;
  /** Without members of the protocol. */
  readonly claims: Assertion['claims'];
  readonly expiresAt: number;
  readonly issuedAt: number;
  readonly providerSession?: string;
}

/** A provider whose access tokens sign API clients in. */
export interface TakesAccessTokens {
  readonly name: string;
  readonly issuer: string;
  /** Tokens that are meant for one of these are meant for us. */
  readonly audiences: readonly string[];
  /** Throws `token_invalid`, `token_key_unknown`, `subject_invalid`, `insufficient_scope`, `provider_unavailable`. */
  verifyAccess(token: string, signal: AbortSignal): Promise<AccessToken>;
}

export function isRefreshable(provider: LoginProvider): provider is LoginProvider & Refreshable {
  return 'refresh' in provider;
}

export function answersByRedirect(provider: LoginProvider): provider is LoginProvider & AnswersByRedirect {
  return 'complete' in provider;
}

export function answersByPost(provider: LoginProvider): provider is LoginProvider & AnswersByPost {
  return 'accept' in provider;
}

export function tellsLogouts(provider: LoginProvider): provider is LoginProvider & TellsLogouts {
  return 'verifyLogout' in provider;
}
