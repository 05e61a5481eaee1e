import { randomUUID } from 'node:crypto';
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  type JWTPayload,
  SignJWT,
} from 'jose';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from './clock.ts';
import type { Signer } from './keys.ts';
import { openSealed, seal } from './seal.ts';

/** Named values that all instances share (`StateValues` of the directory). */
export interface SharedValues {
  get(name: string): Promise<string | undefined>;
  /** Writes only when the value still is `expected`; says whether it did. */
  swap(name: string, expected: string | undefined, value: string): Promise<boolean>;
}

export interface SignerOptions {
  readonly values: SharedValues;
  /** `assertion`, `gooddata:NAME`, …: each has keys of its own. */
  readonly name: string;
  readonly alg: 'ES256' | 'RS256';
  /** `session.secrets`: the first encrypts, all decrypt. */
  readonly secrets: readonly string[];
  readonly clock: Clock;
  /** Age at which a key is replaced; default 90 days. */
  readonly rotateAfterMs?: number;
  /** How long a new key is published before it signs; default 300 s (clients keep a JWKS that long). */
  readonly publishAheadMs?: number;
  /** How long an old key stays published after its last signature; default 1 h. More than any token lives. */
  readonly keepAfterMs?: number;
  /** Claims of every token, `iss` for one. */
  readonly claims?: JWTPayload;
  /** Header `typ`; default JWT. */
  readonly typ?: string;
}

interface StoredKey {
  readonly kid: string;
  readonly privateJwk: JWK;
  readonly publicJwk: JWK;
  /** Milliseconds since the epoch. */
  readonly signsFrom: number;
}

interface KeyRing {
  readonly raw: string | undefined;
  readonly keys: readonly StoredKey[];
  readonly needsSealing: boolean;
}

const DAY_MS = 86_400_000;
/** Another instance's new key must be seen well within `publishAheadMs`. */
const REREAD_MS = 60_000;
const SWAP_ATTEMPTS = 10;

/**
 * Keys are made once, kept encrypted in the shared state and rotated without a gap: two instances that begin at once
 * agree through `swap`. Throws `state_unavailable` (first use only: later a known key goes on signing) and
 * `state_unreadable` when none of the secrets opens what is stored.
 */
export function createSigner(options: SignerOptions): Signer {
  const { clock, publishAheadMs = 300_000, keepAfterMs = 3_600_000, rotateAfterMs = 90 * DAY_MS } = options;
  const stateName = `keys:${options.name}`;
  const imported = new Map<string, Promise<Awaited<ReturnType<typeof importJWK>>>>();
  let known: { readonly keys: readonly StoredKey[]; readonly readAt: number } | undefined;
  let reading: Promise<readonly StoredKey[]> | undefined;

  const read = async (): Promise<KeyRing> => {
    const raw = await options.values.get(stateName);
    if (raw === undefined) return { raw, keys: [], needsSealing: false };
    const opened = openSealed(raw, stateName, options.secrets);
    if (opened === undefined) {
      throw new LatchgateError('state_unreadable', 'the stored signing keys open with none of session.secrets', {
        detail: { name: options.name },
      });
    }
    return { raw, keys: JSON.parse(opened.text) as StoredKey[], needsSealing: opened.secret > 0 };
  };

  /** Reads, adds and retires keys as the time wants it, and writes only when something changed. */
  const refresh = async (): Promise<readonly StoredKey[]> => {
    let made: StoredKey | undefined;
    for (let attempt = 0; attempt < SWAP_ATTEMPTS; attempt += 1) {
      const ring = await read();
      const now = clock.now();
      const kept = ring.keys.filter((_, at) => {
        const successor = ring.keys[at + 1];
        return successor === undefined || successor.signsFrom + keepAfterMs > now;
      });
      const newest = kept.at(-1);
      const isDue = newest === undefined || newest.signsFrom + rotateAfterMs <= now;
      if (isDue) made ??= await makeKey(options.alg);
      const added =
        isDue && made !== undefined ? [{ ...made, signsFrom: newest === undefined ? now : now + publishAheadMs }] : [];
      const keys = [...kept, ...added];
      const isChanged = isDue || ring.needsSealing || kept.length !== ring.keys.length;
      if (!isChanged) return keys;
      const sealed = seal(JSON.stringify(keys), stateName, options.secrets);
      if (await options.values.swap(stateName, ring.raw, sealed)) return keys;
    }
    throw new LatchgateError('state_unavailable', 'the signing keys could not be agreed on', {
      detail: { name: options.name },
    });
  };

  const keys = async (): Promise<readonly StoredKey[]> => {
    if (known !== undefined && Math.abs(clock.now() - known.readAt) < REREAD_MS) return known.keys;
    reading ??= refresh().finally(() => {
      reading = undefined;
    });
    try {
      const fresh = await reading;
      known = { keys: fresh, readAt: clock.now() };
    } catch (thrown) {
      if (known === undefined) throw thrown;
      known = { keys: known.keys, readAt: clock.now() };
    }
    return known.keys;
  };

  const current = async (): Promise<StoredKey> => {
    const all = await keys();
    const now = clock.now();
    // The first key ever signs at once, also where the clock is behind that of the instance which made it.
    const signing = all.filter((key) => key.signsFrom <= now).at(-1) ?? all[0];
    if (signing === undefined) {
      throw new LatchgateError('state_unavailable', 'there is no signing key yet', { detail: { name: options.name } });
    }
    return signing;
  };

  return {
    sign: async (payload, lifetimeSeconds) => {
      const key = await current();
      let privateKey = imported.get(key.kid);
      if (privateKey === undefined) {
        privateKey = importJWK(key.privateJwk, options.alg);
        imported.clear();
        imported.set(key.kid, privateKey);
      }
      const issuedAt = Math.floor(clock.now() / 1_000);
      const token = new SignJWT({ ...options.claims, ...payload })
        .setProtectedHeader({ alg: options.alg, kid: key.kid, typ: options.typ ?? 'JWT' })
        .setIssuedAt(issuedAt)
        .setJti(randomUUID());
      if (lifetimeSeconds !== undefined) token.setExpirationTime(issuedAt + lifetimeSeconds);
      return token.sign(await privateKey);
    },
    publicKeys: async () => (await keys()).map(({ publicJwk, kid }) => ({ ...publicJwk, kid })),
    currentKid: async () => (await current()).kid,
  };
}

async function makeKey(alg: 'ES256' | 'RS256'): Promise<StoredKey> {
  const pair = await generateKeyPair(alg, { extractable: true });
  const publicJwk = await exportJWK(pair.publicKey);
  // RFC 7638 thumbprint. The prefix keeps the first character a letter, which GoodData's key ids need.
  const kid = `lg-${await calculateJwkThumbprint(publicJwk)}`;
  return {
    kid,
    privateJwk: await exportJWK(pair.privateKey),
    publicJwk: { ...publicJwk, alg, use: 'sig' },
    signsFrom: 0,
  };
}
