import type { Audit, Verdict } from '../audit/audit.ts';
import { type Checkpoint, openCheckpoint, type PublicKey, readCheckpoint } from '../audit/checkpoint.ts';
import { decodeText, readFileUpTo } from '../config/files.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Signer } from '../ops/keys.ts';
import type { Io } from './io.ts';
import { printable, timeText } from './table.ts';

const EXIT_BROKEN = 5;
const MOST_BYTES = 64 * 1024 * 1024;

export interface AuditVerifyOptions {
  readonly json?: boolean;
  /** A file of checkpoints that were kept elsewhere, a line each: what `audit checkpoint` prints. */
  readonly checkpoint?: string;
  /** A file with the public keys, as `audit key` prints them, which alone count then. */
  readonly key?: string;
}

/**
 * `latchgate audit verify`: walks the whole chain, and holds it against what was signed of it. Exit code 0, or 5 and the
 * first record that does not hold. With `json`: `{"ok","records","firstBad","why","from","removedAt","signedUpTo",
 * "signedAt"}`, null for what there is not. Throws `usage` for files that cannot be read.
 */
export async function auditVerify(
  deps: { readonly audit: Audit; readonly auditSigner?: Pick<Signer, 'publicKeys'> },
  io: Io,
  options: AuditVerifyOptions = {},
): Promise<number> {
  const keys = options.key === undefined ? undefined : keysIn(options.key);
  const trusted = keys ?? (await deps.auditSigner?.publicKeys()) ?? [];
  const kept = options.checkpoint === undefined ? [] : await checkpointsIn(options.checkpoint, trusted);
  const verdict = isVerdict(kept) ? kept : await deps.audit.verify({ kept, ...(keys === undefined ? {} : { keys }) });
  print(verdict, options, io);
  return verdict.firstBad === undefined ? 0 : EXIT_BROKEN;
}

/** `latchgate audit key`: the public keys that checkpoints are verified with, as a JWK Set (RFC 7517). Exit code 0. */
export async function auditKey(deps: { readonly auditSigner: Pick<Signer, 'publicKeys'> }, io: Io): Promise<number> {
  io.out(JSON.stringify({ keys: await deps.auditSigner.publicKeys() }));
  return 0;
}

function print(
  { records, firstBad, why, from, removedAt, signed }: Verdict,
  { json }: AuditVerifyOptions,
  io: Io,
): void {
  const ok = firstBad === undefined;
  if (json === true) {
    const facts = { ok, records, firstBad: firstBad ?? null, why: why ?? null, from: from ?? null };
    const signing = { signedUpTo: signed?.seq ?? null, signedAt: signed?.at.toISOString() ?? null };
    io.out(JSON.stringify({ ...facts, removedAt: removedAt?.toISOString() ?? null, ...signing }));
  } else if (ok) {
    const since =
      from === undefined || removedAt === undefined
        ? ''
        : ` from ${from} on; those before it were removed because of their age, the last time ${timeText(removedAt)}`;
    const upTo = signed === undefined ? '' : `; signed up to ${signed.seq}, ${timeText(signed.at)}`;
    io.out(`${records} ${records === 1 ? 'record' : 'records'}, the chain holds${since}${upTo}`);
  } else {
    io.err(
      `audit_broken: record ${firstBad} is the first that does not hold: ${why} (${records} before it hold; compare with a copy kept elsewhere)`,
    );
  }
}

async function checkpointsIn(file: string, keys: readonly PublicKey[]): Promise<readonly Checkpoint[] | Verdict> {
  const tokens = textOf(file)
    .split(/\s+/)
    .filter((token) => token !== '');
  const kept: Checkpoint[] = [];
  for (const token of tokens) {
    const said = readCheckpoint(token);
    if (said === undefined)
      throw new LatchgateError('usage', `${printable(file)} holds something that is no checkpoint`);
    const checkpoint = await openCheckpoint(token, keys);
    if (checkpoint === undefined) {
      const why =
        'no key of ours signed the checkpoint kept elsewhere: the keys were exchanged, or the checkpoint is another gateway’s';
      return { records: 0, firstBad: said.after + 1, why };
    }
    kept.push(checkpoint);
  }
  if (kept.length === 0) throw new LatchgateError('usage', `${printable(file)} holds no checkpoint`);
  return kept;
}

function isVerdict(kept: readonly Checkpoint[] | Verdict): kept is Verdict {
  return 'records' in kept;
}

/** A JWK Set, or one key. */
function keysIn(file: string): readonly PublicKey[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(textOf(file));
  } catch (thrown) {
    if (thrown instanceof LatchgateError) throw thrown;
    throw new LatchgateError('usage', `${printable(file)} is not JSON`);
  }
  const { keys = [parsed] } = (parsed ?? {}) as { readonly keys?: unknown };
  if (!Array.isArray(keys) || keys.length === 0 || !keys.every((key) => key?.kty === 'EC')) {
    throw new LatchgateError('usage', `${printable(file)} is no set of keys: take what audit key prints`);
  }
  return keys as PublicKey[];
}

function textOf(file: string): string {
  let text: string | undefined;
  try {
    text = decodeText(readFileUpTo(file, MOST_BYTES));
  } catch (cause) {
    throw new LatchgateError('usage', `${printable(file)} cannot be read`, { cause });
  }
  if (text === undefined) throw new LatchgateError('usage', `${printable(file)} is not UTF-8 text`);
  return text;
}
