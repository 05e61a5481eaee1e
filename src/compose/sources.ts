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
export async function composeSource({ name, config, http, clock }: SourceParts): Promise<Source> {
  switch (config.type) {
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
