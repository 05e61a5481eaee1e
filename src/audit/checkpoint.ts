import { compactVerify, decodeJwt, decodeProtectedHeader, importJWK, type JWK } from 'jose';
import type { Signer } from '../ops/keys.ts';

/** How many characters of a record's hash stand in a checkpoint: 48 bits in base64url. */
const MARK = 8;
const MARK_HEX = 12;

/**
 * What was signed of the chain: the records after `after`, up to `seq`, whose hash covers all before it. `marks` is the
 * beginning of each of their hashes, so that the first that was exchanged can be named.
 */
export interface Checkpoint {
  readonly after: number;
  readonly seq: number;
  /** Of record `seq`, in lower-case hex. */
  readonly hash: string;
  readonly at: Date;
  readonly marks: string;
}

/** Up to where records were removed because of their age; the chain goes on from `hash`. */
export interface Removed {
  readonly seq: number;
  readonly hash: string;
  readonly at: Date;
}

/** A public key, its `kid` if it has one. */
export type PublicKey = JWK & { readonly kid?: string };

/** A compact JWS (RFC 7515) by ES256 over the JSON of a checkpoint. It never ends. */
export function signCheckpoint(signer: Pick<Signer, 'sign'>, { at, ...facts }: Checkpoint): Promise<string> {
  return signer.sign({ ...facts, kind: 'checkpoint', at: at.toISOString() });
}

/** The same over what was removed. */
export function signRemoved(signer: Pick<Signer, 'sign'>, { at, ...facts }: Removed): Promise<string> {
  return signer.sign({ ...facts, kind: 'removed', at: at.toISOString() });
}

/** undefined: none of the keys signed it, or it is something else. */
export async function openCheckpoint(token: string, keys: readonly PublicKey[]): Promise<Checkpoint | undefined> {
  const facts = await open(token, keys);
  return facts === undefined ? undefined : checkpointOf(facts);
}

/** As `openCheckpoint`. */
export async function openRemoved(token: string, keys: readonly PublicKey[]): Promise<Removed | undefined> {
  const facts = await open(token, keys);
  if (facts?.['kind'] !== 'removed') return undefined;
  return placeOf(facts);
}

/** What a token says of itself, whoever signed it; undefined: it is no checkpoint. */
export function readCheckpoint(token: string): (Checkpoint & { readonly kid: string | undefined }) | undefined {
  try {
    const facts = checkpointOf(decodeJwt(token));
    return facts === undefined ? undefined : { ...facts, kid: decodeProtectedHeader(token).kid };
  } catch {
    return undefined;
  }
}

export function markOf(hash: string): string {
  return Buffer.from(hash.slice(0, MARK_HEX), 'hex').toString('base64url');
}

/** Whether a record is not the one that was signed. Always false for records that the checkpoint does not cover. */
export function contradicts(checkpoint: Checkpoint, seq: number, hash: string): boolean {
  if (seq <= checkpoint.after || seq > checkpoint.seq) return false;
  if (seq === checkpoint.seq && hash !== checkpoint.hash) return true;
  const from = (seq - checkpoint.after - 1) * MARK;
  return checkpoint.marks.slice(from, from + MARK) !== markOf(hash);
}

async function open(token: string, keys: readonly PublicKey[]): Promise<Record<string, unknown> | undefined> {
  for (const key of keys) {
    try {
      const { payload, protectedHeader } = await compactVerify(token, await importJWK(key, 'ES256'), {
        algorithms: ['ES256'],
      });
      if (key.kid !== undefined && protectedHeader.kid !== key.kid) continue;
      return JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown>;
    } catch {
      // Not by this key.
    }
  }
  return undefined;
}

function checkpointOf(facts: Record<string, unknown>): Checkpoint | undefined {
  const place = placeOf(facts);
  const { after, marks, kind } = facts;
  const isWhole = kind === 'checkpoint' && isCount(after) && typeof marks === 'string';
  if (place === undefined || !isWhole || after >= place.seq) return undefined;
  return marks.length === (place.seq - after) * MARK ? { ...place, after, marks } : undefined;
}

function placeOf({ seq, hash, at }: Record<string, unknown>): Removed | undefined {
  if (!isCount(seq) || typeof hash !== 'string' || typeof at !== 'string') return undefined;
  return { seq, hash, at: new Date(at) };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
