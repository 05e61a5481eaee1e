export interface RateLimit {
  /** Tokens that are added in a second. */
  readonly perSecond: number;
  /** Tokens that the bucket holds. */
  readonly burst: number;
}

/** A token bucket: full at first, filled drop by drop. Times in milliseconds since the epoch. */
export class Bucket {
  private readonly limit: RateLimit;
  private tokens: number;
  private at: number | undefined;

  constructor(limit: RateLimit) {
    this.limit = limit;
    this.tokens = limit.burst;
  }

  /** Takes a token if there is one. */
  take(now: number): boolean {
    const { perSecond, burst } = this.limit;
    const passed = Math.max(0, now - (this.at ?? now));
    this.tokens = Math.min(burst, this.tokens + (passed * perSecond) / 1_000);
    this.at = now;
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }

  /** The three headers of every answer: the reset is the UNIX second in which the next token is added. */
  headers(now: number): Record<string, string> {
    const missing = Math.max(0, 1 - (this.tokens % 1));
    const next = now + (missing * 1_000) / this.limit.perSecond;
    return {
      'x-ratelimit-limit': String(this.limit.burst),
      'x-ratelimit-remaining': String(Math.floor(this.tokens)),
      'x-ratelimit-reset': String(Math.ceil(next / 1_000)),
    };
  }
}
