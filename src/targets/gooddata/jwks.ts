import { createHash } from 'node:crypto';
import { z } from 'zod';
import { LatchgateError } from '../../model/errors.ts';
import type { Clock } from '../../ops/clock.ts';
import type { HttpClient } from '../../ops/http-client.ts';
import type { Signer } from '../../ops/keys.ts';
import type { Log } from '../../ops/log.ts';
import { deriveId } from '../names.ts';
import { waitFor } from '../shared-work.ts';
import { createGoodDataApi, type GoodDataApi, parseAnswer } from './api.ts';
import type { GoodDataTargetConfig } from './target.ts';

const PAGE_SIZE = 500;
/** Longer than a token lives, with clock skew, and longer than an instance may go without reading new keys. */
const DELETE_AFTER_MS = 15 * 60_000;

const jwkList = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      attributes: z
        .object({
          content: z
            .object({ kid: z.string().optional(), n: z.string().optional(), e: z.string().optional() })
            .optional(),
        })
        .optional(),
    }),
  ),
});

type RegisteredKey = z.output<typeof jwkList>['data'][number];
type PublicKey = Awaited<ReturnType<Signer['publicKeys']>>[number];

/** Keeps the organisation's keys (`/api/v1/entities/jwks`) what the signer's public keys are. */
export interface JwksRegistrar {
  /**
   * Registers every public key of the signer that is not there yet, those that will sign later included, and deletes
   * keys of this deployment that the signer gave up 15 minutes ago. Never touches anybody else's. To be called at the
   * start and then hourly; callers at the same time share one run. Throws `target_unavailable`, `target_refused`.
   */
  ensure(signal: AbortSignal): Promise<void>;
  /** Ids of our keys that are not there. Writes nothing. Throws as `ensure` does. */
  missing(signal: AbortSignal): Promise<readonly string[]>;
  /** Whether the last run left this key registered. */
  isRegistered(kid: string): boolean;
}

export interface JwksRegistrarOptions {
  readonly config: Pick<GoodDataTargetConfig, 'url' | 'token' | 'timeout'>;
  /** What tells this deployment from others that use the same organisation: its `public_url`. */
  readonly deployment: string;
  readonly signer: Signer;
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

export function createJwksRegistrar({
  config,
  deployment,
  signer,
  http,
  clock,
  log,
}: JwksRegistrarOptions): JwksRegistrar {
  const api = createGoodDataApi({ url: config.url, token: config.token, timeoutMs: config.timeout, http });
  const prefix = `latchgate-${createHash('sha256').update(deployment).digest('hex').slice(0, 8)}-`;
  const unusedSince = new Map<string, number>();
  let registered: ReadonlySet<string> = new Set();
  let running: Promise<void> | undefined;

  const retire = async (there: readonly RegisteredKey[], current: ReadonlySet<string>, signal: AbortSignal) => {
    const unused = there.filter(
      ({ id, attributes }) => id.startsWith(prefix) && !current.has(attributes?.content?.kid ?? ''),
    );
    for (const { id } of unused) {
      const since = unusedSince.get(id) ?? clock.now();
      unusedSince.set(id, since);
      if (clock.now() - since < DELETE_AFTER_MS) continue;
      await remove(api, id, signal);
      unusedSince.delete(id);
      log.info('deleted a key from GoodData that signs no more', { key: id });
    }
    const ids = new Set(unused.map(({ id }) => id));
    for (const id of unusedSince.keys()) if (!ids.has(id)) unusedSince.delete(id);
  };

  const run = async () => {
    const { signal } = new AbortController();
    const [keys, there] = await Promise.all([signer.publicKeys(), list(api, signal)]);
    for (const key of keys) {
      if (there.some(({ attributes }) => isSameKey(attributes?.content, key))) continue;
      const id = deriveId(`${prefix}${key.kid}`);
      if (there.some((other) => other.id === id)) {
        log.warn('replacing a key in GoodData that is not the one we put there', { key: id });
        await remove(api, id, signal);
      }
      await register(api, id, key, signal);
      log.info('registered a key in GoodData', { key: id });
    }
    const kids = new Set(keys.map(({ kid }) => kid));
    registered = kids;
    await retire(there, kids, signal);
  };

  return {
    ensure: (signal) => {
      running ??= run().finally(() => {
        running = undefined;
      });
      return waitFor(running, signal);
    },
    missing: async (signal) => {
      const [keys, there] = await Promise.all([signer.publicKeys(), list(api, signal)]);
      return keys
        .filter((key) => !there.some(({ attributes }) => isSameKey(attributes?.content, key)))
        .map(({ kid }) => kid);
    },
    isRegistered: (kid) => registered.has(kid),
  };
}

async function list(api: GoodDataApi, signal: AbortSignal): Promise<readonly RegisteredKey[]> {
  const keys: RegisteredKey[] = [];
  for (let page = 0; ; page += 1) {
    const query = { page: String(page), size: String(PAGE_SIZE) };
    const response = await api.call({ method: 'GET', path: 'entities/jwks', query, signal }, [200]);
    const { data } = parseAnswer(jwkList, response);
    keys.push(...data);
    if (data.length < PAGE_SIZE) return keys;
  }
}

async function register(api: GoodDataApi, id: string, key: PublicKey, signal: AbortSignal): Promise<void> {
  if (key.kty !== 'RSA' || key.n === undefined || key.e === undefined) {
    throw new LatchgateError('internal', 'GoodData takes RSA keys only');
  }
  const content = { kty: 'RSA', alg: 'RS256', use: 'sig', kid: key.kid, n: key.n, e: key.e };
  const body = { data: { id, type: 'jwk', attributes: { content } } };
  await api.call({ method: 'POST', path: 'entities/jwks', body, signal }, [201, 409]);
}

async function remove(api: GoodDataApi, id: string, signal: AbortSignal): Promise<void> {
  await api.call({ method: 'DELETE', path: `entities/jwks/${id}`, signal }, [200, 204, 404]);
}

function isSameKey(
  content: { kid?: string | undefined; n?: string | undefined; e?: string | undefined } | undefined,
  key: PublicKey,
): boolean {
  return content !== undefined && content.kid === key.kid && content.n === key.n && content.e === key.e;
}
