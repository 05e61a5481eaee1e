import type { ScimClient } from './client.ts';
import type { About } from './standing.ts';

/** What one operation among several said. */
export interface Said extends About {
  readonly isOwed?: boolean;
  /** Of one that makes a resource: remembers whether the client has still to hear that it is there. */
  readonly owing?: ((isOwed: boolean) => Promise<void>) | undefined;
}

/** One request to the API, or one operation of a bulk request, whose client is known. */
export interface Call {
  readonly client: ScimClient;
  readonly requestId: string;
  readonly method: string;
  /** Below the base address, decoded: `['Users', id]`. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
  /** Reads the JSON of the body; undefined when there is none. */
  readonly json: () => Promise<unknown>;
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  /** Of one operation among several: whom it concerns is gathered, and carried out with the others. */
  readonly later?: (said: Said) => void;
  /** Ends when the client is gone. */
  readonly signal: AbortSignal;
}
