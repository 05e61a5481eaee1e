import type { Clock } from '../ops/clock.ts';
import type { HttpClient } from '../ops/http-client.ts';
import type { Limiters } from '../ops/limiter.ts';
import type { Log } from '../ops/log.ts';
import type { ChangeFeed } from '../sources/change-feed.ts';
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
export async function composeSource({ name, config, http, clock }: SourceParts): Promise<Source> {
  switch (config.type) {
    case 'auth0': {
      const { createAuth0Source } = await import('../sources/auth0/source.ts');
      return createAuth0Source({ name, config, http, clock });
    }
    case 'file': {
      const { createFileSource } = await import('../sources/file/source.ts');
      return createFileSource({ name, config });
    }
    case 'keycloak': {
      const { createKeycloakSource } = await import('../sources/keycloak/source.ts');
      return createKeycloakSource({ name, config, http, clock });
    }
    case 'scim': {
      const { createScimSource } = await import('../sources/scim/source.ts');
      return createScimSource({ name, config, http });
    }
    case 'sql': {
      const { createSqlSource } = await import('../sources/sql/source.ts');
      return createSqlSource({ name, config });
    }
  }
}

export interface FeedParts extends SourceParts {
  /** Those that the HTTP client has: opening a stream is a call like others. */
  readonly limiters?: Limiters;
}

/** Whether the config asks for changes in this source to be followed. */
export function hasFeed(source: SourceConfig | undefined): boolean {
  return source?.type === 'auth0' && source.events;
}

/** What tells of changes in a source; undefined where the config asks for no feed. */
export async function composeFeed({
  name,
  config,
  http,
  clock,
  log,
  limiters,
}: FeedParts): Promise<ChangeFeed | undefined> {
  if (config.type !== 'auth0' || !config.events) return undefined;
  const [{ createAuth0Events }, { createHttpStreams }] = await Promise.all([
    import('../sources/auth0/events.ts'),
    import('../ops/http-stream.ts'),
  ]);
  return createAuth0Events({
    config,
    http,
    clock,
    streams: createHttpStreams(limiters === undefined ? {} : { limiters }),
    onTrouble: ({ code, status }) => log.warn('the events of a source break off', { source: name, code, status }),
  });
}
