/** How a call is made again. */
export interface RetryPolicy {
  /** How often after a refused or reset connection, 502, 503, 504. 0: never, for a call that must not be made twice. */
  readonly attempts: number;
  /** How often after 429, which says that nothing was done. */
  readonly refusedAttempts: number;
  /** Before the first of them, in milliseconds; doubles with each. A 429 waits for as long as the service says. */
  readonly backoffMs: number;
}

/** One outgoing request. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as `application/json` unless headers say another type. */
  readonly json?: unknown;
  readonly signal: AbortSignal;
  /** Default: the client's own (10 s); covers connect, headers and body. */
  readonly timeoutMs?: number;
  /** Default: the client's own (4 MiB). More is `answer_too_large`. */
  readonly maxBytes?: number;
  /**
   * How often a call may be tried again after a refused or reset connection, 429, 502, 503, 504. Default 2 for GET and
   * HEAD, 0 for the rest. Waits Retry-After, else exponential with jitter, never past the signal or the timeout.
   */
  readonly retries?: number;
  /**
   * For a service with settings of its own: takes the place of `retries` and its waits. These waits do not count towards
   * the timeout; only the signal ends them.
   */
  readonly retry?: RetryPolicy;
  /** Counted by the service apart from the calls to its other addresses. A name of the caller's own. */
  readonly bucket?: string;
  /** A call that only asks, though not by GET or HEAD: for a token, a login, a search. A client that only reads lets it through. */
  readonly reads?: true;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case; several lines of one name joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** Parsed body; throws `target_answer_invalid` when it is not JSON by type or by content. */
  json(): unknown;
}

/**
 * The only way out. Never follows redirects (a 3xx is an answer), never throws for a status. Throws LatchgateError:
 * `target_unavailable` (no connection, reset, timeout), `answer_too_large`.
 */
export interface HttpClient {
  send(request: HttpRequest): Promise<HttpResponse>;
  /** The same limits behind the fetch interface, for libraries that take one (openid-client, jose). */
  readonly fetch: (url: string | URL, init?: RequestInit) => Promise<Response>;
  close(): Promise<void>;
}
