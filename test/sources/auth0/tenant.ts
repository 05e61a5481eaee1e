import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../../src/ops/clock.ts';
import { createHttpClient } from '../../../src/ops/http.ts';
import type { HttpClient } from '../../../src/ops/http-client.ts';
import type { Limiters } from '../../../src/ops/limiter.ts';
import { type Auth0SourceConfig, auth0SourceSchema } from '../../../src/sources/auth0/schema.ts';
import { createAuth0Source } from '../../../src/sources/auth0/source.ts';
import type { ListedPerson, ListingEnd, Source } from '../../../src/sources/source.ts';
import { type Auth0Emulator, type Auth0EmulatorOptions, startAuth0Emulator } from '../../emulators/auth0/server.ts';
import type { SeedUser } from '../../emulators/auth0/state.ts';

export const DATABASE = 'Username-Password-Authentication';

/** A tenant and what reads it. */
export interface Tenant {
  readonly emulator: Auth0Emulator;
  readonly http: HttpClient;
  readonly source: Source;
  readonly config: Auth0SourceConfig;
  /** Calls to the Management API and for tokens since the start or the last `reset`. */
  calls(): readonly string[];
  close(): Promise<void>;
}

export function configFor(url: string, more: Record<string, unknown> = {}): Auth0SourceConfig {
  return auth0SourceSchema.parse({
    type: 'auth0',
    url,
    client_id: 'emulator-client',
    client_secret: 'emulator-secret',
    retry: { attempts: 3, backoff: 0.01 },
    ...more,
  });
}

export async function startTenant(
  options: Auth0EmulatorOptions = {},
  config: Record<string, unknown> = {},
  limiters?: Limiters,
): Promise<Tenant> {
  const emulator = await startAuth0Emulator(options);
  const http = createHttpClient({ readOnly: true, ...(limiters === undefined ? {} : { limiters }) });
  const parsed = configFor(emulator.url, config);
  const source = createAuth0Source({ name: 'tenant', config: parsed, http, clock: systemClock, pollMs: 1 });
  return {
    emulator,
    http,
    source,
    config: parsed,
    calls: () => emulator.requests.map(({ method, path }) => `${method} ${path.split('?')[0]}`),
    close: async () => {
      await source.close();
      await http.close();
      await emulator.close();
    },
  };
}

export interface Listing {
  readonly people: readonly ListedPerson[];
  readonly end: ListingEnd;
}

export async function listAll(source: Source, signal: AbortSignal = new AbortController().signal): Promise<Listing> {
  const people: ListedPerson[] = [];
  const listing = source.list(signal);
  for (;;) {
    const { value, done } = await listing.next();
    if (done === true) return { people, end: value };
    people.push(value);
  }
}

/** So many users, created one millisecond after the other. */
export function users(count: number, more: (index: number) => Partial<SeedUser> = () => ({})): SeedUser[] {
  const start = Date.parse('2025-01-01T00:00:00.000Z');
  return Array.from({ length: count }, (_, index) => ({
    user_id: `auth0|${String(index).padStart(6, '0')}`,
    email: `p${index}@example.com`,
    created_at: new Date(start + index).toISOString(),
    ...more(index),
  }));
}

/** Waits until it is so. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(5);
}
