import { claimedAssertion } from '../compose/claimed.ts';
import type { Engines } from '../compose/engine.ts';
import { isShadow } from '../compose/shadow.ts';
import { readFileUpTo } from '../config/files.ts';
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { Assertion } from '../model/person.ts';
import { newRequestId } from '../ops/request-id.ts';
import type { Io } from './io.ts';

const LIMIT_BYTES = 256 * 1024 * 1024;
const LONGEST_MS = 30 * 60_000;
const EXIT_FAILED = 1;

export interface ShadowFeedOptions {
  /** Name of a login. */
  readonly origin: string;
  /** File with one JSON object of claims a line. */
  readonly claims: string;
  readonly json?: boolean;
}

/**
 * `latchgate shadow feed`: takes claims that were recorded elsewhere as if their people had just logged in, so that
 * `drift` can compare. Only in shadow mode, and marked: nobody has verified them, and no decision in live mode goes by them. What
 * a login has really said stays. Exit code 0, or 1 when some could not be read.
 * Throws `shadow_mode` in live mode, `not_found`, `usage`.
 */
export async function shadowFeed(
  { origin, claims: file, json }: ShadowFeedOptions,
  { engine, state }: Pick<Engines, 'engine' | 'state'>,
  config: Config,
  io: Io,
): Promise<number> {
  if (!isShadow(config)) {
    throw new LatchgateError('shadow_mode', 'claims that nobody has verified are taken in shadow mode alone');
  }
  if (!Object.hasOwn(config.login, origin)) throw new LatchgateError('not_found', `there is no login ${origin}`);
  const lines = textOf(file).split('\n');
  const failed: { readonly line: number; readonly code: string }[] = [];
  let taken = 0;
  let known = 0;
  for (const [at, line] of lines.entries()) {
    if (line.trim() === '') continue;
    try {
      const assertion = claimedAssertion(config, origin, claimsOf(line), new Date(state.clock.now()));
      if (await hasSpoken(state.directory, assertion)) {
        known += 1;
        continue;
      }
      await engine.assert(
        { ...assertion, isUnverified: true },
        { requestId: newRequestId(), signal: AbortSignal.timeout(LONGEST_MS) },
      );
      taken += 1;
    } catch (thrown) {
      failed.push({ line: at + 1, code: toLatchgateError(thrown).code });
    }
  }
  if (json === true) io.out(JSON.stringify({ taken, known, failed }));
  else {
    io.out(`${taken} taken, ${failed.length} not; latchgate drift shows what differs`);
    if (known > 0) io.out(`${known} left out: what these people's own login said counts`);
    for (const { line, code } of failed) io.err(`line ${line}: ${code}`);
  }
  return failed.length === 0 ? 0 : EXIT_FAILED;
}

/** Whether the provider itself has said something of this subject. */
async function hasSpoken({ people }: Pick<Directory, 'people'>, assertion: Assertion): Promise<boolean> {
  // The mapping says what is wrong with a subject that is none.
  if (typeof assertion.subject !== 'string') return false;
  const { origin, issuer, subject } = assertion;
  const person = await people.bySubject({ issuer, subject });
  const said = person === undefined ? [] : await people.assertions(person.id);
  return said.some(
    (one) => one.origin === origin && one.issuer === issuer && one.subject === subject && one.isUnverified !== true,
  );
}

function textOf(file: string): string {
  try {
    const bytes = readFileUpTo(file, LIMIT_BYTES);
    if (bytes.length <= LIMIT_BYTES) return Buffer.from(bytes).toString('utf8');
  } catch {
    throw new LatchgateError('usage', 'the file of claims cannot be read');
  }
  throw new LatchgateError('usage', 'the file of claims is larger than 256 MiB: split it');
}

function claimsOf(line: string): Readonly<Record<string, unknown>> {
  let claims: unknown;
  try {
    claims = JSON.parse(line);
  } catch {
    throw new LatchgateError('usage', 'this is not JSON');
  }
  if (typeof claims === 'object' && claims !== null && !Array.isArray(claims)) return claims as Record<string, unknown>;
  throw new LatchgateError('usage', 'this is no object of claims');
}
