import type { Assertion } from '../model/person.ts';

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
  readonly tokens: { readonly idToken?: string; readonly refreshToken?: string };
}

export interface BeginInput {
  /** Opaque to the provider; comes back as it is. */
  readonly state: string;
  readonly transaction: Transaction;
  readonly loginHint?: string;
}

export interface CompleteInput {
  /** The whole callback address as the browser called it, on public_url. */
  readonly callback: URL;
  readonly state: string;
  readonly transaction: Transaction;
}

export interface LogoutInput {
  readonly idToken?: string;
  readonly returnTo: URL;
}

/** A configured way to log in. Throws LatchgateError; never lets a library's error out. */
export interface LoginProvider {
  readonly name: string;
  readonly label: string;
  readonly type: 'oidc' | 'saml';
  readonly emailDomains: readonly string[];
  /** The address at the provider. */
  begin(input: BeginInput, signal: AbortSignal): Promise<URL>;
  complete(input: CompleteInput, signal: AbortSignal): Promise<Completed>;
  /** A token that somebody holds (`explain --token`): verified, and its claims as an assertion. */
  verify(token: string, signal: AbortSignal): Promise<Assertion>;
  /** Where the provider ends its own session; undefined when it cannot. */
  logoutAddress(input: LogoutInput, signal: AbortSignal): Promise<URL | undefined>;
  /** For readiness: throws `provider_unavailable`. */
  probe(signal: AbortSignal): Promise<void>;
}

export interface RefreshInput {
  readonly issuer: string;
  readonly subject: string;
  readonly refreshToken: string;
  readonly idToken?: string;
}

/** A provider that can say how things stand without the person: asked again for live sessions. */
export interface Refreshable {
  /**
   * New claims and tokens of the same subject. Throws `login_ended` when the provider ended the login, `token_invalid`
   * when it answers for somebody else, `provider_unavailable` when it should be asked again later.
   */
  refresh(previous: RefreshInput, signal: AbortSignal): Promise<Completed>;
}
