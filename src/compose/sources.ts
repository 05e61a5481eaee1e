import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { HttpClient } from '../ops/http-client.ts';
import type { Log } from '../ops/log.ts';
import type { SourceConfig } from '../sources/schema.ts';
import type { Source } from '../sources/source.ts';

export interface SourceParts {
  readonly name: string;
  readonly config: SourceConfig;
  /** Only reads: whatever would write throws `write_refused`. */
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly log: Log;
}

/** One source of the config. What a type of source needs is loaded only where that type is used. */
export async function composeSource({ config }: SourceParts): Promise<Source> {
  switch (config.type) {
    default:
      throw new LatchgateError('feature_missing', `this version has no sources of type ${config.type}`);
  }
}
