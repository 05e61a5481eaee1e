import { randomBytes } from 'node:crypto';
import { createOidcProvider, type OidcProvider } from '../../src/login/oidc.ts';
import type { Completed, Transaction } from '../../src/login/provider.ts';
import { oidcLoginSchema } from '../../src/login/schema.ts';
import type { Clock } from '../../src/ops/clock.ts';
import { createHttpClient } from '../../src/ops/http.ts';
import type { HttpClient } from '../../src/ops/http-client.ts';
import type { Log } from '../../src/ops/log.ts';

export const PUBLIC_URL = 'http://127.0.0.1:1';
export const SIGNAL = new AbortController().signal;

export const silentLog: Log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

export interface Harness {
  readonly provider: OidcProvider;
  readonly http: HttpClient;
}

/** A provider of ours for this issuer; `settings` are keys of the config. */
export function harnessFor(
  issuer: string,
  settings: Readonly<Record<string, unknown>> = {},
  more: { readonly clock?: Clock; readonly log?: Log; readonly maxBytes?: number; readonly timeoutMs?: number } = {},
): Harness {
  const { clock = { now: () => Date.now() }, log = silentLog, maxBytes = 262_144, timeoutMs = 10_000 } = more;
  const http = createHttpClient({ timeoutMs, maxBytes });
  const config = oidcLoginSchema.parse({
    issuer,
    client_id: 'gateway',
    client_secret: 'a secret of the gateway',
    timeout: '10s',
    ...settings,
  });
  return { http, provider: createOidcProvider({ name: 'staff', config, publicUrl: PUBLIC_URL, http, clock, log }) };
}

export function newTransaction(): Transaction {
  const random = () => randomBytes(32).toString('base64url');
  return { provider: 'staff', nonce: random(), codeVerifier: random(), returnTo: '/', startedAt: Date.now() / 1_000 };
}

/** Goes to a provider that logs in by itself, and comes back. `change` is what happens to the answer on the way. */
export async function logIn(
  provider: OidcProvider,
  change: (callback: URL) => void = () => {},
  transaction = newTransaction(),
): Promise<Completed> {
  const state = randomBytes(16).toString('base64url');
  const address = await provider.begin({ state, transaction });
  const answer = await fetch(address, { redirect: 'manual' });
  const callback = new URL(answer.headers.get('location') ?? 'about:blank');
  change(callback);
  return provider.complete({ callback, state, transaction }, SIGNAL);
}

/** Why something was refused: the code, and the check that failed where the error names one. */
export async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (thrown) {
    const { code, detail } = thrown as { code: string; detail?: Record<string, unknown> };
    return detail?.['check'] === undefined ? code : `${code}: ${detail['check']}`;
  }
  return 'accepted';
}
